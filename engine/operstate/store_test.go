package operstate_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"mooring/bgp"
	"mooring/engine/operstate"

	"github.com/google/go-cmp/cmp"
)

func key(instance, vpn, address string) bgp.PeerKey {
	return bgp.PeerKey{Instance: instance, VPN: vpn, Address: netip.MustParseAddr(address)}
}

func inState(s bgp.SessionState) operstate.Entry {
	return operstate.Entry{State: &bgp.PeerState{Session: s}}
}

func TestStoreCountsEstablishedPeers(t *testing.T) {
	up, down := inState(bgp.StateEstablished), inState(bgp.StateIdle)
	applied := operstate.Entry{Applied: &bgp.PeerSpec{}}
	a, b := key("default", "vpn1", "10.1.1.2"), key("default", "vpn2", "10.1.1.2")
	steps := []struct {
		name             string
		key              bgp.PeerKey
		entry            operstate.Entry
		vpn1, vpn2, size int
	}{
		{"first peer idle", a, down, 0, 0, 1},
		{"first peer up", a, up, 1, 0, 1},
		{"up again is counted once", a, inState(bgp.StateEstablished), 1, 0, 1},
		{"same address in another VPN is another peer", b, up, 1, 1, 2},
		{"down", a, down, 0, 1, 2},
		{"down again", a, down, 0, 1, 2},
		{"applied alone is not established", a, applied, 0, 1, 2},
		{"forget a down peer", a, operstate.Entry{}, 0, 1, 1},
		{"forget an established peer", b, operstate.Entry{}, 0, 0, 0},
		{"forget an unknown peer", b, operstate.Entry{}, 0, 0, 0},
	}
	var s operstate.Store
	want := map[bgp.PeerKey]operstate.Entry{}
	for _, step := range steps {
		if old := s.Set(step.key, step.entry); old != want[step.key] {
			t.Errorf("%s: Set returned %v as the old entry, want %v", step.name, old, want[step.key])
		}
		want[step.key] = step.entry
		if got := s.Get(step.key); got != step.entry {
			t.Errorf("%s: Get returned %v, want %v", step.name, got, step.entry)
		}
		for vpn, n := range map[string]int{"vpn1": step.vpn1, "vpn2": step.vpn2} {
			if got := s.Counts(bgp.InstanceKey{Instance: "default", VPN: vpn}).Established; got != n {
				t.Errorf("%s: %d peers established in %s, want %d", step.name, got, vpn, n)
			}
		}
		if got := s.Counts(a.InstanceKey()).Peers + s.Counts(b.InstanceKey()).Peers; got != step.size {
			t.Errorf("%s: %d peers in both VPNs, want %d", step.name, got, step.size)
		}
		if got := s.Len(); got != step.size {
			t.Errorf("%s: %d peers, want %d", step.name, got, step.size)
		}
	}
}

// Concurrent updates of one peer all count: none is computed from a value that
// another one has replaced.
func TestStoreUpdateLosesNothing(t *testing.T) {
	var s operstate.Store
	k := key("default", "vpn1", "10.1.1.2")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s.Update(k, func(e operstate.Entry) operstate.Entry {
					next := bgp.PeerState{Session: bgp.StateEstablished}
					if e.State != nil {
						next = *e.State
						next.Session = bgp.StateEstablished - next.Session
					}
					next.Transitions++
					return operstate.Entry{State: &next}
				})
			}
		})
	}
	wg.Wait()
	if got := s.Get(k).State.Transitions; got != 1600 {
		t.Errorf("%d updates are left of 1600", got)
	}
	if got := s.Counts(k.InstanceKey()).Established; got != 0 {
		t.Errorf("%d peers established after an even number of changes, want 0", got)
	}
}

// A snapshot shows what was there, whatever happens to the store then.
func TestStoreSnapshot(t *testing.T) {
	var s operstate.Store
	a, b := key("default", "vpn1", "10.1.1.2"), key("default", "vpn1", "10.1.1.3")
	empty := s.Snapshot()
	s.Set(a, inState(bgp.StateEstablished))
	before := s.Get(a)
	snap := s.Snapshot()
	s.Set(a, inState(bgp.StateIdle))
	s.Set(b, inState(bgp.StateEstablished))
	later := s.Snapshot()
	s.Set(a, operstate.Entry{})

	for _, k := range []bgp.PeerKey{a, b} {
		if got := empty.Get(k); got != (operstate.Entry{}) {
			t.Errorf("%v in the snapshot of an empty store: %v", k, got)
		}
	}
	if got := snap.Get(a); got != before {
		t.Errorf("%v: %v, was %v", a, got, before)
	}
	if got := snap.Get(b); got != (operstate.Entry{}) {
		t.Errorf("%v was not known yet: %v", b, got)
	}
	in := a.InstanceKey()
	got := []operstate.Counts{empty.Counts(in), snap.Counts(in), later.Counts(in), s.Counts(in)}
	want := []operstate.Counts{{}, {Peers: 1, Established: 1}, {Peers: 2, Established: 1}, {Peers: 1, Established: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// Snapshots are taken and read while the store changes.
func TestStoreSnapshotConcurrent(t *testing.T) {
	var s operstate.Store
	keys := make([]bgp.PeerKey, 200)
	for i := range keys {
		keys[i] = key("default", "vpn1", fmt.Sprintf("10.1.%d.1", i))
		s.Set(keys[i], inState(bgp.StateIdle))
	}
	in := keys[0].InstanceKey()
	up, down := inState(bgp.StateEstablished), inState(bgp.StateIdle)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 { // all come up, all go down, in this order
			for _, e := range []operstate.Entry{up, down} {
				for _, k := range keys {
					s.Set(k, e)
				}
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for range 100 {
				snap, n, changes := s.Snapshot(), 0, 0
				for i, k := range keys {
					is := snap.Get(k) == up
					if is {
						n++
					}
					if i > 0 && is != (snap.Get(keys[i-1]) == up) {
						changes++
					}
				}
				if c := snap.Counts(in); n != c.Established || changes > 1 {
					t.Errorf("%d peers are up, %d are counted; %d places where that changes, want at most one", n, c.Established, changes)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkStoreUpdate(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		var s operstate.Store
		keys := make([]bgp.PeerKey, n)
		for i := range keys {
			keys[i] = key("default", "vpn1", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
			s.Set(keys[i], inState(bgp.StateIdle))
		}
		up := inState(bgp.StateEstablished)
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				s.Set(keys[i%n], up)
			}
		})
	}
}
