package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"mooring/bgp"
)

// ErrUnknownInstance is returned by Put for a peer of an instance that was
// not put.
var ErrUnknownInstance = errors.New("unknown instance")

// Event is why a connection could not be opened.
type Event struct {
	Peer  bgp.PeerKey
	Time  time.Time
	Text  string
	Kind  bgp.ConnectFailure
	Count uint64 // of failures since the peer was put
}

// Refused counts the connections that came in and were reset.
type Refused struct {
	Unknown uint64 // no peer at this remote and local address
	Peer    uint64 // of a peer that takes none: connect-only, or established
}

// Transport opens and accepts connections for the peers that it is told of.
// All methods may be called from any goroutine, also before Run and after its
// end; none waits for the network.
type Transport struct {
	log  *slog.Logger
	sink func(Event)
	auth authSockets

	mu        sync.Mutex // guards all below, and instances, peers, spaces and groups
	instances map[bgp.InstanceKey]*instance
	peers     map[bgp.PeerKey]*peer
	spaces    map[spaceKey]*space
	refused   Refused

	ctx     context.Context // of Run, nil before
	waiting []func(context.Context)
	ended   bool // Run has ended
	group   sync.WaitGroup
}

// instance is a VPN instance of a BGP instance.
type instance struct {
	spec     *bgp.InstanceSpec
	handOver func(net.Conn)
	listen   *listening // nil: not yet, or it does not listen
}

// New returns a Transport that has no instance. sink gets dial errors; it is
// called from several goroutines and must not block.
func New(log *slog.Logger, sink func(Event)) *Transport {
	return &Transport{
		log: log, sink: sink, auth: kernelAuth{},
		instances: map[bgp.InstanceKey]*instance{},
		peers:     map[bgp.PeerKey]*peer{},
		spaces:    map[spaceKey]*space{},
	}
}

// Run dials and accepts until ctx ends. On return nothing of the Transport
// runs any more, and connections that it still knows of are closed: a speaker
// that wants to say goodbye stops first.
func (t *Transport) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.mu.Lock()
	t.ctx = ctx
	for _, f := range t.waiting {
		t.spawn(f)
	}
	t.waiting = nil
	t.mu.Unlock()
	<-ctx.Done()
	t.stop()
	t.group.Wait()
	return nil
}

