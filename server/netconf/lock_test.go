package netconf

import (
	"fmt"
	"strings"
	"testing"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

func lock(target string) string   { return "<lock><target><" + target + "/></target></lock>" }
func unlock(target string) string { return "<unlock><target><" + target + "/></target></unlock>" }

func denied(session uint32) string { return fmt.Sprintf("protocol lock-denied session=%d", session) }

const inUse = "protocol in-use"

func TestLock(t *testing.T) {
	for _, target := range []string{"running", "candidate"} {
		t.Run(target, func(t *testing.T) {
			r := newRig(t, Limits{})
			a, b := r.open(), r.open()
			a.ok(lock(target))
			a.fails(lock(target), denied(a.id))   // netconf.md 49
			b.fails(lock(target), denied(a.id))   // netconf.md 49
			b.fails(unlock(target), denied(a.id)) // netconf.md 51
			b.fails(lock(target), denied(a.id))   // netconf.md 51: it is still held
			a.ok(unlock(target))
			a.fails(unlock(target), "protocol operation-failed") // netconf.md 51
			b.ok(lock(target), unlock(target))
			b.fails(lock("startup"), "protocol unknown-element path=/nc:rpc/nc:lock/nc:target/nc:startup element=startup")
		})
	}
}

// netconf.md 50, 51
func TestLockKeepsOthersOut(t *testing.T) {
	r := newRig(t, Limits{})
	a, b := r.open(), r.open()
	a.setUp()
	a.ok(lock("running"), lock("candidate"))
	for _, op := range []string{
		edit(vpn1), editDraft(vpn1), "<commit/>", "<discard-changes/>",
		"<copy-config><target><running/></target><source><candidate/></source></copy-config>",
		"<copy-config><target><candidate/></target><source><running/></source></copy-config>",
		"<copy-config><target><candidate/></target><source><config/></source></copy-config>",
		"<copy-config><target><running/></target><source><config/></source></copy-config>",
	} {
		b.fails(op, inUse)
	}
	if got := b.getPeer("running", peer2) + b.getPeer("candidate", peer2); strings.Count(got, "<as>200</as>") != 2 {
		t.Errorf("reads see %s", got)
	}
	b.ok("<validate><source><candidate/></source></validate>")
	a.ok(edit(peer("", peer2, "<as>201</as>")), editDraft(peer("", peer2, "<as>202</as>")), "<commit/>")
	a.ok(unlock("running"), unlock("candidate"))
	b.ok(edit(peer("", peer2, "<as>203</as>")), "<commit/>", "<discard-changes/>")
}

// netconf.md 49 and 50: locks hold across protocols, and the session-id of a
// holder that is no NETCONF session is 0.
func TestLockOfAnotherProtocol(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.open()
	gnmi := datastore.Holder{Protocol: "gnmi"}
	if err := r.engine.Store().Lock(datastore.DatastoreRunning, gnmi); err != nil {
		t.Fatal(err)
	}
	c.fails(lock("running"), denied(0))
	c.fails(unlock("running"), denied(0))
	c.fails(edit(vpn1), inUse)
	if err := r.engine.Store().Unlock(datastore.DatastoreRunning, gnmi); err != nil {
		t.Fatal(err)
	}
	c.ok(lock("running"))
	_, err := r.engine.Edit(t.Context(), commit.Actor{User: "x", Protocol: "gnmi"}, commit.Options{}, func(schema.Tx) error { return nil })
	if err == nil {
		t.Error("an edit of another protocol passed the lock")
	}
}

// netconf.md 52
func TestLockOfModifiedCandidate(t *testing.T) {
	r := newRig(t, Limits{})
	a, b := r.open(), r.open()
	a.ok(editDraft(vpn1))
	b.fails(lock("candidate"), denied(0))
	a.fails(lock("candidate"), denied(0))
	a.ok("<discard-changes/>", lock("candidate"))
}

// netconf.md 53
func TestUnlockDiscardsCandidate(t *testing.T) {
	c := newRig(t, Limits{}).open()
	c.setUp()
	c.ok(lock("candidate"), editDraft(peer("", peer2, "<as>7</as>")), unlock("candidate"))
	if got := c.getPeer("candidate", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("the candidate has %s", got)
	}
}

// netconf.md 53: whatever ends a session, its locks are free and its changes
// under a lock of the candidate are gone.
func TestSessionEndReleasesLocks(t *testing.T) {
	ends := map[string]func(c *client){
		"close-session":   func(c *client) { c.ok("<close-session/>") },
		"end of input":    func(c *client) { _ = c.conn.Close() },
		"broken framing":  func(c *client) { c.send("\n#0\n") },
		"too big message": func(c *client) { c.send("\n#4294967295\n"); c.read() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Limits{MaxMessage: 100_000})
			a, b := r.open(), r.open()
			a.setUp()
			a.ok(lock("running"), lock("candidate"), editDraft(peer("", peer2, "<as>7</as>")))
			end(a)
			if name == "close-session" {
				b.ok(lock("running")) // before the session has ended: the answer says it is free
			}
			a.wantReason("")
			if name != "close-session" {
				b.ok(lock("running"))
			}
			b.ok(lock("candidate"))
			if got := b.getPeer("candidate", peer2); !strings.Contains(got, "<as>200</as>") {
				t.Errorf("the candidate has %s", got)
			}
		})
	}
}

