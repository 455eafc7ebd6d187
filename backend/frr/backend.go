package frr

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mooring/backend"
	"mooring/bgp"
)

// DriftPolicy says what to do about a manual change of what is ours.
type DriftPolicy uint8

// The policies.
const (
	Repair      DriftPolicy = iota // put right what ends no session, the rest when the session ends
	RepairReset                    // put all right, with a reset where that needs one
	Report                         // log it and keep it in Drift
)

// Options are what a Backend is built from. The zero value drives the bgpd of
// a Debian package.
type Options struct {
	Log        *slog.Logger   // nil: silent
	VtyDir     string         // directory of bgpd.vty; "": /run/frr
	Namespace  string         // named network namespace that bgpd runs in, "": the agent's own
	BMP        netip.AddrPort // where to listen for bgpd; zero: any port of 127.0.0.1
	ListenPort uint16         // port that bgpd was started with (-p); 0: 179
	Drift      DriftPolicy
}

// How often is looked at what nobody tells. BMP alone is not enough: 8.4.4 says
// nothing of many sessions that the remote opened.
const (
	defaultTick = time.Second // between polls
	pollShare   = 50          // a poll may take this part of bgpd's time, 2 %
	driftTicks  = 2           // ticks between looks at the configuration
	retryMin    = 100 * time.Millisecond
	retryMax    = 5 * time.Second
)

// Backend drives one bgpd.
type Backend struct {
	opt  Options
	log  *slog.Logger
	tick time.Duration
	room func() int             // for MD5 keys on a listener
	said atomic.Pointer[string] // version, for those who must not wait
	note atomic.Pointer[string] // what to say of it
	wake chan struct{}          // holds one token while Run has something to do

	// mu serialises what is asked of bgpd and guards all below. The sink runs
	// without it.
	mu        sync.Mutex
	shell     *shell // nil: not connected
	behaviour *behaviour
	running   *config // as read last
	digest    [sha256.Size]byte
	instances map[bgp.InstanceKey]*instance
	events    []backend.Event
	pending   []again
	lost      error // why the connection was lost, until Run has told it
	drift     []Difference
	bmpAt     netip.AddrPort // where Run listens, zero: nowhere
	polled    time.Time      // when
	pollCost  time.Duration  // how long it took
	noBMP     bool           // bgpd has not loaded the module
	absent    bool           // it did not answer when it was asked last
	ran       bool           // Run tells the events
	stopped   bool
	hints     hints // has its own mutex
}

var _ backend.Backend = (*Backend)(nil)

// instance is a router block and what of it bgpd has been told.
type instance struct {
	spec     *bgp.InstanceSpec
	place    string
	shared   bool     // the block is the operator's, only our neighbors are ours
	implicit bool     // a new neighbor of the block has ipv4 unicast at once
	lines    []string // ours, as FRR shows them
	gr       restart
	vrf      int64                // bgpd's number of it when the passwords were said, or vrfUnknown
	streamed bool                 // BMP has been asked for
	peers    map[netip.Addr]*peer // by address without zone
}

func (in *instance) router() string { return router(in.spec.AS, in.place) }

type peer struct {
	key   bgp.PeerKey
	want  *bgp.PeerSpec // what was applied last; nil: what bgpd has is unusable
	given *bgp.PeerSpec // what bgpd works by
	conf  conf          // what bgpd has

	shown    backend.Event // the last PeerChanged
	nBit     bool          // both sides know Hard Reset (RFC 8538)
	looked   bool          // ups is known
	ups      uint64        // establishments that were told
	received uint64        // notifications until the last look
	sent     uint64        // likewise
	digest   summaryPeer   // of the last poll
	rekey    bool          // bgpd is to be told the password again
}

func (p *peer) up() bool { return p.shown.Session == bgp.StateEstablished }

// addrOf is the address that FRR knows a peer by.
func addrOf(key bgp.PeerKey) netip.Addr { return key.Address.WithZone("") }

