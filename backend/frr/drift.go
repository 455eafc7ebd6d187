package frr

import (
	"context"
	"slices"
	"strings"

	"mooring/backend"
	"mooring/bgp"
)

// Difference is a manual change of what is ours.
type Difference struct {
	Instance bgp.InstanceKey
	Peer     bgp.PeerKey // zero where the router block itself differs
	Text     string      // the commands that would put it right
	there    bool        // bgpd has the neighbor
}

// Drift returns the manual changes that were found last, sorted.
func (b *Backend) Drift() []Difference {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.drift)
}

// checkDrift looks for manual changes, and puts them right as the policy says. The
// caller holds mu and a connection.
func (b *Backend) checkDrift(ctx context.Context) error {
	c, err := b.read(ctx)
	if err != nil {
		return err
	}
	found := b.compare(c)
	fresh := !slices.Equal(found, b.drift) && b.setDrift(found)
	if b.opt.Drift == Report {
		return nil
	}
	for _, d := range found {
		here, err := b.mend(ctx, c, d)
		if err != nil {
			return err
		}
		if !here && fresh {
			fresh = false
			b.emit(backend.Event{Kind: backend.BackendUp, Time: now()}) // the engine compares
		}
	}
	return b.shell.leave()
}

// mend puts right what was changed of a neighbor by hand, as far as that ends no
// session: a live session goes by what it began with, so nothing of it is wrong. here
// is false for what is the engine's.
func (b *Backend) mend(ctx context.Context, c *config, d Difference) (here bool, err error) {
	in := b.instances[d.Instance]
	if in == nil || !d.there {
		return false, nil
	}
	p := in.peers[addrOf(d.Peer)]
	if err := b.look(ctx, in, p, d.Peer); err != nil {
		return true, err
	}
	var now, waits []command
	for _, s := range change(addrOf(d.Peer), c.blocks[in.place].neighbors[addrOf(d.Peer)].conf, p.conf) {
		if p.up() && b.behaviour.of(s) != quiet {
			waits = append(waits, s.command)
			continue
		}
		now = append(now, s.command)
	}
	if !p.up() {
		now = whole(addrOf(d.Peer), p.nBit, now)
	}
	if err := b.shell.configure(ctx, in.router(), now); err != nil {
		if !isRefusal(err) {
			return true, err
		}
		b.log.Warn("a manual change cannot be put right", "peer", d.Peer.String(), "err", err)
	}
	return len(waits) == 0 || b.opt.Drift == Repair, nil
}

// mendEnded puts right what waited for the end of the session.
func (b *Backend) mendEnded(ctx context.Context, key bgp.PeerKey) error {
	i := slices.IndexFunc(b.drift, func(d Difference) bool { return d.there && d.Peer == key })
	if i < 0 || b.opt.Drift != Repair {
		return nil
	}
	c, err := b.read(ctx)
	if err != nil {
		return err
	}
	for _, d := range b.compare(c) {
		if d.Peer == key && d.there {
			_, err = b.mend(ctx, c, d)
		}
	}
	return err
}

// setDrift notes what differs now, tells what is new of it and what is over,
// and says whether anything is new. The caller holds mu.
func (b *Backend) setDrift(found []Difference) (fresh bool) {
	for _, d := range b.drift {
		if !slices.ContainsFunc(found, func(f Difference) bool { return f.of() == d.of() }) {
			b.emit(backend.Event{Kind: backend.Drifted, Time: now(), Peer: d.of()})
		}
	}
	for _, d := range found {
		if slices.Contains(b.drift, d) {
			continue
		}
		fresh = true
		who := d.Instance.String()
		if d.Peer.Address.IsValid() {
			who = d.Peer.String()
		}
		b.log.Warn("bgpd was changed by hand", "of", who, "to put right", d.Text, "policy", b.opt.Drift.String())
		b.emit(backend.Event{Kind: backend.Drifted, Time: now(), Peer: d.of(), Drift: d.Text})
	}
	b.drift = found
	return fresh
}

// of is the peer that differs, without an address where it is the instance.
func (d Difference) of() bgp.PeerKey {
	if d.Peer.Address.IsValid() {
		return d.Peer
	}
	return bgp.PeerKey{Instance: d.Instance.Instance, VPN: d.Instance.VPN}
}

// String returns the name of the policy as flags have it.
func (p DriftPolicy) String() string {
	return [...]string{"repair", "repair-reset", "report"}[p]
}

// compare returns what differs between bgpd and what is known of it.
func (b *Backend) compare(c *config) []Difference {
	var out []Difference
	for key, in := range b.instances {
		blk := c.blocks[in.place]
		if blk == nil || blk.as != in.spec.AS {
			out = append(out, Difference{Instance: key, Text: in.router()})
			continue
		}
		if cs := changeInstance(blk.ours(in.shared), in.lines); len(cs) > 0 {
			out = append(out, Difference{Instance: key, Text: join(cs)})
		}
		for addr, p := range in.peers {
			if p.want == nil {
				continue
			}
			var have conf
			n := blk.neighbors[addr]
			if n != nil {
				have = n.conf
			}
			if cs := change(addr, have, p.conf); len(cs) > 0 {
				out = append(out, Difference{Instance: key, Peer: p.want.Key, Text: join(commands(cs)), there: n != nil})
			}
		}
	}
	slices.SortFunc(out, func(x, y Difference) int {
		if c := x.Instance.Compare(y.Instance); c != 0 {
			return c
		}
		return x.Peer.Compare(y.Peer)
	})
	return out
}

func join(cs []command) string {
	texts := make([]string, len(cs))
	for i, c := range cs {
		texts[i] = redact(c.text)
		if c.af != "" {
			texts[i] = c.af + ": " + texts[i]
		}
	}
	return strings.Join(texts, "; ")
}

// differs says whether a peer was changed by hand.
func (b *Backend) differs(key bgp.PeerKey) bool {
	return slices.ContainsFunc(b.drift, func(d Difference) bool {
		return d.Instance == key.InstanceKey() && (d.Peer == key || !d.Peer.Address.IsValid())
	})
}

// reported says whether a manual change is not the engine's business: it is left alone,
// or waits for the end of the session.
func (b *Backend) reported(instance bgp.InstanceKey, peer bgp.PeerKey) bool {
	return slices.ContainsFunc(b.drift, func(d Difference) bool {
		return d.Instance == instance && d.Peer == peer && (b.opt.Drift == Report || b.opt.Drift == Repair && d.there)
	})
}
