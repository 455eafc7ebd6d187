// Package commit is the one write path. Every change, whatever its protocol,
// becomes an edit of a private copy, is validated, planned, handed to the
// disk and the backend, and published, in this order:
//
//	Edit, Commit ─► validate ─► plan ─► prepare ─► persist ──► apply ─► publish ─► tell
//	                schema      plan    backend    datastore   backend  datastore  feed
//	                                                    └─ abort ◄┘ where the backend fails
//	source change ────────────► plan ─────────────► apply ────────────────────────► tell
//	boot, backend up ─ compare ─► plan ───────────► apply ────────────────────────► tell
//
// Invariants:
//   - one mutex serialises everything that talks to the backend; readers never
//     take it;
//   - a change answered without error is durable; one answered with an error
//     has left the configuration as it was;
//   - what is published as applied is what the backend accepted;
//   - at most max-concurrent sessions are down because they were reset; the other
//     peers wait, and are planned anew when their turn comes (pace.go);
//   - the session state comes from the backend's events only.
package commit

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mooring/backend"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/effective"
	"mooring/engine/nacm"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// Sources answers which source address a peer's connect-interface means now.
// *srcaddr.Resolver is the real one.
type Sources interface {
	Resolve(srcaddr.Query) srcaddr.Answer
	// Route is the address that a peer without any has by the kernel's route lookup.
	Route(srcaddr.Query) netip.Addr
	// Changes tells the namespaces in which an answer may have changed.
	Changes() <-chan srcaddr.Change
}

