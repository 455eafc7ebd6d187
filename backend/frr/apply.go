package frr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Apply carries the steps out, one command at a time. A step that bgpd
// refuses half way is taken back. Peers of an instance that is made anew are
// added by their own steps, or at the end.
func (b *Backend) Apply(ctx context.Context, steps []plan.Step) (done int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.failed()
	if len(steps) == 0 {
		return 0, nil
	}
	fail := func(err error) error { return refuse(&steps[done], err) }
	if err := b.connect(ctx); err != nil {
		return 0, fail(err)
	}
	if slices.ContainsFunc(steps, makes) {
		if _, err := b.read(ctx); err != nil { // what is there must not be taken over
			return 0, fail(err)
		}
	}
	var anew []*instance
	for done < len(steps) {
		s := &steps[done]
		if err = ctx.Err(); err == nil {
			err = b.step(ctx, s, &anew)
		}
		if aerr := b.connectAgain(ctx); aerr != nil {
			b.log.Warn("cannot make bgpd dial", "err", aerr)
		}
		if err != nil {
			err = fail(err)
			break
		}
		done++
	}
	for _, in := range anew {
		if aerr := b.addMissing(in); aerr != nil {
			b.log.Error("peers are lost because their instance was made anew", "instance", in.spec.Key.String(), "err", aerr)
			err = errors.Join(err, &backend.Error{Instance: in.spec.Key, Err: aerr})
		}
	}
	if lerr := b.shell.leave(); err == nil && lerr != nil && done == 0 {
		err = fail(lerr)
	}
	b.poke()
	return done, err
}

func (b *Backend) step(ctx context.Context, s *plan.Step, anew *[]*instance) error {
	in := b.instances[s.Instance]
	switch s.Op {
	case plan.PutInstance:
		return b.putInstance(ctx, in, s.NewInstance, anew)
	case plan.DeleteInstance:
		if in == nil {
			return nil
		}
		return b.deleteInstance(ctx, in)
	case plan.DeletePeer:
		if in == nil || in.peers[addrOf(s.Peer)] == nil {
			return nil
		}
		return b.deletePeer(ctx, in, s.Peer)
	case plan.CreatePeer, plan.UpdatePeer:
		if in == nil {
			return errors.New("its instance does not exist: create it first")
		}
		return b.putPeer(ctx, in, s)
	}
	return fmt.Errorf("unknown operation %d", s.Op)
}

func (b *Backend) putInstance(ctx context.Context, in *instance, spec *bgp.InstanceSpec, anew *[]*instance) error {
	if in == nil {
		made, err := b.createInstance(ctx, spec)
		if err == nil {
			b.instances[spec.Key] = made
		}
		return err
	}
	if b.NativeInstance(in.spec, spec) == bgp.ImpactReset {
		return b.remake(ctx, in, spec, anew)
	}
	lines := instanceConf(spec, in.shared, in.gr)
	commands := changeInstance(in.lines, lines)
	if !in.shared {
		commands = append(commands, vpnCommands(in.spec, spec)...)
	}
	if len(commands) > 0 {
		if err := b.shell.configure(ctx, in.router(), commands); err != nil {
			back := changeInstance(lines, in.lines)
			if !in.shared {
				back = append(back, vpnCommands(spec, in.spec)...)
			}
			return errors.Join(err, b.force(in, back))
		}
	}
	in.spec, in.lines = spec, lines
	return nil
}

// force sends commands that undo what failed, as far as bgpd takes them.
func (b *Backend) force(in *instance, commands []command) error {
	for _, c := range commands {
		err := b.shell.configure(context.Background(), in.router(), []command{c})
		if err != nil && !isRefusal(err) {
			return err
		}
	}
	return nil
}

// createInstance makes a router block, or puts our mark into one of the
// operator's.
func (b *Backend) createInstance(ctx context.Context, spec *bgp.InstanceSpec) (*instance, error) {
	in := &instance{spec: spec, place: place(spec), vrf: vrfUnknown, peers: map[addrKey]*peer{}}
	in.gr = restart{defaultRestartTime, defaultStaleTime}
	var have []string
	blk := b.running.blocks[in.place]
	if blk != nil {
		if err := b.fits(spec, blk); err != nil {
			return nil, err
		}
		_, shared, ours := parseInstance(blk)
		in.shared, in.gr, have = shared || !ours, blk.restart(), blk.ours(shared)
		in.implicit = in.shared && blk.implicit
		if in.shared {
			if err := b.checkBlock(ctx, spec); err != nil {
				return nil, err
			}
			have = nil
		}
	}
	in.lines = instanceConf(spec, in.shared, in.gr)
	commands := changeInstance(have, in.lines)
	if !in.shared {
		commands = append(commands, vpnCommands(nil, spec)...)
	}
	if err := b.shell.configure(ctx, in.router(), commands); err != nil {
		if blk == nil {
			return nil, errors.Join(err, b.force(in, nil), b.dropRouter(in))
		}
		return nil, errors.Join(err, b.force(in, changeInstance(in.lines, blk.ours(in.shared))))
	}
	if err := errors.Join(b.askVRF(ctx, in), b.stream(ctx, in, blk)); err != nil {
		return nil, err
	}
	return in, nil
}

