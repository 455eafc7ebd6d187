package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"mooring/bgp"
)

func paceStep(op Op, instance string, n int, impact bgp.Impact) Step {
	key := bgp.PeerKey{Instance: instance, VPN: bgp.PublicVPN, Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}
	s := Step{Op: op, Instance: key.InstanceKey(), Peer: key, Impact: impact}
	if op != CreatePeer {
		s.Old = &bgp.PeerSpec{Key: key}
	}
	if op != DeletePeer {
		s.New = &bgp.PeerSpec{Key: key}
	}
	return s
}

func TestPace(t *testing.T) {
	reset := func(n int) Step { return paceStep(UpdatePeer, "a", n, bgp.ImpactReset) }
	disable := reset(7)
	disable.New.Down = bgp.DownDisabled
	missing := reset(8)
	missing.New.Down = bgp.DownInterfaceMissing
	put := Step{Op: PutInstance, Instance: reset(1).Instance, OldInstance: &bgp.InstanceSpec{}, NewInstance: &bgp.InstanceSpec{}}
	create := Step{Op: PutInstance, Instance: reset(1).Instance, NewInstance: &bgp.InstanceSpec{}}
	tests := []struct {
		name  string
		steps []Step
		room  int
		down  int // the peer whose session is not established
		later []int
	}{
		{"nothing", nil, 0, 0, nil},
		{"room for all", []Step{reset(1), reset(2)}, 2, 0, nil},
		{"room for one", []Step{reset(1), reset(2), reset(3)}, 1, 0, []int{1, 2}},
		{"no room", []Step{reset(1), reset(2)}, 0, 0, []int{0, 1}},
		{"one that is down takes no room", []Step{reset(1), reset(2), reset(3)}, 1, 1, []int{2}},
		{"no reset", []Step{paceStep(UpdatePeer, "a", 1, bgp.ImpactNone), paceStep(UpdatePeer, "a", 2, bgp.ImpactNextSession)}, 0, 0, nil},
		{"created and deleted", []Step{paceStep(DeletePeer, "a", 1, bgp.ImpactReset), paceStep(CreatePeer, "a", 2, bgp.ImpactNone)}, 0, 0, nil},
		{"disabled", []Step{disable, reset(8)}, 0, 0, []int{1}},
		{"one whose interface is missing may get it back", []Step{missing}, 0, 0, []int{0}},
		{"a whole instance", []Step{put, reset(1), paceStep(UpdatePeer, "b", 1, bgp.ImpactReset)}, 0, 0, []int{2}},
		{"a new instance", []Step{create, reset(1)}, 0, 0, []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wantNow, wantLater []Step
			for i, s := range tt.steps {
				if len(tt.later) > 0 && tt.later[0] == i {
					wantLater, tt.later = append(wantLater, s), tt.later[1:]
				} else {
					wantNow = append(wantNow, s)
				}
			}
			now, later := Pace(tt.steps, tt.room, func(k bgp.PeerKey) bool { return int(k.Address.As4()[3]) != tt.down })
			if len(now) != len(wantNow) || len(now) > 0 && !reflect.DeepEqual(now, wantNow) || !reflect.DeepEqual(later, wantLater) {
				t.Errorf("now %v, later %v\nwant %v, later %v", now, later, wantNow, wantLater)
			}
		})
	}
}

// Whatever the steps: none is lost or made up, the order stays, no more than
// room sessions that come back go down, and nobody waits while there is room.
func TestPaceProperties(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var steps []Step
		up := map[bgp.PeerKey]bool{}
		for n := range rng.IntN(30) {
			s := paceStep([]Op{DeletePeer, UpdatePeer, UpdatePeer, UpdatePeer, CreatePeer}[rng.IntN(5)], fmt.Sprint(rng.IntN(2)), n, bgp.Impact(rng.IntN(3)))
			up[s.Peer] = rng.IntN(4) > 0
			steps = append(steps, s)
		}
		room := rng.IntN(10)
		now, later := Pace(steps, room, func(k bgp.PeerKey) bool { return up[k] })
		ends := 0
		for i := range now {
			if now[i].ComesBack() && up[now[i].Peer] {
				ends++
			}
		}
		if ends > room || len(later) > 0 && ends < room {
			t.Fatalf("seed %d: %d sessions end, room for %d, %d wait", seed, ends, room, len(later))
		}
		a, b := now, later
		for i := range steps {
			switch {
			case len(a) > 0 && a[0].Peer == steps[i].Peer:
				a = a[1:]
			case len(b) > 0 && b[0].Peer == steps[i].Peer && steps[i].ComesBack() && up[steps[i].Peer]:
				b = b[1:]
			default:
				t.Fatalf("seed %d: step %d is lost, out of order or waits for nothing", seed, i)
			}
		}
		if len(a)+len(b) > 0 {
			t.Fatalf("seed %d: %d steps made up", seed, len(a)+len(b))
		}
	}
}
