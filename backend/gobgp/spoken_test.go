package gobgp

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
)

// remote is the far side of p with what the test adds; passive ones only listen.
func (w *world) remote(t *testing.T, p *bgp.PeerSpec, passive bool, change func(*backendtest.RemoteConfig)) *backendtest.TCPRemote {
	cfg := backendtest.RemoteConfig{Address: p.Key.Address}
	if passive {
		cfg.Listen = w.remotePort
	} else {
		cfg.Dial = w.ports(0)
	}
	change(&cfg)
	return backendtest.NewTCPRemote(t, cfg, p)
}

// told waits for the event of a session: one that ends before is not told.
func (r *rig) told(key bgp.PeerKey) {
	r.t.Helper()
	r.wait("the event of the session", func() bool { _, ok := r.last(key, isUp); return ok })
	r.settled(key)
}

func TestRefusedOpenIsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		says   *bgp.Notification // the remote, to our OPEN
		as     uint32            // of the remote; 0: as configured
		want   string
		silent bool // no error at all
	}{
		{name: "wrong AS there", says: &bgp.Notification{Code: 2, Subcode: 2}, want: "the peer refused our OPEN: bad peer AS (2/2): we said AS 64500"},
		{name: "hold time", says: &bgp.Notification{Code: 2, Subcode: 6}, want: "the peer refused our OPEN: unacceptable hold time (2/6)"},
		{name: "shut down", says: &bgp.Notification{Code: 6, Subcode: 2, Text: "lunch"}, want: `the peer refused our OPEN: administrative shutdown (6/2): "lunch"`},
		{name: "state machine", says: &bgp.Notification{Code: 5, Subcode: 1}, want: "the session did not come up: the peer sent finite state machine error (5/1)"},
		{name: "unknown", says: &bgp.Notification{Code: 99, Subcode: 1}, want: "the session did not come up: the peer sent unknown error (99/1)"},
		{name: "wrong AS here", as: 4200000009, want: "OPEN refused: bad peer AS (2/2): configured AS 64600, the peer says 4200000009"},
		{name: "collision", says: &bgp.Notification{Code: 6, Subcode: 7}, silent: true},
	} {
		for _, passive := range []bool{false, true} {
			name := c.name + ", it dials"
			if passive {
				name = c.name + ", we dial"
			}
			t.Run(name, func(t *testing.T) {
				parallel(t)
				var log syncBuffer
				r := newRig(t, func(b *Backend) { b.log = slog.New(slog.NewTextHandler(&log, nil)) })
				p := r.peer(0, 0)
				remote := r.remote(t, p, passive, func(cfg *backendtest.RemoteConfig) { cfg.Refuse = c.says })
				remote.Follow(with(p, func(q *bgp.PeerSpec) {
					if c.as != 0 {
						q.RemoteAS = c.as
					}
				}))
				r.apply(putInstance(r.instance(0)), create(p))
				told := func() bool {
					_, ok := r.last(p.Key, func(e backend.Event) bool { return e.ConnectError == c.want })
					return ok
				}
				if c.silent {
					r.wait("an attempt", func() bool { return remote.Attempts() > 0 })
					r.never("an error", func() bool {
						_, ok := r.last(p.Key, func(e backend.Event) bool { return strings.Contains(e.ConnectError, "(6/7)") })
						return ok
					})
					return
				}
				r.wait(c.want, told)
				if n := strings.Count(log.String(), "a session does not come up"); n != 1 {
					t.Errorf("logged %d times:\n%s", n, log.String())
				}
				if c.as == 0 {
					return
				}
				remote.Follow(p) // put right
				r.wait("a session without an error", func() bool {
					e, ok := r.last(p.Key, isUp)
					return ok && e.ConnectError == ""
				})
			})
		}
	}
}

