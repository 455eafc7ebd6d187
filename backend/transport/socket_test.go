package transport

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mooring/bgp"
	"mooring/tests/netlab"
)

// ends are the families.
var ends = []struct{ name, near, far string }{{"IPv4", dut4, far4}, {"IPv6", dut6, far6}}

func syn(v netlab.View) netlab.Segment { return v.SYNs(nil)[len(v.SYNs(nil))-1] }

func synAck(v netlab.View) netlab.Segment { return v.SYNACKs(nil)[len(v.SYNACKs(nil))-1] }

// Every setting of a connection that we open, on the wire and on the socket
// (backends.md 1.2, active).
func TestDial(t *testing.T) {
	for _, e := range ends {
		f := familyOf(addr(e.far))
		for _, c := range []struct {
			name   string
			change func(*bgp.PeerSpec)
			far    func(fd int) error
			check  func(*testing.T, netlab.Segment, bgp.Socket, *conn)
		}{
			{"plain", func(p *bgp.PeerSpec) { p.TTL = 0 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				if s.TTL != 64 || s.DSCP != 0 || s.From.Addr() != addr(e.near) && e.name == "IPv6" || sock.PathMTU != 1500 || sock.MSS < 1400 {
					t.Errorf("SYN %v, socket %+v", s, sock)
				}
			}},
			{"ttl", func(p *bgp.PeerSpec) { p.TTL = 7 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				if s.TTL != 7 || sock.TTL != 7 {
					t.Errorf("SYN %v, socket %+v", s, sock)
				}
			}},
			{"gtsm", func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 254 }, setInt(f.level, f.ttl, 255), func(t *testing.T, s netlab.Segment, sock bgp.Socket, c *conn) {
				if s.TTL != 255 || get(t, c, f.minTTL) != 254 {
					t.Errorf("SYN %v, minimum %d", s, get(t, c, f.minTTL))
				}
			}},
			{"mss", func(p *bgp.PeerSpec) { p.MSS = 900 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				if s.MSS != 900 || sock.MSS > 900 || sock.MSS < 880 {
					t.Errorf("SYN %v, socket %+v", s, sock)
				}
			}},
			{"dscp", func(p *bgp.PeerSpec) { p.DSCP = 46 }, nil, func(t *testing.T, s netlab.Segment, _ bgp.Socket, _ *conn) {
				if s.DSCP != 46 {
					t.Errorf("SYN %v with DSCP %d", s, s.DSCP)
				}
			}},
			{"path MTU discovery off", func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOff }, nil, func(t *testing.T, s netlab.Segment, _ bgp.Socket, c *conn) {
				if s.DontFragment || get(t, c, f.pmtu) != f.pmtuOff {
					t.Errorf("SYN %v, option %d", s, get(t, c, f.pmtu))
				}
			}},
			{"path MTU discovery on", func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOn }, nil, func(t *testing.T, s netlab.Segment, _ bgp.Socket, c *conn) {
				if s.DontFragment != (e.name == "IPv4") || get(t, c, f.pmtu) != f.pmtuDo {
					t.Errorf("SYN %v, option %d", s, get(t, c, f.pmtu))
				}
			}},
			{"source and local port", func(p *bgp.PeerSpec) { p.Source, p.LocalPort = addr(e.near), 31790 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				want := netip.AddrPortFrom(addr(e.near), 31790)
				if s.From != want || sock.Local != want {
					t.Errorf("SYN %v, socket %+v, want from %v", s, sock, want)
				}
			}},
			{
				"md5", func(p *bgp.PeerSpec) { p.Source, p.Auth, p.Password = addr(e.near), bgp.AuthMD5, "skiff" }, md5(e.near, "skiff"),
				func(*testing.T, netlab.Segment, bgp.Socket, *conn) {},
			},
		} {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.listen(netip.AddrPortFrom(addr(e.far), 179).String(), c.far)
				p := spec(r.instance("a"), e.far, c.change)
				r.put(p)
				r.none()
				r.Wanted(p.Key)
				got := r.take().(*conn)
				sock, ok := r.Socket(p.Key)
				if !ok || sock.Remote != netip.AddrPortFrom(addr(e.far), 179) || got.RemoteAddr().String() != sock.Remote.String() {
					t.Fatalf("socket %+v, %v", sock, ok)
				}
				v := r.wire.WaitFor(t, patient, func(v netlab.View) bool { return len(v.SYNs(nil)) > 0 })
				if n := len(v.SYNs(nil)); n != 1 {
					t.Errorf("%d SYNs", n)
				}
				c.check(t, syn(v), sock, got)
			})
		}
	}
}

