package gobgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"mooring/backend"
	"mooring/backend/transport"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Prepare refuses what GoBGP or its dialer cannot do, looking at the
// instances and peers as they will be after all steps.
func (b *Backend) Prepare(ctx context.Context, steps []plan.Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	after := map[bgp.InstanceKey]*bgp.InstanceSpec{}
	for key, sp := range b.speakers {
		after[key] = sp.spec
	}
	checks := backend.Checks{Instance: b.dialer.CheckInstance, Peer: b.checkPeer, Refuse: refuse}
	sockets, err := checks.Check(after, steps)
	if err != nil {
		return err
	}
	if err := b.checkLinkLocal(steps); err != nil {
		return err
	}
	if b.own != nil {
		return nil // its listening sockets are shared, and have room for keys
	}
	if sockets {
		if err := checkListeners(slices.Collect(maps.Values(after))); err != nil {
			return err
		}
	}
	return b.checkKeys(steps, after)
}

func (b *Backend) checkPeer(in *bgp.InstanceSpec, p *bgp.PeerSpec) error {
	limit := func(leaf, reason string) error { return &transport.LimitError{Leaf: leaf, Reason: reason} }
	switch {
	case p.RemoteAS == 0: // GoBGP would skip the check of the remote's AS
		return limit("config/as", "a peer must have an AS")
	case p.HoldTime == 0:
		return limit("timers/config/hold-time", "GoBGP takes 0 for its own default: use 3 s or more")
	case p.Keepalive == 0:
		return limit("timers/config/keepalive-interval", "GoBGP takes 0 for a third of the hold time: use 1 s or more")
	case p.RouterID.IsValid() && p.RouterID != in.RouterID:
		return limit("router-id", fmt.Sprintf("is %s, that of its instance is %s: GoBGP has one for all peers of an instance", p.RouterID, in.RouterID))
	case len(p.Families) == 0:
		return limit("afi-safis", "a peer must have an address family")
	}
	return b.dialer.CheckPeer(in, p)
}

// checkLinkLocal refuses a peer that must be accepted and whose keys the listening
// socket cannot have, because it has others for the same address on another link.
func (b *Backend) checkLinkLocal(steps []plan.Step) error {
	for i := range steps {
		s := &steps[i]
		sp := b.speakers[s.Instance]
		if s.New == nil || sp == nil || !bgp.LinkLocal(s.Peer.Address) || s.New.ConnectMode != bgp.ListenOnly {
			continue
		}
		for addr, p := range sp.peers {
			if addr == s.Peer.Address || addr.WithZone("") != s.Peer.Address.WithZone("") || transport.SameSecrets(p.want, s.New) {
				continue
			}
			return refuse(s, &transport.LimitError{Leaf: "transport/config/connect-mode", Reason: fmt.Sprintf(
				"listen-only needs the authentication and tcp-mss of peer %s: a listening socket knows a remote by its address, "+
					"whatever the interface; use both", addr)})
		}
	}
	return nil
}

// refuse makes the error of Prepare: a limit names the leaf and is a case of
// ErrUnsupported.
func refuse(s *plan.Step, err error) error {
	e := &backend.Error{Instance: s.Instance, Peer: s.Peer, Err: err}
	var limit *transport.LimitError
	if errors.As(err, &limit) {
		e.Leaf = limit.Leaf
		e.Err = fmt.Errorf("%w: %s", backend.ErrUnsupported, limit.Reason)
	}
	return e
}

// md5KeySize is what the kernel charges a listening socket for a key (struct
// tcp_md5sig_key of 64 bit Linux): 963 keys fit into the usual 128 KiB
// (backends.md 1.2), and GoBGP only logs the failure of the next.
const md5KeySize = 136

// checkKeys refuses more MD5 keys on an instance's listeners than the kernel
// takes. There is a listener a family; a peer that is held down counts too,
// because it comes up by itself.
func (b *Backend) checkKeys(steps []plan.Step, after map[bgp.InstanceKey]*bgp.InstanceSpec) error {
	type listener struct {
		instance bgp.InstanceKey
		v4       bool
	}
	var adding []*plan.Step
	keys := map[listener]int{} // that the steps add, less those that they take away
	for i := range steps {
		s := &steps[i]
		l := listener{s.Instance, s.Peer.Address.Is4()}
		had, has := hasKey(s.Old), hasKey(s.New)
		if had && !has {
			keys[l]--
		}
		if has && !had {
			keys[l]++
			adding = append(adding, s)
		}
	}
	if len(adding) == 0 {
		return nil
	}
	optmem, err := b.optmem()
	if err != nil {
		return nil // cannot know: the kernel decides
	}
	limit := (optmem - 1) / md5KeySize
	for key, sp := range b.speakers {
		for addr, p := range sp.peers {
			if hasKey(p.want) {
				keys[listener{key, addr.Is4()}]++
			}
		}
	}
	for _, s := range adding {
		n := keys[listener{s.Instance, s.Peer.Address.Is4()}]
		if n > limit && after[s.Instance].Port != 0 {
			return refuse(s, &transport.LimitError{Leaf: "transport/authentication/config/password", Reason: fmt.Sprintf(
				"the instance would have %d peers with an MD5 key, the kernel has room for %d on a listening socket: raise net.core.optmem_max above %d",
				n, limit, n*md5KeySize)})
		}
	}
	return nil
}

func hasKey(p *bgp.PeerSpec) bool { return p != nil && p.Auth == bgp.AuthMD5 }

// readOptmem returns net.core.optmem_max.
func readOptmem() (int, error) {
	text, err := os.ReadFile("/proc/sys/net/core/optmem_max")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
