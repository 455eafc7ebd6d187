package gobgp

import (
	"net/netip"
	"time"
)

// Two faults are mended by ending a connection and dialling with a new state
// machine:
//
//   - A remote that is dialled milliseconds after our reset may take the connection
//     and never say a word on it (BIRD 3.1.8 with "neighbor range"). GoBGP waits 4
//     minutes for an OPEN (RFC 4271 8.2.2).
//   - GoBGP keeps what a remote announced of graceful restart for a session in which
//     it announces nothing, and its stale routes with it (RFC 4724 4.2: they go at
//     once).

const (
	// openTime is how long an OPEN is awaited after a reset of our own.
	openTime = 2 * time.Second
	// hurriedDials is how many connections after a reset wait so shortly.
	hurriedDials = 3
)

// hurry says that a session of the peer is being reset by us.
func (cs *conversations) hurry(peer netip.Addr) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.hurried == nil {
		cs.hurried = map[netip.Addr]int{}
	}
	cs.hurried[peer] = hurriedDials
}

// replaced says that the peer gets a new state machine, after a reset or before
// the next connection.
func (cs *conversations) replaced(peer netip.Addr) {
	cs.mu.Lock()
	c := cs.of[peer]
	delete(cs.restarts, peer)
	cs.mu.Unlock()
	if c != nil && c.dialAgain() == "" {
		cs.hurry(peer)
	}
}

// watch ends a connection on which no OPEN comes in time, where that is short.
func (cs *conversations) watch(peer netip.Addr, c *spoken) {
	cs.mu.Lock()
	hurried := cs.hurried[peer] > 0
	if hurried {
		cs.hurried[peer]--
	}
	cs.mu.Unlock()
	if !hurried {
		return
	}
	time.AfterFunc(openTime, func() {
		c.mu.Lock()
		silent := c.open == nil && !c.noted && !c.shut
		c.mu.Unlock()
		if silent {
			c.dropFor("the peer took the connection after a reset and sent no OPEN: it is dialled again")
		}
	})
}

// opened looks at what the remote says of graceful restart.
func (cs *conversations) opened(peer netip.Addr, c *spoken, o *openSaid) {
	cs.mu.Lock()
	had := cs.restarts[peer]
	if cs.restarts == nil {
		cs.restarts = map[netip.Addr]bool{}
	}
	cs.restarts[peer] = o.restart
	delete(cs.hurried, peer)
	cs.mu.Unlock()
	if had && !o.restart {
		c.dropFor("the peer announces graceful restart no more: its stale routes are dropped")
	}
}

// dropFor ends the connection before its session, to dial again.
func (c *spoken) dropFor(why string) {
	c.mu.Lock()
	c.again = why
	c.mu.Unlock()
	_ = c.Close() // GoBGP sees that, and so does the transport
}

// dialAgain says why dropFor has ended the connection, "" where it has not.
func (c *spoken) dialAgain() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.again
}
