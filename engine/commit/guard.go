package commit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// Guard is the health condition of a commit: the peers whose established
// sessions it resets are established again in time, with enough of the prefixes
// that they had. Where they are not, the commit is rolled back by itself, and
// the history says why. While a guard waits nothing else can be committed.
type Guard struct {
	// Timeout is how long the peers may take; 0: as configured, in
	// /agent/reset-control/config/guard-timeout.
	Timeout time.Duration
	// Percent is how many of the prefixes that a peer sent before it must send
	// again; nil: as configured, in guard-prefix-percent.
	Percent *uint8
}

// Guarded is a commit whose guard waits. It survives a restart of the agent.
type Guarded struct {
	User     string    `json:"user"`
	Protocol string    `json:"protocol"`
	Base     uint64    `json:"base"`     // revision that is restored; the commit made the next one
	Deadline time.Time `json:"deadline"` // at the latest, while resets wait for their turn
	// Timeout is how long after the last reset the deadline will be, 0 where no
	// reset waits any more.
	Timeout time.Duration `json:"timeout,omitempty"`
	Percent uint8         `json:"percent,omitempty"`
	Peers   []GuardedPeer `json:"peers"` // at least one
}

// GuardedPeer is a peer and what its session was before the commit.
type GuardedPeer struct {
	Peer        bgp.PeerKey `json:"peer"`
	Transitions uint64      `json:"transitions,omitempty"` // how often it had been established
	Source      netip.Addr  `json:"source,omitzero"`       // of the session that is to come; zero: any
	Prefixes    uint64      `json:"prefixes,omitempty"`
}

// GuardError refuses a change because a guarded commit waits for its peers.
type GuardError struct{ Guarded }

// Error names who made the commit and until when it waits.
func (e *GuardError) Error() string {
	whom, back := "a peer", "it is"
	if n := len(e.Peers); n != 1 {
		whom, back = fmt.Sprintf("%d peers", n), "they are"
	}
	return fmt.Sprintf("a guarded commit by %s over %s waits for %s until %s: try again when %s back or the commit is rolled back, or confirm or cancel commit %s",
		e.User, e.Protocol, whom, e.Deadline.UTC().Format(time.RFC3339), back, e.CommitID())
}

// guardNote is the name under which the store keeps the guarded commit, and
// guardProtocol is what the history says of its rollback.
const (
	guardNote     = "guarded-commit"
	guardProtocol = "guard"
)

// verdict is what a guard makes of the peers.
type verdict uint8

const (
	guardWaits verdict = iota
	guardMet
	guardUnmet
)

// maxMissing is how many peers a text names that are not as they were.
const maxMissing = 5

// judge decides whether the peers are as they were. It is pure: state is what
// is known of a peer's session, nil for nothing. The texts say what is missing.
//
// A session counts only if it is another one than before: that the old one is
// still up means that its end has not been told yet.
func (g *Guarded) judge(now time.Time, state func(bgp.PeerKey) *bgp.PeerState) (v verdict, missing []string) {
	bad := 0
	for _, p := range g.Peers {
		reason := p.missing(state(p.Peer), g.Percent)
		if reason == "" {
			continue
		}
		if bad++; bad <= maxMissing {
			missing = append(missing, p.Peer.String()+" "+reason)
		}
	}
	if bad > maxMissing {
		missing = append(missing, fmt.Sprintf("and %d more", bad-maxMissing))
	}
	switch {
	case bad == 0:
		return guardMet, nil
	case now.Before(g.Deadline):
		return guardWaits, missing
	}
	return guardUnmet, missing
}