func (b *Backend) dropRouter(in *instance) error {
	err := b.shell.configure(context.Background(), top, []command{{"", "no " + in.router()}})
	return errors.Join(err, b.shell.leave())
}

// remake removes a router block and makes it again: AS and context cannot be
// changed, and a change of the router ID would end sessions a second time
// whose own settings change too.
func (b *Backend) remake(ctx context.Context, in *instance, spec *bgp.InstanceSpec, anew *[]*instance) error {
	if _, err := b.read(ctx); err != nil {
		return err
	}
	if err := b.checkRemake(in); err != nil {
		return err
	}
	for _, p := range in.peers {
		if p.given == nil {
			continue
		}
		if err := b.look(ctx, in, p, p.given.Key); err != nil {
			return err
		}
	}
	if err := b.shell.configure(ctx, top, []command{{"", "no " + in.router()}}); err != nil {
		return err
	}
	for _, p := range in.peers {
		if p.up() {
			b.ended(p, sent(bgp.CeasePeerDeconfigured))
		}
		p.given, p.conf, p.looked, p.ups = nil, nil, false, 0
	}
	delete(b.running.blocks, in.place)
	if !slices.Contains(*anew, in) {
		*anew = append(*anew, in)
	}
	made, err := b.createInstance(ctx, spec)
	if err != nil {
		again, aerr := b.createInstance(context.Background(), in.spec)
		if aerr != nil {
			return errors.Join(err, fmt.Errorf("and the old instance cannot be made again: %w", aerr))
		}
		in.lines, in.gr, in.vrf = again.lines, again.gr, again.vrf
		return err
	}
	in.spec, in.place, in.shared, in.implicit = spec, made.place, made.shared, made.implicit
	in.lines, in.gr, in.vrf = made.lines, made.gr, made.vrf
	return nil
}

// foreign is what of the operator's would go with a router block.
func (b *Backend) foreign(c *config, in *instance) []string {
	blk := c.blocks[in.place]
	if blk == nil {
		return nil
	}
	return blk.foreign(func(a addrKey) bool { return in.peers[a] != nil })
}

// addMissing adds the peers that a new router block has not yet. They were in
// the old one, so nothing is wrong with them.
func (b *Backend) addMissing(in *instance) error {
	var errs []error
	for _, addr := range sortedPeers(in) {
		p := in.peers[addr]
		if p.given != nil || p.want == nil {
			continue
		}
		if err := b.add(context.Background(), in, p, p.want); err != nil {
			errs = append(errs, fmt.Errorf("peer %s: %w", p.want.Key, err))
		}
	}
	return errors.Join(errs...)
}

// deleteInstance removes a router block, or what is ours of one that others
// use too.
func (b *Backend) deleteInstance(ctx context.Context, in *instance) error {
	if len(in.peers) > 0 {
		return fmt.Errorf("still has %d peers: delete them first", len(in.peers))
	}
	c, err := b.read(ctx)
	if err != nil {
		return err
	}
	foreign := b.foreign(c, in)
	switch {
	case c.blocks[in.place] == nil:
	case in.shared || len(foreign) > 0:
		b.log.Info("a router block stays because not all of it is ours", "router", in.router(), "foreign", foreign)
		commands := []command{{"", "no neighbor " + group + " peer-group"}}
		if _, ok := c.blocks[in.place].bmp[group]; ok {
			commands = append(commands, command{"", "no bmp targets " + group})
		}
		if err := b.shell.configure(ctx, in.router(), commands); err != nil {
			return err
		}
	default:
		if err := b.shell.configure(ctx, top, []command{{"", "no " + in.router()}}); err != nil {
			return err
		}
	}
	delete(c.blocks, in.place)
	delete(b.instances, in.spec.Key)
	return nil
}
