package nacm

import (
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// RFC 8341 3.4.4: who may call what.
func TestExec(t *testing.T) {
	rule := func(name, rest string) string { return `{"name":"` + name + `",` + rest + `}` }
	tests := []struct {
		name, nacm, user, groups string
		module, rpc              string
		want                     bool
	}{
		{"step 1: not enabled", `{"enable-nacm":false,"exec-default":"deny"}`, "u", "", baseModule, "kill-session", true},
		{"step 2: recovery session", `{"exec-default":"deny"}`, "u", "admin", baseModule, "kill-session", true},
		{"step 3: close-session", `{"exec-default":"deny"}`, "u", "", baseModule, "close-session", true},
		{"step 4: external groups", `{"rule-list":[{"name":"l","group":["x"],"rule":[` + rule("r", `"action":"deny"`) + `]}]}`, "u", "x", baseModule, "get", false},
		{"external groups are off", `{"enable-external-groups":false,"rule-list":[{"name":"l","group":["x"],"rule":[` + rule("r", `"action":"deny"`) + `]}]}`, "u", "x", baseModule, "get", true},
		{"step 5: no group, no rule", `{"rule-list":[{"name":"l","group":["*"],"rule":[` + rule("r", `"action":"deny"`) + `]}]}`, "u", "", baseModule, "get", true},
		{"step 6: any group", `{"rule-list":[{"name":"l","group":["*"],"rule":[` + rule("r", `"action":"deny"`) + `]}]}`, "u", "x", baseModule, "get", false},
		{"another group's rules", `{"rule-list":[{"name":"l","group":["y"],"rule":[` + rule("r", `"action":"deny"`) + `]}]}`, "u", "x", baseModule, "get", true},
		{"step 7: the first rule decides", oneList(rule("a", `"rpc-name":"get","action":"permit"`) + "," + rule("b", `"action":"deny"`)), "u", "", baseModule, "get", true},
		{"the next one for others", oneList(rule("a", `"rpc-name":"get","action":"permit"`) + "," + rule("b", `"action":"deny"`)), "u", "", baseModule, "lock", false},
		{"another module's rule", oneList(rule("a", `"module-name":"mooring-bgp","action":"deny"`)), "u", "", baseModule, "get", true},
		{"a rule for data", oneList(rule("a", `"path":"/mooring-bgp:bgp","action":"deny"`)), "u", "", "mooring-bgp", "preview", true},
		{"a rule for notifications", oneList(rule("a", `"notification-name":"*","action":"deny"`)), "u", "", "mooring-bgp", "preview", true},
		{"another access operation", oneList(rule("a", `"access-operations":"read update","action":"deny"`)), "u", "", baseModule, "get", true},
		{"its access operation", oneList(rule("a", `"access-operations":"exec read","action":"deny"`)), "u", "", baseModule, "get", false},
		{"step 10: default-deny-all", `{}`, "u", "", "mooring-bgp", "reset-peer", false},
		{"default-deny-all and a rule", oneList(rule("a", `"rpc-name":"reset-peer","action":"permit"`)), "u", "", "mooring-bgp", "reset-peer", true},
		{"step 11: kill-session", `{}`, "u", "", baseModule, "kill-session", false},
		{"step 11: delete-config", `{}`, "u", "", baseModule, "delete-config", false},
		{"step 12: exec-default", `{"exec-default":"deny"}`, "u", "", baseModule, "get", false},
		{"by default", `{}`, "u", "", baseModule, "get", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample(t, tt.nacm)
			who := control(&c)
			if got := who.Of(Identity{User: tt.user, Groups: strings.Fields(tt.groups)}).Exec(tt.module, tt.rpc); got != tt.want {
				t.Errorf("%s may call %s: %v, want %v", tt.user, tt.rpc, got, tt.want)
			}
			if denied, _, _ := who.Denied(); (denied == 1) == tt.want {
				t.Errorf("%d refusals are counted", denied)
			}
		})
	}
}

