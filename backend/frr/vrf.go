package frr

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
)

// bgpd puts the keys of TCP MD5 on the listening socket when it is told the
// passwords. The socket of a VRF is made when zebra tells of the VRF, and nobody
// puts the keys on it again that bgpd has heard of before, also not those of its
// own frr.conf: connections of these remotes are never answered. So where a VRF
// has appeared, the passwords are said once more.

// vrfUnknown is a VRF that zebra has not told bgpd of, or that bgpd has not been
// asked about.
const vrfUnknown = -1

type vrfJSON struct {
	ID       int64  `json:"vrfId"` // -1: unknown to bgpd
	RouterID string `json:"routerId"`
}

// vrfs returns what bgpd knows of the VRFs of its router blocks, by place.
func (b *Backend) vrfs(ctx context.Context) (map[string]vrfJSON, error) {
	var answer struct {
		VRFs map[string]vrfJSON `json:"vrfs"`
	}
	if err := b.shell.query(ctx, "show bgp vrfs json", &answer); err != nil {
		return nil, err
	}
	out := map[string]vrfJSON{}
	for name, v := range answer.VRFs {
		if name == "default" {
			out[""] = v
			continue
		}
		out["vrf "+name] = v
	}
	return out, nil
}

// askVRF notes whether bgpd knows the VRF of a router block by now. The one of the
// default VRF has its sockets.
func (b *Backend) askVRF(ctx context.Context, in *instance) error {
	if in.place == "" {
		return nil
	}
	vs, err := b.vrfs(ctx)
	if v, ok := vs[in.place]; ok {
		in.appeared(v)
	}
	return err
}

// beforePassword asks whether a password that is about to be said will be on the
// socket.
func (b *Backend) beforePassword(ctx context.Context, in *instance, p *peer, conf conf) error {
	if in.vrf != vrfUnknown || !conf.has("password") || conf.text("password") == p.conf.text("password") {
		return nil
	}
	err := b.askVRF(ctx, in)
	p.rekey = false
	return err
}

// keyed says whether a password may have been lost that way.
func (in *instance) keyed() bool {
	if in.place == "" {
		return false
	}
	for _, p := range in.peers {
		if p.conf.has("password") {
			return true
		}
	}
	return false
}

// lookAtVRFs asks for the VRFs of the instances with passwords, if there are any.
func (b *Backend) lookAtVRFs(ctx context.Context) error {
	if !slices.ContainsFunc(b.sorted(), (*instance).keyed) {
		return nil
	}
	vs, err := b.vrfs(ctx)
	if err != nil && !isRefusal(err) {
		return err
	}
	for _, in := range b.instances {
		if v, ok := vs[in.place]; ok && in.keyed() {
			in.appeared(v)
		}
	}
	return nil
}

// appeared notes the VRF of the block. Where it is another one than before, its
// peers want their passwords again, when they have no session.
func (in *instance) appeared(v vrfJSON) {
	if v.ID == in.vrf {
		return
	}
	in.vrf = v.ID
	for _, p := range in.peers {
		p.rekey = v.ID != vrfUnknown && p.conf.has("password")
	}
}

// rekey says the password of a peer once more. bgpd does nothing about one that
// it has: another one comes first, so that it is never without.
func (b *Backend) rekey(ctx context.Context, in *instance, p *peer) error {
	p.rekey = false
	password := p.conf.text("password")
	if password == "" {
		return nil
	}
	name := "neighbor " + addrOf(p.key).String() + " "
	err := b.shell.configure(ctx, in.router(), []command{{"", name + "password " + strings.ToLower(rand.Text())}, {"", name + password}})
	if isRefusal(err) {
		b.log.Warn("a password cannot be said again", "peer", p.key.String(), "err", err)
		return nil // it is drift, if it is another one now
	}
	return err
}
