package commit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// collect reads changes until fn has seen what it waits for, and all that came
// with that.
func (r *rig) collect(sub *Subscription, what string, fn func(*Change) bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	for {
		changes, err := sub.Next(ctx)
		if err != nil {
			r.Fatalf("%s was not told: %v", what, err)
		}
		found := false
		for i := range changes {
			found = fn(&changes[i]) || found
		}
		if found {
			return
		}
	}
}

// peers returns an edit that makes n peers, members of a group where it is
// named.
func peers(n int, group string) func(schema.Tx) {
	return func(tx schema.Tx) {
		example(tx)
		if group != "" {
			groupAt(tx, vpn1, group)
		}
		for i := range n {
			c := peerAt(tx, nthPeer(i)).GetOrCreateConfig()
			c.As = ygot.Uint32(200)
			if group != "" {
				c.PeerGroup = &group
			}
		}
	}
}

func nthPeer(i int) bgp.PeerKey {
	return bgp.PeerKey{Instance: vpn1.Instance, VPN: vpn1.VPN, Address: netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})}
}

// What the engine counts over many records is told like every other change.
func TestCountedStateIsTold(t *testing.T) {
	r := newRig(t)
	r.mustEdit(peers(0, "core"))
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	sub := r.c.Subscribe()
	defer sub.Close()

	vpn := func(e Entry) (n [2]uint32) {
		st := e.State().(*bgpVPNRec).State
		return [2]uint32{*st.Peers, *st.EstablishedPeers}
	}
	members := func(e Entry) uint32 { return *e.State().(*groupRec).State.Members }
	first, last := map[schema.Key]Entry{}, map[schema.Key]Entry{}
	take := func(ch *Change) {
		if _, ok := first[ch.Key]; !ok {
			first[ch.Key] = ch.Old
		}
		last[ch.Key] = ch.New
	}
	vpnAt, groupAt := schema.BGPVPNInstanceKey(vpn1), schema.PeerGroupKey(vpn1, "core")
	upTo := func(what string, want [2]uint32) {
		t.Helper()
		clear(first)
		r.collect(sub, what, func(ch *Change) bool {
			take(ch)
			e, ok := last[vpnAt]
			return ok && vpn(e) == want
		})
	}

	res := r.mustEdit(peers(3, "core"))
	upTo("three peers", [2]uint32{4, 4})
	if got := vpn(first[vpnAt]); got != [2]uint32{1, 1} {
		t.Errorf("peers before: %v, want 1 and 1", got)
	}
	if was, is := members(first[groupAt]), members(last[groupAt]); was != 0 || is != 3 {
		t.Errorf("members %d -> %d, want 0 -> 3", was, is)
	}
	committed := func(ch *Change) bool {
		if ch.Key != schema.AgentKey() {
			return false
		}
		old, now := States(ch)
		if got := *now.(*agentRec).State.Revision; got != res.Revision || *old.(*agentRec).State.Revision != got-1 {
			t.Errorf("revision %d, want %d", got, res.Revision)
		}
		if commits := now.(*agentRec).Commits.Commit; len(commits) != 1 || *commits[res.Revision].Id != res.CommitID || len(old.(*agentRec).Commits.Commit) != 0 {
			t.Errorf("commits that came: %v, want that of revision %d alone", commits, res.Revision)
		}
		return true
	}
	if was, ok := first[schema.AgentKey()]; ok { // told with the peers, where those took their time
		committed(&Change{Key: schema.AgentKey(), Old: was, New: last[schema.AgentKey()]})
	} else {
		r.collect(sub, "the commit", committed)
	}

	if err := r.b.EndByRemote(nthPeer(0), &bgp.Notification{Code: 6, Subcode: 2}); err != nil {
		t.Fatal(err)
	}
	r.mustEdit(func(tx schema.Tx) { // leaves its group
		peerAt(tx, nthPeer(1)).Config.PeerGroup = nil
	})
	r.collect(sub, "two members", func(ch *Change) bool { return ch.Key == groupAt && members(ch.New) == 2 })
	r.mustEdit(func(tx schema.Tx) {
		tx.Delete(schema.PeerKey(nthPeer(1)))
		tx.Delete(schema.PeerKey(nthPeer(2)))
	})
	upTo("two peers", [2]uint32{2, 2})
	r.eventually("the two are forgotten", func() bool { return r.c.oper.Len() == 2 })
	if got := r.c.oper.Counts(vpn1); got.Peers != 2 {
		t.Errorf("%d peers, want 2", got.Peers)
	}

	connected := func(e Entry) bool { return *e.State().(*agentRec).Backend.State.Connected }
	r.b.Down(errors.New("scripted"))
	r.collect(sub, "the backend is away", func(ch *Change) bool { return ch.Key == schema.AgentKey() && connected(ch.Old) && !connected(ch.New) })
	r.b.Up()
	r.collect(sub, "the backend is back", func(ch *Change) bool { return ch.Key == schema.AgentKey() && connected(ch.New) })
}

// 1,000 sessions that end at once are few changes of what is counted.
func TestCountedStateIsCoalesced(t *testing.T) {
	const n = 1000
	r := newRig(t)
	r.mustEdit(peers(n, ""))
	r.eventually("established", func() bool { return r.c.oper.Counts(vpn1).Established == n+1 })
	sub := r.c.Subscribe()
	defer sub.Close()
	r.b.Hold()
	start := time.Now()
	for i := range n {
		if err := r.b.EndByRemote(nthPeer(i), &bgp.Notification{Code: 6, Subcode: 4}); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	r.collect(sub, "one peer is left", func(ch *Change) bool {
		if ch.Key != schema.BGPVPNInstanceKey(vpn1) {
			return false
		}
		told++
		return *ch.New.State().(*bgpVPNRec).State.EstablishedPeers == 1
	})
	if most := 2 + int(time.Since(start)/countedDelay); told > most {
		t.Errorf("told %d times, want at most %d", told, most)
	}
}

func TestApart(t *testing.T) {
	commits := func(from, to uint64) (out []datastore.Commit) {
		for r := from; r <= to; r++ {
			out = append(out, datastore.Commit{Revision: r})
		}
		return out
	}
	for _, tt := range []struct {
		name       string
		old, new   []datastore.Commit
		gone, came string
	}{
		{"nothing", commits(1, 5), commits(1, 5), "[]", "[]"},
		{"the first", nil, commits(1, 1), "[]", "[1]"},
		{"one more", commits(1, 5), commits(1, 6), "[]", "[6]"},
		{"one pushes one out", commits(1, 5), commits(2, 6), "[1]", "[6]"},
		{"all others", commits(1, 3), commits(7, 9), "[1 2 3]", "[7 8 9]"},
		{"fewer are kept", commits(1, 5), commits(4, 5), "[1 2 3]", "[]"},
	} {
		gone, came := apart(tt.old, tt.new)
		revisions := func(cs []datastore.Commit) string {
			out := []uint64{}
			for _, c := range cs {
				out = append(out, c.Revision)
			}
			return fmt.Sprint(out)
		}
		if revisions(gone) != tt.gone || revisions(came) != tt.came {
			t.Errorf("%s: gone %s, came %s, want %s and %s", tt.name, revisions(gone), revisions(came), tt.gone, tt.came)
		}
	}
}
