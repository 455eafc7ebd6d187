package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/internal/nearest"
	"mooring/internal/xmltok"
	"mooring/server"
	"mooring/server/netconf/files"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/push"
)

// Engine is what the operations need of the commit engine.
// *commit.Coordinator is the real one. Its methods are called from many
// sessions at once. Their errors are the ones that wireErrors knows.
type Engine interface {
	// Edit changes running in one commit. It may wait for other commits.
	Edit(context.Context, commit.Actor, commit.Options, func(schema.Tx) error) (*commit.Result, error)
	// EditCandidate changes a candidate, all or nothing, without validation.
	EditCandidate(context.Context, commit.Actor, *datastore.Candidate, func(schema.Tx) error) error
	// Commit makes a candidate running. It may wait for other commits.
	Commit(context.Context, commit.Actor, *datastore.Candidate, commit.Options) (*commit.Result, error)
	// Cancel rolls a confirmed commit back. It may wait for other commits.
	Cancel(ctx context.Context, actor commit.Actor, id string) error
	// SessionEnded rolls back what a session has committed and not confirmed.
	SessionEnded(context.Context, commit.Actor)
	// WatchPending tells what happens to confirmed commits until stop is called.
	WatchPending(func(commit.PendingEvent)) (stop func())
	// Discard makes a candidate running again.
	Discard(commit.Actor, *datastore.Candidate) error
	// Lock locks a datastore. It may wait for other commits.
	Lock(context.Context, commit.Actor, datastore.Datastore) error
	// Validate checks a candidate as Commit would.
	Validate(context.Context, commit.Actor, *datastore.Candidate) error
	// Explain tells what a plan of a dry run does to each peer.
	Explain(commit.Actor, commit.Plan) []commit.PeerImpact
	// Reset resets the session of a peer.
	Reset(ctx context.Context, actor commit.Actor, peer bgp.PeerKey, mode commit.ResetMode, text string) error
	// Rollback makes running what it was after a commit of the history.
	Rollback(ctx context.Context, actor commit.Actor, opt commit.Options, commitID string) (*commit.Result, error)
	// LockPartly locks what pick selects of running. It may wait for a commit.
	LockPartly(_ context.Context, _ commit.Actor, _ []datastore.Select, pick func(schema.View) ([]schema.Path, error)) (*datastore.PartialLock, error)
	// View is running and the state of this instant. It never waits.
	View() schema.View
	// ConfigView is what a Reader reads, without state.
	ConfigView(schema.Reader) schema.View
	// Subscribe returns the changes from now on.
	Subscribe() *commit.Subscription
	// SubscribeEach is Subscribe with what a record was in between.
	SubscribeEach() *commit.Subscription
	// Listen makes the state of the agent show a subscription.
	Listen(commit.Listener) *commit.Listening
	// Access says what each user may do; nil: everything.
	Access() *nacm.Control
	// Store has the locks, the snapshots and the candidates.
	Store() *datastore.Store
}

// Sessions is what operations need of the other sessions.
type Sessions interface {
	// Kill ends a session and waits until its locks are free and nothing of it
	// runs any more, or until ctx ends. It says whether there was one.
	Kill(ctx context.Context, id, by uint32) bool
	// All are the sessions of this instant, by number.
	All() []*Session
	// Statistics are those of all sessions, also of those that are gone.
	Statistics() Statistics
}

// Output takes one reply: Begin, any number of Write, End. An error is final.
type Output interface {
	Begin()
	io.Writer
	End() error
}

// Session is one NETCONF session as the operations see it.
type Session struct {
	ID       uint32
	Identity *server.Identity
	// Transport is a word of RFC 6022 4.1: netconf-ssh or netconf-tls.
	Transport string
	Base11    bool // base:1.1 was agreed on: a malformed message can be answered
	Login     time.Time
	Counters  Counters
	// Private is the session's own candidate, nil where it uses the shared one.
	// It is set before the first operation.
	Private *datastore.Candidate
	// Background starts work of the session that ends with it at the latest. Its
	// out may be used between replies. An error that it returns ends the session.
	Background func(func(ctx context.Context, out Output) error)

	privateLock bool // of Private; only the operations of the session use it

	subscribed atomic.Bool  // by create-subscription
	dynamic    atomic.Int32 // subscriptions of RFC 8639
}