// New returns a Backend that is not connected yet.
func New(o Options) *Backend {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.VtyDir == "" {
		o.VtyDir = "/run/frr"
	}
	if !o.BMP.IsValid() {
		o.BMP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	if o.ListenPort == 0 {
		o.ListenPort = defaultPort
	}
	return &Backend{
		opt: o, log: o.Log, tick: defaultTick, room: md5Room, wake: make(chan struct{}, 1),
		behaviour: &behaviours[len(behaviours)-1],
		running:   parseConfig(""), instances: map[bgp.InstanceKey]*instance{},
	}
}

// Info returns the version that bgpd said last, "unknown" before the first
// connection.
func (b *Backend) Info() backend.Info {
	info := backend.Info{Name: "frr", Version: "unknown", External: true}
	if v := b.said.Load(); v != nil {
		info.Version = *v
	}
	return info
}

// Status says what is done about manual changes, and whether bgpd is one that has not
// been measured.
func (b *Backend) Status() backend.Status {
	s := backend.Status{Drift: b.opt.Drift.String()}
	if note := b.note.Load(); note != nil {
		s.Degraded = *note
	}
	return s
}

// connect makes sure that there is a connection. The caller holds mu.
func (b *Backend) connect(ctx context.Context) error {
	if b.stopped {
		return errStopped
	}
	if b.shell != nil && b.shell.down == nil {
		return nil
	}
	b.absent = true
	v, err := dialVTY(ctx, b.opt.VtyDir)
	if err != nil {
		return fmt.Errorf("bgpd does not answer: %w", err)
	}
	s := &shell{vty: v, log: b.log}
	version, err := s.version(ctx)
	if err != nil {
		v.close()
		return err
	}
	b.shell, b.noBMP = s, false
	b.said.Store(&version)
	known, note := behaviourOf(version)
	b.behaviour = known
	if said := b.note.Swap(&note); note != "" && (said == nil || *said != note) {
		b.log.Warn(note)
	}
	if _, err := b.read(ctx); err != nil {
		v.close()
		b.shell = nil
		return err
	}
	// It may be another bgpd than before: what it has is what counts.
	b.absent = false
	for _, in := range b.instances {
		in.vrf = vrfUnknown
	}
	b.setDrift(nil)
	if len(b.instances) > 0 {
		b.adopt(b.running)
	}
	return nil
}

// failed notes that the connection is gone, if err says so, and lets Run tell
// it. The caller holds mu.
func (b *Backend) failed() {
	if b.shell == nil || b.shell.down == nil {
		return
	}
	b.lost, b.shell = b.shell.down, nil
	b.poke()
}

func (b *Backend) poke() {
	select {
	case b.wake <- struct{}{}:
	default: // Run has been told already
	}
}

// read fetches the configuration. The caller holds mu.
func (b *Backend) read(ctx context.Context) (*config, error) {
	if err := b.shell.leave(); err != nil {
		return nil, err
	}
	text, err := b.shell.run(ctx, "show running-config")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(text))
	if digest != b.digest {
		b.running, b.digest = parseConfig(text), digest
	}
	return b.running, nil
}

// Reset resets a session that is established, and no other. FRR has no way to
// send a text with it.
func (b *Backend) Reset(ctx context.Context, key bgp.PeerKey, r backend.ResetRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.failed()
	fail := func(err error) error {
		return &backend.Error{Instance: key.InstanceKey(), Peer: key, Err: err}
	}
	in := b.instances[key.InstanceKey()]
	if in == nil || in.peers[addrOf(key)] == nil {
		return fail(backend.ErrUnknownPeer)
	}
	if err := b.connect(ctx); err != nil {
		return fail(err)
	}
	p := in.peers[addrOf(key)]
	if err := b.look(ctx, in, p, key); err != nil {
		return fail(err)
	}
	if !p.up() {
		return nil
	}
	command := clear(in, addrOf(key))
	switch r.Mode {
	case backend.ResetSoftIn:
		command += " soft in"
	case backend.ResetSoftOut:
		command += " soft out"
	case backend.ResetHard:
	}
	if _, err := b.shell.exec(ctx, command); err != nil {
		return fail(err)
	}
	if r.Mode == backend.ResetHard {
		if b.dials(p, p.given, p.conf) {
			b.later(in, addrOf(key), restTime, dial)
			b.poke()
		}
		b.ended(p, sent(bgp.CeaseAdminReset))
	}
	return nil
}

func clear(in *instance, addr netip.Addr) string {
	return "clear bgp " + within(in.place) + addr.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}

func isRefusal(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}
