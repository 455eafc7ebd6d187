package frr

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"mooring/bgp"
)

// When bgpd has ended a session it is idle for a second, and then dials. It dials at
// once when it is given `timers connect` while the neighbor has no address family.
// A neighbor that loses its families and has them again in one write (vty) is never
// without them when bgpd dials or answers, and nothing of its configuration changes.
//
// A remote that has just closed a session may still refuse the next connection, and
// bgpd then waits for `timers connect`. So it is given some time, and a `clear` if that
// was not enough: then the second stays.

// The times of dialling again.
const (
	// restTime is how long a remote gets to take the end of its session in. BIRD,
	// FRR and OpenBGPD need 1 to 13 ms.
	restTime = 15 * time.Millisecond
	// answerSoon is how long a connection may take before it is looked at: on the
	// way to a session, or refused?
	answerSoon = 25 * time.Millisecond
	// openTime is how long a remote that has accepted may be silent.
	openTime = time.Second
	// reachTime is a little more than the second for which bgpd is idle.
	reachTime = 1100 * time.Millisecond
)

// stage is what is to be done about a neighbor without a session.
type stage uint8

const (
	dial   stage = iota // make bgpd dial, if it is idle
	asked               // it should have an answer: refused?
	opened              // it should have a session: is the remote silent?
	reach               // it may not have known the way
)

// again is something to be done about a neighbor later.
type again struct {
	in    *instance
	addr  netip.Addr
	at    time.Time
	stage stage
}

// later notes what is to be done about a neighbor, in place of what was.
func (b *Backend) later(in *instance, addr netip.Addr, after time.Duration, s stage) {
	b.pending = slices.DeleteFunc(b.pending, func(a again) bool { return a.in == in && a.addr == addr })
	b.pending = append(b.pending, again{in, addr, now().Add(after), s})
}

// next is when something is to be done, ok false for never.
func (b *Backend) next() (at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		return at, false
	}
	return slices.MinFunc(b.pending, func(x, y again) int { return x.at.Compare(y.at) }).at, true
}

// connectAgain does what is due. The caller holds mu and a connection.
func (b *Backend) connectAgain(ctx context.Context) error {
	if len(b.pending) == 0 {
		return nil
	}
	t := now()
	var due []again
	b.pending = slices.DeleteFunc(b.pending, func(a again) bool {
		if a.at.After(t) {
			return false
		}
		due = append(due, a)
		return true
	})
	for _, a := range due {
		p := a.in.peers[a.addr]
		if p == nil || p.given == nil || p.given.Down != bgp.DownNone || b.instances[a.in.spec.Key] != a.in {
			continue
		}
		state, err := b.ask(ctx, a.in, p, p.given.Key)
		if err == nil && !p.up() {
			err = b.connectNow(ctx, a, p, state)
		}
		if err != nil && !isRefusal(err) {
			return err
		}
	}
	return nil
}

// connectNow takes a stage of a neighbor that has no session.
func (b *Backend) connectNow(ctx context.Context, a again, p *peer, state string) error {
	switch {
	case a.stage == dial && state == "Idle":
		b.later(a.in, a.addr, answerSoon, asked)
		return b.shell.configure(ctx, a.in.router(), redial(a.addr, p.conf))
	case a.stage == dial && state == "Clearing": // takes its routes away first
		b.later(a.in, a.addr, restTime, dial)
		return nil
	case a.stage == dial:
		return nil // the remote is on its way
	case a.stage == asked && state != "Active":
		b.later(a.in, a.addr, openTime, opened)
		return nil
	case a.stage == opened && state != "OpenSent":
		return nil
	}
	_, err := b.shell.exec(ctx, clear(a.in, a.addr))
	return err
}

// redial are the commands that make bgpd dial at once. They change nothing.
func redial(addr netip.Addr, c conf) []command {
	name := "neighbor " + addr.String() + " "
	var off, on []command
	for _, l := range c {
		if l.key == "activate" {
			off = append(off, command{l.af, "no " + name + l.text})
			on = append(on, command{l.af, name + l.text})
		}
	}
	return slices.Concat(off, []command{{"", name + c.text("timers connect")}}, on)
}

// dials says whether bgpd may be made to dial at once after the end of the session of
// p, which goes from its configuration to soon. It may not
//   - where the remote opened the session: it will again, at the same moment;
//   - where routes are kept for its return, which go with the family;
//   - where the way to it is another one than before, and not known yet;
//   - where that is more than one write;
//   - for a link-local neighbor, whose way is its interface.
func (b *Backend) dials(p *peer, give *bgp.PeerSpec, soon conf) bool {
	local := p.shown.Socket.Local.Port()
	return p.up() && local != 0 && local != b.opt.ListenPort &&
		give.Down == bgp.DownNone && give.ConnectMode != bgp.ListenOnly &&
		!give.GracefulRestart && !p.given.GracefulRestart && !p.nBit &&
		!farther(p.conf, soon) && p.key.Address.Zone() == "" && atOnce(redial(addrOf(p.key), soon))
}

// farther says whether a neighbor that goes from old to new is another next hop to
// bgpd. It asks zebra for the way there when it starts to connect, does not wait for
// the answer, and tries again when `timers connect` has run: 32 s as a rule. Started
// once more, it has the answer.
func farther(old, new conf) bool {
	return old.text("ebgp-multihop") != new.text("ebgp-multihop") || old.text("ttl-security") != new.text("ttl-security")
}
