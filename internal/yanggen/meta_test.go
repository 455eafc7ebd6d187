package main

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"

	"mooring/gen"
)

// Every struct field has a node with its name, module and Go form, and every
// node a field.
func TestStructsAndNodesAgree(t *testing.T) {
	seen := map[int]bool{}
	checkStruct(t, reflect.TypeFor[gen.Root](), -1, seen)
	if len(seen) != len(gen.Nodes) || len(seen) == 0 {
		for i := range gen.Nodes {
			if !seen[i] {
				t.Errorf("%s has no struct field", nodePath(i))
			}
		}
	}
}

func checkStruct(t *testing.T, typ reflect.Type, parent int, seen map[int]bool) {
	t.Helper()
	if _, ok := reflect.New(typ).Interface().(ygot.GoStruct); !ok {
		t.Errorf("%s is not a ygot.GoStruct", typ)
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := slices.IndexFunc(gen.Nodes, func(n gen.Node) bool { return n.Parent == parent && n.GoName == f.Name })
		if at < 0 {
			t.Errorf("%s.%s has no node", typ, f.Name)
			continue
		}
		n := gen.Nodes[at]
		seen[at] = true
		if f.Tag.Get("path") != n.Name {
			t.Errorf("%s.%s: node %s, tag %s", typ, f.Name, n.Name, f.Tag)
		}
		if f.Tag.Get("module") != n.Module {
			t.Errorf("%s.%s: module %s, tag %s", typ, f.Name, n.Module, f.Tag)
		}
		if (f.Tag.Get("yangPresence") == "true") != n.Presence {
			t.Errorf("%s.%s: presence %v, tag %s", typ, f.Name, n.Presence, f.Tag)
		}
		checkField(t, f, at, seen)
	}
}

// checkField compares the Go type of a field with node at.
func checkField(t *testing.T, f reflect.StructField, at int, seen map[int]bool) {
	t.Helper()
	n := gen.Nodes[at]
	value := f.Type
	switch n.Kind {
	case gen.KindContainer:
		checkStruct(t, value.Elem(), at, seen)
		return
	case gen.KindList:
		if value.Kind() == reflect.Pointer { // an ordered map
			m, _ := value.MethodByName("Get")
			value = m.Type.Out(0)
		} else {
			value = value.Elem()
		}
		checkStruct(t, value.Elem(), at, seen)
		return
	case gen.KindLeafList:
		value = value.Elem()
	case gen.KindLeaf:
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
	}
	want := map[gen.GoKind]reflect.Kind{
		gen.GoString: reflect.String, gen.GoBool: reflect.Bool, gen.GoEmpty: reflect.Bool,
		gen.GoInt8: reflect.Int8, gen.GoInt16: reflect.Int16, gen.GoInt32: reflect.Int32, gen.GoInt64: reflect.Int64,
		gen.GoUint8: reflect.Uint8, gen.GoUint16: reflect.Uint16, gen.GoUint32: reflect.Uint32, gen.GoUint64: reflect.Uint64,
		gen.GoEnum: reflect.Int64, gen.GoUnion: reflect.Interface, gen.GoBinary: reflect.Slice,
	}[n.GoKind]
	if value.Kind() != want {
		t.Errorf("%s: Go kind %d does not fit %s", nodePath(at), n.GoKind, f.Type)
	}
	enum, isEnum := reflect.Zero(value).Interface().(ygot.GoEnum)
	if isEnum != (n.GoKind == gen.GoEnum) {
		t.Errorf("%s: Go kind %d, but the field is %s", nodePath(at), n.GoKind, value)
	}
	if isEnum {
		got := map[int64]string{}
		for _, e := range n.Type.Resolve().Enums {
			got[e.Value] = e.Name
		}
		want := map[int64]string{}
		for v, def := range enum.ΛMap()[value.Name()] {
			want[v] = def.Name
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-ygot +table):\n%s", nodePath(at), diff)
		}
	}
}

func nodePath(i int) string {
	if i < 0 {
		return ""
	}
	return nodePath(gen.Nodes[i].Parent) + "/" + gen.Nodes[i].Name
}

func find(t *testing.T, path string) gen.Node {
	t.Helper()
	for i := range gen.Nodes {
		if nodePath(i) == path {
			return gen.Nodes[i]
		}
	}
	t.Fatalf("no node %s", path)
	return gen.Node{}
}