// A remote that has refused our OPEN may take the next connection and close it
// without a word: the reason stays. That it is not there any more is news.
func TestRefusalOutlastsSilence(t *testing.T) {
	parallel(t)
	w := newWorld(t)
	spec := w.peer(0, 0)
	p := &peer{want: spec, given: spec}
	show := func(it item) string {
		e := w.b.showOther(sighting{item: &it, p: p})
		if e == nil || e.Failed == bgp.FailedNone || it.failed != bgp.FailedNone && e.Failed != it.failed {
			t.Fatalf("%+v makes %+v, want an event of a failure", it, e)
		}
		p.shown = *e
		return p.shown.ConnectError
	}
	const refusal = "the peer refused our OPEN: connection rejected (6/5)"
	for _, c := range []struct {
		it   item
		want string
	}{
		{item{kind: itemDialFailed, failed: bgp.FailedClosed, text: "closed"}, "closed"},
		{item{kind: itemRefused, note: &bgp.Notification{Code: 6, Subcode: 5}}, refusal},
		{item{kind: itemDialFailed, failed: bgp.FailedClosed, text: "closed"}, refusal},
		{item{kind: itemDialFailed, failed: bgp.FailedNoRoute, text: "no route"}, "no route"},
		{item{kind: itemDialFailed, failed: bgp.FailedClosed, text: "closed"}, "closed"},
	} {
		if got := show(c.it); got != c.want {
			t.Errorf("after %+v: %q, want %q", c.it, got, c.want)
		}
	}
}

// A peer that is held down before it had a session is idle at once.
func TestHeldDownWithoutSessionIsIdle(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	r.apply(putInstance(r.instance(0)), create(p))
	any := func(backend.Event) bool { return true }
	r.wait("active", func() bool {
		e, ok := r.last(p.Key, any)
		return ok && e.Session == bgp.StateActive
	})
	q := with(p, func(q *bgp.PeerSpec) { q.Down = bgp.DownDisabled })
	r.apply(r.update(p, q, bgp.ImpactReset))
	r.wait("idle", func() bool {
		e, _ := r.last(p.Key, any)
		return e.Session == bgp.StateIdle
	})
	if e, _ := r.last(p.Key, any); e.Ended != nil {
		t.Errorf("ended %+v, but there was no session", e.Ended)
	}
	r.never("another state", func() bool {
		e, _ := r.last(p.Key, any)
		return e.Session != bgp.StateIdle
	})
}

// RFC 9003 2 and RFC 8538 3.1, 4: what the remote hears, and what the event says.
func TestLastWords(t *testing.T) {
	const text = "moved to the other rack"
	disable := func(q *bgp.PeerSpec) { q.Down = bgp.DownDisabled }
	hard := func(q *bgp.PeerSpec) { q.ResetMode, q.MSS = bgp.ResetHard, 1000 }
	soft := func(q *bgp.PeerSpec) { q.MSS = 1000 }
	native := func(q *bgp.PeerSpec) { q.ResetMode, q.RestartTime = bgp.ResetHard, q.RestartTime*2 }
	for _, c := range []struct {
		name       string
		us, remote bool // graceful restart with the N bit
		change     func(*bgp.PeerSpec)
		text       string
		subcode    uint8
		hears      string
	}{
		{"disable with text", false, false, disable, text, bgp.CeaseAdminShutdown, text},
		{"disable without", false, false, disable, "", bgp.CeaseAdminShutdown, ""},
		{"too long", false, false, disable, strings.Repeat("ü", 200), bgp.CeaseAdminShutdown, strings.Repeat("ü", 127)},
		{"a text that has no room", false, false, soft, text, bgp.CeaseOtherConfiguration, ""},
		{"disable, N bit", true, true, disable, text, bgp.CeaseHardReset, "6/2 " + text},
		{"graceful, N bit", true, true, soft, "", bgp.CeaseOtherConfiguration, ""},
		{"hard, N bit", true, true, hard, "", bgp.CeaseHardReset, "6/6"},
		{"hard by GoBGP's own reset, N bit", true, true, native, "", bgp.CeaseHardReset, "6/6"},
		{"hard, no N bit there", true, false, hard, "", bgp.CeaseOtherConfiguration, ""},
		{"hard, no N bit here", false, true, hard, "", bgp.CeaseOtherConfiguration, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			parallel(t)
			r := newRig(t)
			p := r.peer(0, 0)
			p.GracefulRestart = c.us
			remote := r.remote(t, p, false, func(cfg *backendtest.RemoteConfig) { cfg.Notify = c.remote })
			r.apply(putInstance(r.instance(0)), create(p))
			r.told(p.Key)
			if o := remote.Open(); o.Notify != c.us {
				t.Errorf("we announce the N bit: %v, want %v", o.Notify, c.us)
			}
			q := with(p, c.change)
			s := r.update(p, q, bgp.ImpactReset)
			s.Text = c.text
			r.apply(s)
			r.wait("the end", func() bool { return len(remote.Ceases()) > 0 })
			if q.Down == bgp.DownNone {
				r.wait("the next session", func() bool { return remote.Sessions() == 2 && remote.Established() })
			}
			r.never("another reset", func() bool { return len(remote.Ceases()) > 1 })
			if n := remote.LastNotification(); n.Subcode != c.subcode || n.Text != c.hears {
				t.Errorf("the remote heard %+v, want 6/%d %q", n, c.subcode, c.hears)
			}
			e, ok := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil })
			if !ok || e.Ended.Notification.Subcode != c.subcode {
				t.Errorf("ended %+v, want 6/%d", e.Ended, c.subcode)
			}
		})
	}
}