// protocol is the name of this front end in locks, history and identities.
const protocol = "netconf"

func (s *Session) actor() commit.Actor {
	a := commit.Actor{User: s.Identity.User, Groups: s.Identity.Groups, Protocol: protocol, Session: s.ID}
	if src := s.Identity.Source; src.IsValid() {
		a.Source = src.Addr().String()
	}
	return a
}

func (s *Session) holder() datastore.Holder {
	return datastore.Holder{Session: s.ID, Protocol: protocol}
}

// Outcome is what the caller must do after a message.
type Outcome int

const (
	// Continue with the next message.
	Continue Outcome = iota
	// Close the session in order: the client asked for it and has its answer.
	Close
	// Abort the session: there is no answer that the peer could read.
	Abort
)

// Server runs operations for any number of sessions at once.
type Server struct {
	engine   Engine
	access   *nacm.Control // of the engine
	sessions Sessions
	log      *slog.Logger
	counters Counters // of all sessions
	stream   *notify.Stream
	// subscriptions are those of RFC 8639.
	subscriptions subscriptions
	patches       push.Cache
	trees         []tree    // all of them, for the one that names them
	decoders      sync.Pool // of *xmltok.Decoder, so that idle sessions have none

	maxDepth  int
	startup   bool       // the startup datastore is served
	files     *files.Dir // nil: URLs are not served
	contentID string     // of the library
}

// Options are the settings of a Server.
type Options struct {
	MaxDepth int // how deep the elements of a message may be nested, 0 is xmltok's own limit
	// Startup serves the startup datastore, which the engine must have opened
	// before the first session.
	Startup bool
	Files   *files.Dir // what URLs name; nil: URLs are not served
}

// New returns a Server.
func New(e Engine, sessions Sessions, log *slog.Logger, o Options) *Server {
	s := &Server{
		engine: e, access: e.Access(), sessions: sessions, log: log, stream: notify.NewStream(notify.Limits{}), trees: trees,
		decoders: sync.Pool{New: func() any { return xmltok.NewDecoder(nil, xmltok.Options{MaxDepth: o.MaxDepth}) }},
		maxDepth: o.MaxDepth, startup: o.Startup, files: o.Files,
	}
	s.contentID = s.hashModules()
	return s
}

// Release gives up what a session holds: to be called at its end, whatever
// ended it (RFC 6241 7.5 and 8.4.1). No operation of the session may run, but
// for the one that ends it. It may be called twice.
func (s *Server) Release(sess *Session) {
	s.engine.SessionEnded(context.Background(), sess.actor()) // first: nobody may come between
	s.engine.Store().ReleaseAll(sess.holder())
}

// Handle runs the operation in msg and writes the reply. The error is that of
// out, or of a reply that broke off: the connection is of no use any more.
// ctx ends with the session; an edit that has not begun to be carried out is
// then given up.
func (s *Server) Handle(ctx context.Context, sess *Session, msg []byte, out Output) (Outcome, error) {
	dec := s.decoders.Get().(*xmltok.Decoder)
	defer func() {
		dec.Reset(nil) // let go of the message
		s.decoders.Put(dec)
	}()
	req, err := parse(dec, msg)
	if err != nil && !sess.Base11 && malformed(err) {
		s.count(sess, true, false)
		return Abort, nil // RFC 6241 App. A: a base:1.0 peer does not know malformed-message
	}
	c := &call{ctx: ctx, srv: s, sess: sess, req: req}
	var content body
	bad := false
	if err == nil {
		content, err = c.run()
		err = c.explain(err)
	}
	if err != nil {
		errs := wireErrors(err)
		bad = errs[0].Type == typeRPC
		content, c.closing = errorsBody(errs), false
		s.log.Debug("netconf request refused", "session", sess.ID, "operation", req.op.local, "err", err)
	}
	s.count(sess, bad, err != nil)
	if err := req.reply(out, content); err != nil {
		if c.undo != nil {
			c.undo()
		}
		return Abort, err
	}
	if c.after != nil {
		c.after()
	}
	if c.closing {
		return Close, nil
	}
	return Continue, nil
}

