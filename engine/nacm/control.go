package nacm

import (
	"slices"
	"sync/atomic"

	"mooring/engine/schema"
)

// Identity is a user, with the groups that the agent's own user file says.
type Identity struct {
	User   string
	Groups []string
}

// Control knows the policy in force. A nil Control permits everything. All
// methods may be called by any goroutine.
type Control struct {
	running  func() schema.Reader
	recovery string
	current  atomic.Pointer[policy]

	operations, writes, notifications atomic.Uint32
}

// New returns the Control over what running returns, the configuration in
// force. Users in the group recovery may do everything (RFC 8341 2.1, the
// recovery session); with an empty name there are none.
func New(running func() schema.Reader, recovery string) *Control {
	return &Control{running: running, recovery: recovery}
}

// key is that of /nacm.
var key = schema.MakeKey("", schema.KindOf(schema.KindNACM))

// Of returns the rights of a user now. They are those of this instant: ask
// again for the next request. Nil rights permit everything.
func (c *Control) Of(id Identity) *Rights {
	if c == nil || c.Recovers(id) {
		return nil
	}
	p := c.policy()
	if !p.enabled {
		return nil
	}
	return p.of(c, id)
}

// Recovers says whether a user is in the recovery group, which ends what others
// have begun.
func (c *Control) Recovers(id Identity) bool {
	return c != nil && c.recovery != "" && slices.Contains(id.Groups, c.recovery)
}

// policy returns the compiled policy. A record is the same as long as it is
// the same pointer.
func (c *Control) policy() *policy {
	rec, _ := c.running().Get(key).(*nacmRec)
	if p := c.current.Load(); p != nil && p.record == rec {
		return p
	}
	p := compile(rec)
	c.current.Store(p)
	return p
}

// Denied returns how many calls of operations, requests to write and
// notifications were refused since the start (RFC 8341 3.5.1).
func (c *Control) Denied() (operations, writes, notifications uint32) {
	if c == nil {
		return 0, 0, 0
	}
	return c.operations.Load(), c.writes.Load(), c.notifications.Load()
}
