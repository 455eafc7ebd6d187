package push

import (
	"cmp"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// maxChurned is how many nodes that changed more than once are remembered for a
// subscription. Of further ones only the difference is sent.
const maxChurned = 10_000

// Dampened is what has changed since the last update of a subscription. It keeps
// one change a record, and the last edit of each node of a record that changed
// more than once: a node that has its old value again is sent with it, one that
// came and went is sent as deleted, and one that went and came as created
// (RFC 8641 3.3, step 4). The zero value is empty. It is not safe for concurrent
// use.
type Dampened struct {
	records map[schema.Key]*dampened
	churned int // nodes
	edits   int // so far: numbers them in their order
}

// dampened is what has changed in one record.
type dampened struct {
	change commit.Change // from before the first to after the last
	more   bool          // than one change
	plain  bool          // the nodes were too many
	last   map[string]churn
}

// churn is the last edit of a node.
type churn struct {
	edit
	at  int
	net bool // it leads from before the first change to after the last
}

// Empty says whether nothing has changed.
func (d *Dampened) Empty() bool { return len(d.records) == 0 }

// Len is how many records have changed.
func (d *Dampened) Len() int { return len(d.records) }

// Add adds changes in their order. A record may be in several of them.
func (d *Dampened) Add(changes []commit.Change, r Reader) {
	if d.records == nil {
		d.records = make(map[schema.Key]*dampened, len(changes))
	}
	for i := range changes {
		c := &changes[i]
		rec := d.records[c.Key]
		if rec == nil {
			d.records[c.Key] = &dampened{change: *c}
			continue
		}
		if !rec.more {
			d.remember(rec, r.of(&rec.change))
		}
		d.remember(rec, r.of(c))
		rec.more = true
		rec.change.New = c.New
	}
}

func (d *Dampened) remember(rec *dampened, e edits) {
	if rec.plain {
		return
	}
	if rec.last == nil {
		rec.last = make(map[string]churn, len(e.list))
	}
	before := len(rec.last)
	for _, edit := range e.list {
		d.edits++
		rec.last[edit.target] = churn{edit: edit, at: d.edits}
	}
	d.churned += len(rec.last) - before
	if d.churned > maxChurned {
		d.churned -= len(rec.last)
		rec.last, rec.plain = nil, true
	}
}

// Forget forgets what has changed more than once, as for a reader whose rights
// are others than when it changed: what is left is the difference.
func (d *Dampened) Forget() {
	for _, rec := range d.records {
		rec.plain, rec.last = rec.plain || rec.more, nil
	}
	d.churned = 0
}

// Write writes the edits and empties d. The error is that of w.
func (d *Dampened) Write(w io.Writer, r Reader) error {
	records := d.records
	*d = Dampened{}
	changes := make([]commit.Change, 0, len(records))
	for _, k := range slices.Sorted(maps.Keys(records)) {
		changes = append(changes, records[k].change)
	}
	p := patcher{w: w, Reader: Reader{exclude: r.exclude, of: func(c *commit.Change) edits {
		return records[c.Key].edits(r)
	}}}
	return p.write(changes)
}

// edits are those of all changes of the record, each node once.
func (rec *dampened) edits(r Reader) edits {
	e := r.of(&rec.change)
	if len(rec.last) == 0 {
		return e
	}
	all := maps.Clone(rec.last)
	for _, n := range e.list {
		at := math.MaxInt
		if c, ok := all[n.target]; ok {
			at = c.at
		}
		all[n.target] = churn{n, at, true}
	}
	kept := map[string]churn{}
	for _, target := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(len(a), len(b)) }) {
		c := all[target]
		if slices.Contains(r.exclude, c.op) {
			continue
		}
		switch above, ok := around(kept, target); {
		case !ok:
			kept[target] = c
		case above.net || c.at == math.MaxInt || above.at > c.at: // it says this too
		default: // the edit that follows on the one above
			kept[target] = rec.last[target]
		}
	}
	out := edits{gone: e.gone}
	for _, c := range slices.SortedFunc(maps.Values(kept), func(a, b churn) int { return cmp.Compare(a.at, b.at) }) {
		out.list = append(out.list, c.edit)
	}
	return out
}

// around returns the edit of the nearest node above a target.
func around(kept map[string]churn, target string) (churn, bool) {
	for i := strings.LastIndexByte(target, '/'); i > 0; i = strings.LastIndexByte(target[:i], '/') {
		if c, ok := kept[target[:i]]; ok {
			return c, true
		}
	}
	return churn{}, false
}