// Config is what a Coordinator needs. Every field but Access
// and Now is required.
type Config struct {
	Store   *datastore.Store
	Backend backend.Backend
	Sources Sources
	// RouterID is the BGP identifier of instances that configure none.
	RouterID netip.Addr
	// Startup makes Boot begin with the startup datastore and not with running
	// (RFC 6241 8.7), and has that served.
	Startup bool
	// Version is the agent's, for its state.
	Version string
	// Access says what each user may change. Nil: everything.
	Access *nacm.Control
	// MaxConfirm is how long a confirmed commit may wait at most; 0:
	// DefaultMaxConfirm.
	MaxConfirm time.Duration
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Actor is who asks for a change.
type Actor struct {
	User     string
	Groups   []string // that the user is in, outside of the configuration
	Protocol string   // gnmi, netconf, boot
	Source   string   // host that the request came from
	Session  uint32   // NETCONF session, 0 for none
}

// rights is what the actor may do now.
func (c *Coordinator) rights(a Actor) *nacm.Rights {
	return c.cfg.Access.Of(nacm.Identity{User: a.User, Groups: a.Groups})
}

// Access returns what says what each user may do; nil: everything.
func (c *Coordinator) Access() *nacm.Control { return c.cfg.Access }

func (a Actor) holder() datastore.Holder {
	return datastore.Holder{Session: a.Session, Protocol: a.Protocol}
}

// Options of a change.
type Options struct {
	Comment string
	DryRun  bool // stop after planning: nothing happens
	// Confirm makes it a confirmed commit, or extends the one that waits.
	Confirm *Confirm
	// Guard makes the commit roll itself back where its peers do not come back.
	Guard *Guard
	// ConfirmID is the identifier of the pending commit that the change
	// belongs to (RFC 6241: persist-id).
	ConfirmID string
	// KeepPending keeps a commit of a candidate from confirming.
	KeepPending bool

	// undoes is set where the agent rolls back of its own accord, which no lock
	// stops.
	undoes   bool
	restores *uint64 // of a rollback: the revision that it leads back to
	// leaves is what waits afterwards; nil: what waited before.
	leaves *holds
	// rights are those that a rollback needs. What is taken back by itself, or
	// by who may cancel it, needs none.
	rights *nacm.Rights
}

// Result is what a change did.
type Result struct {
	CommitID string // "" where nothing changed
	Revision uint64 // of the running configuration afterwards
	Time     time.Time
	Changed  bool // something changed or was reset, and the history has it
	Plan     plan.Plan
	Guarded  *Guarded // what its guard waits for, nil for nothing
	Pacing   Pacing
}

// Coordinator carries changes out. Create it with New, call Boot once, then
// Run; Edit and Commit may be called from any goroutine after Boot.
type Coordinator struct {
	cfg    Config
	log    *slog.Logger
	start  time.Time
	costs  plan.Costs
	oper   operstate.Store
	feed   operstate.Feed[schema.Key, Entry]
	clock  clock // of the feed and of what is read beside it
	resets expectations
	// announcement is the one of the pending commit, under mu.
	announcement *Announcement
	drift        drift
	online       atomic.Bool // the backend answers
	pending      atomic.Pointer[Pending]
	guarded      atomic.Pointer[Guarded]
	calls        atomic.Pointer[map[string]Call] // of clients, by name; written under tell
	alarm        chan struct{}                   // what waits is to be looked at; room for one

	watchers pendingWatchers
	audience audience
	pacer    *pacer // changed under mu, but for what the backend's events tell it

	past stateLog // written to under tell

	// tell keeps one order between changing oper and publishing in feed, and
	// guards noted. It is held for a moment only, never while calling out.
	tell    sync.Mutex
	noted   map[schema.Key]Entry // counted records as they were last told
	counted chan struct{}        // something was noted; room for one

	// mu serialises everything that talks to the backend and guards what
	// follows.
	mu        sync.Mutex
	instances map[bgp.InstanceKey]*bgp.InstanceSpec // as the backend accepted them
	queries   sourceIndex
	repair    bool  // something could not be applied: reconcile again
	expiry    retry // of the rollback of a pending commit that timed out
	guarding  retry // of the end of a guard
	settling  retry // of what the disk refused
}

// New returns a Coordinator. It starts nothing.
func New(cfg Config) *Coordinator {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Coordinator{
		cfg: cfg, log: cfg.Log, start: cfg.Now(),
		instances: map[bgp.InstanceKey]*bgp.InstanceSpec{},
		alarm:     make(chan struct{}, 1),
		noted:     map[schema.Key]Entry{},
		counted:   make(chan struct{}, 1),
		pacer:     newPacer(),
		queries:   sourceIndex{byPeer: map[bgp.PeerKey]srcaddr.Query{}, byNamespace: map[string]map[bgp.PeerKey]struct{}{}},
	}
	c.past.limit = stateLogSize
	c.resets.byPeer = map[bgp.PeerKey][]bgp.Reset{}
	c.drift.now = map[bgp.PeerKey]string{}
	c.costs = plan.Costs{
		Impact: effective.Impact, Native: cfg.Backend.Native, NativeInstance: cfg.Backend.NativeInstance,
	}
	return c
}

// Store returns the datastore, for reading, candidates and locks.
func (c *Coordinator) Store() *datastore.Store { return c.cfg.Store }

// Edit lets fn change a private copy of the running configuration and commits
// it. An error of fn is returned as it is, and nothing has changed. The other
// errors are schema.Errors, an AccessDenied *schema.Error, *datastore.LockedError,
// *PrepareError, *DiskError, *ApplyError and the context's where it ended before the change
// began.
func (c *Coordinator) Edit(ctx context.Context, actor Actor, opt Options, fn func(schema.Tx) error) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // it waited behind another commit for too long
	}
	if err := c.mayWrite(actor, opt); err != nil {
		return nil, err
	}
	txn := c.cfg.Store.Begin()
	defer txn.Discard()
	rights := c.rights(actor)
	if err := edit(rights, txn, fn); err != nil {
		return nil, err
	}
	res, err := c.commit(ctx, actor, opt, txn)
	return res, conceal(rights, err)
}

// edit lets fn change a transaction. What it names is checked as it goes, what
// it changes without naming it afterwards. Then what the change made meaningless
// is removed, such as a password without its method (RFC 7950 8.3.2), for which
// no user needs a right (RFC 8341 3.2.5).
func edit(rights *nacm.Rights, txn *datastore.Txn, fn func(schema.Tx) error) error {
	if rights != nil {
		txn.SetJudge(rights)
	}
	if err := fn(txn); err != nil {
		return conceal(rights, err)
	}
	if err := rights.Write(txn.Dirty()); err != nil {
		return err
	}
	schema.PruneWhen(txn, txn.Dirty())
	return nil
}

// conceal returns an error without what it tells of data that a user may not
// read.
func conceal(rights *nacm.Rights, err error) error {
	if rights.Read() == nil {
		return err
	}
	switch e := err.(type) { //nolint:errorlint // they are returned as they are
	case *PrepareError:
		if !rights.Shows(e.Path) {
			return &PrepareError{Path: rights.Shown(e.Path), Err: errHidden}
		}
	case *ApplyError:
		if !rights.Shows(e.Path) {
			return &ApplyError{Path: rights.Shown(e.Path), Err: errHidden, Rollback: e.Rollback}
		}
	case *datastore.ConflictError:
		return &datastore.ConflictError{Keys: slices.DeleteFunc(slices.Clone(e.Keys), func(k schema.Key) bool { return !rights.Shows(k.Path()) })}
	}
	return rights.Conceal(err)
}