// RFC 8538: with the N bit GoBGP forgets what NOTIFICATION the remote sent.
func TestRemotesNotificationWithNBit(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.GracefulRestart = true
	remote := r.remote(t, p, false, func(cfg *backendtest.RemoteConfig) { cfg.Notify = true })
	r.apply(putInstance(r.instance(0)), create(p))
	r.told(p.Key)
	r.wait("the remote to know of it", remote.Established)
	remote.End(&bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminReset, Text: "upgrade"})
	ended := func(e backend.Event) bool { return e.Ended != nil }
	r.wait("the event", func() bool { _, ok := r.last(p.Key, ended); return ok })
	e, _ := r.last(p.Key, ended)
	want := &backend.Ended{Cause: bgp.CauseRemote, Notification: &bgp.Notification{
		Code: bgp.CodeCease, Subcode: bgp.CeaseAdminReset, Text: "upgrade",
	}}
	if diff := cmp.Diff(want, e.Ended); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
}

// A session that GoBGP ends without a word, before it was established or just
// then, ends with its Cease too, and with one only.
func TestLastWordsThatGoBGPKeeps(t *testing.T) {
	header := bytes.Repeat([]byte{0xff}, 16)
	open := append(bytes.Clone(header), 0, 29, 1, 4, 0, 1, 0, 90, 1, 2, 3, 4, 0)
	keepalive := append(bytes.Clone(header), 0, 19, 4)
	last := append(bytes.Clone(header), 0, 21, 3, 6, 6)
	tests := []struct {
		name  string
		heard [][]byte
		end   bool // a Cease is due
		said  []byte
		want  []byte
	}{
		{"nothing heard", nil, true, nil, nil},
		{"OPEN", [][]byte{open}, true, nil, last},
		{"OPEN, nothing due", [][]byte{open}, false, nil, nil},
		{"GoBGP has said it", [][]byte{open}, true, append(bytes.Clone(header), 0, 21, 3, 6, 4), last},
		{"just established", [][]byte{open, keepalive}, true, nil, last},
		{"established, nothing due", [][]byte{open, keepalive}, false, nil, nil},
		{"GoBGP has said it of a session", [][]byte{open, keepalive}, true, append(bytes.Clone(header), 0, 21, 3, 6, 4), last},
		{"the remote has refused", [][]byte{open, append(bytes.Clone(header), 0, 21, 3, 6, 5)}, true, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			here, there := net.Pipe()
			c := &spoken{Conn: here, refused: func(*bgp.Notification, *openSaid) {}}
			for _, m := range tt.heard {
				c.hear(m)
			}
			if tt.end {
				c.endWith(cease{subcode: bgp.CeaseOtherConfiguration}, false)
			}
			go func() {
				if tt.said != nil {
					c.Write(tt.said) // it is read below
				}
				c.Close()
			}()
			got, err := io.ReadAll(there)
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Errorf("the remote reads % x (%v), want % x", got, err, tt.want)
			}
		})
	}
}

// FuzzSpoken feeds a conversation in two parts cut anywhere.
func FuzzSpoken(f *testing.F) {
	header := bytes.Repeat([]byte{0xff}, 16)
	f.Add(append(bytes.Clone(header), 0, 21, 3, 2, 2), 5)
	f.Add(append(bytes.Clone(header), 0, 31, 1, 4, 0, 1, 0, 90, 1, 2, 3, 4, 2, 2, 9), 19)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		said := func(at int) []bgp.Notification {
			var ns []bgp.Notification
			c := &spoken{refused: func(n *bgp.Notification, _ *openSaid) { ns = append(ns, *n) }}
			c.hear(b[:at])
			c.hear(b[at:])
			return ns
		}
		if cut < 0 || cut > len(b) {
			return
		}
		whole := said(len(b))
		if len(whole) > 1 {
			t.Errorf("%d refusals of one connection", len(whole))
		}
		if diff := cmp.Diff(whole, said(cut)); diff != "" {
			t.Errorf("cut at %d (-whole +cut):\n%s", cut, diff)
		}
	})
}
