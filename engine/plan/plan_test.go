package plan_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/plan"
)

var (
	vpn1 = bgp.InstanceKey{Instance: "default", VPN: "vpn1"}
	vpn2 = bgp.InstanceKey{Instance: "default", VPN: "vpn2"}
)

// costs are those of the model in words of this test, on a speaker that does by
// itself what the model asks for.
func costs(native func(old, new *bgp.PeerSpec) bgp.Impact) plan.Costs {
	return plan.Costs{Impact: impact, Native: native, NativeInstance: fake.NativeInstance}
}

func impact(leaf string) bgp.Impact {
	switch leaf {
	case "transport/config/dscp", "transport/config/connect-mode":
		return bgp.ImpactNone
	case "timers/config/keepalive-interval":
		return bgp.ImpactNextSession
	}
	return bgp.ImpactReset
}

func instance(key bgp.InstanceKey, change ...func(*bgp.InstanceSpec)) *bgp.InstanceSpec {
	s := &bgp.InstanceSpec{Key: key, AS: 100, RouterID: netip.MustParseAddr("192.0.2.1"), Port: 179}
	for _, f := range change {
		f(s)
	}
	return s
}

func peer(in bgp.InstanceKey, addr string, change ...func(*bgp.PeerSpec)) *bgp.PeerSpec {
	s := &bgp.PeerSpec{
		Key:      bgp.PeerKey{Instance: in.Instance, VPN: in.VPN, Address: netip.MustParseAddr(addr)},
		RemoteAS: 200, LocalAS: 100, RouterID: netip.MustParseAddr("192.0.2.1"),
		RemotePort: 179, TTL: 1, HoldTime: 180e9, Keepalive: 60e9, ConnectRetry: 32e9,
		Families: []bgp.Family{bgp.IPv4Unicast},
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func mss(n uint16) func(*bgp.PeerSpec) { return func(s *bgp.PeerSpec) { s.MSS = n } }
func dscp(n uint8) func(*bgp.PeerSpec) { return func(s *bgp.PeerSpec) { s.DSCP = n } }
func disabled(s *bgp.PeerSpec)         { s.Down = bgp.DownDisabled }
func port(n uint16) func(*bgp.InstanceSpec) {
	return func(s *bgp.InstanceSpec) { s.Port = n }
}

// step is what a test expects of a step.
type step struct {
	Op     string
	Who    string
	Impact string
	Add    bool
	Leaves []string
}

func stepsOf(p plan.Plan) []step {
	var out []step
	for i := range p.Steps {
		s := &p.Steps[i]
		e := step{Op: s.Op.String(), Who: s.Instance.String(), Impact: s.Impact.String(), Add: s.AddReset}
		if s.Peer.Address.IsValid() {
			e.Who = s.Peer.String()
		}
		for _, l := range s.Leaves {
			e.Leaves = append(e.Leaves, l.String())
		}
		out = append(out, e)
	}
	return out
}

// silent is a speaker that takes everything without ending a session.
func silent(_, _ *bgp.PeerSpec) bgp.Impact { return bgp.ImpactNone }

func TestCompute(t *testing.T) {
	type instances = []plan.Pair[bgp.InstanceSpec]
	type peers = []plan.PeerPair
	const mssLeaf = "transport/config/tcp-mss"
	tests := []struct {
		name      string
		native    func(old, new *bgp.PeerSpec) bgp.Impact
		instances instances
		peers     peers
		want      []step
		resets    int
	}{
		{name: "nothing"},
		{name: "absent before and after", instances: instances{{}}, peers: peers{{}}},
		{name: "equal", instances: instances{{Old: instance(vpn1), New: instance(vpn1)}}, peers: peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1")}}},
		{
			name:      "what goes makes room, and an instance stands before its peers",
			instances: instances{{New: instance(vpn2)}, {Old: instance(vpn1)}},
			peers: peers{
				{New: peer(vpn2, "10.0.0.2")},
				{New: peer(vpn2, "10.0.0.1")},
				{Old: peer(vpn1, "10.0.0.9")},
				{Old: peer(vpn1, "10.0.0.1")},
			},
			want: []step{
				{"delete-peer", "default/vpn1/10.0.0.1", "reset", false, nil},
				{"delete-peer", "default/vpn1/10.0.0.9", "reset", false, nil},
				{"delete-instance", "default/vpn1", "reset", false, nil},
				{"put-instance", "default/vpn2", "none", false, nil},
				{"create-peer", "default/vpn2/10.0.0.1", "none", false, nil},
				{"create-peer", "default/vpn2/10.0.0.2", "none", false, nil},
			},
			resets: 2,
		},
		{
			name:   "a setting that costs nothing",
			native: silent,
			peers:  peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1", dscp(10))}},
			want:   []step{{"update-peer", "default/vpn1/10.0.0.1", "none", false, []string{"transport/config/dscp: 0 -> 10"}}},
		},
		{
			name:  "a setting for the next session",
			peers: peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1", func(s *bgp.PeerSpec) { s.Keepalive = 20e9 })}},
			want:  []step{{"update-peer", "default/vpn1/10.0.0.1", "next-session", false, []string{"timers/config/keepalive-interval: 60 -> 20"}}},
		},
		{
			name:   "the strongest of two settings, by the speaker itself",
			peers:  peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1", dscp(10), mss(1000))}},
			want:   []step{{"update-peer", "default/vpn1/10.0.0.1", "reset", false, []string{mssLeaf + ": (none) -> 1000", "transport/config/dscp: 0 -> 10"}}},
			resets: 1,
		},
		{
			name:   "a speaker that would not",
			native: silent,
			peers:  peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1", mss(1000))}},
			want:   []step{{"update-peer", "default/vpn1/10.0.0.1", "reset", true, []string{mssLeaf + ": (none) -> 1000"}}},
			resets: 1,
		},
		{
			name:   "written without a change, where the policy resets always",
			peers:  peers{{Old: peer(vpn1, "10.0.0.1", mss(9)), New: peer(vpn1, "10.0.0.1", mss(9)), Forced: []string{mssLeaf}}},
			want:   []step{{"update-peer", "default/vpn1/10.0.0.1", "reset", true, []string{mssLeaf + ": 9 -> 9"}}},
			resets: 1,
		},
		{
			name:   "written with a change: told once",
			peers:  peers{{Old: peer(vpn1, "10.0.0.1", mss(9)), New: peer(vpn1, "10.0.0.1", mss(8)), Forced: []string{mssLeaf}}},
			want:   []step{{"update-peer", "default/vpn1/10.0.0.1", "reset", false, []string{mssLeaf + ": 9 -> 8"}}},
			resets: 1,
		},
		{
			name:      "an instance that ends its sessions: each peer once, and not again",
			instances: instances{{Old: instance(vpn1), New: instance(vpn1, port(1179))}},
			peers: peers{
				{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1")},
				{Old: peer(vpn1, "10.0.0.2"), New: peer(vpn1, "10.0.0.2", mss(1000))},
				{Old: peer(vpn2, "10.0.0.1"), New: peer(vpn2, "10.0.0.1")},
			},
			want: []step{
				{"put-instance", "default/vpn1", "reset", false, []string{"config/listen-port: 179 -> 1179"}},
				{"update-peer", "default/vpn1/10.0.0.1", "reset", false, []string{"config/listen-port: 179 -> 1179"}},
				{"update-peer", "default/vpn1/10.0.0.2", "reset", false, []string{mssLeaf + ": (none) -> 1000", "config/listen-port: 179 -> 1179"}},
			},
			resets: 2,
		},
		{
			name:      "a VPN's own settings cost no session anything",
			instances: instances{{Old: instance(vpn1), New: instance(vpn1, func(s *bgp.InstanceSpec) { s.RD4 = "1:1" })}},
			peers:     peers{{Old: peer(vpn1, "10.0.0.1"), New: peer(vpn1, "10.0.0.1")}},
			want:      []step{{"put-instance", "default/vpn1", "none", false, []string{"ipv4-family/config/route-distinguisher: (none) -> 1:1"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.native == nil {
				tt.native = fake.Native
			}
			p := plan.Compute(tt.instances, tt.peers, costs(tt.native))
			if diff := cmp.Diff(tt.want, stepsOf(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got := p.Resets(); got != tt.resets {
				t.Errorf("%d resets, want %d", got, tt.resets)
			}
		})
	}
}

func TestShutsDown(t *testing.T) {
	up, down := peer(vpn1, "10.0.0.1"), peer(vpn1, "10.0.0.1", disabled)
	for _, tt := range []struct {
		name     string
		old, new *bgp.PeerSpec
		want     bool
	}{
		{"disabled", up, down, true},
		{"enabled", down, up, false},
		{"still disabled", down, peer(vpn1, "10.0.0.1", disabled, mss(1000)), false},
		{"created disabled", nil, down, false},
		{"deleted", up, nil, false},
	} {
		p := plan.Compute(nil, []plan.PeerPair{{Old: tt.old, New: tt.new}}, costs(fake.Native))
		if got := p.Steps[0].ShutsDown(); got != tt.want {
			t.Errorf("%s: shuts down %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestInverse(t *testing.T) {
	p := plan.Compute(
		[]plan.Pair[bgp.InstanceSpec]{{Old: instance(vpn1)}, {New: instance(vpn2)}},
		[]plan.PeerPair{{Old: peer(vpn1, "10.0.0.1")}, {New: peer(vpn2, "10.0.0.1")}, {Old: peer(vpn2, "10.0.0.3", mss(1)), New: peer(vpn2, "10.0.0.3", mss(2))}},
		costs(fake.Native))
	want := []step{
		{"delete-peer", "default/vpn2/10.0.0.1", "none", false, nil},
		{"update-peer", "default/vpn2/10.0.0.3", "reset", false, []string{"transport/config/tcp-mss: 2 -> 1"}},
		{"delete-instance", "default/vpn2", "none", false, nil},
		{"put-instance", "default/vpn1", "reset", false, nil},
		{"create-peer", "default/vpn1/10.0.0.1", "reset", false, nil},
	}
	if diff := cmp.Diff(want, stepsOf(plan.Plan{Steps: plan.Inverse(p.Steps)})); diff != "" {
		t.Errorf("inverse (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stepsOf(p), stepsOf(plan.Plan{Steps: plan.Inverse(plan.Inverse(p.Steps))})); diff != "" {
		t.Errorf("the inverse of the inverse (-want +got):\n%s", diff)
	}
}