// RefuseTooBig answers a message above the limit, of which only the beginning
// is there. The caller closes the session afterwards.
func (s *Server) RefuseTooBig(sess *Session, beginning []byte, out Output) error {
	s.count(sess, true, true)
	req, _ := parse(xmltok.NewDecoder(nil, xmltok.Options{}), beginning) // cut off, so it always fails
	e := &Error{Type: typeRPC, Tag: schema.TooBig, Message: "the message is longer than this server takes"}
	return req.reply(out, errorsBody([]*Error{e}))
}

// call is one operation being run.
type call struct {
	ctx     context.Context
	srv     *Server
	sess    *Session
	req     *request
	rights  *nacm.Rights // of the user, when the operation began
	closing bool
	after   func() // to be done when the answer is out; nil: nothing
	undo    func() // to be done where it cannot be sent; nil: nothing
}

// body writes what stands inside rpc-reply. A nil body is <ok/>.
type body func(w io.Writer, prefix string) error

// operation is one entry of the table in operations.go. Its parameters are in
// its own namespace.
type operation struct {
	params []spec
	run    func(*call) (body, error)
}

// spec is a parameter that an operation takes.
type spec struct {
	name      string
	namespace string // empty: that of the operation
	mandatory bool
	many      bool // a leaf-list
}

// run checks the envelope and runs the operation.
func (c *call) run() (body, error) {
	r := c.req
	switch {
	case !r.messageID():
		e := &Error{Type: typeRPC, Tag: schema.MissingAttribute, Message: "rpc needs a message-id"}
		return nil, e.attribute("message-id", "rpc")
	case r.empty:
		return nil, protocolError(schema.MissingElement, "rpc holds no operation").element("rpc").at(requestPath())
	case r.extra != nil:
		return nil, protocolError(schema.UnknownElement, "rpc holds more than one operation").element(r.extra.local).at(requestPath())
	case r.stray != "":
		return nil, protocolError(schema.BadElement, "text where only elements may be").element(r.stray)
	case !knownNamespace(r.op.namespace):
		return nil, protocolError(schema.UnknownNamespace, "unknown namespace").element(r.op.local).namespace(r.op.namespace).at(requestPath())
	}
	op := operations[r.op]
	if op == nil {
		return nil, protocolError(schema.OperationNotSupported, "operation "+r.op.local+" is not supported"+suggestOperation(r.op))
	}
	if err := c.mayCall(); err != nil {
		return nil, err
	}
	if err := c.checkParams(op.params); err != nil {
		return nil, err
	}
	return op.run(c)
}

// suggestOperation hints at an operation of the same namespace.
func suggestOperation(op name) string {
	return nearest.Hint(op.local, func(yield func(string) bool) {
		for _, o := range slices.SortedFunc(maps.Keys(operations), func(a, b name) int { return strings.Compare(a.local, b.local) }) {
			if o.namespace == op.namespace && !yield(o.local) {
				return
			}
		}
	})
}

func suggestParam(name string, specs []spec) string {
	return nearest.Hint(name, func(yield func(string) bool) {
		for _, s := range specs {
			if !yield(s.name) {
				return
			}
		}
	})
}

// checkParams refuses unknown, repeated and missing parameters.
func (c *call) checkParams(specs []spec) error {
	for i := range c.req.params {
		p := &c.req.params[i]
		known := slices.IndexFunc(specs, func(s spec) bool {
			return s.name == p.local && p.namespace == cmp.Or(s.namespace, c.req.op.namespace)
		})
		switch {
		case !knownNamespace(p.namespace):
			return protocolError(schema.UnknownNamespace, "unknown namespace").element(p.local).namespace(p.namespace).at(c.here())
		case known < 0:
			return protocolError(schema.UnknownElement, c.req.op.local+" has no parameter "+p.local+suggestParam(p.local, specs)).element(p.local).at(c.here())
		case !specs[known].many && c.req.findIn(p.namespace, p.local) != p:
			return protocolError(schema.BadElement, "parameter "+p.local+" is given twice").element(p.local).at(c.here())
		}
	}
	for _, s := range specs {
		if s.mandatory && c.req.find(s.name) == nil {
			return protocolError(schema.MissingElement, "parameter "+s.name+" is missing").element(s.name).at(c.here())
		}
	}
	return nil
}

// malformed says whether an error means that a message could not be read at all.
func malformed(err error) bool {
	if errors.Is(err, errNotRPC) {
		return true
	}
	_, syntax := errors.AsType[*xmltok.SyntaxError](err)
	return syntax && !errors.Is(err, xmltok.ErrTooDeep)
}
