package frr

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/backend"
	"mooring/bgp"
)

func TestDecodeAnswer(t *testing.T) {
	for _, c := range []struct {
		in   string
		text string
		code byte
		size int
		err  error
	}{
		{"", "", 0, 0, nil},
		{"hello", "", 0, 0, nil},
		{"hello\x00\x00\x00", "", 0, 0, nil},
		{"hello\x00\x00\x00\x00", "hello", 0, 9, nil},
		{"\x00\x00\x00\x0d", "", 13, 4, nil},
		{"a\x00b\x00\x00", "", 0, 0, errAnswer},
		{"a\x00\x00\x00\x00more", "a", 0, 5, nil},
	} {
		text, code, size, err := decodeAnswer([]byte(c.in))
		if text != c.text || code != c.code || size != c.size || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %d, %v, %v", c.in, text, code, size, err)
		}
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add([]byte("text\n\x00\x00\x00\x01"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, code, size, err := decodeAnswer(b)
		if size > 0 && !bytes.Equal(b[:size], append([]byte(text), 0, 0, 0, code)) || size > 0 && err != nil {
			t.Errorf("%q: %q, %d, %v, %v", b, text, code, size, err)
		}
	})
}

// scripted is a bgpd that answers from a script.
func scripted(t *testing.T, answer func(command string) string) string {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "bgpd.vty"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serveScript(conn, answer)
		}
	}()
	return dir
}

func serveScript(conn net.Conn, answer func(string) string) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil || buf[n-1] != 0 {
			return
		}
		a := ""
		for c := range strings.SplitSeq(string(buf[:n-1]), "\x00") {
			one := answer(c)
			if one == "" {
				return
			}
			a += one
		}
		if _, err := conn.Write([]byte(a)); err != nil {
			return
		}
	}
}

func ok(text string) string { return text + "\x00\x00\x00\x00" }

