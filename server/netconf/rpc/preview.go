package rpc

import (
	"io"
	"strconv"

	"mooring/bgp"
	"mooring/engine/commit"
)

// preview is the rpc of mooring-bgp: a commit of the candidate that stops
// where the backend would be asked. Where no peer would notice, the answer is
// <ok/> (RFC 7950 7.14.4).
func preview(c *call, _ input) (body, error) {
	res, err := c.srv.engine.Commit(c.ctx, c.sess.actor(), c.draft(), commit.Options{DryRun: true})
	if err != nil {
		return nil, err
	}
	peers := c.srv.engine.Explain(c.sess.actor(), res.Plan)
	if len(peers) == 0 {
		return nil, nil
	}
	namespace := c.req.op.namespace
	return func(w io.Writer, _ string) error {
		o := output{namespace: namespace}
		for i := range peers {
			o.b = o.b[:0]
			o.impact(&peers[i])
			if _, err := w.Write(o.b); err != nil {
				return err
			}
		}
		o.b = o.b[:0]
		o.pacing(res.Pacing)
		_, err := w.Write(o.b)
		return err
	}, nil
}

// pacing writes how the resets are paced, where somebody waits.
func (o *output) pacing(p commit.Pacing) {
	if p.Waiting == 0 {
		return
	}
	o.open("pacing")
	o.leaf("max-concurrent", strconv.Itoa(p.MaxConcurrent))
	o.leaf("at-once", strconv.Itoa(p.AtOnce))
	o.leaf("waiting", strconv.Itoa(p.Waiting))
	o.close("pacing")
}

// impact writes one peer. What goes down with the session is told only where
// the session does.
func (o *output) impact(p *commit.PeerImpact) {
	o.open("peer")
	o.leaf("instance", p.Peer.Instance)
	o.leaf("vpn-instance", p.Peer.VPN)
	o.leaf("address", p.Peer.Address.String())
	o.leaf("impact", p.Impact.String())
	for _, l := range p.Leaves {
		o.leaf("leaf", l.String())
	}
	o.leaf("session-state", p.Session.String())
	if p.Impact == bgp.ImpactReset {
		for _, f := range p.Families {
			o.leaf("family", f.String())
		}
		if p.Session == bgp.StateEstablished {
			o.leaf("prefixes-received", strconv.FormatUint(p.Received, 10))
		}
		if p.Source.IsValid() {
			o.leaf("resolved-source", p.Source.String())
		}
	}
	o.close("peer")
}
