package netconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

func confirmed(params string) string { return "<commit><confirmed/>" + params + "</commit>" }

func persist(id string) string   { return "<persist>" + id + "</persist>" }
func persistID(id string) string { return "<persist-id>" + id + "</persist-id>" }
func timeout(secs int) string    { return fmt.Sprintf("<confirm-timeout>%d</confirm-timeout>", secs) }

const cancelCommit = "<cancel-commit/>"

func confirmWith(id string) string { return "<commit>" + persistID(id) + "</commit>" }
func cancelWith(id string) string  { return "<cancel-commit>" + persistID(id) + "</cancel-commit>" }

// asOf is the AS of peer2 in running.
func (c *client) asOf() string {
	c.Helper()
	_, as, _ := strings.Cut(c.getPeer("running", peer2), "<as>")
	as, _, _ = strings.Cut(as, "</as>")
	return as
}

// becomes waits until peer2 has an AS.
func (c *client) becomes(as string) {
	c.Helper()
	for end := time.Now().Add(patience); c.asOf() != as; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("peer has as %s, want %s", c.asOf(), as)
		}
	}
}

// try is a confirmed commit of AS 300 where 200 was.
func (c *client) try(params string) {
	c.Helper()
	c.ok(editDraft(peer("", peer2, "<as>300</as>")), confirmed(params))
	if c.asOf() != "300" {
		c.Fatal("the confirmed commit is not in effect")
	}
}

// What ends the wait of a confirmed commit, and what running is then.
func TestConfirmedCommit(t *testing.T) {
	tests := []struct {
		name, params string
		finish       func(a, b *client)
		want         string
	}{
		{"confirmed", "", func(a, _ *client) { a.ok("<commit/>") }, "300"},                                                               // netconf.md 56
		{"not confirmed in time", timeout(1), func(a, _ *client) { a.becomes("200") }, "200"},                                            // netconf.md 56
		{"canceled", "", func(a, _ *client) { a.ok(cancelCommit) }, "200"},                                                               // netconf.md 58
		{"the session is closed", "", func(a, b *client) { a.ok("<close-session/>") }, "200"},                                            // netconf.md 57
		{"the session is killed", "", func(a, b *client) { b.ok(kill(a.id)) }, "200"},                                                    // netconf.md 54, 57
		{"the connection is lost", "", func(a, b *client) { _ = a.conn.Close(); b.becomes("200") }, "200"},                               // netconf.md 57
		{"another session ends", "", func(a, b *client) { b.ok("<close-session/>"); a.ok("<commit/>") }, "300"},                          // netconf.md 57
		{"persistent, confirmed by another", persist("x"), func(_, b *client) { b.ok(confirmWith("x")) }, "300"},                         // netconf.md 57
		{"persistent, canceled by another", persist("x"), func(_, b *client) { b.ok(cancelWith("x")) }, "200"},                           // netconf.md 57
		{"persistent, its session ends", persist("x"), func(a, b *client) { a.ok("<close-session/>"); b.ok(confirmWith("x")) }, "300"},   // netconf.md 57
		{"persistent, not confirmed in time", persist("x") + timeout(1), func(a, _ *client) { a.becomes("200") }, "200"},                 // netconf.md 57
		{"confirmed with more changes", "", func(a, _ *client) { a.ok(editDraft(peer("", peer2, "<as>400</as>")), "<commit/>") }, "400"}, // netconf.md 58
		{"followed up, then canceled", "", func(a, _ *client) { // netconf.md 58: back to before the first
			a.ok(editDraft(peer("", peer2, "<as>400</as>")), confirmed(""), cancelCommit)
		}, "200"},
		{"followed up by another, then canceled", persist("x"), func(_, b *client) { // netconf.md 58
			b.ok(editDraft(peer("", peer2, "<as>400</as>")), confirmed(persistID("x")), cancelWith("x"))
		}, "200"},
		{"the follow-up gives another id", persist("x"), func(a, b *client) { // netconf.md 58
			a.ok(confirmed(persistID("x") + persist("y")))
			b.fails(confirmWith("x"), "protocol invalid-value path=/nc:rpc/nc:commit/nc:persist-id")
			b.ok(confirmWith("y"))
		}, "300"},
		{"the follow-up without persist stays persistent", persist("x"), func(a, b *client) { // netconf.md 58
			a.ok(confirmed(persistID("x")), "<close-session/>")
			b.ok(confirmWith("x"))
		}, "300"},
		{"the follow-up makes it wait for longer", timeout(1), func(a, _ *client) { // netconf.md 58
			a.ok(confirmed(timeout(3600)))
			time.Sleep(1200 * time.Millisecond)
			a.ok("<commit/>")
		}, "300"},
		{"the candidate is copied to running, then canceled", "", func(a, _ *client) { // netconf.md 59: a copy confirms nothing
			a.ok(editDraft(peer("", peer2, "<as>400</as>")), copyConfig("running", "<candidate/>"), cancelCommit)
		}, "200"},
		{"running is edited meanwhile, then canceled", "", func(a, _ *client) {
			a.ok(edit(peer("", peer2, "<as>500</as>")), cancelCommit)
		}, "200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, a := ready(t)
			b := r.open()
			a.try(tt.params)
			tt.finish(a, b)
			c := r.open()
			if got := c.asOf(); got != tt.want {
				t.Errorf("as is %s, want %s", got, tt.want)
			}
			for end := time.Now().Add(patience); r.engine.Pending() != nil; time.Sleep(time.Millisecond) {
				if time.Now().After(end) { // it is over a moment after running is what it was
					t.Fatalf("%+v still waits", r.engine.Pending())
				}
			}
			c.fails(cancelCommit, "protocol operation-failed") // netconf.md 58
			c.ok(edit(peer("", peer2, "<as>900</as>")))
			if got := c.getPeer("candidate", peer2); !strings.Contains(got, "<as>900</as>") {
				t.Errorf("the candidate does not follow running: %s", got) // netconf.md 56
			}
		})
	}
}

