package gobgp

import (
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"mooring/bgp"
)

type itemKind uint8

const (
	itemState      itemKind = iota // GoBGP says that a state changed
	itemDialFailed                 // a connection could not be opened
	itemRefused                    // a connection ended with a NOTIFICATION before its session
	itemLive                       // Apply changed the socket of a session
	itemCreated                    // Apply made a peer
	itemEnding                     // Apply has ended what a state machine did
	itemClosed                     // GoBGP has closed a connection
	itemGone                       // Apply deleted a peer
)

// item is something for Run to look at.
type item struct {
	kind     itemKind
	at       time.Time
	instance bgp.InstanceKey
	run      *running // the server that it is about: a restart makes older items stale; nil: any
	addr     netip.Addr

	event  *apiutil.WatchEventMessage_PeerEvent // of itemState
	conn   *spoken                              // of itemClosed; of itemState: the last one; nil where GoBGP makes its own
	text   string                               // of itemDialFailed
	failed bgp.ConnectFailure                   // of itemDialFailed
	note   *bgp.Notification                    // of itemRefused
	open   *openSaid                            // of itemRefused: what the remote said, nil for nothing
	end    cease                                // of itemEnding
	last   *peer                                // of itemGone
}

// queue keeps items in the order in which they were pushed. It is unbounded,
// as GoBGP's own is: pushing never blocks GoBGP.
type queue struct {
	wake chan struct{} // holds one token while there are items

	mu    sync.Mutex
	items []item
}

func (q *queue) push(i item) {
	q.mu.Lock()
	q.items = append(q.items, i)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // Run has been told already
	}
}

func (q *queue) take() []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
