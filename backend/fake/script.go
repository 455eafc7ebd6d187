package fake

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// FailPrepare makes Prepare ask refuse about each step; nil stops that.
func (b *Backend) FailPrepare(refuse func(plan.Step) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failPrepare = refuse
}

// FailApply makes Apply ask fail before each step; a step that fails has no
// effect. nil stops that. The function must not call the Backend.
func (b *Backend) FailApply(fail func(plan.Step) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failApply = fail
}

// Hold keeps new sessions from coming up; those that are up stay.
func (b *Backend) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

// Release ends Hold and brings up all sessions that may be.
func (b *Backend) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	b.establishAll()
}

// Establish brings up the session of one peer, also while held. It says
// whether the peer has a session now.
func (b *Backend) Establish(key bgp.PeerKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.establish(key)
}

// Down takes the speaker away: sessions end without a notification, and every
// call fails with reason until Up.
func (b *Backend) Down(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range b.keys() {
		b.end(b.instances[key.InstanceKey()], key, &backend.Ended{
			Cause: bgp.CauseBackend, Text: reason.Error(),
		})
	}
	b.down = reason
	b.note(note{kind: backend.BackendDown, err: reason})
}

// Up brings the speaker back with what it had. Seed in between makes it come
// back with something else.
func (b *Backend) Up() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = nil
	b.note(note{kind: backend.BackendUp})
	if !b.held {
		b.establishAll()
	}
}

// Seed replaces what the speaker has, as somebody behind the agent's back
// would: no event, and sessions of peers that it had before are forgotten.
// A peer without its instance is left out.
func (b *Backend) Seed(snap backend.Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instances = make(map[bgp.InstanceKey]*instance, len(snap.Instances))
	for key, spec := range snap.Instances {
		b.instances[key] = &instance{spec: spec, peers: map[netip.Addr]peer{}}
	}
	for key, spec := range snap.Peers {
		if in := b.instances[key.InstanceKey()]; in != nil {
			in.peers[key.Address] = peer{spec: spec}
		}
	}
	if !b.held {
		b.establishAll()
	}
}

// EndByRemote ends the session of a peer from the remote side: with the
// notification n, or by silence where n is nil. The session comes back at
// once unless held. It fails where there is no session.
func (b *Backend) EndByRemote(key bgp.PeerKey, n *bgp.Notification) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.instances[key.InstanceKey()]
	if in == nil || in.peers[key.Address].session == nil {
		return fmt.Errorf("peer %s has no session that could end", key)
	}
	ended := &backend.Ended{Cause: bgp.CauseRemote, Text: "connection lost"}
	if n != nil {
		received := *n
		received.Sent = false
		ended.Notification, ended.Text = &received, ""
	}
	b.end(in, key, ended)
	if !b.held {
		b.establish(key)
	}
	return nil
}

// SetStatus makes Status say s.
func (b *Backend) SetStatus(s backend.Status) {
	b.status.Store(&s)
}

// FailConnect tells that an attempt to connect to a peer without a session
// failed, and why. It does nothing for other peers.
func (b *Backend) FailConnect(key bgp.PeerKey, kind bgp.ConnectFailure, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.peer(key); p.spec != nil && p.session == nil {
		b.note(note{peer: p.spec, failed: kind, err: errors.New(text)})
	}
}

// Drift tells that somebody changed a peer, or the instance itself where key
// has no address; "" tells that nothing differs any more.
func (b *Backend) Drift(key bgp.PeerKey, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(note{kind: backend.Drifted, peer: &bgp.PeerSpec{Key: key}, err: errors.New(text)})
}

// Ceases returns the subcodes of the Cease notifications sent to a peer.
func (b *Backend) Ceases(key bgp.PeerKey) []uint8 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ceases[key])
}

// TotalCeases returns how many Cease notifications were sent to all peers.
func (b *Backend) TotalCeases() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, subcodes := range b.ceases {
		n += len(subcodes)
	}
	return n
}

// Connections returns how often a peer has had a session.
func (b *Backend) Connections(key bgp.PeerKey) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(b.peer(key).connections)
}

// Session returns what the session of a peer was opened with, nil where it
// has none.
func (b *Backend) Session(key bgp.PeerKey) *bgp.PeerSpec {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peer(key).session
}

func (b *Backend) peer(key bgp.PeerKey) peer {
	in := b.instances[key.InstanceKey()]
	if in == nil {
		return peer{}
	}
	return in.peers[key.Address]
}

func (b *Backend) establishAll() {
	for _, key := range b.keys() {
		b.establish(key)
	}
}

// keys returns the keys of all peers, sorted. The caller holds mu.
func (b *Backend) keys() []bgp.PeerKey {
	var keys []bgp.PeerKey
	for _, in := range b.instances {
		for p := range maps.Values(in.peers) {
			keys = append(keys, p.spec.Key)
		}
	}
	slices.SortFunc(keys, bgp.PeerKey.Compare)
	return keys
}