func kill(id any) string {
	return fmt.Sprintf("<kill-session><session-id>%v</session-id></kill-session>", id)
}

// netconf.md 54
func TestKillSession(t *testing.T) {
	r := newRig(t, Limits{})
	a, b := r.open(), r.open()
	const path = " path=/nc:rpc/nc:kill-session/nc:session-id"
	for _, id := range []any{a.id, 0, 4711, 4294967295, 4294967296, -1, "x", "", "<x/>"} {
		a.fails(kill(id), "protocol invalid-value"+path)
	}
	a.fails("<kill-session/>", "protocol missing-element path=/nc:rpc/nc:kill-session element=session-id")
	b.setUp()
	b.ok(lock("running"), lock("candidate"), editDraft(peer("", peer2, "<as>7</as>")))
	a.ok(kill(fmt.Sprintf(" %d\n", b.id)), lock("running"), lock("candidate"))
	b.wantEnd(fmt.Sprintf("killed by session %d", a.id))
	a.fails(kill(b.id), "protocol invalid-value"+path)
}

// netconf.md 54: an operation that waits is given up, and changes nothing.
func TestKillOfWaitingSession(t *testing.T) {
	r := newRig(t, Limits{})
	first, victim, killer := r.open(), r.open(), r.open()
	first.setUp()
	hold := r.hang()
	change := func(c *client, as int) {
		c.send(c.frame(fmt.Sprintf(`<rpc xmlns="%s" message-id="1">%s</rpc>`, ncNS, edit(peer("", peer2, fmt.Sprintf("<as>%d</as>", as))))))
	}
	change(first, 201)
	hold.reached()
	change(victim, 202) // waits for the first
	killer.send(killer.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + kill(victim.id) + "</rpc>"))
	victim.wantNoMessage()
	hold.release()
	if got := first.read(); !strings.Contains(got, "<ok/>") {
		t.Errorf("first: %s", got)
	}
	if got := killer.read(); !strings.Contains(got, "<ok/>") {
		t.Errorf("killer: %s", got)
	}
	victim.wantReason("killed by")
	if got := killer.getPeer("running", peer2); !strings.Contains(got, "<as>201</as>") {
		t.Errorf("peer is %s: the edit of the killed session was made", got)
	}
}

// Two sessions that kill each other both end.
func TestMutualKill(t *testing.T) {
	r := newRig(t, Limits{})
	a, b := r.open(), r.open()
	a.send(a.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + kill(b.id) + "</rpc>"))
	b.send(b.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + kill(a.id) + "</rpc>"))
	for _, c := range []*client{a, b} {
		for { // an answer or none
			if _, err := c.in.Next(); err != nil {
				break
			}
			c.send(c.frame(closeRPC))
		}
		c.wantReason("")
	}
}

func TestSessionLimits(t *testing.T) { // netconf.md 5
	r := newRig(t, Limits{MaxSessions: 3, MaxSessionsPerUser: 2})
	r.pipe("ann").readHello()
	last := r.pipe("ann")
	last.readHello()
	id := identity("ann")
	if _, err := r.srv.open(id, nil, overSSH); err != errTooManyUser {
		t.Errorf("third of a user: %v", err)
	}
	r.pipe("bob").readHello()
	if _, err := r.srv.open(identity("eve"), nil, overSSH); err != errTooMany {
		t.Errorf("fourth in all: %v", err)
	}
	_ = last.conn.Close()
	last.wantReason("")
	r.pipe("ann").readHello()
}