func get(t *testing.T, c *conn, opt int) (v int) {
	t.Helper()
	err := c.control(func(fd int) (err error) {
		v, err = unix.GetsockoptInt(fd, familyOf(c.remote.Addr()).level, opt)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every setting of a connection that comes in (backends.md 1.2, passive).
func TestAccept(t *testing.T) {
	for _, e := range ends {
		f := familyOf(addr(e.far))
		for _, c := range []struct {
			name   string
			change func(*bgp.PeerSpec)
			far    func(fd int) error
			check  func(*testing.T, netlab.Segment, bgp.Socket, *conn)
		}{
			{"ttl", func(p *bgp.PeerSpec) { p.TTL = 7 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				if s.TTL != 255 || sock.TTL != 7 { // the listening socket is shared
					t.Errorf("SYN-ACK %v, socket %+v", s, sock)
				}
			}},
			// The remote drops what comes with less than 255: the SYN-ACK must not.
			{"gtsm", func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 255 }, func(fd int) error {
				return errors.Join(setInt(f.level, f.ttl, 255)(fd), setInt(f.level, f.minTTL, 255)(fd))
			}, func(t *testing.T, s netlab.Segment, sock bgp.Socket, c *conn) {
				if s.TTL != 255 || get(t, c, f.minTTL) != 255 {
					t.Errorf("SYN-ACK %v, minimum %d", s, get(t, c, f.minTTL))
				}
			}},
			{"mss", func(p *bgp.PeerSpec) { p.MSS = 900 }, nil, func(t *testing.T, s netlab.Segment, sock bgp.Socket, _ *conn) {
				if s.MSS != 900 || sock.MSS > 900 {
					t.Errorf("SYN-ACK %v, socket %+v", s, sock)
				}
			}},
			{"dscp", func(p *bgp.PeerSpec) { p.DSCP = 10 }, nil, func(t *testing.T, s netlab.Segment, _ bgp.Socket, c *conn) {
				if s.DSCP != 48 || get(t, c, f.dscp) != 40 {
					t.Errorf("SYN-ACK %v with DSCP %d", s, s.DSCP)
				}
			}},
			{"path MTU discovery off", func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOff }, nil, func(t *testing.T, _ netlab.Segment, _ bgp.Socket, c *conn) {
				if get(t, c, f.pmtu) != f.pmtuOff {
					t.Errorf("option %d", get(t, c, f.pmtu))
				}
			}},
			{
				"md5", func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" }, md5(e.near, "skiff"),
				func(*testing.T, netlab.Segment, bgp.Socket, *conn) {},
			},
			{
				"md5 and mss", func(p *bgp.PeerSpec) { p.Auth, p.Password, p.MSS = bgp.AuthMD5, "skiff", 700 }, md5(e.near, "skiff"),
				func(t *testing.T, s netlab.Segment, _ bgp.Socket, _ *conn) {
					if s.MSS != 700 {
						t.Errorf("SYN-ACK %v", s)
					}
				},
			},
		} {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				p := spec(r.instance("a"), e.far, c.change, func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })
				r.put(p)
				r.Wanted(p.Key)
				if _, err := r.dial(e.far, netip.AddrPortFrom(addr(e.near), 179).String(), c.far); err != nil {
					t.Fatal(err)
				}
				got := r.take().(*conn)
				sock, ok := r.Socket(p.Key)
				if !ok || sock.Local != netip.AddrPortFrom(addr(e.near), 179) {
					t.Fatalf("socket %+v, %v", sock, ok)
				}
				v := r.wire.WaitFor(t, patient, func(v netlab.View) bool { return len(v.SYNACKs(nil)) > 0 })
				c.check(t, synAck(v), sock, got)
			})
		}
	}
}

