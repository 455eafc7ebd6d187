package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

const publicPeers = publicVPN + "/peers/peer"

// links is a bed with a BIRD at the far side of each link: fe80::2%rN there, and
// fe80::1%vN on the agent's side, in the namespace near.
type links struct {
	*bed
	near  *netlab.Namespace
	birds []*netlab.BIRD
}

func newLinks(t *testing.T, near string, birds ...netlab.BIRDPeer) *links {
	t.Helper()
	lab := netlab.New(t)
	b := &links{bed: &bed{t: t, lab: lab, dut: lab.Namespace("dut")}}
	if b.near = b.dut; near != "" {
		b.near = lab.Namespace(near)
	}
	for i, p := range birds {
		b.far = lab.Namespace(fmt.Sprint("far", i))
		dev, rdev := fmt.Sprint("v", i), fmt.Sprint("r", i)
		lab.Link(b.near, dev, b.far, rdev)
		b.near.AddAddr(dev, "fe80::1/64") // beside the automatic one
		b.far.AddAddr(rdev, "fe80::2/64")
		p.Name, p.LocalAS, p.NeighborAS = fmt.Sprint("ll", i), remoteAS, 100
		p.LocalAddr = netip.MustParseAddr("fe80::2%" + rdev)
		p.NeighborAddr = netip.MustParseAddr("fe80::1%" + rdev)
		if i == 0 {
			b.wire = lab.Capture(b.near, dev, 179)
			b.begin = b.wire.Mark()
		}
		b.bird = lab.StartBIRD(b.far, netlab.BIRDConfig{RouterID: netip.MustParseAddr("2.2.2.2"), Protocols: []netlab.BIRDPeer{p}})
		b.birds = append(b.birds, b.bird)
	}
	b.start(runner.Options{})
	b.set(runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}))
	return b
}

// put makes a peer with a family and what else is said.
func (b *links) put(address string, more object) runner.Op {
	return runner.Replace(publicPeers+"[address="+address+"]", entry(more))
}

// entry is a peer with a family and what else is said.
func entry(more object) object {
	p := object{"config": object{"as": remoteAS}, "afi-safis": object{"afi-safi": []object{{
		"name": "ipv6-unicast", "config": object{"name": "ipv6-unicast", "enabled": true},
	}}}}
	for k, v := range more {
		p[k] = v
	}
	return p
}

func transportOf(connect object, more object) object {
	tr := object{}
	if connect != nil {
		tr["connect-interface"] = object{"config": connect}
	}
	for k, v := range more {
		tr[k] = v
	}
	return object{"transport": tr}
}

func md5(key string) object {
	return object{"authentication": object{"config": object{"method": "md5", "password": key}}}
}

// up waits until the peer is established, and the remote says so too.
func (b *links) up(address, bird string, n uint64) peer {
	b.t.Helper()
	p := b.waitUp(publicPeers+"[address="+address+"]", n)
	b.bird.WaitEstablished(b.t, bird, patience)
	return p
}

// A peer comes up from an address that it was not told, at whichever the remote
// dials, with and without a key.
func TestLinkLocal(t *testing.T) {
	for _, c := range []struct{ name, mode, key string }{
		{"we dial", "connect-only", ""}, {"it dials", "listen-only", ""}, {"it dials with a key", "listen-only", "ll-key"}, {"both with a key", "both", "ll-key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newLinks(t, "", netlab.BIRDPeer{Password: c.key})
			more := object{"config": object{"connect-mode": c.mode}}
			if c.mode == "connect-only" { // only so does BIRD know its neighbor
				more["connect-interface"] = object{"config": from("fe80::1")}
			}
			if c.key != "" {
				more["authentication"] = md5(c.key)["authentication"]
			}
			if c.mode == "both" {
				more["connect-interface"] = object{"config": from("fe80::1%v0")}
			}
			b.set(b.put("fe80::2%v0", transportOf(nil, more)))
			p := b.up("fe80::2%v0", "ll0", 1)
			if got := p.Transport.State.LocalAddress; !strings.HasPrefix(got, "fe80::1") {
				t.Errorf("local-address %q", got)
			}
		})
	}
}

