package frr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Prepare refuses what FRR cannot do, looking at the instances and peers as
// they will be after all steps, and at bgpd's configuration.
func (b *Backend) Prepare(ctx context.Context, steps []plan.Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(steps) == 0 {
		return nil
	}
	if err := b.connect(ctx); err != nil {
		return refuse(&steps[0], err)
	}
	if slices.ContainsFunc(steps, makes) {
		if _, err := b.read(ctx); err != nil {
			return refuse(&steps[0], err)
		}
	}
	after := map[bgp.InstanceKey]*bgp.InstanceSpec{}
	for key, in := range b.instances {
		after[key] = in.spec
	}
	checks := backend.Checks{Instance: b.checkInstance, Peer: b.checkPeer, Refuse: refuse}
	placed, err := checks.Check(after, steps)
	if err != nil {
		return err
	}
	if placed {
		if err := checkPlaces(slices.Collect(maps.Values(after))); err != nil {
			return err
		}
	}
	if err := b.checkTogether(steps); err != nil {
		return err
	}
	return b.checkBlocks(ctx, steps)
}

// makes says whether a step makes what may be in bgpd already.
func makes(s plan.Step) bool { return s.Op == plan.CreatePeer || s.Op == plan.PutInstance }

// checkBlocks refuses what the operator has in a router block that an instance is to
// use, or that is to be made again. The configuration has just been read.
func (b *Backend) checkBlocks(ctx context.Context, steps []plan.Step) error {
	for i := range steps {
		s := &steps[i]
		if s.Op != plan.PutInstance {
			continue
		}
		var err error
		switch in := b.instances[s.Instance]; {
		case in == nil:
			err = b.checkBlock(ctx, s.NewInstance)
		case b.NativeInstance(in.spec, s.NewInstance) == bgp.ImpactReset:
			if err = b.checkRemake(in); err == nil && place(s.NewInstance) != in.place {
				err = b.checkBlock(ctx, s.NewInstance)
			}
		}
		if err != nil {
			return refuse(s, err)
		}
	}
	return nil
}

// checkBlock refuses a router block of the operator with another identifier than that
// of the instance which is to use it: it is not ours to change.
func (b *Backend) checkBlock(ctx context.Context, spec *bgp.InstanceSpec) error {
	blk := b.running.blocks[place(spec)]
	if blk == nil || blk.as != spec.AS {
		return nil // another AS is refused by fits
	}
	if _, shared, ours := parseInstance(blk); ours && !shared {
		return nil
	}
	vs, err := b.vrfs(ctx)
	if err != nil {
		return err
	}
	if id := vs[blk.place].RouterID; id != spec.RouterID.String() {
		return b.limit("config/router-id", "bgpd has %q with router ID %s, which Mooring did not make: set router-id %s, or remove it there", router(blk.as, blk.place), id, id)
	}
	return nil
}

// checkRemake refuses to remove a router block in which something is the operator's.
func (b *Backend) checkRemake(in *instance) error {
	if in.shared {
		return fmt.Errorf("%q is not Mooring's: its AS and router ID must stay", in.router())
	}
	if foreign := b.foreign(b.running, in); len(foreign) > 0 {
		return fmt.Errorf("%q has configuration that is not Mooring's (%s): remove it there first", in.router(), strings.Join(foreign, ", "))
	}
	return nil
}

// limit is a setting that FRR has not.
type limit struct{ leaf, reason string }

func (l *limit) Error() string { return l.reason }

func (b *Backend) limit(leaf, format string, args ...any) error {
	return &limit{leaf, b.name() + ": " + fmt.Sprintf(format, args...)}
}

func refuse(s *plan.Step, err error) error {
	e := &backend.Error{Instance: s.Instance, Peer: s.Peer, Err: err}
	var l *limit
	if errors.As(err, &l) {
		e.Leaf, e.Err = l.leaf, fmt.Errorf("%w: %s", backend.ErrUnsupported, l.reason)
	}
	return e
}

// nameMax is the length of the name of a Linux device and of an FRR VRF.
const nameMax = 35

func (b *Backend) checkInstance(in *bgp.InstanceSpec) error {
	name := strings.TrimPrefix(place(in), "vrf ")
	switch {
	case in.Device != "" && in.Namespace != "" && in.Device != in.Namespace:
		return b.limit("config/vrf-device", "a VRF is either a device or a network namespace (zebra -n): set one of vrf-device and network-namespace")
	case strings.ContainsAny(name, " /!|\"") || len(name) > nameMax:
		return b.limit("config/network-namespace", "%q is no name of a VRF: name the namespace as `ip netns` does, in at most %d characters", name, nameMax)
	case len(in.Listen) > 0:
		return b.limit("config/listen-address", "bgpd listens where it was started to (bgpd -l, in bgpd_options of /etc/frr/daemons): leave listen-address out")
	case in.Port != b.opt.ListenPort:
		return b.limit("config/listen-port", "bgpd was started with port %d (bgpd -p): set listen-port to that", b.opt.ListenPort)
	}
	blk := b.running.blocks[place(in)]
	if blk == nil || b.instances[in.Key] != nil {
		return nil
	}
	return b.fits(in, blk)
}

