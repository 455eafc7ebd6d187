package gnmi

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
)

const (
	// The lowest sample and heartbeat interval, and what sample_interval 0
	// means (gnmi.md 71).
	minInterval = time.Second
	// How often TARGET_DEFINED tells counters that have moved, where the
	// client gives no interval.
	counterInterval = 10 * time.Second

	// Bounds of one SubscriptionList (gnmi.md 108, 110): what a record's change
	// costs grows with the paths, what waits with the intervals.
	maxSubscriptionPaths = 4096
	maxPolicies          = 64
)

// watch is what a Subscribe asks for, checked and made absolute.
type watch struct {
	mode        gpb.SubscriptionList_Mode
	encoding    gpb.Encoding
	updatesOnly bool
	scope       *scope
	options
	snapshot, replay *period // nil: the present
	all              []group // everything, by origin
	groups           []group // of STREAM: everything, by origin and policy
	paths            int
	named            []named // what the client wrote
}

// options are what a request says of all its paths but where they are.
type options struct {
	depth      int  // levels below each path, 0 for all (gnmi.md 95)
	configOnly bool // a config subscription (gnmi.md 90)
	modules    moduleSet
}

// takes says whether leaves of a node are wanted.
func (o options) takes(n *schema.Node) bool {
	return (n.Config || !o.configOnly) && o.modules.has(n)
}

func (o options) content() schema.Content {
	if o.configOnly {
		return schema.ConfigOnly
	}
	return schema.All
}

// group is the patterns that are answered in the same form and at the same
// times.
type group struct {
	origin   string
	tree     *tree
	policy   policy
	patterns []schema.Path
	class    string // groups of one class are told the same
}

// policy says when the leaves of a group are told in mode STREAM.
type policy struct {
	sample    time.Duration // 0: when they change
	suppress  bool          // samples leave out what has not changed (gnmi.md 72)
	heartbeat time.Duration // everything, also what has not changed; 0: never (gnmi.md 70, 72)
	part      part
}

// part is which of the leaves below a pattern are meant: TARGET_DEFINED tells
// some when they change and samples the others (gnmi.md 74).
type part uint8

const (
	allLeaves part = iota
	steadyLeaves
	counterLeaves
)

func (p part) takes(n *schema.Node) bool {
	return p == allLeaves || isCounter(n) == (p == counterLeaves)
}

// isCounter tells the leaves that move with the traffic: 64-bit numbers in the
// state of a peer.
func isCounter(n *schema.Node) bool {
	if shown := ocview.Native(n); shown != nil {
		n = shown
	}
	return !n.Config && n.Kind == schema.Leaf && n.Type.Kind == schema.ValueUint && n.Type.Bits == 64 &&
		n.Record != nil && n.Record.Letter == schema.KindPeer
}

// counting are the nodes with counters below them, or that are one.
var counting = func() map[*schema.Node]bool {
	m := map[*schema.Node]bool{}
	var visit func(n *schema.Node) bool
	visit = func(n *schema.Node) bool {
		found := n.IsLeaf() && isCounter(n)
		for _, c := range n.Children {
			found = visit(c) || found
		}
		m[n] = found
		return found
	}
	visit(schema.Root())
	visit(ocview.Root())
	return m
}()

// newWatch checks the first message of a Subscribe.
func newWatch(req *gpb.SubscribeRequest) (*watch, error) {
	list := req.GetSubscribe()
	bad := func(field, format string, args ...any) (*watch, error) {
		return nil, fault{code: codes.InvalidArgument, path: field, reason: fmt.Sprintf(format, args...)}.err()
	}
	if list == nil { // gnmi.md 53
		return bad("subscribe", "the first message of a Subscribe must be a SubscriptionList")
	}
	exts, err := readExtensions(rpcSubscribe, req.GetExtension())
	if err != nil {
		return nil, err
	}
	switch list.GetMode() {
	case gpb.SubscriptionList_STREAM, gpb.SubscriptionList_ONCE, gpb.SubscriptionList_POLL:
	default:
		return bad("mode", "%s is no mode: use STREAM, ONCE or POLL", list.GetMode())
	}
	if len(list.GetSubscription()) == 0 { // gnmi.md 54
		return bad("subscription", "the list names no path; the root is an empty path")
	}
	if m := list.GetQos().GetMarking(); m > 63 { // gnmi.md 62: else ignored
		return bad("qos", "DSCP %d is more than 63", m)
	}
	if err := checkEncoding(list.GetEncoding()); err != nil {
		return nil, err
	}
	modules, err := modulesOf(list.GetUseModels())
	if err != nil {
		return nil, err
	}
	sc, err := newScope(rpcSubscribe, list.GetPrefix())
	if err != nil {
		return nil, err
	}
	w := &watch{
		mode: list.GetMode(), encoding: list.GetEncoding(), updatesOnly: list.GetUpdatesOnly(), scope: sc,
		options: options{depth: exts.depth, configOnly: exts.configOnly, modules: modules},
	}
	if f := w.history(&exts); f != nil {
		return nil, f.err()
	}
	for i, sub := range list.GetSubscription() {
		if f := w.add(fmt.Sprintf("subscription[%d]", i), sub); f != nil {
			return nil, f.err()
		}
	}
	for _, groups := range [][]group{w.all, w.groups} {
		for i := range groups {
			g := &groups[i]
			g.patterns = w.distinct(g.patterns)
			g.class = w.class(g)
		}
	}
	return w, nil
}