// RFC 8341 3.4.6: who receives what.
func TestNotify(t *testing.T) {
	tests := []struct {
		name, nacm string
		want       bool
	}{
		{"by default", `{}`, true},
		{"read-default", `{"read-default":"deny"}`, false},
		{"its name", oneList(`{"name":"a","notification-name":"peer-reset","action":"deny"}`), false},
		{"another name", oneList(`{"name":"a","notification-name":"peer-state-change","action":"deny"}`), true},
		{"its module", oneList(`{"name":"a","module-name":"mooring-bgp","access-operations":"read","action":"deny"}`), false},
		{"an operation of that name", oneList(`{"name":"a","rpc-name":"peer-reset","action":"deny"}`), true},
		{"to write", oneList(`{"name":"a","notification-name":"*","access-operations":"create update delete exec","action":"deny"}`), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample(t, tt.nacm)
			who := control(&c)
			if got := who.Of(Identity{User: "u"}).Notify("mooring-bgp", "peer-reset"); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if _, _, denied := who.Denied(); (denied == 1) == tt.want {
				t.Errorf("%d refusals are counted", denied)
			}
		})
	}
}

// RFC 8341 3.4.5 and 3.2.4: what is read of the sample, in JSON.
func TestRead(t *testing.T) {
	const (
		vpn1 = inVPN + "[name='vpn1']"
		rest = `"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"secret plans","as":200},"transport":{"config":{"tcp-mss":1000}}`
	)
	peer := func(vpn, content string) string {
		return `{"name":"` + vpn + `","config":{"name":"` + vpn + `"},"peers":{"peer":[{` + content + `}]}}`
	}
	all := func(entries ...string) string {
		return `{"bgp":{"instances":{"instance":[{"name":"default","config":{"name":"default","as":100},"vpn-instances":{"vpn-instance":[` + strings.Join(entries, ",") + `]}}]}}}`
	}
	whole := all(peer("vpn1", rest), peer("vpn2", rest))
	tests := []struct{ name, nacm, want string }{
		{"by default all but /nacm", `{"exec-default":"permit"}`, whole},
		{"read-default", `{"read-default":"deny"}`, `{}`},
		{"a module", oneList(`{"name":"a","module-name":"mooring-bgp","action":"deny"}`), `{}`},
		{"another module", oneList(`{"name":"a","module-name":"mooring-agent","action":"deny"}`), whole},
		{"the root", oneList(`{"name":"a","path":"/","action":"deny"}`), `{}`},
		{"to write", oneList(`{"name":"a","path":"/","access-operations":"create update delete","action":"deny"}`), whole},
		{"an entry", oneList(`{"name":"a","path":"` + vpn1 + `","action":"deny"}`), all(peer("vpn2", rest))},
		{"all but an entry", oneList(`{"name":"a","path":"` + vpn1 + `","action":"permit"},{"name":"b","path":"` + inVPN + `","action":"deny"}`), all(peer("vpn1", rest))},
		{"a leaf of all entries", oneList(`{"name":"a","path":"` + inVPN + `/peers/peer/config/description","action":"deny"}`), all(
			peer("vpn1", strings.Replace(rest, `"description":"secret plans",`, "", 1)), peer("vpn2", strings.Replace(rest, `"description":"secret plans",`, "", 1)))},
		{"a container of one entry", oneList(`{"name":"a","path":"` + vpn1 + `/peers/peer[address='10.1.1.2']/config","action":"deny"}`), all(
			peer("vpn1", `"address":"10.1.1.2","transport":{"config":{"tcp-mss":1000}}`), peer("vpn2", rest))},
		{
			"the way to what may be read", oneList(`{"name":"a","path":"` + vpn1 + `/peers/peer/transport","action":"permit"},{"name":"b","path":"/mooring-bgp:bgp","action":"deny"}`),
			`{"bgp":{"instances":{"instance":[{"name":"default","vpn-instances":{"vpn-instance":[{"name":"vpn1","peers":{"peer":[{"address":"10.1.1.2","transport":{"config":{"tcp-mss":1000}}}]}}]}}]}}}`,
		},
		{"the first rule decides", oneList(`{"name":"a","path":"/mooring-bgp:bgp","action":"deny"},{"name":"b","path":"` + vpn1 + `","action":"permit"}`), `{}`},
		{
			"an address in another spelling", oneList(`{"name":"a","path":"` + vpn1 + `/peers/peer[address='10.1.1.2']","action":"permit"},{"name":"b","path":"` + inVPN + `/peers","action":"deny"}`),
			all(peer("vpn1", rest), `{"name":"vpn2","config":{"name":"vpn2"}}`),
		},
		{
			"the user's own", oneList(`{"name":"a","path":"` + inVPN + `[name=$USER]","action":"permit"},{"name":"b","path":"` + inVPN + `","action":"deny"}`),
			`{"bgp":{"instances":{"instance":[{"name":"default","config":{"name":"default","as":100}}]}}}`,
		},
		{
			"default-deny-all and a rule", oneList(`{"name":"a","path":"/ietf-netconf-acm:nacm/groups","action":"permit"},{"name":"b","module-name":"mooring-bgp","action":"deny"}`),
			`{"nacm":{"groups":{"group":[{"name":"g","user-name":["u"]}]}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample(t, tt.nacm)
			got, err := schema.AppendJSON(nil, control(&c).Of(Identity{User: "u"}).View(c), nil, schema.JSONOptions{})
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, tt.want)
			}
		})
	}
	c := sample(t, `{"read-default":"deny"}`)
	if v := control(&c).Of(Identity{User: "u", Groups: []string{"admin"}}).View(c); v == nil || v.Get(key) == nil {
		t.Error("a recovery session cannot read /nacm")
	}
}

// A default is not told where the leaf may not be read: the value may be set.
func TestHiddenDefaults(t *testing.T) {
	c := sample(t, oneList(`{"name":"a","path":"/mooring-agent:agent/history/config/size","action":"deny"}`))
	v := control(&c).Of(Identity{User: "u"}).View(c)
	seen := map[string]bool{}
	schema.Leaves(v, nil, schema.LeafOptions{Defaults: true}, func(l *schema.LeafValue) bool {
		seen[l.Path().String()] = true
		return true
	})
	if seen["/agent/history/config/size"] || !seen["/agent/reset-control/config/max-concurrent"] {
		t.Errorf("the hidden default is shown, or others are not: %v", seen)
	}
	if _, err := schema.AppendJSON(nil, v, schema.Path{
		{Node: schema.Root().Child("agent")},
		{Node: schema.Root().Child("agent").Child("history")},
		{Node: schema.Root().Child("agent").Child("history").Child("config")},
		{Node: schema.Root().Child("agent").Child("history").Child("config").Child("size")},
	}, schema.JSONOptions{}); err == nil {
		t.Error("its path has a value")
	}
	var xml strings.Builder
	if err := schema.EncodeXML(&xml, v, nil, schema.XMLOptions{Defaults: schema.ReportAll}); err != nil {
		t.Fatal(err)
	}
	if text := xml.String(); strings.Contains(text, "<size>") || !strings.Contains(text, "<max-concurrent>64<") {
		t.Errorf("report-all: %s", text)
	}
}

// RFC 8341 3.4.5 and 3.2.5: what may be written.
func TestWrite(t *testing.T) {
	peer := peerKey("vpn1", "10.1.1.2")
	const (
		whole = `{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":200,"description":"secret plans"},"transport":{"config":{"tcp-mss":1000}}}`
		bare  = `{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":200},"transport":{"config":{"tcp-mss":1000}}}`
		other = `{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":200,"description":"others"},"transport":{"config":{"tcp-mss":1000}}}`
	)
	at := func(path, operations, action string) string {
		return `{"name":"` + path + operations + `","path":"` + path + `","access-operations":"` + operations + `","action":"` + action + `"}`
	}
	const description = inVPN + "/peers/peer/config/description"
	tests := []struct{ name, rules, old, new, want string }{
		{"write-default", `{}`, whole, other, "update " + peer.String() + "/config/description"},
		{"write-default permit", `{"write-default":"permit"}`, whole, other, ""},
		{"nothing changes", `{}`, whole, whole, ""},
		{"update is permitted", oneList(at(description, "update", "permit")), whole, other, ""},
		{"update is not create", oneList(at(description, "update", "permit")), bare, whole, "create " + peer.String() + "/config/description"},
		{"update is not delete", oneList(at(description, "update", "permit")), whole, bare, "delete " + peer.String() + "/config/description"},
		{"delete is permitted", oneList(at(description, "delete", "permit")), whole, bare, ""},
		{"an entry is made", oneList(at(inVPN, "create", "permit")), "", whole, ""},
		{"an entry is made with what may not be", oneList(at(description, "create", "deny") + "," + at(inVPN, "create", "permit")), "", whole, "create " + peer.String() + "/config/description"},
		{"an entry is deleted", oneList(at(inVPN, "create update", "permit")), whole, "", "delete " + peer.String()},
		{"an entry is deleted with what may not be", oneList(at(description, "delete", "deny") + "," + at(inVPN, "*", "permit")), whole, "", "delete " + peer.String() + "/config/description"},
		{"another entry's rule", oneList(at(inVPN+"[name='vpn2']", "*", "permit")), whole, other, "update " + peer.String() + "/config/description"},
		{"its entry's rule", oneList(at(inVPN+"[name='vpn1']", "*", "permit")), whole, other, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample(t, tt.rules)
			d := schema.Dirty{Key: peer}
			if tt.old != "" {
				d.Old = stored(t, peer, tt.old)
			}
			if tt.new != "" {
				d.New = stored(t, peer, tt.new)
			}
			who := control(&c)
			err := who.Of(Identity{User: "u"}).Write([]schema.Dirty{d})
			checkDenied(t, err, tt.want)
			if _, denied, _ := who.Denied(); (denied == 1) != (tt.want != "") {
				t.Errorf("%d refusals are counted", denied)
			}
		})
	}
}

// checkDenied wants "operation path", or nothing.
func checkDenied(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	operation, path, _ := strings.Cut(want, " ")
	e, ok := err.(*schema.Error)
	if !ok || e.Tag != schema.AccessDenied || e.Path.String() != path || !strings.Contains(e.Message, "may not "+operation) {
		t.Errorf("got %v, want access-denied at %s to %s", err, path, operation)
	}
}

// What a choice displaces needs no right (RFC 8341 3.2.5).
func TestWriteDisplaced(t *testing.T) {
	k := schema.MakeKey("", schema.KindOf(schema.KindVPNInstance), "v")
	c := sample(t, oneList(`{"name":"a","path":"/mooring-vpn-instance:vpn-instances","access-operations":"create","action":"permit"}`))
	rights := control(&c).Of(Identity{User: "u"})
	device, namespace, neither := stored(t, k, `{"name":"v","config":{"name":"v","vrf-device":"red"}}`),
		stored(t, k, `{"name":"v","config":{"name":"v","network-namespace":"blue"}}`), stored(t, k, `{"name":"v","config":{"name":"v"}}`)
	checkDenied(t, rights.Write([]schema.Dirty{{Key: k, Old: device, New: namespace}}), "")
	checkDenied(t, rights.Write([]schema.Dirty{{Key: k, Old: device, New: neither}}), "delete "+k.String()+"/config/vrf-device")
}

// The order of rules is data: to change it is an update.
func TestWriteOrder(t *testing.T) {
	const a, b = `{"name":"a","action":"permit"}`, `{"name":"b","action":"deny"}`
	c := sample(t, oneList(`{"name":"x","path":"/ietf-netconf-acm:nacm","access-operations":"read create delete","action":"permit"}`))
	rights := control(&c).Of(Identity{User: "u"})
	old, new := stored(t, key, oneList(a+","+b)), stored(t, key, oneList(b+","+a))
	checkDenied(t, rights.Write([]schema.Dirty{{Key: key, Old: old, New: new}}), "update /nacm/rule-list[name=l]/rule[name=b]")
}

// A fault in what the user may not read is told where it can be read, and not
// what it is.
func TestConceal(t *testing.T) {
	c := sample(t, oneList(`{"name":"a","path":"`+inVPN+`[name='vpn1']","action":"deny"}`))
	rights := control(&c).Of(Identity{User: "u"})
	hidden, shown := peerKey("vpn1", "10.1.1.2").Path(), peerKey("vpn2", "10.1.1.2").Path()
	above := vpnKey("vpn1").Path().Parent().String()
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"hidden", &schema.Error{Path: hidden, Message: "names g1"}, above + ": " + conflict},
		{"shown", &schema.Error{Path: shown, Message: "names g1"}, shown.String() + ": names g1"},
		{"one of two", &schema.Error{Path: shown, NonUnique: []schema.Path{shown, hidden}, Message: "so has " + hidden.String()}, shown.String() + ": " + conflict},
		{"several", schema.Errors{{Path: hidden, Message: "a"}, {Path: hidden.Parent(), Message: "b"}, {Path: shown, Message: "c"}}, above + ": " + conflict + "\n" + shown.String() + ": c"},
	} {
		if got := rights.Conceal(tt.err); got.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	// What a transaction changes and may not is named as far as it may be read.
	k := peerKey("vpn1", "10.1.1.2")
	err := rights.Write([]schema.Dirty{{Key: k, Old: c[k]}})
	if e, ok := err.(*schema.Error); !ok || e.Tag != schema.AccessDenied || e.Path.String() != above {
		t.Errorf("Write: %v, want access-denied at %s", err, above)
	}
}