// errHidden stands for an error about what a user may not read.
var errHidden = errors.New("the backend cannot carry the change out, for a reason in configuration that you may not read")

// EditCandidate lets fn change a candidate. What the edit set under a when that
// is false is refused at once (RFC 7950 8.3.1), and nothing else is validated
// until Validate or Commit (8.3.3).
func (c *Coordinator) EditCandidate(_ context.Context, actor Actor, cand *datastore.Candidate, fn func(schema.Tx) error) error {
	return cand.Edit(func(txn *datastore.Txn) error {
		if cand == c.cfg.Store.Shared() { // a private candidate knows no locks
			if err := c.cfg.Store.CheckWrite(datastore.DatastoreCandidate, actor.holder()); err != nil {
				return err
			}
		}
		rights := c.rights(actor)
		if err := edit(rights, txn, fn); err != nil {
			return err
		}
		if errs := schema.CheckWhen(txn, txn.Dirty()); len(errs) > 0 {
			return conceal(rights, errs)
		}
		return nil
	})
}

// Discard makes a candidate running again. Who may not undo what others did in
// the shared one gets an AccessDenied *schema.Error.
func (c *Coordinator) Discard(actor Actor, cand *datastore.Candidate) error {
	return cand.DiscardAs(actor.holder(), c.rights(actor).Write)
}

// Commit makes a candidate the running configuration. On an error the
// candidate is kept. A commit without Confirm confirms the pending commit that
// it belongs to; the error wraps ErrConfirmID where it names another one. One
// without changes that names a guarded commit ends its guard.
func (c *Coordinator) Commit(ctx context.Context, actor Actor, cand *datastore.Candidate, opt Options) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // it waited behind another commit for too long
	}
	if res, done, err := c.confirmsGuard(actor, cand, opt); done || err != nil {
		return res, err
	}
	if err := c.checkID(opt.ConfirmID); err != nil {
		return nil, err
	}
	if err := c.mayWrite(actor, opt); err != nil {
		return nil, err
	}
	if cand == c.cfg.Store.Shared() {
		if err := c.cfg.Store.CheckWrite(datastore.DatastoreCandidate, actor.holder()); err != nil {
			return nil, err
		}
	}
	rights := c.rights(actor)
	txn, err := cand.Begin()
	if err != nil {
		return nil, conceal(rights, err)
	}
	defer txn.Discard()
	if err := rights.Write(txn.Dirty()); err != nil {
		return nil, err // RFC 8341 3.2.8: exactly what differs from running
	}
	confirms := opt.Confirm == nil && !opt.KeepPending && c.Pending() != nil
	if confirms {
		opt.leaves = &holds{guarded: c.Guarded()}
	}
	res, err := c.commit(ctx, actor, opt, txn)
	if err != nil || opt.DryRun {
		return res, conceal(rights, err)
	}
	cand.Committed(txn)
	switch {
	case confirms && res.Changed: // the same write has ended the pending commit
		c.tellPending(PendingConfirmed, actor)
	case confirms:
		err = c.confirm(actor)
	}
	return res, err
}

// mayWrite checks locks, the guarded and the pending commit.
func (c *Coordinator) mayWrite(actor Actor, opt Options) error {
	if err := c.cfg.Store.CheckWrite(datastore.DatastoreRunning, actor.holder()); err != nil {
		return err
	}
	if g := c.Guarded(); g != nil {
		return &GuardError{*g}
	}
	if err := c.checkPending(actor, opt); err != nil {
		return err
	}
	return c.checkConfirm(actor, opt.Confirm)
}

// Validate checks a candidate as Commit would, without planning it. What an
// actor may not read is not told of.
func (c *Coordinator) Validate(_ context.Context, actor Actor, cand *datastore.Candidate) error {
	rights := c.rights(actor)
	txn, err := cand.Begin()
	if err != nil {
		return conceal(rights, err)
	}
	defer txn.Discard()
	if errs := schema.Validate(txn, txn.Dirty()); len(errs) > 0 {
		return conceal(rights, errs)
	}
	return nil
}