func (t *Transport) stop() {
	var conns []*conn
	t.mu.Lock()
	t.ended = true
	for _, s := range t.spaces {
		s.close()
	}
	for _, p := range t.peers {
		p.quit()
		conns = append(conns, p.conn, p.pending)
	}
	t.mu.Unlock()
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// spawn starts a goroutine that ends with Run, at the beginning of Run if
// that has not come. The caller holds mu.
func (t *Transport) spawn(f func(context.Context)) {
	switch {
	case t.ended:
	case t.ctx == nil:
		t.waiting = append(t.waiting, f)
	default:
		t.group.Go(func() { f(t.ctx) })
	}
}

// PutInstance makes or changes an instance: where it listens, and to whom its
// connections go. handOver takes the connection over and closes it where it
// cannot use it; it may block for a short time. On an error nothing has
// changed. Peers keep their connections, but the transport takes it that
// nobody waits for one: Wanted says so.
//
// An instance whose network namespace does not exist listens from the first
// peer on that is put after it does.
func (t *Transport) PutInstance(spec *bgp.InstanceSpec, handOver func(net.Conn)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.instances[spec.Key]
	in := &instance{spec: spec, handOver: handOver}
	peers := t.peersOf(spec.Key)
	if err := t.listen(in); err != nil && !errors.Is(err, errNoNamespace) {
		return err
	}
	// The new sockets stand: the peers move to them before the old ones go.
	admissions := make([]*admission, len(peers))
	for i, p := range peers {
		var err error
		if admissions[i], err = admit(in, p.spec); err != nil {
			for _, a := range admissions[:i] {
				dismiss(a)
			}
			t.unlisten(in)
			return fmt.Errorf("peer %s: %w", p.spec.Key, err)
		}
	}
	for i, p := range peers {
		dismiss(p.admits)
		p.admits = admissions[i]
	}
	if old != nil {
		t.unlisten(old)
	}
	t.instances[spec.Key] = in
	for _, p := range peers {
		p.wanted = false
		p.quit()
	}
	return nil
}

// RemoveInstance forgets an instance, which must have no peers left.
func (t *Transport) RemoveInstance(key bgp.InstanceKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in := t.instances[key]; in != nil {
		t.unlisten(in)
		delete(t.instances, key)
	}
}

func (t *Transport) peersOf(key bgp.InstanceKey) []*peer {
	var ps []*peer
	for k, p := range t.peers {
		if k.InstanceKey() == key {
			ps = append(ps, p)
		}
	}
	return ps
}

// Put makes or changes a peer. An open connection stays; the settings in Live
// are set on it at once, and those among them that changed are returned. All
// others are those of the next connection. On an error nothing has changed.
func (t *Transport) Put(spec *bgp.PeerSpec) (live []string, err error) {
	t.mu.Lock()
	drop, live, err := t.put(spec)
	t.mu.Unlock()
	if drop != nil {
		drop.reset()
	}
	return live, err
}

func (t *Transport) put(spec *bgp.PeerSpec) (drop *conn, live []string, err error) {
	in := t.instances[spec.Key.InstanceKey()]
	if in == nil {
		return nil, nil, ErrUnknownInstance
	}
	if err := t.listenAgain(in); err != nil {
		return nil, nil, err
	}
	p := t.peers[spec.Key]
	if p == nil {
		a, err := admit(in, spec)
		if err != nil {
			return nil, nil, err
		}
		t.peers[spec.Key] = &peer{t: t, key: spec.Key, spec: spec, admits: a}
		return nil, nil, nil
	}
	if len(bgp.DiffPeers(p.spec, spec)) == 0 {
		return nil, nil, nil
	}
	old := p.spec
	dismiss(p.admits) // a listening socket has one set of keys for a remote
	a, err := admit(in, spec)
	if err == nil {
		live, err = p.setLive(spec)
	}
	if err != nil {
		dismiss(a)
		var back error
		if p.admits, back = admit(in, old); back != nil {
			err = fmt.Errorf("%w; and the old settings do not go back: %w", err, back)
		}
		return nil, nil, err
	}
	p.admits = a
	p.spec = spec
	if !sameConnection(old, spec) {
		drop, p.pending = p.pending, nil
		p.since, p.fresh = time.Now(), true
	}
	p.quit() // what is being dialled is by the old settings
	p.next()
	return drop, live, nil
}

// Remove forgets a peer. A connection that was handed over stays.
func (t *Transport) Remove(key bgp.PeerKey) {
	t.mu.Lock()
	p := t.peers[key]
	var drop *conn
	if p != nil {
		dismiss(p.admits)
		delete(t.peers, key)
		p.quit()
		drop, p.pending = p.pending, nil
		p.removed = true
	}
	t.mu.Unlock()
	if drop != nil {
		drop.reset()
	}
}

// Wanted says that the speaker waits for a connection to the peer. It is
// said once for each connection: one that the speaker closes without having
// written to it counts as not given.
func (t *Transport) Wanted(key bgp.PeerKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.peers[key]; p != nil {
		p.wanted, p.since, p.fresh = true, time.Now(), true
		p.next()
	}
}

// Idle says whether the speaker waits for a connection to the peer and there is
// none: neither one that it has nor one that is offered to it.
func (t *Transport) Idle(key bgp.PeerKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peers[key]
	return p != nil && p.wanted && p.conn == nil && p.pending == nil
}

// Settled says that the session is established on the connection that was
// handed over: others that come in are refused from now on.
func (t *Transport) Settled(key bgp.PeerKey) {
	t.mu.Lock()
	var drop *conn
	if p := t.peers[key]; p != nil && p.conn != nil {
		p.settled = true
		if !p.wanted {
			drop, p.pending = p.pending, nil
		}
	}
	t.mu.Unlock()
	if drop != nil {
		drop.reset()
	}
}

// Socket returns the truth of the connection that was handed over; false
// where there is none.
func (t *Transport) Socket(key bgp.PeerKey) (bgp.Socket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peers[key]
	if p == nil || p.conn == nil {
		return bgp.Socket{}, false
	}
	s, err := p.conn.socket()
	return s, err == nil
}

// Refused returns the counters of connections that were not let in.
func (t *Transport) Refused() Refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refused
}

// sameConnection says whether a connection made by a would serve b.
func sameConnection(a, b *bgp.PeerSpec) bool {
	return a.Source == b.Source && a.MSS == b.MSS && authOf(a).equal(authOf(b)) &&
		a.RemotePort == b.RemotePort && a.LocalPort == b.LocalPort && a.ConnectMode == b.ConnectMode
}

// SameSecrets says whether one listening socket can serve both peers.
func SameSecrets(a, b *bgp.PeerSpec) bool { return a.MSS == b.MSS && authOf(a).equal(authOf(b)) }

func remoteOf(p *bgp.PeerSpec) netip.Addr { return p.Key.Address.WithZone("") }