// checkStrict refuses a sample_interval that should have come with the mode
// SAMPLE (gnmi.md 75).
func checkStrict(list *gpb.SubscriptionList) error {
	if list.GetMode() != gpb.SubscriptionList_STREAM {
		return nil
	}
	for i, sub := range list.GetSubscription() {
		if sub.GetMode() == gpb.SubscriptionMode_TARGET_DEFINED && sub.GetSampleInterval() > 0 {
			return fault{
				code: codes.InvalidArgument, op: fmt.Sprintf("subscription[%d]", i), path: "sample_interval",
				reason: "with the mode TARGET_DEFINED the agent chooses: leave it out, or use the mode SAMPLE",
			}.err()
		}
	}
	return nil
}

// class names everything that decides what a group is told of a change.
func (w *watch) class(g *group) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %t %q %q %t %+v", w.depth, w.configOnly, w.scope.prefix.GetTarget(), g.origin, g.tree == nativeTree, g.policy)
	for _, m := range slices.Sorted(maps.Keys(w.modules)) {
		fmt.Fprintf(h, " %q", m)
	}
	fmt.Fprintf(h, " %t", w.modules == nil)
	for _, p := range g.patterns {
		fmt.Fprintf(h, "\n%s", p)
	}
	return string(h.Sum(nil))
}

// permitted refuses paths that the caller names and may not read.
func (w *watch) permitted(r *nacm.Rights) error {
	for i, n := range w.named {
		if f := denied(r, fmt.Sprintf("subscription[%d]", i), n.target, n.patterns); f != nil {
			return f.err()
		}
	}
	return nil
}

// named is a path of the request.
type named struct {
	target
	patterns []schema.Path
}

// add adds one Subscription.
func (w *watch) add(op string, sub *gpb.Subscription) *fault {
	t, patterns, f := w.scope.expand(op, sub.GetPath())
	if f != nil {
		return f
	}
	if t.tree == openConfigTree {
		for i, p := range patterns {
			if len(p) == 0 { // a path without steps is the native root
				patterns[i] = ocview.Top()
			}
		}
	}
	w.named = append(w.named, named{t, patterns})
	wanted := w.modules.of(patterns)
	if len(wanted) == 0 {
		return &fault{code: codes.Unimplemented, op: op, path: patterns[0].String(), reason: "the path is in none of the models of use_models"}
	}
	if w.paths += len(wanted); w.paths > maxSubscriptionPaths {
		return &fault{code: codes.ResourceExhausted, op: op, reason: fmt.Sprintf("the list names more than %d paths: use wildcards, or several Subscribe RPCs", maxSubscriptionPaths)}
	}
	w.all = join(w.all, t, policy{}, wanted)
	if w.mode != gpb.SubscriptionList_STREAM {
		return nil // modes and intervals mean nothing (gnmi.md 68)
	}
	for _, p := range wanted {
		policies, f := policiesOf(sub, p.Node())
		if f != nil {
			f.op = op
			return f
		}
		for _, pol := range policies {
			w.groups = join(w.groups, t, pol, []schema.Path{p})
		}
	}
	if len(w.groups) > maxPolicies {
		return &fault{code: codes.ResourceExhausted, op: op, reason: fmt.Sprintf("the list has more than %d different modes and intervals", maxPolicies)}
	}
	return nil
}

