package frr

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mooring/bgp"
)

var update = flag.Bool("update", false, "write the golden files")

var exact = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

func plainInstance() *bgp.InstanceSpec {
	return &bgp.InstanceSpec{
		Key: bgp.InstanceKey{Instance: "default", VPN: "vpn1"}, AS: 65001,
		RouterID: netip.MustParseAddr("1.1.1.1"), Namespace: "blue", Port: 179,
	}
}

func plainPeer() *bgp.PeerSpec {
	in := plainInstance()
	return &bgp.PeerSpec{
		Key:      bgp.PeerKey{Instance: in.Key.Instance, VPN: in.Key.VPN, Address: remote(0)},
		RemoteAS: 65100, LocalAS: in.AS, RouterID: in.RouterID, RemotePort: 179, TTL: 1, DSCP: defaultDSCP,
		HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, ConnectRetry: 32 * time.Second,
		RestartTime: defaultRestartTime, StaleTime: defaultStaleTime, Families: []bgp.Family{bgp.IPv4Unicast},
	}
}

// variants are peers that together have every setting that FRR has.
var variants = []struct {
	name string
	do   func(*bgp.PeerSpec)
}{
	{"plain", func(*bgp.PeerSpec) {}},
	{"everything", func(p *bgp.PeerSpec) {
		p.LocalAS, p.ConnectMode, p.RemotePort, p.TTL, p.MSS = 65009, bgp.ListenOnly, 1790, 5, 900
		p.Source, p.Interface = source(0), "vd"
		p.Auth, p.Password = bgp.AuthMD5, `a|b!"c'#\d%`
		p.HoldTime, p.Keepalive, p.ConnectRetry = 9*time.Second, 3*time.Second, time.Second
		p.GracefulRestart, p.RestartTime, p.StaleTime = true, 77*time.Second, 99*time.Second
		p.ResetMode = bgp.ResetHard
		p.Families = []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
	}},
	{"gtsm", func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 250 }},
	{"multihop", func(p *bgp.PeerSpec) { p.TTL = 255 }},
	{"internal", func(p *bgp.PeerSpec) { p.RemoteAS, p.TTL = p.LocalAS, 0 }},
	{"no hold time", func(p *bgp.PeerSpec) { p.HoldTime = 0 }},
	{"long interval", func(p *bgp.PeerSpec) { p.HoldTime = 31 * time.Second }},
	{"disabled", func(p *bgp.PeerSpec) {
		p.Down, p.DownDetail = bgp.DownDisabled, "the peer is disabled: set config/enabled to true"
	}},
	{"held down", func(p *bgp.PeerSpec) {
		p.Down, p.DownDetail = bgp.DownInterfaceMissing, `no interface "Lo 1"|% é`
		p.RestartTime, p.StaleTime = 5*time.Second, 6*time.Second
	}},
	{"ipv6", func(p *bgp.PeerSpec) {
		p.Key.Address, p.Source, p.Families = remote6(0), source6(0), []bgp.Family{bgp.IPv6Unicast}
	}},
	{"link-local", func(p *bgp.PeerSpec) {
		p.Key.Address, p.Source = netip.MustParseAddr("fe80::2%vd"), netip.MustParseAddr("fe80::1")
		p.Zone = "vd"
		p.Families = []bgp.Family{bgp.IPv6Unicast}
	}},
}

func text(cs []command) string {
	var s strings.Builder
	for _, c := range cs {
		if c.af != "" {
			s.WriteString("address-family " + c.af + ": ")
		}
		s.WriteString(c.text + "\n")
	}
	return s.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: make it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// What a peer is created with, and how it becomes and stops being that. The
// goldens are put into a real bgpd by TestGoldensInBGPD.
func TestGoldens(t *testing.T) {
	in := plainInstance()
	golden(t, "instance", text(changeInstance(nil, instanceConf(in, false, restart{77 * time.Second, 99 * time.Second})))+
		text(vpnCommands(nil, vpnInstance())))
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			p := with(plainPeer(), v.do)
			base := with(plainPeer(), func(q *bgp.PeerSpec) { q.Key = p.Key })
			a, b := render(in, base), render(in, p)
			addr := addrOf(p.Key)
			golden(t, strings.ReplaceAll(v.name, " ", "-"), "# create\n"+text(slices.Concat(create(addr, nil, b, false)...))+
				"# from plain\n"+text(commands(change(addr, a, b)))+"# to plain\n"+text(commands(change(addr, b, a)))+
				"# delete\n"+text(remove(addr)))
		})
	}
}

func vpnInstance() *bgp.InstanceSpec {
	in := plainInstance()
	in.RD4, in.Import4, in.Export4 = "100:1", []string{"100:1", "100:2"}, []string{"100:1"}
	in.RD6, in.Import6 = "1.1.1.1:6", []string{"4200000000:1"}
	return in
}