// missing says what a session lacks, "" for nothing.
func (p *GuardedPeer) missing(st *bgp.PeerState, percent uint8) string {
	switch {
	case st == nil:
		return "is unknown"
	case st.Session != bgp.StateEstablished:
		return "is " + st.Session.String()
	case st.Transitions <= p.Transitions:
		return "has not been reset yet"
	case p.Source.IsValid() && st.Socket.Local.IsValid() && st.Socket.Local.Addr().WithZone("") != p.Source:
		// bgpd of FRR accepts a session that the remote opens at any address.
		return fmt.Sprintf("has a session at %s, not at the source %s", st.Socket.Local.Addr(), p.Source)
	}
	if have := received(st); have*100 < p.Prefixes*uint64(percent) {
		return fmt.Sprintf("has %d of %d prefixes", have, p.Prefixes)
	}
	return ""
}

// received is how many prefixes an established session has brought.
func received(st *bgp.PeerState) (n uint64) {
	for _, f := range st.Families {
		if f.Active {
			n += f.Received
		}
	}
	return n
}

// Guarded returns the commit whose guard waits, nil for none.
func (c *Coordinator) Guarded() *Guarded { return c.guarded.Load() }

// watchOver adds the guard of a change to what waits once it is made. A peer that the change deletes or disables is not meant to come back,
// and one that was not established has nothing to lose. Without a peer there
// is nothing to guard. The caller holds c.mu.
func (c *Coordinator) watchOver(ch *change) {
	if ch.opt.Guard == nil {
		return
	}
	g := &Guarded{User: ch.actor.User, Protocol: ch.actor.Protocol, Base: c.cfg.Store.Running().Revision()}
	for i := range ch.plan.Steps {
		s := &ch.plan.Steps[i]
		if !s.EndsSession() || !c.established(s.Peer) || s.New == nil || s.New.Down == bgp.DownDisabled {
			continue
		}
		st := c.oper.Get(s.Peer).State
		g.Peers = append(g.Peers, GuardedPeer{Peer: s.Peer, Transitions: st.Transitions, Source: s.New.Source.WithZone(""), Prefixes: received(st)})
	}
	if len(g.Peers) == 0 {
		return
	}
	timeout, percent := guardDefaults(c.cfg.Store.Running())
	if ch.opt.Guard.Timeout > 0 {
		timeout = ch.opt.Guard.Timeout
	}
	if ch.opt.Guard.Percent != nil {
		percent = *ch.opt.Guard.Percent
	}
	g.Deadline, g.Percent = c.cfg.Now().Add(timeout), percent
	if n := len(ch.later); n > 0 {
		limit, settle := pacing(ch.txn)
		waves := (n + c.pacer.pending() + int(limit) - 1) / int(limit)
		g.Deadline, g.Timeout = g.Deadline.Add(time.Duration(waves)*settle), timeout
	}
	ch.res.Guarded, ch.holds.guarded = g, g
}

// guardRepaired makes the guard wait for what a repair resets, as for what its
// commit did: most of all for what that left to do when the agent ended. The
// caller holds c.mu.
func (c *Coordinator) guardRepaired(steps []plan.Step) {
	g := c.Guarded()
	if g == nil {
		return
	}
	next, changed := *g, false
	next.Peers = slices.Clone(g.Peers)
	for _, key := range c.ending(steps) {
		for i := range next.Peers {
			if p := &next.Peers[i]; p.Peer == key {
				p.Transitions, changed = c.oper.Get(key).State.Transitions, true
			}
		}
	}
	if !changed {
		return
	}
	if err := c.setGuarded(&next); err != nil {
		c.log.Error("the guarded commit does not wait for what is repaired", "err", err)
	}
}

// The model's default of /agent/reset-control/config/guard-timeout.
const defaultGuardTimeout = 120 * time.Second

// guardDefaults are what a guard means that does not say.
func guardDefaults(r schema.Reader) (time.Duration, uint8) {
	rec, _ := r.Get(schema.AgentKey()).(*agentRec)
	timeout, percent := defaultGuardTimeout, uint8(0)
	if cfg := rec.GetResetControl().GetConfig(); cfg != nil {
		if cfg.GuardTimeout != nil {
			timeout = time.Duration(*cfg.GuardTimeout) * time.Second
		}
		if cfg.GuardPrefixPercent != nil {
			percent = *cfg.GuardPrefixPercent
		}
	}
	return timeout, percent
}