// A parent stands before its children, and subtrees are contiguous.
func TestNodeOrder(t *testing.T) {
	open := []int{-1}
	for i, n := range gen.Nodes {
		for len(open) > 0 && open[len(open)-1] != n.Parent {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			t.Fatalf("node %d (%s) is not next to its parent %d", i, n.Name, n.Parent)
		}
		open = append(open, i)
	}
}

// design: every leaf of the configuration has an impact, but the keys, which
// only repeat a leaf of config. State has none.
func TestEveryConfigLeafHasImpact(t *testing.T) {
	roots := map[string]int{"/nacm/": 0, "/agent/": 0, "/bgp/": 0, "/vpn-instances/": 0}
	for i, n := range gen.Nodes {
		isLeaf := n.Kind == gen.KindLeaf || n.Kind == gen.KindLeafList
		isKey := isLeaf && slices.Contains(gen.Nodes[n.Parent].Keys, n.Name) && n.Type.Base == gen.BaseLeafref
		want := isLeaf && n.Config && !isKey
		if got := n.Impact != ""; got != want {
			t.Errorf("%s: has impact %q, want one: %v", nodePath(i), n.Impact, want)
		}
		if want && !impacts[n.Impact] {
			t.Errorf("%s: unknown impact %q", nodePath(i), n.Impact)
		}
		for root := range roots {
			if want && strings.HasPrefix(nodePath(i), root) {
				roots[root]++
			}
		}
	}
	for root, n := range roots {
		if n == 0 {
			t.Errorf("no configuration below %s", root)
		}
	}
}

func TestTypesAreUsable(t *testing.T) {
	check := func(where string, nodes []gen.Node) {
		for _, n := range nodes {
			isLeaf := n.Kind == gen.KindLeaf || n.Kind == gen.KindLeafList
			if (n.Type != nil) != isLeaf || (n.GoKind != 0) != isLeaf {
				t.Errorf("%s %s: type %v, Go kind %d", where, n.Name, n.Type, n.GoKind)
			}
			for typ := n.Type; typ != nil; typ = typ.TargetType {
				for _, p := range typ.Patterns {
					if _, err := regexp.Compile(p.Regexp); err != nil {
						t.Errorf("%s %s: %v", where, n.Name, err)
					}
				}
				if typ.Base == gen.BaseLeafref {
					if nodePath(typ.Target) != typ.Path || gen.Nodes[typ.Target].Type != typ.TargetType {
						t.Errorf("%s %s: target %d is not %s", where, n.Name, typ.Target, typ.Path)
					}
				}
			}
		}
	}
	check("data", gen.Nodes)
	for _, r := range gen.RPCs {
		check(r.Name, r.Input)
		check(r.Name, r.Output)
	}
	for _, n := range gen.Notifications {
		check(n.Name, n.Nodes)
	}
}

const (
	vpnPath  = "/bgp/instances/instance/vpn-instances/vpn-instance"
	peerPath = vpnPath + "/peers/peer"
)