// fits says whether an instance may use a router block that is there already.
func (b *Backend) fits(in *bgp.InstanceSpec, blk *block) error {
	if blk.as != in.AS {
		return b.limit("config/as", "bgpd has %q already: set the AS of the BGP instance to %d, or remove that", router(blk.as, blk.place), blk.as)
	}
	if key, _, ok := parseMark(blk.mark()); ok && key != in.Key {
		if b.instances[key] != nil {
			return nil // known: checkPlaces names both, or it goes in the same change
		}
		return fmt.Errorf("bgpd has %q of instance %s, of another agent or an earlier configuration: remove it", router(blk.as, blk.place), key)
	}
	return nil
}

// checkPlaces refuses two instances in one context of FRR.
func checkPlaces(instances []*bgp.InstanceSpec) error {
	slices.SortFunc(instances, func(a, b *bgp.InstanceSpec) int { return a.Key.Compare(b.Key) })
	at := map[string]*bgp.InstanceSpec{}
	for _, in := range instances {
		p := place(in)
		if other := at[p]; other != nil {
			where, leaf := "the default VRF", "config/vrf-device"
			if p != "" {
				where = p
			}
			return &backend.Error{Instance: in.Key, Leaf: leaf, Err: fmt.Errorf(
				"%w: FRR: would run in %s like instance %s, where bgpd has room for one: give its VPN instance a vrf-device or network-namespace of its own",
				backend.ErrUnsupported, where, other.Key)}
		}
		at[p] = in
	}
	return nil
}

func (b *Backend) checkPeer(in *bgp.InstanceSpec, p *bgp.PeerSpec) error {
	a := p.Key.Address
	switch {
	case p.RemoteAS == 0:
		return b.limit("config/as", "a peer must have an AS")
	case p.LocalAS != in.AS && (p.RemoteAS == in.AS || p.RemoteAS == p.LocalAS):
		return b.limit("config/local-as", "a local AS is for EBGP peers, and neither AS may be that of the other side")
	case p.RouterID.IsValid() && p.RouterID != in.RouterID:
		return b.limit("router-id", "is %s, that of its instance is %s: there is one for all peers of an instance", p.RouterID, in.RouterID)
	case p.ConnectMode == bgp.ConnectOnly:
		return b.limit("transport/config/connect-mode", "connect-only: bgpd always accepts from a configured neighbor: use both or listen-only")
	case p.LocalPort != 0:
		return b.limit("transport/config/local-port", "the kernel chooses the local port: leave it out")
	case p.PathMTU != bgp.ToggleDefault:
		return b.limit("transport/config/path-mtu-discovery", "there is no such setting: leave it out, the kernel's default applies")
	case p.DSCP != b.running.dscp:
		return b.limit("transport/config/dscp", "one DSCP for all that bgpd sends, %d now: set that, or `bgp session-dscp` in bgpd", b.running.dscp)
	case p.Auth == bgp.AuthTCPAO:
		return b.limit("transport/authentication/config/method", "no TCP-AO: use md5")
	case p.Auth == bgp.AuthMD5 && !goodPassword(string(p.Password)):
		return b.limit("transport/authentication/config/password", "a password has 1 to 80 printable ASCII characters and no space")
	case p.HoldTime != 0 && p.HoldTime < 3*time.Second:
		return b.limit("timers/config/hold-time", "0, or 3 s and more")
	case p.MinTTL == 1:
		return b.limit("transport/config/valid-ttl-hops", "1 to 254")
	case len(p.Families) == 0:
		return b.limit("afi-safis", "a peer must have an address family")
	case place(in) != "" && slices.ContainsFunc(p.Families, func(f bgp.Family) bool { return f >= bgp.VPNv4Unicast }):
		return b.limit("afi-safis", "vpnv4-unicast and vpnv6-unicast only in an instance without vrf-device and network-namespace")
	case a.Zone() != "" && strings.ContainsAny(a.Zone(), " |"):
		return b.limit("config/address", "%q is no name of an interface", a.Zone())
	}
	if blk := b.running.blocks[place(in)]; blk != nil {
		if err := b.checkForeign(in, blk, p.Key); err != nil {
			return err
		}
	}
	return nil
}

// checkForeign refuses to take over a neighbor that somebody else made.
func (b *Backend) checkForeign(in *bgp.InstanceSpec, blk *block, key bgp.PeerKey) error {
	n := blk.neighbors[addrOf(key)]
	if n == nil {
		return nil
	}
	if known := b.instances[in.Key]; known != nil && known.peers[addrOf(key)] != nil {
		return nil
	}
	if _, shared, ours := parseInstance(blk); ours && !shared && len(n.other) == 0 && len(n.conf) == 1 {
		return nil // only remote-as, in a block of ours: an agent that died half way
	}
	if of, _, ok := parseMark(strings.TrimPrefix(n.conf.text("description"), "description ")); ok && of == in.Key {
		return nil
	}
	return fmt.Errorf("bgpd has neighbor %s in %q that Mooring did not make: remove it there (no neighbor %s), or here",
		addrOf(key), router(blk.as, blk.place), addrOf(key))
}

func goodPassword(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 80
}