// netconf.md 56 to 58: what is refused, and that it ends nothing.
func TestConfirmedCommitErrors(t *testing.T) {
	r, a := ready(t)
	b := r.open()
	const at, invalid = " path=/nc:rpc/nc:commit", "protocol invalid-value path=/nc:rpc/nc:"
	a.fails(cancelCommit, "protocol operation-failed")
	a.fails(cancelWith("x"), invalid+"cancel-commit/nc:persist-id")
	a.fails(confirmWith("x"), invalid+"commit/nc:persist-id")
	a.fails(confirmed(persistID("x")), invalid+"commit/nc:persist-id")
	for _, secs := range []string{"0", "-1", "x", "", "1.5", "4294967296", "<a/>"} {
		a.fails(confirmed("<confirm-timeout>"+secs+"</confirm-timeout>"), invalid+"commit/nc:confirm-timeout")
	}
	a.fails(confirmed("<persist/>"), invalid+"commit/nc:persist")
	a.fails(confirmed("<persist><a/></persist>"), "protocol unknown-element"+at+"/nc:persist element=a")
	a.fails("<commit><confirmed>yes</confirmed></commit>", invalid+"commit/nc:confirmed")
	a.fails("<commit>"+timeout(5)+"</commit>", "protocol missing-element"+at+" element=confirmed")
	a.fails("<commit>"+persist("x")+"</commit>", "protocol missing-element"+at+" element=confirmed")
	a.fails("<commit><wait/></commit>", "protocol unknown-element"+at+" element=wait")
	if r.engine.Pending() != nil {
		t.Fatal("something waits")
	}

	// Of a session.
	a.try("")
	for _, op := range []string{"<commit/>", confirmed(""), edit(vpn1), copyConfig("running", "<candidate/>")} {
		b.fails(op, inUse)
	}
	b.fails(cancelCommit, inUse)
	for _, c := range []*client{a, b} {
		c.fails(confirmWith("x"), invalid+"commit/nc:persist-id")
		c.fails(cancelWith("x"), invalid+"cancel-commit/nc:persist-id")
	}
	a.ok(cancelCommit)

	// Persistent.
	a.try(persist("x"))
	for _, c := range []*client{a, b} {
		c.fails("<commit/>", "protocol invalid-value"+at)
		c.fails(confirmed(""), "protocol invalid-value"+at)
		c.fails(cancelCommit, "protocol invalid-value path=/nc:rpc/nc:cancel-commit")
		c.fails(confirmWith("y"), invalid+"commit/nc:persist-id")
		c.fails(confirmed(persistID("y")), invalid+"commit/nc:persist-id")
		c.fails(cancelWith("y"), invalid+"cancel-commit/nc:persist-id")
	}
	b.fails(edit(vpn1), inUse)
	if got := b.rpc(edit(vpn1)); strings.Contains(got, "persist") || strings.Contains(got, ">x<") {
		t.Errorf("the error tells the persist-id: %s", got)
	}
	if r.engine.Pending() == nil || a.asOf() != "300" {
		t.Error("an operation that was refused ended the wait")
	}
	b.ok(cancelWith("x"))
}

