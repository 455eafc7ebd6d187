package frr

import (
	"context"
	"net/netip"
	"slices"

	"mooring/backend"
	"mooring/bgp"
)

// Snapshot returns what bgpd has of ours. Where it is what was applied, the
// specification is the applied one, so that settings which wait for the next
// session count as applied. Before Run it also asks for the sessions.
func (b *Backend) Snapshot(ctx context.Context) (*backend.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.failed()
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	c, err := b.read(ctx)
	if err != nil {
		return nil, err
	}
	b.adopt(c)
	if !b.ran {
		if err := b.poll(ctx); err != nil {
			return nil, err
		}
	}
	snap := &backend.Snapshot{
		Instances: map[bgp.InstanceKey]*bgp.InstanceSpec{},
		Peers:     map[bgp.PeerKey]*bgp.PeerSpec{},
	}
	for key, in := range b.instances {
		snap.Instances[key] = in.spec
		for _, p := range in.peers {
			if p.want != nil {
				snap.Peers[p.want.Key] = p.want
			}
		}
	}
	if !b.ran {
		snap.Sessions, b.events = b.events, nil
	}
	return snap, nil
}

// adopt makes what bgpd has of ours what is known. The caller holds mu.
func (b *Backend) adopt(c *config) {
	found := map[bgp.InstanceKey]bool{}
	for _, place := range sortedKeys(c.blocks) {
		blk := c.blocks[place]
		spec, shared, ok := parseInstance(blk)
		if !ok || found[spec.Key] {
			continue
		}
		found[spec.Key] = true
		in := b.instances[spec.Key]
		if in == nil || in.place != place {
			in = &instance{place: place, vrf: vrfUnknown, peers: map[netip.Addr]*peer{}}
			b.instances[spec.Key] = in
		}
		if in.spec == nil || in.spec.AS != spec.AS || len(changeInstance(blk.ours(shared), in.lines)) > 0 {
			if !b.reported(spec.Key, bgp.PeerKey{}) {
				in.spec, in.shared, in.lines, in.gr = spec, shared, blk.ours(shared), blk.restart()
				in.implicit = shared && blk.implicit
			}
		}
		b.adoptPeers(in, blk)
	}
	for key, in := range b.instances {
		if !found[key] {
			for addr, p := range in.peers {
				b.forget(in, addr, p)
			}
			delete(b.instances, key)
		}
	}
}

func (b *Backend) adoptPeers(in *instance, blk *block) {
	for addr, n := range blk.neighbors {
		p := in.peers[addr]
		if p != nil && (slices.Equal(p.conf, n.conf) || p.want != nil && b.reported(in.spec.Key, p.want.Key)) {
			continue
		}
		spec, ours, err := parsePeer(in.spec, blk, addr, n.conf)
		if err != nil {
			b.log.Warn("a neighbor cannot be read", "instance", in.spec.Key.String(), "neighbor", addr.String(), "err", err)
		}
		if p == nil {
			if !ours {
				continue
			}
			p = &peer{key: bgp.PeerKey{Instance: in.spec.Key.Instance, VPN: in.spec.Key.VPN, Address: addr}}
			in.peers[addr] = p
		}
		if err != nil || !ours {
			spec = nil
		}
		if spec != nil {
			p.key = spec.Key
		}
		p.want, p.given, p.conf = spec, spec, n.conf
	}
	for addr, p := range in.peers {
		if blk.neighbors[addr] == nil && (p.want == nil || !b.reported(in.spec.Key, p.want.Key)) {
			b.forget(in, addr, p)
		}
	}
}

// forget drops a peer that bgpd no longer has, by nobody of ours.
func (b *Backend) forget(in *instance, addr netip.Addr, p *peer) {
	if p.up() {
		b.ended(p, &backend.Ended{Cause: bgp.CauseBackend, Text: "bgpd no longer has the neighbor"})
	}
	delete(in.peers, addr)
}