// An answer is judged by its code and by its lines.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, answer, want string
	}{
		{"code", "% no\n\x00\x00\x00\x0d", `bgpd refuses "do it": % no (code 13)`},
		{"line", ok("fine\n% but no\n"), `bgpd refuses "do it": % but no (code 0)`},
		{"closed", "", "do it: bgpd closed the vty connection"},
		{"too much", ok("") + "more", "do it: not an answer of a vty"},
		{"nonsense", "a\x00b\x00\x00", "do it: not an answer of a vty"},
		{"fine", ok("all % is well\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := scripted(t, func(cmd string) string {
				if cmd == "enable" {
					return ok("")
				}
				return c.answer
			})
			v, err := dialVTY(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer v.close()
			_, err = v.run("do it")
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestNoSecretInErrors(t *testing.T) {
	r := &refusal{"neighbor 1.1.1.1 password hush", "% [BGP] Unknown command: neighbor 1.1.1.1 password hush", 13}
	if strings.Contains(r.Error(), "hush") {
		t.Error(r)
	}
	d := join([]command{{"", "neighbor 1.1.1.1 password hush"}, {"ipv4 unicast", "neighbor 1.1.1.1 activate"}})
	if d != "neighbor 1.1.1.1 password (secret); ipv4 unicast: neighbor 1.1.1.1 activate" {
		t.Error(d)
	}
	v := &vty{}
	if _, err := v.ask("two\nlines"); err == nil {
		t.Error("a command of two lines is sent")
	}
}

func TestDialErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := dialVTY(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "start bgpd") {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "bgpd.vty"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := dialVTY(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "bgpd does not run") {
		t.Errorf("dead socket: %v", err)
	}
	other := scripted(t, func(string) string { return ok("Quagga 1.2\n") })
	if err := New(Options{VtyDir: other}).Prepare(context.Background(), nil); err != nil {
		t.Errorf("Prepare of nothing: %v", err)
	}
	if _, err := New(Options{VtyDir: other}).Snapshot(context.Background()); err == nil || !strings.Contains(err.Error(), "is this the vty socket of bgpd") {
		t.Errorf("another daemon: %v", err)
	}
}

func bmpMessage(kind byte, v6 bool, a netip.Addr) []byte {
	b := make([]byte, bmpHeader+bmpPeer+20)
	b[0], b[4], b[5] = bmpVersion, byte(len(b)), kind
	if v6 {
		b[bmpHeader+1] = bmpFlagIPv6
	}
	s := a.AsSlice()
	copy(b[bmpHeader+26-len(s):], s)
	return b
}

func TestReadBMP(t *testing.T) {
	var in []byte
	in = append(in, bmpMessage(4, false, remote(9))...) // Initiation
	in = append(in, bmpMessage(bmpPeerUp, false, remote(1))...)
	in = append(in, bmpMessage(bmpPeerDown, true, remote6(2))...)
	r := bytes.NewReader(in)
	for i, want := range []netip.Addr{{}, remote(1), remote6(2)} {
		a, ok, err := readBMP(r)
		if a != want || ok != want.IsValid() || err != nil {
			t.Errorf("message %d: %v, %v, %v", i, a, ok, err)
		}
	}
	for _, bad := range [][]byte{{2, 0, 0, 0, 6, 4}, {3, 0, 0, 0, 5, 4}, {3, 0, 0, 0, 47, 3}, {3, 0xff, 0, 0, 0, 0}} {
		if _, _, err := readBMP(bytes.NewReader(bad)); !errors.Is(err, errBMP) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func FuzzReadBMP(f *testing.F) {
	f.Add(bmpMessage(bmpPeerUp, false, remote(1)))
	f.Add(bmpMessage(bmpPeerDown, true, remote6(1)))
	f.Add([]byte{3, 0, 0, 0, 6, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok, err := readBMP(bytes.NewReader(b)); ok && (err != nil || !a.IsValid()) {
			t.Errorf("%v, %v, %v", a, ok, err)
		}
	})
}

func FuzzDecodeJSON(f *testing.F) {
	for _, name := range []string{"neighbor.json", "summary.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"bgpNoSuchNeighbor":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeSummary(b) // must not panic
		n, err := decodeNeighbor(b, "10.9.0.101")
		if n == nil || err != nil {
			return
		}
		be := New(Options{})
		p := &peer{key: plainPeer().Key, want: plainPeer(), given: plainPeer()}
		be.observe(p, n)
		be.observe(p, n)
		if got := len(be.events); got > 3 {
			t.Errorf("%d events of one look", got)
		}
	})
}

// What bgpd tells and what is told of it, look after look.
func TestObserve(t *testing.T) {
	up := func(ups uint64) *neighborJSON { return &neighborJSON{State: "Established", Ups: ups} }
	down := func(ups uint64, reset, code string) *neighborJSON {
		return &neighborJSON{State: "Active", Ups: ups, LastReset: reset, LastError: code}
	}
	type told struct {
		Session bgp.SessionState
		Cause   string // of the end, "-" where none ended
		Code    uint8
	}
	const est, act, idle = bgp.StateEstablished, bgp.StateActive, bgp.StateIdle
	for _, c := range []struct {
		name  string
		looks []*neighborJSON
		want  []told
	}{
		{"comes up", []*neighborJSON{down(0, "", ""), up(1)}, []told{{act, "-", 0}, {est, "-", 0}}},
		{"was up", []*neighborJSON{up(3), up(3)}, []told{{est, "-", 0}}},
		{
			"remote ends",
			[]*neighborJSON{up(1), down(1, "BGP Notification received", "0602")},
			[]told{{est, "-", 0}, {idle, "remote", 6}, {act, "-", 0}},
		},
		{
			"flap between two looks",
			[]*neighborJSON{up(1), {State: "Established", Ups: 2, LastReset: "Peer closed the session"}},
			[]told{{est, "-", 0}, {idle, "remote", 0}, {est, "-", 0}},
		},
		{
			"came and went",
			[]*neighborJSON{down(0, "", ""), down(1, "BGP Notification send", "0400")},
			[]told{{act, "-", 0}, {est, "-", 0}, {idle, "remote", 4}, {act, "-", 0}},
		},
		{
			"by somebody else",
			[]*neighborJSON{up(1), down(1, "Admin. shutdown", "")},
			[]told{{est, "-", 0}, {idle, "backend", 0}, {act, "-", 0}},
		},
		{
			"bgpd forgot",
			[]*neighborJSON{up(4), down(0, "Waiting for peer OPEN", "")},
			[]told{{est, "-", 0}, {idle, "backend", 0}, {act, "-", 0}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New(Options{})
			p := &peer{key: plainPeer().Key, want: plainPeer(), given: plainPeer()}
			for _, n := range c.looks {
				b.observe(p, n)
			}
			var got []told
			for _, e := range b.events {
				g := told{e.Session, "-", 0}
				if e.Ended != nil {
					g.Cause = e.Ended.Cause.String()
					if e.Ended.Notification != nil {
						g.Code = e.Ended.Notification.Code
					}
				}
				if e.Kind != backend.PeerChanged || e.Peer != p.key {
					t.Errorf("event %+v", e)
				}
				got = append(got, g)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