// netconf.md 52: running cannot be locked while another session's commit
// waits, and a lock keeps others from confirming.
func TestLockAndConfirmedCommit(t *testing.T) {
	r, a := ready(t)
	b := r.open()
	a.try("")
	b.fails(lock("running"), denied(a.id))
	b.ok(lock("candidate"))
	a.fails("<commit/>", inUse)
	b.ok(unlock("candidate"))
	a.ok(lock("running"), "<commit/>", unlock("running"))
	a.ok(editDraft(peer("", peer2, "<as>301</as>")), confirmed(persist("x")), lock("running"))
	b.fails(confirmWith("x"), inUse)
	b.ok(kill(a.id)) // it stays, and has no session any more: what lock-denied names can be killed
	b.fails(lock("running"), denied(0))
	b.fails(partialLock(onePeer), denied(0))
	b.ok(confirmWith("x"), lock("running"))
}

// RFC 6241 7.5: under the lock of another session running is not rolled back,
// and what becomes of it is not decided. 8.4.1: what the agent must restore it
// restores, also under the lock of the session that made the commit (netconf.md 52).
func TestConfirmedCommitUnderLock(t *testing.T) {
	gnmi := commit.Actor{User: "g", Protocol: "gnmi"}
	locked := func(t *testing.T, err error) {
		t.Helper()
		if _, ok := errors.AsType[*datastore.LockedError](err); !ok {
			t.Errorf("under a lock: %v, want a *LockedError", err)
		}
	}
	r, a := ready(t)
	b := r.open()
	a.ok(lock("running"))
	a.try(persist("k"))
	a.ok(edit(peer("", peer2, "<description>since</description>")))
	b.fails(cancelWith("k"), inUse)
	b.fails(confirmWith("k"), inUse)
	b.fails(confirmed(persistID("k")), inUse)
	locked(t, r.engine.Cancel(t.Context(), gnmi, "k"))
	locked(t, r.engine.Confirm(gnmi, "k"))
	locked(t, r.engine.Extend(gnmi, "k", time.Hour))
	if got := a.getPeer("running", peer2); !strings.Contains(got, "<as>300</as>") || !strings.Contains(got, "since") || r.engine.Pending() == nil {
		t.Fatalf("running under the lock is %s", got)
	}
	a.ok(unlock("running"))
	b.ok(cancelWith("k"))
	if b.asOf() != "200" {
		t.Error("without the lock it is not rolled back")
	}

	// A part of running.
	a.try(persist("k"))
	a.locks(onePeer)
	b.fails(cancelWith("k"), inUse+" path="+pathOfTwo)
	locked(t, r.engine.Cancel(t.Context(), gnmi, "k"))
	a.ok(cancelWith("k"), "<close-session/>")

	// Another part, the holder itself, and the agent.
	for name, end := range map[string]func(a, b *client){
		"a lock of another part": func(a, b *client) { a.locks("//v:vpn-instance[v:name='_public_']"); b.ok(cancelWith("k")) },
		"by the holder":          func(a, _ *client) { a.ok(lock("running"), cancelWith("k"), unlock("running")) },
		"in time":                func(a, b *client) { a.ok(lock("running"), confirmed(persistID("k")+timeout(1))); b.becomes("200") },
		"in time, in part":       func(a, b *client) { a.locks(onePeer); a.ok(confirmed(persistID("k") + timeout(1))); b.becomes("200") },
		"at the end of the session": func(a, b *client) {
			a.ok(cancelWith("k"), lock("running"))
			a.try("")
			_ = a.conn.Close()
			b.becomes("200")
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.open()
			a.TB, b.TB = t, t
			for end := time.Now().Add(patience); r.engine.Pending() != nil; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the commit before still waits")
				}
			}
			a.try(persist("k"))
			end(a, b)
			if b.asOf() != "200" {
				t.Error("it is not rolled back")
			}
			_ = a.conn.Close()
		})
	}
}

