package commit

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mooring/bgp"
	"mooring/engine/operstate"
	"mooring/engine/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// whole is everything that a view shows, as text.
func whole(t *testing.T, v schema.View) string {
	t.Helper()
	text, err := schema.AppendJSON(nil, v, nil, schema.JSONOptions{Content: schema.All})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// present is what the past can show of now: without the backend.
func (r *rig) present() string {
	r.Helper()
	p := &Past{c: r.c, state: true, snap: r.c.Store().Running(), commits: r.c.Store().History(), peers: statesBefore(&r.c.oper, nil)}
	return whole(r.T, p.View())
}

func TestPast(t *testing.T) {
	r := newRig(t)
	type moment struct {
		name    string
		at      time.Time
		content string
	}
	var moments []moment
	mark := func(name string) {
		moments = append(moments, moment{name, time.Now(), r.present()})
		time.Sleep(time.Millisecond) // nothing happens at the very time
	}
	established := func(n uint64) {
		t.Helper()
		r.eventually("the session", func() bool { st := r.state(thePeer); return st.Session == bgp.StateEstablished && st.Transitions == n })
	}
	r.mustEdit(example)
	established(1)
	mark("the first session")
	r.mustEdit(func(tx schema.Tx) { source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2") })
	established(2)
	mark("the second session")
	if err := r.b.EndByRemote(thePeer, nil); err != nil {
		t.Fatal(err)
	}
	established(3)
	mark("the third session, of the same configuration")
	logged := func() int {
		r.c.past.mu.Lock()
		defer r.c.past.mu.Unlock()
		return len(r.c.past.changes)
	}
	before := logged()
	r.mustEdit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) })
	// The commit forgets the peer, and the speaker tells of its end and that it is
	// gone, in any order.
	r.eventually("the peer is gone", func() bool { return logged() >= before+3 && r.c.oper.Len() == 0 })
	mark("no peer")
	r.mustEdit(example)
	established(1)
	mark("the peer again")

	for _, m := range moments {
		p, err := r.c.Past(m.at, ConfigAndState)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		if diff := cmp.Diff(m.content, whole(t, p.View())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.name, diff)
		}
		// From there, step by step, to every later one.
		for _, later := range moments {
			if later.at.Before(m.at) {
				continue
			}
			for {
				changes := p.Next(later.at)
				if changes == nil {
					break
				}
				for i := range changes {
					ch := &changes[i]
					if ch.New.Time.Before(m.at) || !ch.New.Time.Before(later.at) || ch.Old.Config == nil && ch.New.Config == nil {
						t.Errorf("from %s to %s: change of %s at %v", m.name, later.name, ch.Key, ch.New.Time)
					}
					if old, new := States(ch); ch.Old.Config == ch.New.Config && (old == nil || new == nil) {
						t.Errorf("from %s to %s: %s has no state", m.name, later.name, ch.Key)
					}
				}
			}
			if diff := cmp.Diff(later.content, whole(t, p.View())); diff != "" {
				t.Errorf("from %s to %s (-want +got):\n%s", m.name, later.name, diff)
			}
		}
	}
	p, err := r.c.Past(moments[1].at, ConfigOnly)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.View().Get(schema.PeerKey(thePeer)).(*peerRec); *source(got).Interface != "LoopBack2" || p.View().State(schema.PeerKey(thePeer)) != nil {
		t.Errorf("configuration only: source %+v, state %v", source(got), p.View().State(schema.PeerKey(thePeer)))
	}
	if n := len(p.Next(time.Now())); n != 1 {
		t.Errorf("configuration only: the next commit changes %d records, want 1", n)
	}
}

