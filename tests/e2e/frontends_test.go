package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/tests/runner"
)

// peerXML is a configuration that holds one peer of vpn1, as NETCONF wants it.
func peerXML(address, inner string) string {
	return fmt.Sprintf(`<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name><vpn-instances>`+
		`<vpn-instance><name>vpn1</name><peers><peer><address>%s</address>%s</peer></peers></vpn-instance>`+
		`</vpn-instances></instance></instances></bgp>`, address, inner)
}

// sourceXML is the connect-interface of a peer.
func sourceXML(config string) string {
	return "<transport><connect-interface><config>" + config + "</config></connect-interface></transport>"
}

// The same change through the candidate, to running, and by gNMI: what one
// front end does, the other shows, and each change costs one reset.
func TestNETCONF(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	n := b.agent.NETCONF(t)
	call := func(operation string) string {
		t.Helper()
		reply, err := n.Call(operation)
		if err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		return reply
	}
	edit := func(datastore, config string) {
		t.Helper()
		if err := n.EditConfig(datastore, config); err != nil {
			t.Fatalf("edit-config %s: %v", datastore, err)
		}
	}
	edit("candidate", `<vpn-instances xmlns="urn:mooring:yang:vpn-instance"><vpn-instance><name>vpn1</name><config><name>vpn1</name></config>`+
		`<ipv4-family><config><route-distinguisher>100:1</route-distinguisher></config></ipv4-family></vpn-instance></vpn-instances>`)
	edit("candidate", `<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name>`+
		`<config><name>default</name><as>100</as><router-id>1.1.1.1</router-id></config></instance></instances></bgp>`)
	edit("candidate", peerXML(remote, "<config><as>200</as></config>"+sourceXML("<interface>LoopBack1</interface>")))
	call("<validate><source><candidate/></source></validate>")
	if b.revision() != 0 && len(b.history()) != 0 {
		t.Errorf("the candidate reached running before its commit")
	}
	call("<commit/>")
	b.cameUp(b.begin, b.waitUp(peer1, 1), loopBack1)

	b.resetOnce(peer1, loopBack2, func() {
		edit("candidate", peerXML(remote, sourceXML("<interface>LoopBack2</interface>")))
		call("<commit/>")
	})
	b.resetOnce(peer1, loopBack1, func() {
		edit("running", peerXML(remote, sourceXML("<interface>LoopBack1</interface>")))
	})
	// An edit that is thrown away, then the undo: only the undo is seen.
	b.resetOnce(peer1, direct, func() {
		edit("candidate", peerXML(remote, sourceXML("<interface>LoopBack2</interface>")))
		call("<discard-changes/>")
		call("<commit/>")
		edit("candidate", peerXML(remote, `<transport><connect-interface xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="delete"/></transport>`))
		call("<commit/>")
	})
	h := b.history()
	if last := h[len(h)-1]; last.Protocol != "netconf" || last.User != runner.User || len(last.Reset) != 1 {
		t.Errorf("last commit %+v", last)
	}
	b.resetOnce(peer1, loopBack2, func() { b.set(runner.Update(source1+"/config/interface", "LoopBack2")) })
	filter := peerXML(remote, "<transport><connect-interface/></transport>")
	reply := call(`<get><filter type="subtree">` + filter + `</filter></get>`)
	for _, want := range []string{"<interface>LoopBack2</interface>", "<resolved-source>" + loopBack2 + "</resolved-source>"} {
		if !strings.Contains(reply, want) {
			t.Errorf("get: no %s in %s", want, reply)
		}
	}
	call("<close-session/>")
}

