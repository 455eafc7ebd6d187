package rpc

import (
	"net/netip"

	"mooring/bgp"
	"mooring/engine/commit"
)

// resetPeer is the rpc reset-peer of mooring-bgp. It is answered when the
// backend was asked, not when the session is up again.
func resetPeer(c *call, in input) (body, error) {
	if err := c.need(in, "instance", "vpn-instance", "address"); err != nil {
		return nil, err
	}
	address, err := netip.ParseAddr(in["address"].String())
	if err != nil {
		return nil, err // the type has let it through
	}
	mode, err := commit.ParseResetMode(in["mode"].String())
	if err != nil {
		return nil, err // so has the enumeration
	}
	key := bgp.PeerKey{Instance: in["instance"].String(), VPN: in["vpn-instance"].String(), Address: address}
	return nil, c.srv.engine.Reset(c.ctx, c.sess.actor(), key, mode, in["text"].String())
}
