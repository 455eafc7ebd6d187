package frr

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"mooring/bgp"
	"mooring/engine/plan"
)

// checkTogether checks what peers of an instance share: graceful restart
// times, the kernel's room for MD5 keys, and link-local addresses, of which
// FRR takes one whatever the interface.
func (b *Backend) checkTogether(steps []plan.Step) error {
	for i := range steps {
		s := &steps[i]
		if s.New == nil || s.Op == plan.DeletePeer {
			continue
		}
		old := s.Old
		if old == nil {
			old = &bgp.PeerSpec{}
		}
		restarts := s.New.GracefulRestart && (!old.GracefulRestart || s.New.RestartTime != old.RestartTime || s.New.StaleTime != old.StaleTime)
		keyed := s.New.Auth == bgp.AuthMD5 && old.Auth != bgp.AuthMD5
		if !restarts && !keyed && !bgp.LinkLocal(s.Peer.Address) {
			continue
		}
		return b.checkPeers(steps) // once for all
	}
	return nil
}

func (b *Backend) checkPeers(steps []plan.Step) error {
	type listener struct {
		instance bgp.InstanceKey
		v4       bool
	}
	after := map[bgp.PeerKey]*bgp.PeerSpec{}
	for _, in := range b.instances {
		for _, p := range in.peers {
			if p.want != nil {
				after[p.want.Key] = p.want
			}
		}
	}
	for i := range steps {
		if s := &steps[i]; s.New != nil {
			after[s.Peer] = s.New
		} else if s.Peer.Address.IsValid() {
			delete(after, s.Peer)
		}
	}
	restarting, linkLocal, keys := map[bgp.InstanceKey]*bgp.PeerSpec{}, map[bgp.PeerKey]bgp.PeerKey{}, map[listener]int{}
	for _, key := range slices.SortedFunc(maps.Keys(after), bgp.PeerKey.Compare) {
		p := after[key]
		at := bgp.PeerKey{Instance: key.Instance, VPN: key.VPN, Address: addrOf(key)}
		if other, ok := linkLocal[at]; ok {
			return b.blame(steps, p, b.limit("config/address", "has one neighbor %s, whatever the interface: %s is the other", at.Address, other))
		}
		if bgp.LinkLocal(key.Address) {
			linkLocal[at] = key
		}
		if p.Auth == bgp.AuthMD5 {
			keys[listener{key.InstanceKey(), key.Address.Is4()}]++
		}
		if !p.GracefulRestart {
			continue
		}
		first := restarting[key.InstanceKey()]
		if first == nil {
			restarting[key.InstanceKey()], first = p, p
		}
		if err := b.checkRestart(first, p); err != nil {
			return b.blame(steps, p, err)
		}
	}
	room := b.room()
	for i := range steps {
		s := &steps[i]
		if n := keys[listener{s.Instance, s.Peer.Address.Is4()}]; room > 0 && n > room && s.New != nil && s.New.Auth == bgp.AuthMD5 {
			return refuse(s, b.limit("transport/authentication/config/password",
				"the instance would have %d peers with an MD5 key, the kernel has room for %d on a listening socket: raise net.core.optmem_max", n, room))
		}
	}
	return nil
}

func (b *Backend) checkRestart(first, p *bgp.PeerSpec) error {
	const one = "there is one for all peers of an instance with graceful restart, %s has %v: give them the same"
	if p.RestartTime != first.RestartTime {
		return b.limit("graceful-restart/config/restart-time", one, first.Key, first.RestartTime)
	}
	if p.StaleTime != first.StaleTime {
		return b.limit("graceful-restart/config/stale-routes-time", one, first.Key, first.StaleTime)
	}
	in := b.instances[p.Key.InstanceKey()]
	if in == nil || !in.shared {
		return nil
	}
	if in.gr.time != p.RestartTime {
		return b.limit("graceful-restart/config/restart-time", "%q is not Mooring's and has %v: set that", in.router(), in.gr.time)
	}
	if in.gr.stale != p.StaleTime {
		return b.limit("graceful-restart/config/stale-routes-time", "%q is not Mooring's and has %v: set that", in.router(), in.gr.stale)
	}
	return nil
}

// blame names the peer of a step, where the peer that disagrees is in none.
func (b *Backend) blame(steps []plan.Step, p *bgp.PeerSpec, err error) error {
	for i := range steps {
		if steps[i].Peer == p.Key {
			return refuse(&steps[i], err)
		}
	}
	for i := range steps {
		if s := &steps[i]; s.New != nil && s.Instance == p.Key.InstanceKey() && s.New.GracefulRestart == p.GracefulRestart {
			return refuse(s, err)
		}
	}
	return refuse(&steps[0], err)
}

// md5KeySize is what the kernel charges a listening socket for a key (struct
// tcp_md5sig_key of 64 bit Linux, backends.md 1.2). bgpd only logs the failure.
const md5KeySize = 136

// md5Room returns how many keys fit on a listening socket, 0 for not known.
func md5Room() int {
	text, err := os.ReadFile("/proc/sys/net/core/optmem_max")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return (n - 1) / md5KeySize
}
