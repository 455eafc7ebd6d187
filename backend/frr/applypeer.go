package frr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// addrKey is an address without zone.
type addrKey = netip.Addr

func sortedPeers(in *instance) []addrKey {
	return slices.SortedFunc(maps.Keys(in.peers), netip.Addr.Compare)
}

// putPeer creates or changes a peer.
func (b *Backend) putPeer(ctx context.Context, in *instance, s *plan.Step) error {
	addr := addrOf(s.Peer)
	p := in.peers[addr]
	if p == nil {
		p = &peer{key: s.Peer}
		if blk := b.running.blocks[in.place]; blk != nil {
			if err := b.checkForeign(in.spec, blk, s.Peer); err != nil {
				return err
			}
			if n := blk.neighbors[addr]; n != nil { // bears our mark
				p.conf = n.conf
			}
		}
	}
	if p.given == nil {
		if err := b.add(ctx, in, p, s.New); err != nil {
			return err
		}
		in.peers[addr] = p
		return nil
	}
	if b.differs(s.Peer) { // by hand: what counts is what bgpd has
		c, err := b.read(ctx)
		if err != nil {
			return err
		}
		p.conf = nil
		blk := c.blocks[in.place]
		if blk != nil && blk.neighbors[addr] != nil {
			p.conf = blk.neighbors[addr].conf
		}
		if blk == nil && !in.shared { // removed as a whole: its lines come before the neighbor
			if err := b.shell.configure(ctx, in.router(), changeInstance(nil, in.lines)); err != nil {
				return err
			}
		}
	}
	return b.update(ctx, in, p, s)
}

// add makes a neighbor, or makes one that bears our mark into what it should
// be.
func (b *Backend) add(ctx context.Context, in *instance, p *peer, spec *bgp.PeerSpec) error {
	conf := render(in.spec, spec)
	if err := errors.Join(b.putRestart(ctx, in, spec), b.beforePassword(ctx, in, p, conf)); err != nil {
		return err
	}
	if err := b.shell.configure(ctx, in.router(), create(addrOf(spec.Key), p.conf, conf, in.implicit)...); err != nil {
		return errors.Join(err, b.takeBack(in, p, spec.Key))
	}
	created := p.want == nil
	p.want, p.given, p.conf = spec, spec, conf
	if created {
		b.tell(p, b.blank(p))
	}
	return nil
}

// putRestart sets the graceful restart times, which are of the router block.
// Prepare has seen to it that all peers agree.
func (b *Backend) putRestart(ctx context.Context, in *instance, spec *bgp.PeerSpec) error {
	gr := restart{spec.RestartTime, spec.StaleTime}
	if !spec.GracefulRestart || gr == in.gr || in.shared {
		return nil
	}
	lines := instanceConf(in.spec, false, gr)
	if err := b.shell.configure(ctx, in.router(), changeInstance(in.lines, lines)); err != nil {
		return err
	}
	in.lines, in.gr = lines, gr
	return nil
}

// update changes a neighbor with at most one Cease.
func (b *Backend) update(ctx context.Context, in *instance, p *peer, s *plan.Step) error {
	spec := s.New
	same := len(bgp.DiffPeers(p.want, spec)) == 0 && slices.Equal(render(in.spec, p.want), render(in.spec, spec))
	forced := s.AddReset && len(bgp.DiffPeers(s.Old, spec)) == 0
	if same && !forced && slices.Equal(p.conf, render(in.spec, p.given)) {
		p.want = spec
		return nil
	}
	if err := b.look(ctx, in, p, s.Peer); err != nil {
		return err
	}
	up := p.up()
	give := spec
	if s.Impact < bgp.ImpactReset && up && spec.Down == bgp.DownNone {
		// What FRR would end the session for waits until it ends.
		g := *p.given
		g.Interface, g.Keepalive, g.ConnectRetry, g.StaleTime = spec.Interface, spec.Keepalive, spec.ConnectRetry, spec.StaleTime
		give = &g
	}
	if err := b.putRestart(ctx, in, give); err != nil {
		return err
	}
	conf := render(in.spec, give)
	if err := b.beforePassword(ctx, in, p, conf); err != nil {
		return err
	}
	cut := up && s.Impact == bgp.ImpactReset
	dials := cut && b.dials(p, give, conf)
	if cut && give.Down == bgp.DownNone && give.ResetMode == bgp.ResetHard && p.nBit {
		// FRR wraps only this one in a Hard Reset (RFC 8538 3.1); what follows
		// finds no session.
		if _, err := b.shell.exec(ctx, clear(in, addrOf(s.Peer))); err != nil {
			return err
		}
		b.ended(p, sent(bgp.CeaseHardReset))
		cut = false
	}
	soft, commands := b.behaviour.order(s, in, p, give, conf, cut)
	err := b.shell.configure(ctx, in.router(), soft)
	if err == nil {
		err = b.shell.configure(ctx, in.router(), commands...)
	}
	if err != nil {
		return errors.Join(err, b.takeBack(in, p, s.Peer))
	}
	switch addr := addrOf(s.Peer); {
	case give.Down != bgp.DownNone:
	case farther(p.conf, conf):
		b.later(in, addr, reachTime, reach)
	case dials:
		b.later(in, addr, restTime, dial)
	}
	if _, open := shutters(addrOf(s.Peer)); s.Impact == bgp.ImpactReset && give.Down == bgp.DownNone && !slices.Contains(slices.Concat(commands...), open) {
		// FRR doubles its idle time with each end of a session: a clear sets it
		// back to 1 s (backends.md 4.3), as no shutdown does. There is no session
		// that this ends.
		if _, err := b.shell.exec(ctx, clear(in, addrOf(s.Peer))); err != nil && !isRefusal(err) {
			return err
		}
	}
	if cut {
		subcode := uint8(bgp.CeaseOtherConfiguration)
		if spec.Down == bgp.DownDisabled {
			subcode = bgp.CeaseAdminShutdown
		}
		why := sent(subcode)
		if subcode == bgp.CeaseAdminShutdown {
			why.Notification.Text = message(s.Text)
		}
		b.ended(p, why)
	}
	p.want, p.given, p.conf = spec, give, conf
	return nil
}