// edited is a transaction on a configuration that no edit has changed yet.
type edited struct{ config }

func (edited) Mutable(schema.Key) ygot.GoStruct { panic("written") }
func (edited) Delete(schema.Key) bool           { panic("deleted") }
func (edited) Touch(schema.Key, *schema.Node)   {}
func (edited) Judge() schema.Judge              { return nil }
func (e edited) Was(k schema.Key) ygot.GoStruct { return e.config[k] }

// What an edit names is what counts, whether or not it would change anything.
func TestNamed(t *testing.T) {
	at := func(path, operations, action string) string {
		return `{"name":"` + path + operations + `","path":"` + path + `","access-operations":"` + operations + `","action":"` + action + `"}`
	}
	const peers = inVPN + "/peers/peer"
	all := oneList(at(inVPN, "*", "permit"))
	noText := oneList(at(peers+"/config/description", "*", "deny") + "," + at(inVPN, "*", "permit"))
	noVPN1 := oneList(at(inVPN+"[name='vpn1']", "*", "deny") + "," + at(inVPN, "*", "permit"))
	tests := []struct {
		name, rules string
		vpn, peer   string
		leaf        string // "" for the peer itself
		op          schema.Op
		want        string // "" for permitted
	}{
		{"a value that it has", `{}`, "vpn1", "10.1.1.2", "as", schema.OpMerge, "update"},
		{"a leaf that is not set", `{}`, "vpn1", "10.1.1.2", "enabled", schema.OpMerge, "create"},
		{"a leaf to remove that is not set", `{}`, "vpn1", "10.1.1.2", "enabled", schema.OpRemove, "delete"},
		{"a peer that leads on", `{}`, "vpn1", "10.1.1.2", "", schema.OpMerge, ""},
		{"a peer that is not there", `{}`, "vpn1", "10.1.1.9", "", schema.OpMerge, "create"},
		{"a peer to remove that is not there", `{}`, "vpn1", "10.1.1.9", "", schema.OpRemove, "delete"},
		{"permitted", all, "vpn1", "10.1.1.2", "as", schema.OpReplace, ""},
		{"a peer with what may not be deleted", noText, "vpn1", "10.1.1.2", "", schema.OpDelete, "read or delete all of"},
		{"a new peer has nothing to hide", noText, "vpn1", "10.1.1.9", "", schema.OpReplace, ""},
		{"a hidden leaf", noText, "vpn1", "10.1.1.2", "description", schema.OpRemove, "read or write"},
		{"a hidden peer", noVPN1, "vpn1", "10.1.1.2", "", schema.OpNone, "read or write"},
		{"a hidden peer that is not there", noVPN1, "vpn1", "10.1.1.9", "", schema.OpNone, "read or write"},
		{"another VPN instance", noVPN1, "vpn2", "10.1.1.2", "description", schema.OpCreate, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample(t, tt.rules)
			base, e := peerKey(tt.vpn, tt.peer).Path(), &schema.Edit{Op: tt.op, HasValue: true}
			if n := base.Node(); tt.leaf != "" {
				base, e.Node = base.Append(n.Child("config")), n.Child("config").Child(tt.leaf)
			} else {
				e.Node, e.Keys, base = n, base[len(base)-1].Keys, base.Parent()
			}
			err := control(&c).Of(Identity{User: "u"}).Named(edited{c}, base, e)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), "may not "+tt.want+" it") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// The policy is compiled once, and again when /nacm changes.
func TestPolicyFollowsTheConfiguration(t *testing.T) {
	c := sample(t, `{}`)
	who := control(&c)
	first := who.Of(Identity{User: "u"})
	if who.Of(Identity{User: "u"}) != first {
		t.Error("the rights are worked out again although nothing has changed")
	}
	if !first.Exec(baseModule, "get") {
		t.Error("get is refused")
	}
	c[key] = stored(t, key, `{"exec-default":"deny"}`)
	if who.Of(Identity{User: "u"}).Exec(baseModule, "get") {
		t.Error("the new default does not hold")
	}
	delete(c, key)
	if !who.Of(Identity{User: "u"}).Exec(baseModule, "get") {
		t.Error("without /nacm its defaults do not hold")
	}
	var none *Control
	if none.Of(Identity{User: "u"}) != nil {
		t.Error("without a Control not everything is permitted")
	}
	recovery := Identity{User: "x", Groups: []string{"admin"}}
	if n := testing.AllocsPerRun(100, func() { who.Of(recovery) }); n > 0 {
		t.Errorf("a recovery session costs %v allocations", n)
	}
}
