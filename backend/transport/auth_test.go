package transport

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// recorder is a kernel that writes down what it is asked.
type recorder struct {
	calls []string
	fail  string
}

func (r *recorder) call(format string, a ...any) error {
	s := fmt.Sprintf(format, a...)
	r.calls = append(r.calls, s)
	if s == r.fail {
		return unix.ENOMEM
	}
	return nil
}

func (r *recorder) setMD5(fd int, a netip.Addr, key string) error {
	return r.call("md5 %d %s %q", fd, a, key)
}

func (r *recorder) addAO(fd int, a netip.Addr, k bgp.TCPAOKey) error {
	return r.call("add %d %s %d", fd, a, k.SendID)
}

func (r *recorder) delAO(fd int, a netip.Addr, k bgp.TCPAOKey) error {
	return r.call("del %d %s %d", fd, a, k.SendID)
}

func TestAuth(t *testing.T) {
	keys := []bgp.TCPAOKey{{SendID: 1}, {SendID: 2}, {SendID: 3}}
	for _, c := range []struct {
		name    string
		p       bgp.PeerSpec
		fail    string
		want    []string
		wantErr error
	}{
		{"none", bgp.PeerSpec{Password: "left over", Keys: keys}, "", nil, nil},
		{"md5", bgp.PeerSpec{Auth: bgp.AuthMD5, Password: "skiff"}, "", []string{`md5 3 192.0.2.1 "skiff"`, `md5 3 192.0.2.1 ""`}, nil},
		{
			"tcp-ao",
			bgp.PeerSpec{Auth: bgp.AuthTCPAO, Keys: keys},
			"",
			[]string{"add 3 192.0.2.1 1", "add 3 192.0.2.1 2", "add 3 192.0.2.1 3", "del 3 192.0.2.1 1", "del 3 192.0.2.1 2", "del 3 192.0.2.1 3"},
			nil,
		},
		{
			"tcp-ao, one does not fit",
			bgp.PeerSpec{Auth: bgp.AuthTCPAO, Keys: keys},
			"add 3 192.0.2.1 3",
			[]string{"add 3 192.0.2.1 1", "add 3 192.0.2.1 2", "add 3 192.0.2.1 3", "del 3 192.0.2.1 1", "del 3 192.0.2.1 2"},
			unix.ENOMEM,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{fail: c.fail}
			a := authOf(&c.p)
			err := a.set(r, 3, addr("192.0.2.1"))
			if !errors.Is(err, c.wantErr) {
				t.Errorf("set = %v, want %v", err, c.wantErr)
			}
			if err == nil {
				a.clear(r, 3, addr("192.0.2.1"))
			}
			if diff := cmp.Diff(c.want, r.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// The structures of linux/tcp.h, octet by octet.
func TestEncodeAO(t *testing.T) {
	k := bgp.TCPAOKey{SendID: 7, ReceiveID: 9, Algorithm: "aes-128-cmac-96", Secret: "skiff"}
	b, err := encodeAOAdd(addr("2001:db8::1"), k)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 288)
	v6 := addr("2001:db8::1").As16()
	want[0] = unix.AF_INET6 // little-endian machines only, as all that CI has
	copy(want[8:], v6[:])
	copy(want[128:], "cmac(aes128)")
	copy(want[202:], []byte{128, 7, 9, 0, 0, 5})
	copy(want[208:], "skiff")
	if !bytes.Equal(b, want) {
		t.Errorf("add:\n%x\nwant\n%x", b, want)
	}
	d := encodeAODel(addr("192.0.2.1"), k)
	wantDel := make([]byte, 144)
	copy(wantDel, []byte{unix.AF_INET, 0, 0, 0, 192, 0, 2, 1})
	copy(wantDel[138:], []byte{32, 7, 9})
	if !bytes.Equal(d, wantDel) {
		t.Errorf("del:\n%x\nwant\n%x", d, wantDel)
	}
	for _, bad := range []bgp.TCPAOKey{{Algorithm: "rot13", Secret: "x"}, {Algorithm: "hmac-sha-1-96"}} {
		if _, err := encodeAOAdd(addr("192.0.2.1"), bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if err := noAO(unix.ENOPROTOOPT); !errors.Is(err, ErrNoTCPAO) {
		t.Errorf("noAO = %v", err)
	}
}

// The program's limits. That it chooses right is shown on real sockets.
func TestSteering(t *testing.T) {
	for _, v4 := range []bool{true, false} {
		s := steering{v4: v4, shared: []int{0, 2, 3, 4}}
		most := 0
		for a := map[bool]netip.Addr{true: addr("10.0.0.0"), false: addr("fd00::")}[v4]; ; a = a.Next() {
			s.own = append(s.own, ownLane{a, 1})
			p, err := s.program()
			if err != nil {
				if !errors.Is(err, errTooManyLanes) {
					t.Error(err)
				}
				break
			}
			if most = len(s.own); len(p) > maxProgram {
				t.Fatalf("%d instructions", len(p))
			}
		}
		if least := map[bool]int{true: 1300, false: 440}[v4]; most < least {
			t.Errorf("room for %d remotes with an MSS, want %d", most, least)
		}
	}
	counts := make([]int, 8)
	for i, a := 0, addr("10.0.0.1"); i < 8000; i, a = i+1, a.Next() {
		counts[shard(a, 8)]++
	}
	for _, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("remotes a lane: %v", counts)
		}
	}
}

func TestOwnChecks(t *testing.T) {
	v4 := bgp.PeerKey{Address: netip.MustParseAddr("192.0.2.1")}
	listening := &bgp.InstanceSpec{Port: 179}
	for _, c := range []struct {
		name string
		p    *bgp.PeerSpec
		leaf string // "": passes
	}{
		{"plain", &bgp.PeerSpec{Key: v4}, ""},
		{"connect-only, listening", &bgp.PeerSpec{Key: v4, ConnectMode: bgp.ConnectOnly}, ""},
		{"path MTU", &bgp.PeerSpec{Key: v4, PathMTU: bgp.ToggleOn}, ""},
		{"md5", &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5, Password: "x"}, ""},
		{"md5 without a key", &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5}, leafPassword},
		{"md5 key too long", &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5, Password: bgp.Secret(make([]byte, 81))}, leafPassword},
		{"tcp-ao", &bgp.PeerSpec{Key: v4, Auth: bgp.AuthTCPAO}, map[bool]string{false: leafMethod}[hasTCPAO()]},
	} {
		var e *LimitError
		err := Own{}.CheckPeer(listening, c.p)
		if got := errors.As(err, &e); got != (c.leaf != "") || got && e.Leaf != c.leaf {
			t.Errorf("%s: CheckPeer = %v, want leaf %q", c.name, err, c.leaf)
		}
	}
	if err := (Own{}).CheckInstance(&bgp.InstanceSpec{Namespace: "blue"}); err != nil {
		t.Errorf("CheckInstance = %v", err)
	}
	if err := (Own{}).CheckInstance(&bgp.InstanceSpec{Namespace: "blue", Device: "vrf1"}); err == nil {
		t.Error("a device in a namespace passes")
	}
}
