package gnmi

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"mooring/server/gnmi/preview"
)

var example = regexp.MustCompile(`(?s)--update-path '([^']+)' --update-value '([^']+)'`)

// The examples of docs/nacm.md do what they say.
func TestGuideToAccess(t *testing.T) {
	text, err := os.ReadFile("../../docs/nacm.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newGuardedRig(t).twoVPNs()
	examples := example.FindAllStringSubmatch(string(text), -1)
	if len(examples) != 3 {
		t.Fatalf("%d examples, want 3", len(examples))
	}
	for _, e := range examples {
		r.set(&gpb.SetRequest{Update: []*gpb.Update{update(e[1], ietfVal(e[2]))}})
	}
	op := r.as("operator")
	op.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"mine"`))}})
	_, err = op.client.Set(op.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(vpn2+"/peers/peer[address=10.1.1.2]/config/description", jsonVal(`"x"`))}})
	wantStatus(t, err, codes.PermissionDenied, "vpn2")
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path("/nacm/rule-list[name=operators]")}})
	if text := op.value("/bgp"); strings.Contains(text, "mine") || !strings.Contains(text, "vpn2") {
		t.Errorf("an operator reads %.300s", text)
	}
	r.set(&gpb.SetRequest{Replace: []*gpb.Update{update("/nacm/rule-list[name=guests]/group", ietfVal(`["operators"]`))}})
	if text := op.value("/bgp"); strings.Contains(text, "vpn2") || !strings.Contains(text, "vpn1") {
		t.Errorf("a guest reads %.300s", text)
	}
}

const (
	vpnPath = "/mooring-bgp:bgp/instances/instance/vpn-instances/vpn-instance"
	vpn2    = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn2]"
)

// rules makes a list of rules for the group operators the whole of /nacm.
func (r *rig) rules(rules ...string) {
	r.Helper()
	r.set(&gpb.SetRequest{Replace: []*gpb.Update{update("/nacm", ietfVal(
		`{"rule-list":[{"name":"operators","group":["operators"],"rule":[`+strings.Join(rules, ",")+`]}]}`))}})
}

func rule(name, path, operations, action string) string {
	return `{"name":"` + name + `","path":"` + path + `","access-operations":"` + operations + `","action":"` + action + `"}`
}

// as is the rig with another user.
func (r *rig) as(user string) *rig {
	other := *r
	other.conn = r.dial(grpc.WithPerRPCCredentials(password{user, testPassword}))
	other.client = gpb.NewGNMIClient(other.conn)
	return &other
}

// twoVPNs is the example and a second VPN instance with the same peer.
func (r *rig) twoVPNs() *rig {
	r.Helper()
	r.example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update("/vpn-instances/vpn-instance[name=vpn2]", jsonVal(`{"ipv4-family":{"config":{"route-distinguisher":"100:2"}}}`)),
		update(vpn2, jsonVal(`{"name":"vpn2"}`)),
		update(vpn2+"/peers/peer[address=10.1.1.2]", jsonVal(peerJSON)),
	}})
	return r
}

// The defaults of RFC 8341: who is not in the recovery group may read all but
// what is denied by default, and write nothing (gnmi.md 43, 102).
func TestAccessByDefault(t *testing.T) {
	r := newGuardedRig(t).example()
	guest := r.as("guest")
	if got := guest.value(thePeer + "/config/as"); got != "200" {
		t.Errorf("as is %s", got)
	}
	for _, at := range []string{"/nacm", "/nacm/enable-nacm", thePeer + "/transport/authentication/config/method"} {
		_, err := guest.client.Get(guest.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(at)}})
		wantStatus(t, err, codes.PermissionDenied, at, "access denied")
	}
	_, err := guest.client.Set(guest.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"mine"`))}})
	wantStatus(t, err, codes.PermissionDenied, thePeer+"/config/description", "guest may not create it")
	_, err = guest.client.Set(guest.ctx(), &gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}})
	wantStatus(t, err, codes.PermissionDenied, thePeer)
	if r.value(thePeer+"/config/as") != "200" {
		t.Error("something was applied")
	}
	root := guest.value("/")
	if strings.Contains(root, "ietf-netconf-acm") || !strings.Contains(root, `"mooring-bgp:bgp"`) {
		t.Errorf("the root holds %.200s", root)
	}
	// What a Set names is what counts, also where it would change nothing.
	_, err = guest.client.Set(guest.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/as", jsonVal("200"))}})
	wantStatus(t, err, codes.PermissionDenied, thePeer+"/config/as", "guest may not update it")
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/nacm/enable-nacm", jsonVal("false"))}})
	guest.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"mine"`))}})
	if denied := r.value("/nacm/denied-data-writes"); denied != "3" {
		t.Errorf("%s refused writes are counted, want 3", denied)
	}
}

// An operator of vpn1 may change only that (gnmi.md 43, 102).
func TestAccessByPath(t *testing.T) {
	r := newGuardedRig(t).twoVPNs()
	r.rules(rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit"), rule("others", vpnPath, "*", "deny"))
	op := r.as("operator")
	description := func(vpn, text string) *gpb.Update {
		return update(vpn+"/peers/peer[address=10.1.1.2]/config/description", jsonVal(`"`+text+`"`))
	}
	op.set(&gpb.SetRequest{Update: []*gpb.Update{description(vpn1, "mine")}})
	// Nothing of a Set is applied where a part is refused.
	_, err := op.client.Set(op.ctx(), &gpb.SetRequest{Update: []*gpb.Update{description(vpn1, "again"), description(vpn2, "not mine")}})
	wantStatus(t, err, codes.PermissionDenied, vpn2, "may not read or write it")
	if got := r.value(thePeer + "/config/description"); got != `"mine"` {
		t.Errorf("description is %s", got)
	}
	// A replace takes away what it does not name: what may not be read neither.
	_, err = op.client.Set(op.ctx(), &gpb.SetRequest{Replace: []*gpb.Update{update("/bgp", jsonVal("{}"))}})
	wantStatus(t, err, codes.PermissionDenied, "/bgp", "may not read or delete all of it")
	// A wildcard stands for what may be read.
	r.set(&gpb.SetRequest{Update: []*gpb.Update{description(vpn2, "not yours")}})
	op.set(&gpb.SetRequest{Delete: []*gpb.Path{path("/bgp/instances/instance[name=default]/vpn-instances/vpn-instance/peers/peer/config/description")}})
	if text := r.value("/bgp"); strings.Contains(text, "mine") || !strings.Contains(text, "not yours") {
		t.Errorf("after a delete with a wildcard: %s", text)
	}
	op.set(&gpb.SetRequest{Update: []*gpb.Update{description(vpn1, "mine")}})

	if got := op.value(vpn1 + "/peers/peer[address=10.1.1.2]/config/description"); got != `"mine"` {
		t.Errorf("description is %s", got)
	}
	_, err = op.client.Get(op.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(vpn2 + "/config/name")}})
	wantStatus(t, err, codes.PermissionDenied, vpn2+"/config/name")
	_, err = op.client.Get(op.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(vpn2 + "x")}})
	if err == nil {
		t.Error("what is not there and what is hidden differ")
	}
	for _, at := range []string{"/bgp", "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=*]/peers"} {
		resp := op.get(&gpb.GetRequest{Path: []*gpb.Path{path(at)}, Encoding: gpb.Encoding_PROTO})
		text := resp.String()
		if strings.Contains(text, "vpn2") || !strings.Contains(text, "vpn1") {
			t.Errorf("%s: %.300s", at, text)
		}
	}
	if text := op.value("/bgp"); strings.Contains(text, "vpn2") || !strings.Contains(text, `"vpn1"`) {
		t.Errorf("/bgp: %.300s", text)
	}
}

// The OpenConfig view shows and takes what the native model does (gnmi.md 102).
func TestAccessOpenConfig(t *testing.T) {
	r := newGuardedRig(t).twoVPNs()
	r.rules(rule("description", vpnPath+"/peers/peer/config/description", "*", "deny"), rule("shown", vpnPath+"/peers/peer/state/description", "*", "deny"),
		rule("vpn2", vpnPath+"[name='vpn2']", "*", "deny"), rule("its place", "/mooring-vpn-instance:vpn-instances/vpn-instance[name='vpn2']", "*", "deny"),
		rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit"))
	op := r.as("operator")
	const (
		bgp      = "/network-instances/network-instance[name=vpn1]/protocols/protocol[identifier=BGP][name=default]/bgp"
		neighbor = bgp + "/neighbors/neighbor[neighbor-address=10.1.1.2]/config"
	)
	text := op.value(bgp)
	if !strings.Contains(text, `"peer-as":200`) || strings.Contains(text, `"description"`) {
		t.Errorf("%s", text)
	}
	_, err := op.client.Get(op.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(neighbor + "/description")}})
	wantStatus(t, err, codes.PermissionDenied, neighbor+"/description")
	_, err = op.client.Get(op.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(strings.Replace(neighbor, "vpn1", "vpn2", 1))}})
	wantStatus(t, err, codes.PermissionDenied, "vpn2")
	_, err = op.client.Set(op.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(neighbor+"/description", jsonVal(`"x"`))}})
	wantStatus(t, err, codes.PermissionDenied, thePeer+"/config/description")
	op.set(&gpb.SetRequest{Update: []*gpb.Update{update(neighbor+"/peer-as", jsonVal("201"))}})

	s := op.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, "/network-instances")
	for _, n := range s.untilSync() {
		if text := n.String(); strings.Contains(text, "vpn2") || strings.Contains(text, "description") {
			t.Errorf("sent: %s", text)
		}
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(vpn2+"/peers/peer[address=10.1.1.2]/config/description", jsonVal(`"plans"`)),
		update(thePeer+"/config/description", jsonVal(`"plans"`)), update(thePeer+"/transport/config/tcp-mss", jsonVal("1001")),
	}})
	s.tellsWithout("tcp-mss", "plans", "vpn2")
}

// tellsWithout reads updates until one names a node, and wants none of the
// words before.
func (s *stream) tellsWithout(node string, words ...string) {
	s.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		text := s.next().String()
		for _, w := range words {
			if strings.Contains(text, w) {
				s.Errorf("sent: %s", text)
			}
		}
		if strings.Contains(text, node) {
			return
		}
	}
	s.Errorf("no update of %s", node)
}

// Subscriptions follow the rules while they run (gnmi.md 102).
func TestAccessSubscribe(t *testing.T) {
	r := newGuardedRig(t).twoVPNs()
	r.rules(rule("vpn2", vpnPath+"[name='vpn2']", "read", "deny"))
	op := r.as("operator")
	_, err := op.watch(gpb.SubscriptionList_ONCE, 0, vpn2+"/peers").all()
	wantStatus(t, err, codes.PermissionDenied, vpn2+"/peers")
	// Who may read everything asks for the same, and is told the same changes.
	everything := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, "/bgp", "/agent")
	everything.untilSync()
	s := op.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, "/bgp", "/agent")
	peers := 0
	for _, n := range s.untilSync() {
		text := n.String()
		if strings.Contains(text, "vpn2") {
			t.Errorf("sent: %s", text)
		}
		peers += strings.Count(text, "10.1.1.2")
	}
	if peers == 0 {
		t.Error("nothing of vpn1 was sent")
	}
	change := func(text string) {
		r.set(&gpb.SetRequest{Update: []*gpb.Update{
			update(vpn2+"/peers/peer[address=10.1.1.2]/config/description", jsonVal(`"`+text+`"`)),
			update(thePeer+"/config/description", jsonVal(`"`+text+`"`)),
		}})
	}
	change("first")
	s.tellsWithout("first", "vpn2")
	r.rules(rule("description", vpnPath+"/peers/peer/config/description", "read", "deny"), rule("state", vpnPath+"/peers/peer/state/description", "read", "deny"))
	change("second")
	everything.until(vpn2+"/peers/peer[address=10.1.1.2]/config/description = json \"second\"", thePeer+"/config/description = json \"second\"")
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/config/dscp", jsonVal("8"))}})
	s.tellsWithout("dscp", "second")
	// What may be read again is told when it changes.
	r.rules(rule("vpn2", vpnPath+"[name='vpn2']", "read", "deny"))
	change("third")
	s.tellsWithout("third", "vpn2")
}

// An operation in the clothes of an extension needs the right to call it.
func TestAccessExec(t *testing.T) {
	r := newGuardedRig(t).example()
	r.rules(`{"name":"preview","module-name":"mooring-bgp","rpc-name":"preview","action":"deny"}`, rule("all", "/mooring-bgp:bgp", "*", "permit"))
	op := r.as("operator")
	msg, err := proto.Marshal(&preview.Preview{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	req := &gpb.SetRequest{
		Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"x"`))},
		Extension: []*extpb.Extension{{Ext: &extpb.Extension_RegisteredExt{
			RegisteredExt: &extpb.RegisteredExtension{Id: previewID, Msg: msg},
		}}},
	}
	_, err = op.client.Set(op.ctx(), req)
	wantStatus(t, err, codes.PermissionDenied, "may not call preview")
	r.rules(rule("all", "/mooring-bgp:bgp", "*", "permit"))
	op.set(req)
	// A preview of what may not be done tells that.
	r.rules(rule("read", "/mooring-bgp:bgp", "read", "permit"))
	_, err = op.client.Set(op.ctx(), req)
	wantStatus(t, err, codes.PermissionDenied, thePeer+"/config/description")
	if denied := r.value("/nacm/denied-operations"); denied != "1" {
		t.Errorf("%s refused calls are counted", denied)
	}
}

