package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const vpn1Path = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"

// fault is an Error in a form to compare.
type fault struct {
	Tag, App, Path, BadElement string
	NonUnique                  []string
	Message                    string
}

func faultsOf(err error) []fault {
	var all Errors
	if !errors.As(err, &all) {
		var one *Error
		if !errors.As(err, &one) {
			return nil
		}
		all = Errors{one}
	}
	var out []fault
	for _, e := range all {
		f := fault{Tag: e.Tag.String(), App: e.AppTag, Path: e.Path.String(), BadElement: e.BadElement, Message: e.Message}
		for _, p := range e.NonUnique {
			f.NonUnique = append(f.NonUnique, p.String())
		}
		out = append(out, f)
	}
	return out
}

// netconf.md 38: tags, app-tags and paths of RFC 7950 15 and 8.3.1.
func TestValidateFaults(t *testing.T) {
	base := baseStore(t).mustXML(t, peerXML("10.0.0.3", `<config><as>1</as></config><transport><authentication><config>`+
		`<method>md5</method><password>x</password></config></authentication></transport>`)).
		mustXML(t, peerXML("10.0.0.4", `<config><as>1</as></config><transport><authentication><config><method>tcp-ao</method></config><keys>`+
			aoKey(1, 1, 1)+aoKey(2, 2, 2)+`</keys></authentication></transport>`))
	must := func(path, message string) []fault {
		return []fault{{Tag: "operation-failed", App: "must-violation", Path: path, Message: message}}
	}
	peer := func(address string) string { return vpn1Path + "/peers/peer[address=" + address + "]" }
	tests := []struct {
		name, edit string
		want       []fault
	}{
		{
			"peer without AS", peerXML("10.0.0.9", ""),
			must(peer("10.0.0.9")+"/config", "the peer has no AS number: set config/as, or a peer-group whose config/as is set"),
		},
		{
			"peer whose group has no AS", peerXML("10.0.0.9", `<config><peer-group>g2</peer-group></config>`),
			must(peer("10.0.0.9")+"/config", "the peer has no AS number: set config/as, or a peer-group whose config/as is set"),
		},
		{
			"group loses the AS of its members", inVPN1(`<peer-groups><peer-group><name>g1</name><config><as nc:operation="delete"/></config></peer-group></peer-groups>`),
			must(peer("10.0.0.2")+"/config", "the peer has no AS number: set config/as, or a peer-group whose config/as is set"),
		},
		{
			"group with members deleted", inVPN1(`<peer-groups><peer-group nc:operation="delete"><name>g1</name></peer-group></peer-groups>`),
			[]fault{{
				Tag: "data-missing", App: "instance-required", Path: peer("10.0.0.2") + "/config/peer-group",
				Message: "names g1, but there is no " + vpn1Path + "/peer-groups/peer-group[name=g1]",
			}},
		},
		{
			"unknown group", peerXML("10.0.0.1", `<config><peer-group>g9</peer-group></config>`),
			[]fault{{
				Tag: "data-missing", App: "instance-required", Path: peer("10.0.0.1") + "/config/peer-group",
				Message: "names g9, but there is no " + vpn1Path + "/peer-groups/peer-group[name=g9]",
			}},
		},
		{
			"VPN instance in use deleted", `<vpn-instances ` + vpnXMLNS + ` ` + ncXMLNS + `><vpn-instance nc:operation="delete"><name>vpn1</name></vpn-instance></vpn-instances>`,
			[]fault{{
				Tag: "data-missing", App: "instance-required", Path: vpn1Path + "/config/name",
				Message: "names vpn1, but there is no /vpn-instances/vpn-instance[name=vpn1]",
			}},
		},
		{
			"BGP instance without AS", `<bgp ` + bgpXMLNS + `><instances><instance><name>i2</name></instance></instances></bgp>`,
			[]fault{{Tag: "data-missing", Path: "/bgp/instances/instance[name=i2]/config/as", Message: "mandatory leaf as is missing: set it"}},
		},
		{
			"route distinguisher twice", `<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>vpn2</name><ipv4-family><config>` +
				`<route-distinguisher>100:01</route-distinguisher></config></ipv4-family></vpn-instance></vpn-instances>`,
			[]fault{{
				Tag: "operation-failed", App: "data-not-unique",
				Path: "/vpn-instances/vpn-instance[name=vpn2]/ipv4-family/config/route-distinguisher",
				NonUnique: []string{
					"/vpn-instances/vpn-instance[name=vpn2]/ipv4-family/config/route-distinguisher",
					"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/route-distinguisher",
				},
				Message: "value 100:1 must be unique, but /vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/route-distinguisher has it too",
			}},
		},
		{
			"IPv6 route distinguisher twice in one edit", `<vpn-instances ` + vpnXMLNS + `>` + rd6("vpn3") + rd6("vpn2") + `</vpn-instances>`,
			[]fault{{
				Tag: "operation-failed", App: "data-not-unique",
				Path: "/vpn-instances/vpn-instance[name=vpn3]/ipv6-family/config/route-distinguisher",
				NonUnique: []string{
					"/vpn-instances/vpn-instance[name=vpn3]/ipv6-family/config/route-distinguisher",
					"/vpn-instances/vpn-instance[name=vpn2]/ipv6-family/config/route-distinguisher",
				},
				Message: "value 7:7 must be unique, but /vpn-instances/vpn-instance[name=vpn2]/ipv6-family/config/route-distinguisher has it too",
			}},
		},
		{
			"public in a VRF", `<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>_public_</name><config><vrf-device>red</vrf-device></config></vpn-instance></vpn-instances>`,
			must("/vpn-instances/vpn-instance[name=_public_]/config",
				"_public_ is the agent's own network namespace and takes no vrf-device or network-namespace"),
		},
		{
			"source of the other family", peerXML("10.0.0.1", `<transport><connect-interface><config><source-address>2001:db8::1</source-address></config></connect-interface></transport>`),
			must(peer("10.0.0.1"), "source-address must be of the same address family as the peer"),
		},
		{
			"GTSM and multihop", peerXML("10.0.0.1", `<transport><config><valid-ttl-hops>1</valid-ttl-hops><ebgp-max-hop>2</ebgp-max-hop></config></transport>`),
			must(peer("10.0.0.1")+"/transport/config", "valid-ttl-hops and an ebgp-max-hop above 1 exclude each other: delete one of them"),
		},
		{
			"type without number, in a group", inVPN1(`<peer-groups><peer-group><name>g2</name><transport><connect-interface><config>` +
				`<interface-type>LoopBack</interface-type></config></connect-interface></transport></peer-group></peer-groups>`),
			must(vpn1Path+"/peer-groups/peer-group[name=g2]/transport/connect-interface/config",
				"interface-type and interface-number belong together: give both or neither"),
		},
		{
			"md5 without password", peerXML("10.0.0.1", `<transport><authentication><config><method>md5</method></config></authentication></transport>`),
			must(peer("10.0.0.1")+"/transport/authentication/config", "method md5 needs a password"),
		},
		{
			"tcp-ao without keys", peerXML("10.0.0.1", `<transport><authentication><config><method>tcp-ao</method></config></authentication></transport>`),
			must(peer("10.0.0.1")+"/transport/authentication/config", "method tcp-ao needs at least one entry in keys"),
		},
		{
			"keepalive too long", peerXML("10.0.0.1", `<timers><config><hold-time>90</hold-time><keepalive-interval>31</keepalive-interval></config></timers>`),
			must(peer("10.0.0.1")+"/timers/config", "keepalive-interval must be at most a third of hold-time"),
		},
		{
			"password under a false when", peerXML("10.0.0.1", `<transport><authentication><config><password>x</password></config></authentication></transport>`),
			[]fault{{
				Tag: "unknown-element", Path: peer("10.0.0.1") + "/transport/authentication/config/password", BadElement: "password",
				Message: "password is only allowed when ../method = 'md5'",
			}},
		},
		{
			"new password and method none at once", peerXML("10.0.0.3", `<transport><authentication><config><method>none</method><password>y</password></config></authentication></transport>`),
			[]fault{{
				Tag: "unknown-element", Path: peer("10.0.0.3") + "/transport/authentication/config/password", BadElement: "password",
				Message: "password is only allowed when ../method = 'md5'",
			}},
		},
		{
			"key under a false when", peerXML("10.0.0.1", `<transport><authentication><keys>`+aoKey(1, 1, 1)+`</keys></authentication></transport>`),
			[]fault{{
				Tag: "unknown-element", Path: peer("10.0.0.1") + "/transport/authentication/keys/key[key-id=1]", BadElement: "key",
				Message: "key is only allowed when ../../config/method = 'tcp-ao'",
			}},
		},
		{
			"key without secret", peerXML("10.0.0.4", `<transport><authentication><keys><key><key-id>3</key-id></key></keys></authentication></transport>`),
			[]fault{{
				Tag: "data-missing", Path: peer("10.0.0.4") + "/transport/authentication/keys/key[key-id=3]/config/secret",
				Message: "mandatory leaf secret is missing: set it",
			}},
		},
		{
			"send-id twice", peerXML("10.0.0.4", `<transport><authentication><keys>`+aoKey(3, 1, 3)+`</keys></authentication></transport>`),
			[]fault{{
				Tag: "operation-failed", App: "data-not-unique", Path: keyPath(peer("10.0.0.4"), 3, "send-id"),
				NonUnique: []string{keyPath(peer("10.0.0.4"), 3, "send-id"), keyPath(peer("10.0.0.4"), 1, "send-id")},
				Message:   "value 1 must be unique, but " + keyPath(peer("10.0.0.4"), 1, "send-id") + " has it too",
			}},
		},
		{
			"receive-id twice", peerXML("10.0.0.4", `<transport><authentication><keys>`+aoKey(3, 3, 2)+`</keys></authentication></transport>`),
			[]fault{{
				Tag: "operation-failed", App: "data-not-unique", Path: keyPath(peer("10.0.0.4"), 3, "receive-id"),
				NonUnique: []string{keyPath(peer("10.0.0.4"), 3, "receive-id"), keyPath(peer("10.0.0.4"), 2, "receive-id")},
				Message:   "value 2 must be unique, but " + keyPath(peer("10.0.0.4"), 2, "receive-id") + " has it too",
			}},
		},
		{
			"17 keys", peerXML("10.0.0.4", `<transport><authentication><keys>`+aoKeys(3, 17)+`</keys></authentication></transport>`),
			[]fault{{
				Tag: "operation-failed", App: "too-many-elements", Path: peer("10.0.0.4") + "/transport/authentication/keys/key",
				Message: "too many entries: at most 16 are allowed",
			}},
		},
		{
			"two faults, sorted", peerXML("10.0.0.2", `<config><peer-group>g2</peer-group></config><timers><config><hold-time>3</hold-time><keepalive-interval>2</keepalive-interval></config></timers>`),
			append(must(peer("10.0.0.2")+"/config", "the peer has no AS number: set config/as, or a peer-group whose config/as is set"),
				must(peer("10.0.0.2")+"/timers/config", "keepalive-interval must be at most a third of hold-time")...),
		},

		{"group with AS left by its last member and deleted", inVPN1(`<peer-groups><peer-group nc:operation="delete"><name>g1</name></peer-group></peer-groups>` +
			`<peers><peer><address>10.0.0.2</address><config><peer-group nc:operation="delete"/><as>7</as></config></peer></peers>`), nil},
		{"group loses its AS, members get their own", inVPN1(`<peer-groups><peer-group><name>g1</name><config><as nc:operation="delete"/></config></peer-group></peer-groups>` +
			`<peers><peer><address>10.0.0.2</address><config><as>7</as></config></peer></peers>`), nil},
		{"route distinguishers swapped", `<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>vpn1</name><ipv4-family><config><route-distinguisher>1:1</route-distinguisher></config></ipv4-family></vpn-instance>` +
			`<vpn-instance><name>vpn2</name><ipv4-family><config><route-distinguisher>100:1</route-distinguisher></config></ipv4-family></vpn-instance></vpn-instances>`, nil},
		{"16 keys", peerXML("10.0.0.4", `<transport><authentication><keys>`+aoKeys(3, 16)+`</keys></authentication></transport>`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := base.commitXML(tt.edit, OpMerge)
			if diff := cmp.Diff(tt.want, faultsOf(err)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, err)
			}
		})
	}
}