// The interface of a link-local peer may stand in its address, by name or index,
// or in connect-interface. It is one peer however it is written.
func TestLinkLocalZones(t *testing.T) {
	t.Parallel()
	b := newLinks(t, "", netlab.BIRDPeer{})
	b.near.Sysctl("net.ipv6.conf.v0.addr_gen_mode", "1")
	b.near.IP("addr", "flush", "dev", "v0")
	b.near.AddAddr("v0", "fe80::1/64")
	var index int
	err := b.near.Do(func() error {
		i, err := net.InterfaceByName("v0")
		if err == nil {
			index = i.Index
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	byIndex := "fe80::2%" + strconv.Itoa(index)

	b.refused("InvalidArgument", []string{"fe80::2 is a link-local address", "fe80::2%eth0", "connect-interface"}, b.put("fe80::2", nil))
	for n, way := range []struct {
		address string
		connect object
	}{{"fe80::2", name("v0")}, {byIndex, nil}, {"fe80::2%v0", nil}} {
		b.set(b.put(way.address, transportOf(way.connect, nil)))
		b.up(way.address, "ll0", 1)
		for m, other := range []runner.Op{b.put("fe80::2", transportOf(name("v0"), nil)), b.put(byIndex, nil), b.put("fe80::2%v0", nil)} {
			if m != n {
				b.refused("InvalidArgument", []string{"are one peer", "v0"}, other)
			}
		}
		if n < 2 {
			b.set(runner.Delete(publicPeers + "[address=" + way.address + "]"))
			b.bird.WaitPeer(t, "ll0", patience, func(p netlab.BIRDPeerState) bool { return p.BGPState != "Established" })
		}
	}
	naming(b.bed, publicPeers+"[address=fe80::2%v0]", "v0", "fe80::1", true)
	before := b.look(publicPeers + "[address=fe80::2%v0]").State.Transitions
	b.set(runner.Update(publicPeers+"[address=fe80::2%v0]/timers/config/hold-time", 60))
	if p := b.up("fe80::2%v0", "ll0", before+1); p.State.Resets.Commit != 1 {
		t.Errorf("resets %+v, want one", p.State.Resets)
	}
}

// A VPN instance in a network namespace, with an interface that the agent's own
// has not, or has by the same name.
func TestLinkLocalInNamespace(t *testing.T) {
	for _, same := range []bool{false, true} {
		t.Run(fmt.Sprint("same name ", same), func(t *testing.T) {
			t.Parallel()
			b := newLinks(t, "v1", netlab.BIRDPeer{Password: "ll-key"})
			if same {
				b.dut.AddInterface("v0")
			}
			b.set(runner.Update("/vpn-instances/vpn-instance[name=v1]/config", object{"network-namespace": b.near.Name}))
			path := peerPath("default", "v1", "fe80::2%v0")
			b.set(runner.Replace(path, entry(transportOf(from("fe80::1"), md5("ll-key")))))
			b.waitUp(path, 1)
			b.bird.WaitEstablished(t, "ll0", patience)
			// At whichever address the remote dials, without a source.
			b.set(runner.Replace(path, entry(transportOf(nil, object{
				"authentication": md5("ll-key")["authentication"], "config": object{"connect-mode": "listen-only"},
			}))))
			b.bird.WaitEstablished(t, "ll0", patience)
			b.wait(path, patience, "not up", func(p peer) bool { return p.State.SessionState == "established" })
		})
	}
}

// Fabrics give all neighbors one link-local address: on two interfaces it is two
// peers, each with its own key.
func TestLinkLocalTwins(t *testing.T) {
	t.Parallel()
	b := newLinks(t, "", netlab.BIRDPeer{Password: "one", Passive: true}, netlab.BIRDPeer{Passive: true}, netlab.BIRDPeer{Password: "three", Passive: true})
	b.set(
		b.put("fe80::2%v0", transportOf(from("fe80::1"), md5("one"))),
		b.put("fe80::2%v1", transportOf(from("fe80::1"), nil)),
		b.put("fe80::2%v2", transportOf(from("fe80::1"), md5("three"))),
	)
	for i := range 3 {
		b.bird = b.birds[i]
		b.up("fe80::2%"+fmt.Sprint("v", i), fmt.Sprint("ll", i), 1)
	}
	b.refused("FailedPrecondition", []string{"listen-only", "whatever the interface"},
		runner.Update(publicPeers+"[address=fe80::2%v1]/transport/config/connect-mode", "listen-only"))
}
