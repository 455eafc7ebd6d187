package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// op is a step of an apply test: an operation at a path, with the text of a
// leaf's value or of a leaf-list's entries.
type op struct {
	op    Op
	path  string
	value string
	under []op // edits below, with paths relative to this one
}

// build makes the edit of an op below a path.
func (o op) build(t *testing.T, above string) (Path, *Edit) {
	t.Helper()
	p := path(t, above+o.path)
	e := &Edit{Node: p.Node(), Op: o.op}
	if len(p) > 0 {
		e.Keys = p[len(p)-1].Keys
	}
	if o.value != "" {
		e.HasValue = true
		for text := range strings.SplitSeq(o.value, " ") {
			v, err := e.Node.Type.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			e.Value, e.Values = v, append(e.Values, v)
		}
	}
	for _, u := range o.under {
		below, child := u.build(t, above+o.path)
		for at := below[:len(below)-1]; len(at) > len(p); at = at.Parent() { // containers on the way
			child = &Edit{Node: at.Node(), Op: OpMerge, Keys: at[len(at)-1].Keys, Children: []*Edit{child}}
		}
		e.Children = append(e.Children, child)
	}
	return p, e
}

// netconf.md 23-29, 39; gnmi.md 29, 33, 34, 36, 37, 42
func TestApply(t *testing.T) {
	group := vpnPath + "/peer-groups/peer-group[name=g1]"
	family := "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config"
	peer6 := vpnPath + "/peers/peer[address=2001:db8::1]"
	tests := []struct {
		name    string
		op      op
		want    map[string]string // path to JSON afterwards, "" for missing
		tag     Tag
		errPath string // where there is an error
	}{
		{
			name: "merge leaf", op: op{op: OpMerge, path: peerPath + "/config/as", value: "300"},
			want: map[string]string{peerPath + "/config/as": "300", peerPath + "/config/description": `"a \"peer\""`},
		},
		{
			name: "create leaf", op: op{op: OpCreate, path: peerPath + "/transport/config/local-port", value: "99"},
			want: map[string]string{peerPath + "/transport/config/local-port": "99"},
		},
		{name: "create leaf that exists", op: op{op: OpCreate, path: peerPath + "/config/as", value: "200"}, tag: DataExists, errPath: peerPath + "/config/as"},
		{
			name: "create leaf at its default", op: op{op: OpCreate, path: peer6 + "/config/enabled", value: "true"},
			want: map[string]string{peer6 + "/config": `{"address":"2001:db8::1","enabled":true,"as":65001}`},
		},
		{name: "delete leaf", op: op{op: OpDelete, path: peerPath + "/config/as"}, want: map[string]string{peerPath + "/config/as": ""}},
		{name: "delete leaf ignores a value", op: op{op: OpDelete, path: peerPath + "/config/as", value: "7"}, want: map[string]string{peerPath + "/config/as": ""}},
		{name: "delete missing leaf", op: op{op: OpDelete, path: peerPath + "/transport/config/local-port"}, tag: DataMissing, errPath: peerPath + "/transport/config/local-port"},
		{name: "delete leaf in force by default", op: op{op: OpDelete, path: peer6 + "/config/enabled"}, tag: DataMissing, errPath: peer6 + "/config/enabled"},
		{name: "remove missing leaf", op: op{op: OpRemove, path: peerPath + "/transport/config/local-port"}, want: map[string]string{}},
		{name: "none changes no leaf", op: op{op: OpNone, path: peerPath + "/config/as", value: "9"}, want: map[string]string{peerPath + "/config/as": "200"}},
		{name: "leaf without value", op: op{op: OpMerge, path: peerPath + "/config/as"}, tag: InvalidValue, errPath: peerPath + "/config/as"},
		{name: "state", op: op{op: OpMerge, path: peerPath + "/state/as", value: "9"}, tag: InvalidValue, errPath: peerPath + "/state"},

		{
			name: "merge makes what is above", op: op{op: OpMerge, path: "/bgp/instances/instance[name=x]/vpn-instances/vpn-instance[name=y]/peers/peer[address=1.1.1.1]/config/as", value: "1"},
			want: map[string]string{"/bgp/instances/instance[name=x]": `{"name":"x","config":{"name":"x"},"vpn-instances":{"vpn-instance":[{"name":"y","config":{"name":"y"},` +
				`"peers":{"peer":[{"address":"1.1.1.1","config":{"address":"1.1.1.1","as":1}}]}}]}}`},
		},
		{name: "delete below a missing entry", op: op{op: OpDelete, path: "/bgp/instances/instance[name=x]/config/as"}, tag: DataMissing, errPath: "/bgp/instances/instance[name=x]"},
		{name: "remove below a missing entry", op: op{op: OpRemove, path: "/bgp/instances/instance[name=x]/config/as"}, want: map[string]string{"/bgp/instances/instance[name=x]": ""}},
		{name: "none below a missing entry", op: op{op: OpNone, path: "/bgp/instances/instance[name=x]/config"}, tag: DataMissing, errPath: "/bgp/instances/instance[name=x]"},
		{name: "none of a missing entry", op: op{op: OpNone, path: vpnPath + "/peers/peer[address=9.9.9.9]"}, tag: DataMissing, errPath: vpnPath + "/peers/peer[address=9.9.9.9]"},

		{name: "key twin with its value", op: op{op: OpMerge, path: peerPath + "/config/address", value: "10.1.1.2"}, want: map[string]string{peerPath + "/config/address": `"10.1.1.2"`}},
		{name: "key twin with another value", op: op{op: OpMerge, path: peerPath + "/config/address", value: "10.1.1.3"}, tag: InvalidValue, errPath: peerPath + "/config/address"},
		{name: "key with another value", op: op{op: OpMerge, path: peerPath + "/address", value: "10.1.1.3"}, tag: InvalidValue, errPath: peerPath + "/address"},
		{name: "delete key", op: op{op: OpDelete, path: peerPath + "/address"}, tag: BadElement, errPath: peerPath + "/address"},
		{name: "delete key twin", op: op{op: OpRemove, path: peerPath + "/config/address"}, tag: BadElement, errPath: peerPath + "/config/address"},
		{name: "create key twin", op: op{op: OpCreate, path: peerPath + "/config/address", value: "10.1.1.2"}, tag: DataExists, errPath: peerPath + "/config/address"},
		{
			name: "create key twin in a new entry", op: op{op: OpCreate, path: vpnPath + "/peers/peer[address=9.9.9.9]", under: []op{{op: OpCreate, path: "/config/address", value: "9.9.9.9"}}},
			want: map[string]string{vpnPath + "/peers/peer[address=9.9.9.9]": `{"address":"9.9.9.9","config":{"address":"9.9.9.9"}}`},
		},
		{name: "delete config keeps the key", op: op{op: OpDelete, path: peerPath + "/config"}, want: map[string]string{peerPath + "/config": `{"address":"10.1.1.2"}`}},

		{name: "undo of the command", op: op{op: OpDelete, path: peerPath + "/transport/connect-interface"}, want: map[string]string{peerPath + "/transport/connect-interface": "{}"}},
		{name: "delete empty container", op: op{op: OpDelete, path: peerPath + "/graceful-restart"}, tag: DataMissing, errPath: peerPath + "/graceful-restart"},
		{name: "remove empty container", op: op{op: OpRemove, path: peerPath + "/graceful-restart"}, want: map[string]string{}},
		{name: "create container that has data", op: op{op: OpCreate, path: peerPath + "/timers"}, tag: DataExists, errPath: peerPath + "/timers"},
		{
			name: "replace container", op: op{op: OpReplace, path: peerPath + "/timers", under: []op{{path: "/config/connect-retry", value: "5"}}},
			want: map[string]string{peerPath + "/timers": `{"config":{"connect-retry":5}}`, peerPath + "/config/as": "200"},
		},
		{
			name: "other case clears", op: op{op: OpMerge, path: peerPath + "/transport/connect-interface/config", under: []op{{path: "/interface-type", value: "Eth"}, {path: "/interface-number", value: "1"}}},
			want: map[string]string{peerPath + "/transport/connect-interface/config": `{"interface-type":"Eth","interface-number":"1","source-address":"10.1.1.1"}`},
		},
		{
			name: "two cases", op: op{op: OpMerge, path: peerPath + "/transport/connect-interface/config", under: []op{{path: "/interface", value: "a"}, {path: "/interface-number", value: "1"}}},
			tag: BadElement, errPath: peerPath + "/transport/connect-interface/config/interface-number",
		},
		{
			name: "delete in the other case", op: op{op: OpRemove, path: peerPath + "/transport/connect-interface/config/interface-type"},
			want: map[string]string{peerPath + "/transport/connect-interface/config/interface": `"LoopBack1"`},
		},

		{name: "leaf-list merge", op: op{op: OpMerge, path: family + "/import-route-target", value: "100:0 100:1"}, want: map[string]string{family + "/import-route-target": `["100:0","100:1","100:2"]`}},
		{name: "leaf-list replace", op: op{op: OpReplace, path: family + "/import-route-target", value: "9:2 9:1"}, want: map[string]string{family + "/import-route-target": `["9:1","9:2"]`}},
		{name: "leaf-list replace with duplicates", op: op{op: OpReplace, path: family + "/import-route-target", value: "9:1 9:1"}, tag: InvalidValue, errPath: family + "/import-route-target"},
		{name: "leaf-list create", op: op{op: OpCreate, path: family + "/import-route-target", value: "100:2"}, tag: DataExists, errPath: family + "/import-route-target"},
		{name: "leaf-list delete entry", op: op{op: OpDelete, path: family + "/import-route-target", value: "100:2"}, want: map[string]string{family + "/import-route-target": `["100:1"]`}},
		{name: "leaf-list delete missing entry", op: op{op: OpDelete, path: family + "/import-route-target", value: "100:3"}, tag: DataMissing, errPath: family + "/import-route-target"},
		{name: "leaf-list remove missing entry", op: op{op: OpRemove, path: family + "/import-route-target", value: "100:3 100:1"}, want: map[string]string{family + "/import-route-target": `["100:2"]`}},
		{name: "leaf-list delete all", op: op{op: OpDelete, path: family + "/import-route-target"}, want: map[string]string{family: `{"route-distinguisher":"100:1"}`}},
		{name: "leaf-list delete all of none", op: op{op: OpDelete, path: family + "/export-route-target"}, tag: DataMissing, errPath: family + "/export-route-target"},

		{
			name: "delete inner entry", op: op{op: OpDelete, path: peer6 + "/transport/authentication/keys/key[key-id=9]"},
			want: map[string]string{peer6 + "/transport/authentication/keys": `{"key":[{"key-id":10,"config":{"key-id":10,"send-id":1,"receive-id":2}}]}`},
		},
		{name: "delete missing inner entry", op: op{op: OpDelete, path: peer6 + "/transport/authentication/keys/key[key-id=1]"}, tag: DataMissing, errPath: peer6 + "/transport/authentication/keys/key[key-id=1]"},
		{name: "none of missing inner entry", op: op{op: OpNone, path: peer6 + "/transport/authentication/keys/key[key-id=1]"}, tag: DataMissing, errPath: peer6 + "/transport/authentication/keys/key[key-id=1]"},
		{name: "below a missing inner entry", op: op{op: OpDelete, path: peer6 + "/transport/authentication/keys/key[key-id=1]/config/send-id"}, tag: DataMissing, errPath: peer6 + "/transport/authentication/keys/key[key-id=1]"},
		{name: "create inner entry that exists", op: op{op: OpCreate, path: peer6 + "/afi-safis/afi-safi[name=ipv4-unicast]"}, tag: DataExists, errPath: peer6 + "/afi-safis/afi-safi[name=ipv4-unicast]"},
		{name: "replace inner entry", op: op{op: OpReplace, path: peer6 + "/afi-safis/afi-safi[name=vpnv4-unicast]"}, want: map[string]string{peer6 + "/afi-safis/afi-safi[name=vpnv4-unicast]/config": `{"name":"vpnv4-unicast"}`}},
		{
			name: "merge into a new inner entry", op: op{op: OpMerge, path: peer6 + "/afi-safis/afi-safi[name=ipv6-unicast]/config/enabled", value: "false"},
			want: map[string]string{peer6 + "/afi-safis/afi-safi[name=ipv6-unicast]": `{"name":"ipv6-unicast","config":{"name":"ipv6-unicast","enabled":false}}`},
		},
		{name: "delete whole inner list", op: op{op: OpDelete, path: peer6 + "/afi-safis/afi-safi"}, want: map[string]string{peer6 + "/afi-safis": "{}"}},
		{name: "delete whole inner list of none", op: op{op: OpDelete, path: peerPath + "/afi-safis/afi-safi"}, tag: DataMissing, errPath: peerPath + "/afi-safis/afi-safi"},

		{name: "delete record and below", op: op{op: OpDelete, path: "/bgp/instances/instance[name=default]"}, want: map[string]string{"/bgp": "{}", "/vpn-instances/vpn-instance[name=vpn1]/config/vrf-device": `"red"`}},
		{name: "delete missing record", op: op{op: OpDelete, path: "/bgp/instances/instance[name=x]"}, tag: DataMissing, errPath: "/bgp/instances/instance[name=x]"},
		{name: "remove missing record", op: op{op: OpRemove, path: "/bgp/instances/instance[name=x]"}, want: map[string]string{}},
		{name: "create record that exists", op: op{op: OpCreate, path: group}, tag: DataExists, errPath: group},
		{name: "replace record clears what it nests", op: op{op: OpReplace, path: vpnPath}, want: map[string]string{vpnPath: `{"name":"vpn1","config":{"name":"vpn1"}}`, "/bgp/instances/instance[name=default]/config/as": "100"}},
		{name: "replace above records", op: op{op: OpReplace, path: vpnPath + "/peers"}, want: map[string]string{vpnPath + "/peers": "{}", group + "/config/as": "200"}},
		{name: "delete whole list of records", op: op{op: OpDelete, path: vpnPath + "/peers/peer"}, want: map[string]string{vpnPath + "/peers": "{}"}},
		{
			name: "delete above records twice", op: op{op: OpDelete, path: "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=2001:db8::1]/transport/connect-interface"},
			tag: DataMissing, errPath: peer6 + "/transport/connect-interface",
		},
		{name: "create above records", op: op{op: OpCreate, path: "/bgp"}, tag: DataExists, errPath: "/bgp"},
		{
			name: "none leads down to a delete", op: op{op: OpNone, path: "/bgp/instances/instance[name=default]", under: []op{{op: OpDelete, path: "/vpn-instances/vpn-instance[name=vpn1]"}}},
			want: map[string]string{"/bgp/instances/instance[name=default]/vpn-instances": "{}"},
		},

		{name: "delete _public_ empties it", op: op{op: OpDelete, path: "/vpn-instances/vpn-instance[name=_public_]"}, want: map[string]string{"/vpn-instances/vpn-instance[name=_public_]": `{"name":"_public_","config":{"name":"_public_"}}`}},
		{name: "create _public_", op: op{op: OpCreate, path: "/vpn-instances/vpn-instance[name=_public_]"}, tag: DataExists, errPath: "/vpn-instances/vpn-instance[name=_public_]"},
		{name: "delete agent", op: op{op: OpDelete, path: "/agent"}, want: map[string]string{"/agent": "{}"}},
		{name: "create agent that has data", op: op{op: OpCreate, path: "/agent"}, tag: DataExists, errPath: "/agent"},
		{name: "delete root", op: op{op: OpDelete, path: "/"}, want: map[string]string{"/": `{"vpn-instances":{"vpn-instance":[{"name":"_public_","config":{"name":"_public_"}}]}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := sample(t)
			tx := before.begin()
			p, e := tt.op.build(t, "")
			err := Apply(tx, p.Parent(), e)
			if !before.equal(sample(t)) {
				t.Error("the records of the base were changed")
			}
			if tt.want == nil {
				var fault *Error
				if !errors.As(err, &fault) || fault.Tag != tt.tag || fault.Path.String() != tt.errPath {
					t.Fatalf("got %v (%+v), want %s at %s", err, fault, tt.tag, tt.errPath)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for at, want := range tt.want {
				got, err := AppendJSON(nil, tx, path(t, at), JSONOptions{})
				if string(got) != want {
					t.Errorf("%s: got %s (%v), want %s", at, got, err, want)
				}
			}
		})
	}
}

// A delete of what only _public_ holds by itself finds nothing.
func TestApplyDeleteTwice(t *testing.T) {
	m := newMemory()
	for _, at := range []string{"/vpn-instances", "/agent", "/", "/bgp"} {
		p := path(t, at)
		var fault *Error
		if err := Apply(m.begin(), p.Parent(), &Edit{Node: p.Node(), Op: OpDelete}); !errors.As(err, &fault) || fault.Tag != DataMissing {
			t.Errorf("%s: %v", at, err)
		}
		if err := Apply(m.begin(), p.Parent(), &Edit{Node: p.Node(), Op: OpRemove}); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// Written leaves are told also where the value stays.
func TestApplyTouch(t *testing.T) {
	tx := sample(t).must(t, peerPath, `{"config":{"as":200,"address":"10.1.1.2"},"timers":{"config":{"hold-time":9}}}`, OpMerge)
	k, _, _ := path(t, peerPath).Record()
	kind := k.Kind().Node.Path()
	slices.Sort(tx.touched[k])
	if diff := cmp.Diff([]string{kind + "/config/as", kind + "/timers/config/hold-time"}, tx.touched[k]); diff != "" {
		t.Error(diff)
	}
	if len(tx.touched) != 1 {
		t.Errorf("touched %v", tx.touched)
	}
}

func TestApplyWildcard(t *testing.T) {
	p := path(t, vpnPath+"/peers/peer[address=*]/config/as")
	var fault *Error
	if err := Apply(sample(t), p.Parent(), &Edit{Node: p.Node(), Op: OpRemove}); !errors.As(err, &fault) || fault.Tag != InvalidValue {
		t.Errorf("got %v", err)
	}
}