// A lock that one front end holds binds the other.
func TestLock(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{Backend: "fake"})
	b.set(example(name("LoopBack1"))...)
	describe := runner.Update(peer1+"/config/description", "locked out")
	owner, other := b.agent.NETCONF(t), b.agent.NETCONF(t)
	lock := func(n *runner.NETCONF) error {
		_, err := n.Call("<lock><target><running/></target></lock>")
		return err
	}
	if err := lock(owner); err != nil {
		t.Fatal(err)
	}
	session := fmt.Sprint(owner.SessionID)
	err := lock(other)
	refusedRPC(t, err, "lock-denied")
	if e, ok := errors.AsType[*runner.RPCError](err); !ok || e.Info.SessionID != session {
		t.Errorf("lock-denied without the session of the owner, %s: %v", session, err)
	}
	refusedRPC(t, other.EditConfig("running", peerXML(remote, "<config><description>x</description></config>")), "in-use")
	b.refused("FailedPrecondition", []string{"lock", session}, describe)
	if _, err := owner.Call("<unlock><target><running/></target></unlock>"); err != nil {
		t.Fatal(err)
	}
	b.set(describe)
	// The end of a session is the end of its locks.
	if err := lock(owner); err != nil {
		t.Fatal(err)
	}
	b.refused("FailedPrecondition", []string{"lock"}, runner.Delete(peer1+"/config/description"))
	if err := owner.Close(); err != nil {
		t.Logf("close: %v", err) // the agent may be faster
	}
	deadline := time.Now().Add(atOnce)
	for err = lock(other); err != nil && time.Now().Before(deadline); err = lock(other) {
		time.Sleep(poll)
	}
	if err != nil {
		t.Errorf("the lock outlived its session: %v", err)
	}
}

// ncclient, the client of most NETCONF users, makes the change and reads it back.
func TestNcclient(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	requireNcclient(t)
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	b.resetOnce(peer1, loopBack2, func() {
		cmd := b.dut.Command(python, "-c", ncclientScript)
		cmd.Env = append(cmd.Environ(), "AGENT_USER="+runner.User, "AGENT_PASSWORD="+runner.Password,
			"EDIT="+peerXML(remote, sourceXML("<interface>LoopBack2</interface>")))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ncclient: %v\n%s", err, out)
		}
		for _, want := range []string{":candidate", "LoopBack2", "locked twice: lock-denied"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("ncclient printed no %q:\n%s", want, out)
			}
		}
	})
}

// A subscriber sees the session go down and come back, and which commit did it.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	initial, next, err := b.gnmi.Watch(ctx, peer1+"/state", source1+"/config")
	if err != nil {
		t.Fatal(err)
	}
	value := func(events []runner.Event, leaf string) any {
		for _, e := range events {
			if strings.HasSuffix(e.Path, leaf) {
				return e.Value
			}
		}
		return nil
	}
	if got := value(initial, "/state/session-state"); got != "established" {
		t.Errorf("initial session-state = %v in %v", got, initial)
	}
	var seen []runner.Event
	b.resetOnce(peer1, loopBack2, func() { b.set(runner.Update(source1+"/config/interface", "LoopBack2")) })
	var states []string
	// The session may be up again before the commit is told, or even before its
	// end is: the two are one change then, which leaves the state as it was.
	const changed, transitions = "/connect-interface/config/interface", "/state/established-transitions"
	for value(seen, transitions) == nil || value(seen, changed) == nil {
		events, err := next()
		if err != nil {
			t.Fatalf("%v; seen %v", err, seen)
		}
		for _, e := range events {
			if s, ok := e.Value.(string); ok && strings.HasSuffix(e.Path, "/state/session-state") {
				states = append(states, s)
			}
		}
		seen = append(seen, events...)
	}
	if len(states) > 0 && (states[0] == "established" || states[len(states)-1] != "established") {
		t.Errorf("session-state went %q, want down and up again", states)
	}
	if got := value(seen, changed); got != "LoopBack2" {
		t.Errorf("interface = %v in %v", got, seen)
	}
	history := b.history()
	if got, want := value(seen, "/last-reset/commit-id"), history[len(history)-1].ID; got != want {
		t.Errorf("last-reset/commit-id = %v, want %s of the history; seen %v", got, want, seen)
	}
	if got := value(seen, transitions); got != "2" {
		t.Errorf("established-transitions = %v", got)
	}
	cancel()
	for err == nil {
		_, err = next()
	}
	if code := status.Code(err); code != codes.Canceled && !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

// Nobody gets in without the password.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{Backend: "fake"})
	g, err := b.agent.DialGNMI("a guess")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Conn.Close()
	var state any
	if err := g.Read(b.ctx(), "/agent/state", &state); status.Code(err) != codes.Unauthenticated {
		t.Errorf("gNMI with a wrong password gave %v, %v", state, err)
	}
	if n, err := b.agent.DialNETCONF("a guess"); err == nil {
		t.Error("NETCONF with a wrong password opened a session")
		_ = n.Close()
	}
	if strings.Contains(b.agent.Log(), "a guess") || strings.Contains(b.agent.Log(), runner.Password) {
		t.Error("a password is in the log")
	}
}
