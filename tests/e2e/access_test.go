package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/tests/runner"
)

// appendixA are the rules of RFC 8341 appendix A with this model in the place
// of the RFC's: VPN instances are its configuration parameters, peers its
// interfaces, and 10.1.1.2 is the dummy among them. Its rules for notifications
// are those of TestAccessNotifications in server/netconf: the client of this
// test loses what comes together with a reply.
const appendixA = `{
  "groups": {"group": [
    {"name": "admin", "user-name": ["andy"]}, {"name": "limited", "user-name": ["wilma"]}, {"name": "guest", "user-name": ["guest"]}
  ]},
  "rule-list": [
    {"name": "guest-limited", "group": ["limited", "guest"], "rule": [
      {"name": "no-kill-session", "module-name": "ietf-netconf", "rpc-name": "kill-session", "access-operations": "exec", "action": "deny"},
      {"name": "no-delete-config", "module-name": "ietf-netconf", "rpc-name": "delete-config", "access-operations": "exec", "action": "deny"}
    ]},
    {"name": "guest", "group": ["guest"], "rule": [
      {"name": "no-monitoring", "module-name": "ietf-netconf-monitoring", "access-operations": "*", "action": "deny"},
      {"name": "no-rules", "path": "/ietf-netconf-acm:nacm", "access-operations": "*", "action": "deny"}
    ]},
    {"name": "limited", "group": ["limited"], "rule": [
      {"name": "monitoring", "module-name": "ietf-netconf-monitoring", "access-operations": "read", "action": "permit"},
      {"name": "call", "module-name": "*", "access-operations": "exec", "action": "permit"},
      {"name": "edit", "module-name": "ietf-netconf", "rpc-name": "edit-config", "access-operations": "exec", "action": "permit"},
      {"name": "vpns", "path": "/mooring-vpn-instance:vpn-instances", "access-operations": "read create update delete", "action": "permit"},
      {"name": "dummy", "path": "/mooring-bgp:bgp/instances/instance/vpn-instances/vpn-instance/peers/peer[address='10.1.1.2']", "access-operations": "read update", "action": "permit"}
    ]},
    {"name": "admin", "group": ["admin"], "rule": [{"name": "everything", "module-name": "*", "access-operations": "*", "action": "permit"}]}
  ]
}`

// visitor is a user with a client of each protocol.
type visitor struct {
	*testing.T
	name    string
	netconf *runner.NETCONF
	gnmi    *runner.GNMI
}

// calls runs an operation of NETCONF, which is refused or not.
func (v *visitor) calls(operation string, may bool) (reply string) {
	v.Helper()
	reply, err := v.netconf.Call(operation)
	if may && err != nil {
		v.Errorf("%s: %s: %v", v.name, operation, err)
	}
	if !may {
		refusedRPC(v.T, err, "access-denied")
	}
	return reply
}

// sees says whether what a filter selects is told.
func (v *visitor) sees(filter, text string, may bool) {
	v.Helper()
	if got := v.calls("<get><filter>"+filter+"</filter></get>", true); strings.Contains(got, text) != may {
		v.Errorf("%s sees %s: %t\n%.300s", v.name, text, !may, got)
	}
}

// changes makes a change by gNMI, which is refused or not.
func (v *visitor) changes(may bool, ops ...runner.Op) {
	v.Helper()
	want := codes.OK
	if !may {
		want = codes.PermissionDenied
	}
	if _, err := v.gnmi.Change(v.Context(), ops...); status.Code(err) != want {
		v.Errorf("%s: %v, want %v", v.name, err, want)
	}
}

// reads gets a path by gNMI, which is refused or not.
func (v *visitor) reads(path string, may bool) {
	v.Helper()
	want := codes.OK
	if !may {
		want = codes.PermissionDenied
	}
	var got any
	if err := v.gnmi.Read(v.Context(), path, &got); status.Code(err) != want {
		v.Errorf("%s reads %s: %v, want %v", v.name, path, err, want)
	}
}

// The examples of RFC 8341 appendix A over both protocols (netconf.md 77).
func TestAccessExamples(t *testing.T) {
	t.Parallel()
	a := runner.Start(t, runner.Options{Backend: "fake", StateDir: runner.StateDir(t, "andy", "wilma", "guest")})
	user := func(name string) *visitor { return &visitor{t, name, a.As(name).NETCONF(t), a.As(name).GNMI(t)} }
	admin := user(runner.User)
	described := func(op, text string) string {
		return "<edit-config><target><running/></target><config>" +
			peerXML(remote, `<config><description xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"`+op+">"+text+"</description></config>") + "</config></edit-config>"
	}
	const (
		description = peer1 + "/config/description"
		other       = "10.1.1.3"
		state       = `<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state>`
		rules       = `<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm"/>`
	)
	admin.changes(true, append(example(nil), runner.Update(description, "one"), runner.Update(strings.Replace(peer1, remote, other, 1)+"/config/as", 3),
		runner.Update("/nacm", json.RawMessage(appendixA)))...)

	guest, wilma, andy := user("guest"), user("wilma"), user("andy")
	const (
		kill   = "<kill-session><session-id>4000000000</session-id></kill-session>"
		remove = "<delete-config><target><url>file:///x</url></target></delete-config>"
	)
	for _, tt := range []struct {
		*visitor
		monitors, seesRules, calls bool // A.2, A.4, A.3
	}{{guest, false, false, false}, {wilma, true, false, false}, {andy, true, true, true}} {
		tt.sees(state, "<netconf-state", tt.monitors)
		tt.sees(rules, "<nacm", tt.seesRules)
		tt.reads("/nacm", tt.seesRules)
		tt.sees(peerXML(remote, ""), "<as>200</as>", true)
		tt.reads(peer1+"/config", true)
		for _, operation := range []string{kill, remove} {
			if _, err := tt.netconf.Call(operation); err == nil || strings.Contains(err.Error(), "access-denied") == tt.calls {
				t.Errorf("%s: %s: %v", tt.name, operation, err)
			}
		}
	}
	guest.calls(`<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>mooring-bgp</identifier></get-schema>`, false)

	// A.4: what may be written.
	guest.calls(described("", "of a guest"), false)
	guest.changes(false, runner.Update(description, "of a guest"))
	wilma.calls(described("", "two"), true)
	wilma.changes(true, runner.Update(description, "three"))
	wilma.calls(described(` nc:operation="delete"`, ""), false)
	wilma.changes(false, runner.Delete(description))
	wilma.calls(strings.Replace(described("", "new"), remote, other, 1), false)
	wilma.changes(false, runner.Update(strings.Replace(description, remote, other, 1), "new"))
	wilma.changes(false, runner.Update("/nacm/exec-default", "deny"))
	wilma.calls(`<edit-config><target><running/></target><config><vpn-instances xmlns="urn:mooring:yang:vpn-instance"><vpn-instance><name>hers</name></vpn-instance></vpn-instances></config></edit-config>`, true)
	wilma.changes(true, runner.Delete("/vpn-instances/vpn-instance[name=hers]"))
	andy.changes(true, runner.Delete(description))
	andy.calls(strings.Replace(described("", "new"), remote, other, 1), true)
}