// join adds patterns to the group that is told in the same way.
func join(groups []group, t target, pol policy, patterns []schema.Path) []group {
	for i := range groups {
		if groups[i].origin == t.origin && groups[i].tree == t.tree && groups[i].policy == pol {
			groups[i].patterns = append(groups[i].patterns, patterns...)
			return groups
		}
	}
	return append(groups, group{origin: t.origin, tree: t.tree, policy: pol, patterns: slices.Clone(patterns)})
}

// policiesOf is how the leaves at a node and below are told, in one or two
// parts.
func policiesOf(sub *gpb.Subscription, n *schema.Node) ([]policy, *fault) {
	sample, f := interval("sample_interval", sub.GetSampleInterval())
	if f != nil && sub.GetMode() != gpb.SubscriptionMode_ON_CHANGE { // there it means nothing
		return nil, f
	}
	heartbeat, f := interval("heartbeat_interval", sub.GetHeartbeatInterval())
	if f != nil {
		return nil, f
	}
	change := policy{heartbeat: heartbeat}
	switch sub.GetMode() {
	case gpb.SubscriptionMode_ON_CHANGE:
		return []policy{change}, nil
	case gpb.SubscriptionMode_SAMPLE:
		return []policy{sampled(max(sample, minInterval), sub.GetSuppressRedundant(), heartbeat)}, nil
	case gpb.SubscriptionMode_TARGET_DEFINED:
		// Counters keep to the client's interval where there is one: some
		// clients give it without the mode SAMPLE and expect it (gnmi.md 75).
		moving := sampled(sample, sub.GetSuppressRedundant(), heartbeat)
		if sample == 0 {
			moving = sampled(counterInterval, true, heartbeat)
		}
		switch {
		case !counting[n]:
			return []policy{change}, nil
		case n.IsLeaf():
			return []policy{moving}, nil
		}
		change.part, moving.part = steadyLeaves, counterLeaves
		return []policy{change, moving}, nil
	}
	return nil, &fault{code: codes.InvalidArgument, reason: fmt.Sprintf("%s is no subscription mode: use ON_CHANGE, SAMPLE or TARGET_DEFINED", sub.GetMode())}
}

// sampled needs a heartbeat only where samples may leave something out.
func sampled(every time.Duration, suppress bool, heartbeat time.Duration) policy {
	if !suppress {
		heartbeat = 0
	}
	return policy{sample: every, suppress: suppress, heartbeat: heartbeat}
}

// interval checks an interval of nanoseconds (gnmi.md 71).
func interval(field string, ns uint64) (time.Duration, *fault) {
	if ns > math.MaxInt64 || ns > 0 && time.Duration(ns) < minInterval {
		return 0, &fault{code: codes.InvalidArgument, path: field, reason: fmt.Sprintf("%d ns is not supported: the shortest interval is %v", ns, minInterval)}
	}
	return time.Duration(ns), nil
}

// distinct drops the patterns that say nothing new. Under a depth only the
// same pattern does not: one further down reaches further down.
func (w *watch) distinct(patterns []schema.Path) []schema.Path {
	if w.depth == 0 {
		return outermost(patterns)
	}
	var out []schema.Path
	for i, p := range patterns {
		same := func(o schema.Path) bool { return len(o) == len(p) && covers(o, p) }
		if !slices.ContainsFunc(out, same) && !slices.ContainsFunc(patterns[i+1:], same) {
			out = append(out, p)
		}
	}
	return out
}

// reach is what a pattern names within a record.
type reach struct {
	rest  schema.Path // from the record on; empty for all of it
	depth int         // levels below rest, 0 for all
}

// within returns what a pattern names within a record, false for nothing.
func (o options) within(pattern, record schema.Path) (reach, bool) {
	if len(pattern) > len(record) {
		return reach{pattern[len(record):], o.depth}, covers(pattern[:len(record)], record)
	}
	if o.depth == 0 {
		return reach{}, covers(pattern, record)
	}
	left := o.depth - (len(record) - len(pattern))
	return reach{depth: left}, left > 0 && covers(pattern, record)
}

// whole says whether everything in the record is meant.
func (r reach) whole() bool { return len(r.rest) == 0 && r.depth == 0 }

// takes says whether a leaf of the record is meant.
func (r reach) takes(rel schema.Path) bool {
	return covers(r.rest, rel) && (r.depth == 0 || len(rel)-len(r.rest) <= r.depth)
}

// of returns the paths that belong to the set; the root belongs to all.
func (m moduleSet) of(paths []schema.Path) []schema.Path {
	if m == nil {
		return paths
	}
	var out []schema.Path
	for _, p := range paths {
		if m.has(p.Node()) {
			out = append(out, p)
		}
	}
	return out
}