// A node of each shape, field by field.
func TestNodes(t *testing.T) {
	namePatterns := []gen.Pattern{
		{Regexp: "^(?:[!-~]+)$", Message: "a name is 1 to 63 printable ASCII characters without spaces"},
		{Regexp: `^(?:[^*]|[^\n\r][^\n\r]+)$`, Message: "'*' is no name: it stands for any entry"},
	}
	ipAddress := &gen.Type{
		Base: gen.BaseUnion, Typedef: "ip-address", TypedefModule: "mooring-types",
		Members: []*gen.Type{
			{
				Base: gen.BaseString, Typedef: "ipv4-address", TypedefModule: "mooring-types",
				Patterns: []gen.Pattern{{
					Regexp: `^(?:(?:(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\.){3}` +
						`(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]))$`,
					Message: "not an IPv4 address",
				}},
			},
			{
				Base: gen.BaseString, Typedef: "ipv6-address", TypedefModule: "mooring-types",
				Lengths: []gen.Range{{Min: 2, Max: 63}},
				// What they say is held in engine/schema: TestPatternsOfCanonicals.
				Patterns: find(t, peerPath+"/transport/connect-interface/config/source-address").Type.Members[1].Patterns,
			},
		},
	}
	tests := []struct {
		path string
		want gen.Node
	}{
		{peerPath + "/transport/connect-interface/config/source-address", gen.Node{
			Name: "source-address", Module: "mooring-bgp", Kind: gen.KindLeaf, Config: true, Impact: "reset",
			GoName: "SourceAddress", GoKind: gen.GoString, Type: ipAddress,
		}},
		{peerPath + "/transport/connect-interface/config/interface-number", gen.Node{
			Name: "interface-number", Module: "mooring-bgp", Kind: gen.KindLeaf, Config: true, Impact: "reset",
			Choice: "interface-reference", Case: "type-and-number",
			GoName: "InterfaceNumber", GoKind: gen.GoString, Type: &gen.Type{
				Base: gen.BaseString, Typedef: "name", TypedefModule: "mooring-types",
				Lengths:  []gen.Range{{Min: 1, Max: 32}},
				Patterns: namePatterns,
			},
		}},
		{peerPath + "/transport/authentication/config/password", gen.Node{
			Name: "password", Module: "mooring-bgp", Kind: gen.KindLeaf, Config: true, Secret: true, Impact: "reset",
			When: "../method = 'md5'", GoName: "Password", GoKind: gen.GoString,
			Type: &gen.Type{Base: gen.BaseString, Lengths: []gen.Range{{Min: 1, Max: 80}}},
		}},
		{peerPath + "/timers/config/hold-time", gen.Node{
			Name: "hold-time", Module: "mooring-bgp", Kind: gen.KindLeaf, Config: true, Impact: "reset",
			Units: "seconds", GoName: "HoldTime", GoKind: gen.GoUint16,
			Type: &gen.Type{Base: gen.BaseUint16, Ranges: []gen.Range{{}, {Min: 3, Max: 65535}}},
		}},
		{peerPath + "/transport/authentication/keys/key", gen.Node{
			Name: "key", Module: "mooring-bgp", Kind: gen.KindList, Config: true,
			Keys: []string{"key-id"}, Unique: [][]string{{"config/send-id"}, {"config/receive-id"}}, MaxElements: 16,
			When: "../../config/method = 'tcp-ao'", GoName: "Key",
		}},
		{vpnPath + "/config/listen-address", gen.Node{
			Name: "listen-address", Module: "mooring-bgp", Kind: gen.KindLeafList, Config: true, Impact: "reset",
			MaxElements: 8, GoName: "ListenAddress", GoKind: gen.GoString, Type: ipAddress,
		}},
		{vpnPath + "/state/listen-port", gen.Node{
			Name: "listen-port", Module: "mooring-bgp", Kind: gen.KindLeaf, Default: []string{"179"},
			GoName: "ListenPort", GoKind: gen.GoUint16, Type: &gen.Type{Base: gen.BaseUint16},
		}},
		{"/vpn-instances/vpn-instance/config/network-namespace", gen.Node{
			Name: "network-namespace", Module: "mooring-vpn-instance", Kind: gen.KindLeaf, Config: true, Impact: "reset",
			Choice: "attachment", Case: "network-namespace", GoName: "NetworkNamespace", GoKind: gen.GoString,
			Type: &gen.Type{
				Base: gen.BaseString, Typedef: "name", TypedefModule: "mooring-types",
				Lengths:  []gen.Range{{Min: 1, Max: 63}},
				Patterns: append(namePatterns[:2:2], gen.Pattern{Regexp: "^(?:[^/]+)$"}),
			},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got := find(t, tt.path)
			if got.Description == "" || strings.Contains(got.Description, "\n") {
				t.Errorf("description %q", got.Description)
			}
			got.Parent, got.Description = 0, ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A key leads to config and, where that is a reference, on to its target.
func TestLeafrefChain(t *testing.T) {
	key := find(t, vpnPath+"/name")
	if key.Type.Path != vpnPath+"/config/name" || !key.Type.RequireInstance {
		t.Errorf("key refers to %s, require-instance %v", key.Type.Path, key.Type.RequireInstance)
	}
	if got, want := key.Type.TargetType.Path, "/vpn-instances/vpn-instance/config/name"; got != want {
		t.Errorf("config/name refers to %s, want %s", got, want)
	}
	if got := key.Type.Resolve(); got.Base != gen.BaseString || got.Typedef != "name" {
		t.Errorf("resolved type is %v", got)
	}
	group := find(t, peerPath+"/config/peer-group")
	if got, want := group.Type.Path, vpnPath+"/peer-groups/peer-group/config/name"; got != want {
		t.Errorf("peer-group refers to %s, want %s", got, want)
	}
}

func TestMustIsKeptAsWritten(t *testing.T) {
	want := []gen.Must{{
		Expr:    "as or ../../../peer-groups/peer-group[name = current()/peer-group]/config/as",
		Message: "the peer has no AS number: set config/as, or a peer-group whose config/as is set",
	}}
	if diff := cmp.Diff(want, find(t, peerPath+"/config").Must); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestModules(t *testing.T) {
	implemented := map[string]bool{
		"ietf-netconf-acm": true, "mooring-agent": true, "mooring-bgp": true, "mooring-extensions": false, "mooring-types": false, "mooring-vpn-instance": true,
	}
	for _, m := range gen.Modules {
		want, known := implemented[m.Name]
		if !known || want != m.Implemented {
			t.Errorf("%s: implemented %v, want %v", m.Name, m.Implemented, want)
		}
		if m.Namespace == "" || m.Prefix == "" || m.Revision == "" || m.Organization == "" || strings.TrimPrefix(m.File, "ietf/") != m.Name+".yang" {
			t.Errorf("incomplete: %+v", m)
		}
	}
	if len(gen.Modules) != len(implemented) {
		t.Errorf("got %d modules, want %d", len(gen.Modules), len(implemented))
	}
}

// RPCs and notifications have trees of their own, without Go fields.
func TestOperations(t *testing.T) {
	commitID := &gen.Type{
		Base: gen.BaseString, Typedef: "commit-id", TypedefModule: "mooring-types", Lengths: []gen.Range{{Min: 1, Max: 64}},
	}
	leaf := gen.Node{Name: "commit-id", Module: "mooring-bgp", Parent: -1, Kind: gen.KindLeaf, GoKind: gen.GoString, Type: commitID}
	in, out := leaf, leaf
	in.Mandatory, in.Description = true, "The commit whose outcome is wanted again."
	out.Description = "The new commit."
	i := slices.IndexFunc(gen.RPCs, func(r gen.RPC) bool { return r.Name == "rollback" })
	if i < 0 {
		t.Fatal("no RPC rollback")
	}
	got := gen.RPCs[i]
	got.Description = ""
	want := gen.RPC{Name: "rollback", Module: "mooring-bgp", Input: []gen.Node{in}, Output: []gen.Node{out}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(gen.Notifications, func(n gen.Notification) bool {
		return n.Name == "peer-reset" && n.Module == "mooring-bgp" && len(n.Nodes) > 0 && n.Nodes[0].Name == "instance"
	}) {
		t.Error("no notification peer-reset that begins with the instance")
	}
}

// What is denied by default (RFC 8341) is in the tables: the generator reads
// the statements of the standard's own module and of the others.
func TestDeniedByDefault(t *testing.T) {
	for path, want := range map[string]string{
		"/nacm": "default-deny-all", "/agent/commits/commit/change": "default-deny-all",
		peerPath + "/transport/authentication": "default-deny-all", peerPath + "/config/description": "",
	} {
		if got := find(t, path).NACM; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	i := slices.IndexFunc(gen.Modules, func(m gen.Module) bool { return m.Name == "mooring-bgp" })
	if diff := cmp.Diff([]string{"reset-peer"}, gen.Modules[i].DenyAll); diff != "" {
		t.Error(diff)
	}
}

// A type bits is a string in the structs; its names are in the table.
func TestBits(t *testing.T) {
	operations := find(t, "/nacm/rule-list/rule/access-operations")
	if operations.GoKind != gen.GoString || operations.Type.Members[1].Base != gen.BaseBits {
		t.Errorf("access-operations is %+v", operations)
	}
	if diff := cmp.Diff([]string{"create", "read", "update", "delete", "exec"}, operations.Type.Members[1].Bits); diff != "" {
		t.Error(diff)
	}
	const text = `type bits { bit a { description "no } here"; } bit b { description 'nor } here'; } } default "a";`
	if got, want := stringsForBits("leaf x { "+text+" }"), `leaf x { type string; default "a"; }`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
