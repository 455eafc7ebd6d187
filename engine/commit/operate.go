package commit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// ErrNotEstablished is returned by Reset for a peer whose session is not
// established: there is nothing to reset, and nothing is kept for later.
var ErrNotEstablished = errors.New("the session is not established: there is nothing to reset")

// ResetMode is the kind of a requested reset, named as in the model (rpc
// reset-peer).
type ResetMode uint8

// The modes.
const (
	ResetHard    = ResetMode(backend.ResetHard)    // ends the session with a Cease 6/4 (RFC 4486)
	ResetSoftIn  = ResetMode(backend.ResetSoftIn)  // asks for all routes again (RFC 2918)
	ResetSoftOut = ResetMode(backend.ResetSoftOut) // sends all routes again
)

var resetModes = [...]string{"hard", "soft-in", "soft-out"}

// ParseResetMode returns the mode with a name.
func ParseResetMode(s string) (ResetMode, error) {
	if i := slices.Index(resetModes[:], s); i >= 0 {
		return ResetMode(i), nil
	}
	return 0, fmt.Errorf("mode %q is none of hard, soft-in, soft-out", s)
}

// Reset resets the session of a peer by request. text is the shutdown
// communication (RFC 9003) of a hard reset. The error is a *schema.Error for a
// peer that is not configured, or wraps ErrNotEstablished.
func (c *Coordinator) Reset(ctx context.Context, actor Actor, key bgp.PeerKey, mode ResetMode, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := schema.PeerKey(key)
	if c.cfg.Store.Running().Get(k) == nil || !c.rights(actor).Shows(k.Path()) {
		return noPeer(k)
	}
	if !c.established(key) {
		return fmt.Errorf("%s: %w", k, ErrNotEstablished)
	}
	if mode == ResetHard {
		c.resets.ask(key, bgp.Reset{Time: c.cfg.Now(), Cause: bgp.CauseOperator, Text: "by " + actor.User})
	}
	if err := c.cfg.Backend.Reset(ctx, key, backend.ResetRequest{Mode: backend.ResetMode(mode), Text: text}); err != nil {
		return fmt.Errorf("%s: reset: %w", k, err)
	}
	c.log.Info("reset by request", "peer", key.String(), "user", actor.User, "protocol", actor.Protocol)
	return nil
}

// Plan is a plan in the hands of a front end, which never sees the planner: to
// be handed to Explain.
type Plan = plan.Plan

// PeerImpact is what a plan does to one peer, and what hangs on its session.
type PeerImpact struct {
	Peer    bgp.PeerKey
	Impact  bgp.Impact
	Leaves  []bgp.LeafChange
	Session bgp.SessionState
	// Families and Received are what goes down with an established session.
	Families []bgp.Family
	Received uint64
	Source   netip.Addr // of the new session; invalid where the kernel chooses
	Down     bgp.DownReason
}

// Peer tells what hangs on the session of a peer now. The error is a
// *schema.Error for a peer that is not configured, or that the actor may not
// read.
func (c *Coordinator) Peer(actor Actor, key bgp.PeerKey) (PeerImpact, error) {
	k := schema.PeerKey(key)
	if c.cfg.Store.Running().Get(k) == nil || !c.rights(actor).Shows(k.Path()) {
		return PeerImpact{}, noPeer(k)
	}
	pi := PeerImpact{Peer: key}
	c.session(&pi)
	return pi, nil
}

func noPeer(k schema.Key) error {
	return &schema.Error{Tag: schema.DataMissing, Path: k.Path(), Message: "no such peer"}
}

// session fills in what hangs on the session of a peer.
func (c *Coordinator) session(pi *PeerImpact) {
	st := c.oper.Get(pi.Peer).State
	if st == nil {
		return
	}
	pi.Session = st.Session
	for _, f := range st.Families {
		if f.Active && st.Session == bgp.StateEstablished {
			pi.Families = append(pi.Families, f.Family)
			pi.Received += f.Received
		}
	}
}

// Explain tells what a plan does to each peer, in the order of the plan, as far
// as the actor may read it.
func (c *Coordinator) Explain(actor Actor, p plan.Plan) []PeerImpact {
	var out []PeerImpact
	rights := c.rights(actor)
	for i := range p.Steps {
		s := &p.Steps[i]
		if !s.Peer.Address.IsValid() {
			continue
		}
		pi := PeerImpact{Peer: s.Peer, Impact: s.Impact, Leaves: s.Leaves}
		if rights.Read() != nil {
			k := schema.PeerKey(s.Peer)
			if !rights.Shows(k.Path()) {
				continue
			}
			pi.Leaves = slices.DeleteFunc(slices.Clone(s.Leaves), func(l bgp.LeafChange) bool { return !rights.Setting(k, l.Leaf) })
		}
		if s.New != nil {
			pi.Source, pi.Down = s.New.Source, s.New.Down
		}
		c.session(&pi)
		out = append(out, pi)
	}
	return out
}