// A remote whose MSS differs from that of others at the same socket.
func TestMSSOfSeveralPeers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.instance("a")
	want := map[string]uint16{}
	for i, mss := range []uint16{0, 900, 700, 900, 0} {
		far := addr("10.1.1.10")
		for range i {
			far = far.Next()
		}
		r.far.AddAddr("vr", far.String()+"/24")
		p := spec(in, far.String(), func(p *bgp.PeerSpec) { p.MSS, p.ConnectMode = mss, bgp.ListenOnly })
		r.put(p)
		r.Wanted(p.Key)
		if mss == 0 {
			mss = 1460
		}
		want[far.String()] = mss
	}
	got := map[string]uint16{}
	for far := range want {
		if _, err := r.dial(far, dut4+":179", nil); err != nil {
			t.Fatal(err)
		}
		r.take()
	}
	v := r.wire.WaitFor(t, patient, func(v netlab.View) bool { return len(v.SYNACKs(nil)) == len(want) })
	for _, s := range v.SYNACKs(nil) {
		got[s.To.Addr().String()] = s.MSS
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("MSS of the SYN-ACKs (-want +got):\n%s", diff)
	}
}

// GTSM drops what comes from too far (RFC 5082 3).
func TestGTSMDrops(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := familyOf(addr(e.far))
			p := spec(r.instance("a"), e.far, func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 254 })
			re := r.listen(netip.AddrPortFrom(addr(e.far), 179).String(), setInt(f.level, f.ttl, 253))
			r.put(p)
			r.Wanted(p.Key)
			e := r.failed(func(e Event) bool { return strings.Contains(e.Text, "timed out") })
			if !strings.Contains(e.Text, "valid-ttl-hops") || e.Peer != p.Key || e.Count == 0 || e.Time.IsZero() {
				t.Errorf("event %+v", e)
			}
			re.l.Close()
			r.none()
		})
	}
}

// What the kernel lets change on an open connection, in both families and
// both directions, and back.
func TestLive(t *testing.T) {
	for _, e := range ends {
		for _, active := range []bool{true, false} {
			name := map[bool]string{true: "active", false: "passive"}[active]
			t.Run(e.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				p := spec(r.instance("a"), e.far)
				if !active {
					p.ConnectMode = bgp.ListenOnly
				} else {
					r.listen(netip.AddrPortFrom(addr(e.far), 179).String(), nil)
				}
				r.put(p)
				r.Wanted(p.Key)
				if !active {
					if _, err := r.dial(e.far, netip.AddrPortFrom(addr(e.near), 179).String(), nil); err != nil {
						t.Fatal(err)
					}
				}
				c := r.take().(*conn)
				r.Settled(p.Key)
				f := familyOf(addr(e.far))
				options := func() [4]int {
					return [4]int{get(t, c, f.ttl), get(t, c, f.minTTL), get(t, c, f.dscp) >> 2, get(t, c, f.pmtu)}
				}
				before := options()
				q := *p
				q.TTL, q.MinTTL, q.DSCP, q.PathMTU = 255, 10, 34, bgp.ToggleOff
				if diff := cmp.Diff([]string{leafMaxHop, leafHops, leafPMTU, leafDSCP}, r.put(&q)); diff != "" {
					t.Errorf("live (-want +got):\n%s", diff)
				}
				if got, want := options(), [4]int{255, 10, 34, f.pmtuOff}; got != want {
					t.Errorf("options %v, want %v", got, want)
				}
				s := q
				s.MSS, s.HoldTime = 1000, 9*time.Second // for the next connection
				if live := r.put(&s); len(live) != 0 {
					t.Errorf("live %v", live)
				}
				if live := r.put(p); !slices.Contains(live, leafDSCP) || options() != before {
					t.Errorf("live %v, options %v, want %v", live, options(), before)
				}
				r.put(&q)
				mark := r.wire.Mark()
				if active { // a socket that is closed with something unread sends a RST
					if _, err := c.Read(make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
				}
				c.Close()
				v := r.wire.WaitFor(t, patient, func(v netlab.View) bool { return len(v.Since(mark).FINs(netlab.From(addr(e.near)))) > 0 })
				if s := v.Since(mark).FINs(netlab.From(addr(e.near)))[0]; s.TTL != 255 || s.DSCP != 34 || s.DontFragment {
					t.Errorf("FIN %v with DSCP %d", s, s.DSCP)
				}
				r.none()
			})
		}
	}
}