// What is not kept is an error that says from when on it is, never the present.
func TestPastIsNotKept(t *testing.T) {
	r := newRig(t)
	tooOld := func(at time.Time, content Content, what string, since time.Time) {
		t.Helper()
		_, err := r.c.Past(at, content)
		e, ok := errors.AsType[*TooOldError](err)
		if !ok || e.What != what || !e.Since.Equal(since) {
			t.Errorf("%v: %v, want the %s from %v on", at, err, what, since)
		}
	}
	tooOld(r.c.start.Add(-1), ConfigOnly, "configuration", r.c.start)
	tooOld(r.c.start.Add(-1), ConfigAndState, "state", r.c.past.since)
	if _, err := r.c.Past(time.Now(), ConfigAndState); err != nil {
		t.Errorf("nothing has happened: %v", err)
	}
	r.mustEdit(example)
	first := r.c.Store().History()[0].Time
	tooOld(first.Add(-1), ConfigOnly, "configuration", first)
	r.mustEdit(func(tx schema.Tx) {
		tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateHistory().GetOrCreateConfig().Size = ygot.Uint16(1)
	})
	h := r.c.Store().History()
	tooOld(first, ConfigOnly, "configuration", h[len(h)-1].Time)
}

// The log forgets the oldest changes, and knows from when on it is complete.
func TestStateLog(t *testing.T) {
	start := time.Unix(1e9, 0)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	peer := func(i int) bgp.PeerKey {
		return bgp.PeerKey{Instance: "a", VPN: "b", Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}
	}
	up := func(n int) operstate.Entry {
		return operstate.Entry{State: &bgp.PeerState{Session: bgp.StateEstablished, Transitions: uint64(n)}}
	}
	one := (&stateChange{new: up(1)}).size()
	l := &stateLog{limit: 10 * one}
	l.add(at(0), peer(0), operstate.Entry{}, up(0)) // before it has begun
	if _, _, ok := l.after(at(1)); ok {
		t.Error("it has not begun")
	}
	l.begin(start)
	for i := 1; i <= 100; i++ {
		l.add(at(i), peer(i), operstate.Entry{}, up(i))
		if l.size > l.limit || len(l.changes) > 10 {
			t.Fatalf("%d octets in %d changes", l.size, len(l.changes))
		}
	}
	if cap(l.changes) > 40 {
		t.Errorf("room for %d changes", cap(l.changes))
	}
	if _, since, ok := l.after(at(89)); ok || !since.Equal(at(90)) {
		t.Errorf("what is forgotten: %v, since %v", ok, since)
	}
	for from, want := range map[int]string{90: "91..100", 95: "96..100", 100: "", 200: ""} {
		got, _, ok := l.after(at(from))
		text := ""
		if len(got) > 0 {
			text = fmt.Sprintf("%d..%d", got[0].new.State.Transitions, got[len(got)-1].new.State.Transitions)
		}
		if !ok || text != want || len(got) > 0 && len(got) != 100-from {
			t.Errorf("after %d: %s of %d, want %s", from, text, len(got), want)
		}
	}
	l.add(at(50), peer(1), operstate.Entry{}, up(101)) // the clock went back
	if got, _, _ := l.after(at(99)); len(got) != 2 || !got[1].at.Equal(at(100)) {
		t.Errorf("a clock that goes back: %+v", got)
	}
	l.add(at(101), peer(1), up(7), up(7)) // two that differ in nothing are two
	same := up(7)
	n := len(l.changes)
	l.add(at(102), peer(1), same, same)
	if len(l.changes) != n {
		t.Error("no change was remembered")
	}
}

// What remembering costs an event of a peer: at most 1 µs, against the millisecond
// that its notification may take.
func BenchmarkStateLog(b *testing.B) {
	l := &stateLog{limit: stateLogSize}
	start := time.Unix(1e9, 0)
	l.begin(start)
	e := operstate.Entry{State: &bgp.PeerState{}}
	f := operstate.Entry{State: &bgp.PeerState{}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.add(start.Add(time.Duration(i)), bgp.PeerKey{Instance: "default", VPN: "vpn1"}, e, f)
	}
}