// To roll back and to reset a session are operations too, also where the caller
// may write everything.
func TestAccessOperations(t *testing.T) {
	r := newGuardedRig(t).example()
	asked := map[string]string{
		"rollback":   `rollback_to: "1"`,
		"reset-peer": `reset {instance: "default" vpn_instance: "vpn1" address: "10.1.1.2"}`,
	}
	for name, text := range asked {
		r.rules(`{"name":"operation","module-name":"mooring-bgp","rpc-name":"`+name+`","action":"deny"}`, rule("all", "/mooring-bgp:bgp", "*", "permit"))
		revision := r.engine.Store().Running().Revision()
		op := r.as("operator")
		_, err := op.client.Set(op.ctx(), &gpb.SetRequest{Extension: previewExt(t, textOf[preview.Preview](t, text))})
		wantStatus(t, err, codes.PermissionDenied, "operator may not call "+name)
		if got := r.engine.Store().Running().Revision(); got != revision || r.value(thePeer+"/state/session-state") != `"established"` {
			t.Errorf("%s: it was done all the same", name)
		}
	}
}

// What NETCONF has an operation for, an extension needs the right to call.
func TestAccessConfirm(t *testing.T) {
	r := newGuardedRig(t).example()
	r.rules(`{"name":"x","module-name":"ietf-netconf","rpc-name":"cancel-commit","action":"deny"}`, rule("all", "/mooring-bgp:bgp", "*", "permit"))
	op := r.as("operator")
	described := []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"x"`))}
	op.set(&gpb.SetRequest{Update: described, Extension: commitExt(t, `id: "1" commit {}`)})
	cancel := &gpb.SetRequest{Extension: commitExt(t, `id: "1" cancel {}`)}
	_, err := op.client.Set(op.ctx(), cancel)
	wantStatus(t, err, codes.PermissionDenied, "operator may not call cancel-commit of ietf-netconf")
	if r.engine.Pending() == nil {
		t.Fatal("the commit was cancelled")
	}
	op.set(&gpb.SetRequest{Extension: commitExt(t, `id: "1" confirm {}`)})
	if r.engine.Pending() != nil {
		t.Error("the commit was not confirmed")
	}
}

// Rules keep their order over gNMI: that of the array, new ones last. A rule
// with a path that does not exist is refused.
func TestRulesOverGNMI(t *testing.T) {
	r := newGuardedRig(t)
	r.rules(rule("b", vpnPath, "read", "deny"), rule("a", "/mooring-agent:agent", "read exec create", "permit"))
	const list = "/nacm/rule-list[name=operators]"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(list+"/rule[name=0]", jsonVal(`{"action":"permit","comment":"a new one is last"}`)),
		update(list+"/rule[name=b]/action", jsonVal(`"permit"`)),
	}})
	want := `"rule":[{"name":"b","path":"/mooring-bgp:bgp/mooring-bgp:instances/mooring-bgp:instance/mooring-bgp:vpn-instances/mooring-bgp:vpn-instance",` +
		`"access-operations":"read","action":"permit"},{"name":"a","path":"/mooring-agent:agent","access-operations":"create read exec","action":"permit"},` +
		`{"name":"0","action":"permit","comment":"a new one is last"}]`
	if got := strings.ReplaceAll(r.value("/nacm"), "ietf-netconf-acm:", ""); !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, tt := range []struct{ path, reason string }{
		{"/mooring-bgp:bgp/nothing", "there is no mooring-bgp:nothing in bgp"},
		{"/elsewhere:bgp", "there is no elsewhere:bgp in the model"},
		{"bgp", "expected /"},
		{vpnPath + "[name=vpn1]", "must be in quotes"},
		{vpnPath + "[vpn='x']", "vpn is not a key of vpn-instance"},
	} {
		_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(list+"/rule[name=a]/path", ietfVal(`"`+tt.path+`"`))}})
		wantStatus(t, err, codes.InvalidArgument, list+"/rule[name=a]/path", tt.reason)
	}
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(list+"/rule[name=c]", jsonVal(`{"comment":"no action"}`))}})
	wantStatus(t, err, codes.InvalidArgument, list+"/rule[name=c]/action", "mandatory")
}