// order returns the commands of a change that ends the session once and for the right
// reason: disabling with 6/2, all else with 6/6. soft leave it alone and come first.
// The first of the others that bgpd ends it for is the last of its group: bgpd ends a
// session when it has carried out what it has read, and up to then further commands
// would send further NOTIFICATIONs.
func (v *behaviour) order(st *plan.Step, in *instance, p *peer, give *bgp.PeerSpec, conf conf, cut bool) (soft []command, groups [][]command) {
	addr := addrOf(st.Peer)
	if !p.conf.has("remote-as") { // removed by hand: made again
		return nil, create(addr, nil, conf, in.implicit)
	}
	var shut, hard []command
	first := quiet // of hard
	for _, s := range change(addr, p.conf, conf) {
		switch {
		case s.key == "shutdown":
			if text := message(st.Text); text != "" && conf.has("shutdown") {
				s.text += " message " + text
			}
			shut = append(shut, s.command)
		case v.of(s) != quiet:
			if hard = append(hard, s.command); first == quiet {
				first = v.of(s)
			}
		default:
			soft = append(soft, s.command)
		}
	}
	if give.Down == bgp.DownDisabled {
		return soft, [][]command{shut, hard}
	}
	if cut && first != ends {
		hard = nudge(addr, p.conf, hard)
	}
	var end []command
	if cut {
		end, hard = hard[:1], hard[1:]
	}
	hard = append(hard, shut...)
	if give.Down != bgp.DownNone {
		return soft, [][]command{end, hard}
	}
	return soft, [][]command{end, whole(addr, p.nBit, hard)}
}

// whole are the commands after the end of a session. A remote that connects before the
// last of them would get a session by half of the settings, to be ended again: where
// they are more than bgpd reads at once, the neighbor is shut down for so long. Not
// where routes are kept for its return (RFC 8538), which a shutdown would lose.
func whole(addr netip.Addr, kept bool, commands []command) []command {
	shut, open := shutters(addr)
	if atOnce(commands) || kept || slices.Contains(commands, open) {
		return commands
	}
	return append(slices.Insert(commands, 0, shut), open)
}

// messageMax is what FRR 8.4 takes of a shutdown communication (RFC 9003).
const messageMax = 128

// message makes a text fit into a command: a "|" would be a pipe.
func message(text string) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '|' || r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, text)), " ")
	return text[:min(len(text), messageMax)]
}

// takeBack leads a neighbor back to what it was, after a change that bgpd
// refused half way, by comparing with what bgpd has now.
func (b *Backend) takeBack(in *instance, p *peer, key bgp.PeerKey) error {
	ctx := context.Background() // also where the request has run out of time
	c, err := b.read(ctx)
	if err != nil {
		return fmt.Errorf("and what bgpd has now is not known: %w", err)
	}
	addr := addrOf(key)
	var now conf
	blk := c.blocks[in.place]
	if blk != nil && blk.neighbors[addr] != nil {
		now = blk.neighbors[addr].conf
	}
	if blk != nil && blk.empty() && !in.shared { // removed by hand, and entering it made it again
		return b.dropRouter(in)
	}
	var commands []command
	switch {
	case blk == nil || slices.Equal(now, p.conf):
		return nil
	case p.conf == nil:
		commands = remove(addr)
	default:
		for _, s := range change(addr, now, p.conf) {
			commands = append(commands, s.command)
		}
	}
	if err := b.shell.configure(ctx, in.router(), commands); err != nil {
		p.want, p.given, p.conf = nil, nil, now
		return fmt.Errorf("and the old settings cannot be put back: %w", err)
	}
	if p.given != nil {
		return b.look(ctx, in, p, key)
	}
	return b.shell.leave()
}

func (b *Backend) deletePeer(ctx context.Context, in *instance, key bgp.PeerKey) error {
	addr := addrOf(key)
	p := in.peers[addr]
	if p.given != nil {
		if err := b.look(ctx, in, p, key); err != nil {
			return err
		}
	}
	if err := b.shell.configure(ctx, in.router(), remove(addr)); err != nil {
		if !isRefusal(err) {
			return err
		}
		// Gone already, by hand?
		c, rerr := b.read(ctx)
		if rerr != nil || c.blocks[in.place] != nil && c.blocks[in.place].neighbors[addr] != nil {
			return errors.Join(err, rerr)
		}
	}
	if p.up() {
		b.ended(p, sent(bgp.CeasePeerDeconfigured))
	}
	delete(in.peers, addr)
	b.emit(backend.Event{Kind: backend.PeerGone, Time: now(), Peer: key})
	return nil
}
