package gnmi

import (
	"slices"
	"strings"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// delta is what changed in one record: only the leaves whose value differs
// (gnmi.md 69). A leaf that falls back to its default has the default as its
// new value (gnmi.md 78). Subscribers share it: what differs is computed once,
// when first asked for.
type delta struct {
	change   *commit.Change
	encoding gpb.Encoding
	record   schema.Path
	time     int64 // of the event (gnmi.md 60)
	gone     bool  // the record was deleted

	viewed sync.Once
	view   []*delta // in the OpenConfig view

	mu    sync.Mutex       // guards heard
	heard map[string]*said // by the class of the group that is told

	once   sync.Once
	differ []leafDelta
	atomic []leafDelta // all leaves of the atomic container as they are now, if one of them differs
}

// leafDelta is a leaf that differs.
type leafDelta struct {
	node   *schema.Node
	rel    schema.Path
	value  []byte         // a TypedValue in wire form; nil: it is gone
	values []schema.Value // of a leaf-list
}

func newDelta(c *commit.Change, enc gpb.Encoding) *delta {
	at := c.New.Time
	if at.IsZero() {
		at = time.Now()
	}
	return &delta{change: c, encoding: enc, record: c.Key.Path(), time: at.UnixNano(), gone: c.New.Config == nil}
}

// leaves returns what differs, new values first, each in the order of the
// model; and the atomic container.
func (d *delta) leaves() (differ, atomic []leafDelta) {
	d.once.Do(d.compute)
	return d.differ, d.atomic
}

func (d *delta) compute() {
	type leaf struct {
		node   *schema.Node
		rel    schema.Path
		value  schema.Value
		values []schema.Value
		found  bool
	}
	before, after := commit.States(d.change)
	old := make([]leaf, 0, 96)
	index := make(map[leafID]int, 96)
	steps := make(schema.Path, 0, 4*96) // room for all paths at once
	walk(d.record, recordView{d.change.Key, d.change.Old.Config, before}, func(l *schema.LeafValue) {
		from := len(steps)
		steps = append(steps, l.Rel...)
		index[idOf(l)] = len(old)
		old = append(old, leaf{node: l.Node, rel: steps[from:len(steps):len(steps)], value: l.Value, values: l.Values})
	})
	moved := false
	// What is as before is sent again where a delete of the record may have been
	// sent meanwhile: for another path or mode of the same Subscribe.
	reborn := d.change.New.Reborn
	walk(d.record, recordView{d.change.Key, d.change.New.Config, after}, func(l *schema.LeafValue) {
		same := false
		if i, ok := index[idOf(l)]; ok {
			old[i].found = true
			same = !reborn && old[i].value == l.Value && slices.Equal(old[i].values, l.Values)
		}
		atomic := isAtomic(l.Node)
		if same && !atomic {
			return
		}
		ld := leafDelta{node: l.Node, rel: slices.Clone(l.Rel), value: appendValue(nil, d.encoding, l), values: l.Values}
		if atomic {
			d.atomic = append(d.atomic, ld)
		}
		if !same {
			d.differ = append(d.differ, ld)
			moved = moved || atomic
		}
	})
	for _, l := range old {
		if !l.found {
			d.differ = append(d.differ, leafDelta{node: l.node, rel: slices.Clone(l.rel)})
			moved = moved || isAtomic(l.node)
		}
	}
	if !moved {
		d.atomic = nil
	}
}

// said is what a group is told of a change.
type said struct {
	messages [][]byte // SubscribeResponses in wire form
	gone     bool     // the record as such was deleted
}

// maxClasses is for how many different groups a delta keeps what they are told.
const maxClasses = 4

// said returns what a group is told. Subscribers that ask for the same in the
// same form are told the same octets.
func (d *delta) said(o *sender, g *group) *said {
	if o.may.Of(d.change.Key) != nil { // not what others are told
		t := o.change(g, d)
		return &said{t.messages(), t.gone}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.heard[g.class]; ok {
		return s
	}
	t := o.change(g, d)
	s := &said{t.messages(), t.gone}
	if len(d.heard) < maxClasses {
		if d.heard == nil {
			d.heard = make(map[string]*said, 1)
		}
		d.heard[g.class] = s
	}
	return s
}

// change is what a group is told of a change.
func (o *sender) change(g *group, d *delta) *told {
	t := &told{sender: o, group: g, record: d.record, time: d.time}
	var reaches []reach
	all := false // the record as such is meant
	for _, p := range g.patterns {
		if r, ok := o.within(p, d.record); ok {
			reaches = append(reaches, r)
			all = all || len(r.rest) == 0
		}
	}
	if len(reaches) == 0 || !o.modules.has(d.record.Node()) {
		return t
	}
	pol := g.policy
	if all && d.gone {
		if pol.part != counterLeaves { // else its other half says it
			t.gone = true
			t.begin(&t.plain, o.heading(g, nil, d.time))
			t.plain.delete(appendElems(nil, d.record))
		}
		return t
	}
	wanted := func(l *leafDelta) bool {
		return o.takes(l.node) && pol.part.takes(l.node) && o.reads(g, d, l) && slices.ContainsFunc(reaches, func(r reach) bool { return r.takes(l.rel) })
	}
	updates := pol.sample == 0 || pol.suppress // else a full sample follows
	var duplicates uint32
	if pol.sample == 0 { // to merge is what a sample is for
		duplicates = d.change.Duplicates
	}
	differ, atomic := d.leaves()
	moved := false
	for i := range differ {
		switch l := &differ[i]; {
		case !wanted(l):
		case isAtomic(l.node):
			moved = true
		case l.value == nil:
			t.at(l.node).delete(relPath(l.node, l.rel))
		case updates:
			t.update(l.node, l.rel, l.value, duplicates)
		}
	}
	if moved {
		t.whole(atomic, wanted, updates, duplicates)
	}
	return t
}

// whole tells the atomic container: all that is wanted of it, or that nothing
// is left (gnmi.md 80, 81).
func (t *told) whole(atomic []leafDelta, wanted func(*leafDelta) bool, updates bool, duplicates uint32) {
	left := false
	for i := range atomic {
		l := &atomic[i]
		if !wanted(l) {
			continue
		}
		left = true
		if updates {
			t.update(l.node, l.rel, l.value, duplicates)
		}
	}
	if !left {
		t.container()
		t.atomic.delete(nil)
	}
}

// maxShared is the largest batch of changes whose deltas are kept for other
// subscribers, and recentBatches is how many batches are.
const (
	maxShared     = 64
	recentBatches = 8
)

// deltaCache lets the subscribers that are told of a batch at about the same
// time share its deltas. The zero cache is ready.
type deltaCache struct {
	mu     sync.Mutex // guards what follows
	recent [recentBatches]*batch
	next   int
}

// batch is the deltas of changes that came together.
type batch struct {
	first    *commit.Change // tells batches apart: the feed gives all readers the same slice
	encoding gpb.Encoding
	changes  []commit.Change
	deltas   []*delta // nil for a large batch: each is made when it is its turn, and let go
}

func (c *deltaCache) of(changes []commit.Change, enc gpb.Encoding) *batch {
	b := &batch{first: &changes[0], encoding: enc, changes: changes}
	if len(changes) > maxShared {
		return b
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.recent {
		if r != nil && r.first == b.first && r.encoding == enc && len(r.changes) == len(changes) {
			return r
		}
	}
	b.deltas = make([]*delta, len(changes))
	for i := range changes {
		b.deltas[i] = newDelta(&changes[i], enc)
	}
	c.recent[c.next] = b
	c.next = (c.next + 1) % len(c.recent)
	return b
}

// forget lets go of what the cache holds.
func (c *deltaCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.recent[:])
}

func (b *batch) at(i int) *delta {
	if b.deltas == nil {
		return newDelta(&b.changes[i], b.encoding)
	}
	return b.deltas[i]
}

// leafID tells the leaves of a record apart.
type leafID struct {
	node *schema.Node
	keys string
}

func idOf(l *schema.LeafValue) leafID {
	id := leafID{node: l.Node}
	for _, s := range l.Rel {
		if len(s.Keys) > 0 {
			id.keys += strings.Join(s.Keys, "\x00") + "\x00"
		}
	}
	return id
}

// walk visits all leaves of a record at a path.
func walk(record schema.Path, v recordView, fn func(*schema.LeafValue)) {
	if v.config == nil {
		return
	}
	schema.Leaves(v, record, schema.LeafOptions{Defaults: true}, func(l *schema.LeafValue) bool {
		fn(l)
		return true
	})
}

// recordView is one record to walk through. The records above it exist but
// are empty, those below do not.
type recordView struct {
	key           schema.Key
	config, state ygot.GoStruct
}

// Get implements schema.View.
func (v recordView) Get(k schema.Key) ygot.GoStruct {
	if k == v.key {
		return v.config
	}
	return emptyRecords[k.Kind()]
}

// State implements schema.View.
func (v recordView) State(k schema.Key) ygot.GoStruct {
	if k == v.key {
		return v.state
	}
	return nil
}

// Scan implements schema.View.
func (v recordView) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	if strings.HasPrefix(string(v.key), string(prefix)) {
		fn(v.key, v.config)
	}
}

// emptyRecords has a record without values of each kind, only ever walked
// through.
var emptyRecords = func() map[*schema.RecordKind]ygot.GoStruct {
	m := map[*schema.RecordKind]ygot.GoStruct{}
	for _, k := range schema.Kinds() {
		m[k] = schema.New(schema.MakeKey("", k))
	}
	return m
}()