// setGuarded makes g the guarded commit, nil for none.
func (c *Coordinator) setGuarded(g *Guarded) error {
	h := c.holding()
	h.guarded = g
	return c.hold(h)
}

// wakeUp makes follow look at what waits.
func (c *Coordinator) wakeUp() {
	select {
	case c.alarm <- struct{}{}:
	default:
	}
}

// guard decides on the guarded commit, and returns how long to wait before it
// is asked again whatever the peers do, 0 for ever.
func (c *Coordinator) guard(ctx context.Context) time.Duration {
	g := c.Guarded()
	if g == nil {
		return 0
	}
	if left := g.Deadline.Sub(c.cfg.Now()); left > 0 && g.Timeout > 0 && c.pacer.pending() > 0 {
		return left // the last reset gives it its time, where it comes
	}
	state := func(key bgp.PeerKey) *bgp.PeerState { return c.oper.Get(key).State }
	if v, _ := g.judge(c.cfg.Now(), state); v == guardWaits { // nobody waits for this
		return g.Deadline.Sub(c.cfg.Now())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Guarded() != g {
		return 0 // rolled back meanwhile
	}
	if left := c.guarding.left(c.cfg.Now()); left > 0 {
		return left
	}
	switch v, missing := g.judge(c.cfg.Now(), state); v {
	case guardMet:
		err := c.setGuarded(nil)
		if err == nil {
			c.log.Info("guard met", "user", g.User, "peers", len(g.Peers))
		}
		return c.guarding.ended(c, "the met guard is kept, will be tried again", err)
	case guardUnmet:
		return c.guarding.ended(c, "rollback failed, will be tried again", c.rollBackGuarded(ctx, g, guardComment(missing)))
	case guardWaits:
		return g.Deadline.Sub(c.cfg.Now())
	}
	return 0
}

// guardComment is why a commit was rolled back, for the history.
func guardComment(missing []string) string {
	return "guard not met in time: " + strings.Join(missing, ", ")
}

// rollBackGuarded takes back the guarded commit, and the confirmed commit that
// it is part of. The caller holds c.mu.
func (c *Coordinator) rollBackGuarded(ctx context.Context, g *Guarded, why string) error {
	actor := Actor{User: g.User, Protocol: guardProtocol}
	if c.Pending() != nil {
		return c.rollBackPending(ctx, actor, PendingGuardUnmet, why)
	}
	return c.takeBack(ctx, actor, Options{Comment: why, undoes: true, leaves: &holds{}}, g.Base)
}

// resumeGuard takes up the guarded commit of the last run. The agent counts
// sessions from 0 again, and what it restarts comes up anew.
func (c *Coordinator) resumeGuard() error {
	text, err := c.cfg.Store.Note(guardNote)
	if err != nil || text == nil {
		return err
	}
	var g Guarded
	if err := json.Unmarshal(text, &g); err != nil {
		return fmt.Errorf("the kept guarded commit: %w", err)
	}
	if c.cfg.Store.Running().Revision() != g.Base+1 {
		return c.dropGuard() // it is rolled back already
	}
	if !c.cfg.Now().Before(g.Deadline) {
		actor := Actor{User: g.User, Protocol: guardProtocol}
		c.guarded.Store(&g)
		h := c.holding()
		h.guarded = nil
		return c.undoAtBoot(g.Base, actor, "the time of the guard passed before the restart", h)
	}
	for i := range g.Peers {
		g.Peers[i].Transitions = 0
	}
	c.log.Warn("a guarded commit waits for its peers", "peers", len(g.Peers), "until", g.Deadline)
	return c.setGuarded(&g)
}

// dropGuard removes what is kept of a guard that nothing is left of.
func (c *Coordinator) dropGuard() error {
	return c.cfg.Store.SetNotes(map[string][]byte{guardNote: nil})
}