// show writes a configuration as bgpd would.
func show(in *bgp.InstanceSpec, lines []string, peers map[netip.Addr]conf) string {
	s := "frr version 8.4.4\nfrr defaults traditional\n!\n" + router(in.AS, place(in)) + "\n"
	for _, l := range lines {
		s += " " + l + "\n"
	}
	afs := map[string]string{}
	for a, c := range peers {
		for _, l := range c {
			if l.af == "" {
				s += " neighbor " + a.String() + " " + l.text + "\n"
			} else {
				afs[l.af] += "  neighbor " + a.String() + " " + l.text + "\n"
			}
		}
	}
	for _, af := range sortedKeys(afs) {
		s += " !\n address-family " + af + "\n" + afs[af] + " exit-address-family\n"
	}
	return s + "exit\n!\n"
}

// parsePeer is the inverse of render, parseInstance that of instanceConf.
func TestRoundTrip(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			in, p := vpnInstance(), with(plainPeer(), v.do)
			gr := restart{defaultRestartTime, defaultStaleTime}
			if p.GracefulRestart {
				gr = restart{p.RestartTime, p.StaleTime}
			}
			want := render(in, p)
			c := parseConfig(show(in, instanceConf(in, false, gr), map[netip.Addr]conf{addrOf(p.Key): want}))
			b := c.blocks[place(in)]
			gotIn, shared, ok := parseInstance(b)
			if diff := cmp.Diff(in, gotIn, exact); diff != "" || shared || !ok {
				t.Fatalf("instance: shared %v, ok %v (-want +got):\n%s", shared, ok, diff)
			}
			n := b.neighbors[addrOf(p.Key)]
			if len(change(addrOf(p.Key), n.conf, want)) > 0 || len(n.other) > 0 {
				t.Errorf("read %v and %v, want %v", n.conf, n.other, want)
			}
			got, ours, err := parsePeer(gotIn, b, addrOf(p.Key), n.conf)
			if diff := cmp.Diff(p, got, exact); diff != "" || !ours || err != nil {
				t.Errorf("ours %v, err %v (-want +got):\n%s", ours, err, diff)
			}
		})
	}
}

// Whatever a neighbor has, change leads to what it should have, and equal
// settings need no command.
func TestChangeReaches(t *testing.T) {
	in := plainInstance()
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() conf {
		p := plainPeer()
		for range r.IntN(3) {
			v := variants[r.IntN(9)] // those with the same address
			v.do(p)
		}
		return render(in, p)
	}
	for range 500 {
		a, b := pick(), pick()
		steps := change(remote(0), a, b)
		if slices.Equal(a, b) != (len(steps) == 0) {
			t.Fatalf("from %v to %v: %v", a, b, steps)
		}
		for _, cs := range [][]command{commands(steps), slices.Concat(create(remote(0), a, b, false)...)} {
			if got := execute(t, a, cs); !slices.Equal(got, b) {
				t.Fatalf("from %v to %v by %v: %v", a, b, cs, got)
			}
		}
	}
}

// execute is what FRR makes of commands to a neighbor.
func execute(t *testing.T, c conf, cs []command) conf {
	t.Helper()
	c = slices.Clone(c)
	for _, cmd := range cs {
		text, no := strings.CutPrefix(cmd.text, "no ")
		text = strings.TrimPrefix(text, "neighbor "+remote(0).String()+" ")
		key := text
		if s, ok := settingOf(text); ok {
			key = s.key
		}
		c = slices.DeleteFunc(c, func(l line) bool { return l.key == key && l.af == cmd.af })
		if !no {
			c = append(c, line{cmd.af, key, text})
		}
		ttl := slices.ContainsFunc(c, func(l line) bool { return l.key == "ttl-security" })
		if ttl && slices.ContainsFunc(c, func(l line) bool { return l.key == "ebgp-multihop" }) {
			t.Fatalf("%v: ebgp-multihop and ttl-security cannot be configured together", cs)
		}
	}
	slices.SortFunc(c, compareLines)
	return c
}

// backends.md 4.2: FRR's own names in the order that ends a session once.
func TestNudge(t *testing.T) {
	in := plainInstance()
	passive := with(plainPeer(), func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })
	for _, c := range []struct {
		p    *bgp.PeerSpec
		want string
	}{
		{plainPeer(), "neighbor 10.9.0.101 passive\nno neighbor 10.9.0.101 passive\n"},
		{passive, "no neighbor 10.9.0.101 passive\nneighbor 10.9.0.101 passive\n"},
	} {
		if got := text(nudge(remote(0), render(in, c.p), nil)); got != c.want {
			t.Errorf("nudge of %v: %s", c.p.ConnectMode, got)
		}
	}
}