// netconf.md 57, 89 of gnmi.md: one pending commit for both protocols.
func TestConfirmedCommitAcrossProtocols(t *testing.T) {
	r, a := ready(t)
	gnmi := commit.Actor{User: "g", Protocol: "gnmi"}
	nothing := func(schema.Tx) error { return nil }
	less := func(tx schema.Tx) error {
		tx.Delete(schema.PeerKey(bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("10.1.1.2")}))
		return nil
	}
	a.try(persist("x"))
	if _, err := r.engine.Edit(t.Context(), gnmi, commit.Options{}, nothing); err == nil {
		t.Error("an edit of gNMI passed the pending commit")
	}
	if err := r.engine.Confirm(gnmi, "y"); err == nil {
		t.Error("gNMI confirmed with another id")
	}
	if err := r.engine.Confirm(gnmi, "x"); err != nil {
		t.Errorf("gNMI cannot confirm: %v", err)
	}
	if _, err := r.engine.Edit(t.Context(), gnmi, commit.Options{Confirm: &commit.Confirm{ID: "g1"}}, less); err != nil {
		t.Fatal(err)
	}
	a.fails("<commit/>", inUse)
	a.fails(cancelCommit, inUse)
	a.fails(lock("running"), denied(0))
	a.fails(confirmWith("x"), "protocol invalid-value path=/nc:rpc/nc:commit/nc:persist-id")
	a.ok(confirmWith("g1"))
}

// netconf.md 58: a restart rolls back, also what is persistent.
func TestRestartRollsBackConfirmedCommit(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		c := newRigOn(t, dir, Limits{}).open()
		c.setUp()
		c.try(persist("x"))
	})
	r := newRigOn(t, dir, Limits{})
	if got := r.open().asOf(); got != "200" || r.engine.Pending() != nil {
		t.Errorf("as is %s, pending %v", got, r.engine.Pending())
	}
}

// netconf.md 56, 73: what happens to a confirmed commit is told, with who did it.
func TestConfirmedCommitIsTold(t *testing.T) {
	l, w, c := subscribed(t, "")
	by := fmt.Sprintf("<username>guest</username><session-id>%d</session-id><source-host>127.0.0.1</source-host>", c.id)
	told := func(who, event, more string) {
		t.Helper()
		want := `<netconf-confirmed-commit xmlns="` + baseEventsNS + `">` + who + "<confirm-event>" + event + "</confirm-event>" + more + "</netconf-confirmed-commit>"
		if got := w.await("netconf-confirmed-commit"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	secs := func(n int) string { return fmt.Sprintf("<timeout>%d</timeout>", n) }
	c.try("")
	told(by, "start", secs(600))
	c.ok(confirmed(timeout(60)))
	told(by, "extend", secs(60))
	c.ok("<commit/>")
	told(by, "complete", "")
	c.ok(editDraft(peer("", peer2, "<as>301</as>")), confirmed(timeout(1)))
	told(by, "start", secs(1))
	told("", "timeout", "")
	c.ok(editDraft(peer("", peer2, "<as>302</as>")), confirmed(""), cancelCommit)
	told(by, "start", secs(600))
	told(by, "cancel", "")
	c.ok(confirmed("")) // changes nothing, so nothing waits
	c.ok(editDraft(peer("", peer2, "<as>303</as>")), confirmed(""))
	told(by, "start", secs(600))
	c.ok("<close-session/>")
	told(by, "cancel", "")
	_ = l
}