func aoKey(id, send, receive int) string {
	return fmt.Sprintf("<key><key-id>%d</key-id><config><send-id>%d</send-id><receive-id>%d</receive-id><secret>s</secret></config></key>", id, send, receive)
}

func aoKeys(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(aoKey(i, i, i))
	}
	return b.String()
}

func keyPath(peer string, id int, leaf string) string {
	return fmt.Sprintf("%s/transport/authentication/keys/key[key-id=%d]/config/%s", peer, id, leaf)
}

func rd6(name string) string {
	return `<vpn-instance><name>` + name + `</name><ipv6-family><config><route-distinguisher>7:7</route-distinguisher></config></ipv6-family></vpn-instance>`
}

// What no edit can make, but a broken file could hold.
func TestValidateForeignData(t *testing.T) {
	peerPath := path(t, vpn1Path+"/peers/peer[address=10.0.0.1]")
	k, _, _ := peerPath.Record()
	leaf := func(text string) Path { return path(t, k.String()+text)[len(k.Path()):] }
	tests := []struct {
		name   string
		change func(tx *store)
		want   []fault
	}{
		{"two cases", func(tx *store) {
			rec := tx.Mutable(k)
			SetLeaf(rec, leaf("/transport/connect-interface/config/interface"), StringValue("eth0"))
			SetLeaf(rec, leaf("/transport/connect-interface/config/interface-type"), StringValue("eth"))
			SetLeaf(rec, leaf("/transport/connect-interface/config/interface-number"), StringValue("0"))
		}, []fault{
			{
				Tag: "bad-element", Path: k.String() + "/transport/connect-interface/config/interface-number", BadElement: "interface-number",
				Message: "interface-number and interface exclude each other: give one of them",
			},
			{
				Tag: "bad-element", Path: k.String() + "/transport/connect-interface/config/interface-type", BadElement: "interface-type",
				Message: "interface-type and interface exclude each other: give one of them",
			},
		}},
		{"leaf-list value twice, too many values", func(tx *store) {
			vs := []Value{StringValue("10.0.0.1"), StringValue("10.0.0.2"), StringValue("10.0.0.1")}
			rec := tx.Mutable(k.Parent())
			p := path(t, vpn1Path+"/config/listen-address")
			for i := range 6 {
				vs = append(vs, StringValue(fmt.Sprintf("10.0.1.%d", i)))
			}
			SetValues(rec, p[len(k.Parent().Path()):], vs)
		}, []fault{
			{
				Tag: "operation-failed", App: "data-not-unique", Path: vpn1Path + "/config/listen-address",
				NonUnique: []string{vpn1Path + "/config/listen-address"}, Message: "holds 10.0.0.1 twice",
			},
			{Tag: "operation-failed", App: "too-many-elements", Path: vpn1Path + "/config/listen-address", Message: "too many entries: at most 8 are allowed"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tx := baseStore(t).begin()
			tt.change(tx)
			if diff := cmp.Diff(tt.want, faultsOf(Validate(tx, tx.dirty()))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// RFC 7950 8.3.2: what an edit makes meaningless goes away by itself.
func TestPruneWhen(t *testing.T) {
	md5 := baseStore(t).mustXML(t, peerXML("10.0.0.1", `<transport><authentication><config><method>md5</method><password>x</password></config></authentication></transport>`))
	ao := baseStore(t).mustXML(t, peerXML("10.0.0.1", `<transport><authentication><config><method>tcp-ao</method></config><keys>`+aoKeys(1, 3)+`</keys></authentication></transport>`))
	k, _, _ := path(t, vpn1Path+"/peers/peer[address=10.0.0.1]").Record()
	authentication := func(s *store) *genAuthentication { return s.Get(k).(*genPeer).GetTransport().GetAuthentication() }
	tests := []struct {
		name, edit string
		base       *store
		pruned     bool
	}{
		{"method of a password", `<transport><authentication><config><method>none</method></config></authentication></transport>`, md5, true},
		{"method of a password deleted", `<transport><authentication><config><method nc:operation="delete"/></config></authentication></transport>`, md5, true},
		{"method of keys", `<transport><authentication><config><method>none</method></config></authentication></transport>`, ao, true},
		{"something else", `<config><description>x</description></config>`, ao, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tx, err := tt.base.editXML(peerXML("10.0.0.1", tt.edit), OpMerge)
			if err != nil {
				t.Fatal(err)
			}
			if got := PruneWhen(tx, tx.dirty()); got != tt.pruned {
				t.Errorf("PruneWhen = %v, want %v", got, tt.pruned)
			}
			a := authentication(tx)
			if gone := a.GetConfig().Password == nil && keyCount(a) == 0; gone != tt.pruned {
				t.Errorf("password and keys gone = %v, want %v", gone, tt.pruned)
			}
			if errs := Validate(tx, tx.dirty()); len(errs) > 0 {
				t.Error(errs)
			}
			if was := authentication(tt.base); was.GetConfig().Password == nil && keyCount(was) == 0 {
				t.Error("the base was changed")
			}
		})
	}
}

// A flood of faults has an end.
func TestValidateStopsCounting(t *testing.T) {
	var peers strings.Builder
	for i := range 2 * maxErrors {
		fmt.Fprintf(&peers, "<peer><address>10.1.%d.%d</address><config><peer-group>g1</peer-group></config></peer>", i/200, i%200)
	}
	base := baseStore(t).mustXML(t, inVPN1("<peers>"+peers.String()+"</peers>"))
	_, err := base.commitXML(inVPN1(`<peer-groups><peer-group nc:operation="remove"><name>g1</name></peer-group></peer-groups>`), OpMerge)
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != maxErrors {
		t.Fatalf("%d faults, want %d", len(errs), maxErrors)
	}
}

func keyCount(a *genAuthentication) int {
	if a.GetKeys() == nil {
		return 0
	}
	return len(a.Keys.Key)
}