func TestParseConfig(t *testing.T) {
	c := parseConfig(`frr version 8.4.4
frr defaults datacenter
!
bgp session-dscp 20
!
router bgp 65000
 bgp router-id 9.9.9.9
 bgp log-neighbor-changes
 neighbor upstream peer-group
 neighbor 192.0.2.1 remote-as 65010
 neighbor 192.0.2.1 description theirs
 neighbor 192.0.2.2 remote-as external
 neighbor 192.0.2.2 timers delayopen 5
 neighbor eth0 interface remote-as external
 !
 address-family ipv4 unicast
  network 10.0.0.0/8
  no neighbor 192.0.2.2 activate
  neighbor 192.0.2.1 route-map in in
 exit-address-family
 !
 bmp targets other
  bmp connect 192.0.2.9 port 1790 min-retry 100 max-retry 1000
 exit
exit
!
router bgp 65001 vrf red
 bmp targets mooring
 exit
 bgp router-id 8.8.8.8
exit
!
route-map in permit 10
exit
`)
	if c.dscp != 20 || len(c.blocks) != 2 {
		t.Fatalf("dscp %d, %d blocks", c.dscp, len(c.blocks))
	}
	b := c.blocks[""]
	if _, _, ok := parseInstance(b); ok || !b.implicit {
		t.Errorf("somebody else's block: ours %v, implicit %v", ok, b.implicit)
	}
	mine := func(netip.Addr) bool { return false }
	want := []string{
		"bgp log-neighbor-changes", "bmp targets other", "ipv4 unicast: network 10.0.0.0/8", "neighbor 192.0.2.1",
		"neighbor 192.0.2.2", "neighbor eth0 interface remote-as external", "neighbor upstream peer-group",
	}
	if diff := cmp.Diff(want, b.foreign(mine)); diff != "" {
		t.Errorf("foreign (-want +got):\n%s", diff)
	}
	one, two := b.neighbors[netip.MustParseAddr("192.0.2.1")], b.neighbors[netip.MustParseAddr("192.0.2.2")]
	if _, ok := one.conf.find("ipv4 unicast", "activate"); !ok {
		t.Error("192.0.2.1 has not the family that FRR gives without showing it")
	}
	if _, ok := two.conf.find("ipv4 unicast", "activate"); ok {
		t.Error("192.0.2.2 has the family that was taken away")
	}
	if diff := cmp.Diff([]string{"ipv4 unicast: route-map in in"}, one.other); diff != "" {
		t.Errorf("other lines (-want +got):\n%s", diff)
	}
	red := c.blocks["vrf red"]
	if red.value("bgp router-id") != "8.8.8.8" || !slices.Contains(red.lines, "no bgp ebgp-requires-policy") {
		t.Errorf("block of red: %v", red.lines)
	}
}

func TestMarks(t *testing.T) {
	for _, key := range []bgp.InstanceKey{{Instance: "default", VPN: "_public_"}, {Instance: "a/b c", VPN: "x?y|z%"}} {
		in := plainInstance()
		in.Key = key
		got, _, ok := parseMark(instanceMark(in, false))
		if !ok || got != key {
			t.Errorf("%v: %v, %v", key, got, ok)
		}
		if m := instanceMark(in, true); strings.ContainsAny(m, " |") {
			t.Errorf("mark %q does not fit into a command", m)
		}
	}
	for _, s := range []string{"", "theirs", "mooring", "mooring:", "mooring:a", "mooring:/b", "mooring:a/%zz", "mooring:a/b?%zz"} {
		if _, _, ok := parseMark(s); ok {
			t.Errorf("%q passes for a mark", s)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	in, p := vpnInstance(), with(plainPeer(), variants[1].do)
	f.Add(show(in, instanceConf(in, false, restart{}), map[netip.Addr]conf{addrOf(p.Key): render(in, p)}))
	f.Add("router bgp 1\n neighbor 1.1.1.1 remote-as 2\n bmp targets x\n exit\n address-family ipv4 unicast\n  neighbor 1.1.1.1 activate\n")
	f.Add("router bgp x\n neighbor mooring description mooring:a/b?port=70000\n")
	f.Fuzz(func(t *testing.T, s string) {
		c := parseConfig(s)
		for _, b := range c.blocks {
			in, _, ok := parseInstance(b)
			if !ok {
				continue
			}
			for a, n := range b.neighbors {
				p, ours, err := parsePeer(in, b, a, n.conf)
				if !ours || err != nil {
					continue
				}
				// What was read is written and read again the same.
				c := render(in, p)
				q, _, err := parsePeer(in, b, a, c)
				if err != nil || len(bgp.DiffPeers(p, q)) > 0 {
					t.Errorf("%+v\nagain: %+v, %v", p, q, err)
				}
			}
		}
	})
}
