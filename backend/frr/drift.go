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
}

// Drift returns the manual changes that were found last, sorted.
func (b *Backend) Drift() []Difference {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.drift)
}

// checkDrift looks for manual changes, and asks the engine to put new ones
// right where the policy says so. The caller holds mu and a connection.
func (b *Backend) checkDrift(ctx context.Context) error {
	c, err := b.read(ctx)
	if err != nil {
		return err
	}
	found := b.compare(c)
	if slices.Equal(found, b.drift) {
		return nil
	}
	if fresh := b.setDrift(found); fresh && b.opt.Drift == Repair {
		b.emit(backend.Event{Kind: backend.BackendUp, Time: now()})
	}
	return nil
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
	if p == Report {
		return "report"
	}
	return "repair"
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
			if n := blk.neighbors[addr]; n != nil {
				have = n.conf
			}
			if cs := change(addr, have, p.conf); len(cs) > 0 {
				out = append(out, Difference{Instance: key, Peer: p.want.Key, Text: join(commands(cs))})
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

// reported says whether a manual change is to be left alone.
func (b *Backend) reported(instance bgp.InstanceKey, peer bgp.PeerKey) bool {
	return b.opt.Drift == Report && slices.ContainsFunc(b.drift, func(d Difference) bool {
		return d.Instance == instance && d.Peer == peer
	})
}
