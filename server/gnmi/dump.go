package gnmi

import (
	"context"
	"slices"

	"mooring/engine/schema"
)

// dump sends everything that groups name, each leaf once: what several
// patterns of an origin name is left to the first (gnmi.md 47, 58). A record
// is one message, and one for each of its atomic containers.
type dump struct {
	*sender
	group   *group
	pattern int
	time    int64

	key     schema.Key
	earlier []reach // what earlier patterns name of the record at hand
	sent    bool    // which is all of it
	told    told
	value   []byte // scratch
}

func (o *sender) dump(ctx context.Context, groups []group) error {
	view, now := o.now()
	view = o.rights().View(view)
	for i := range groups {
		for p := range groups[i].patterns {
			d := &dump{sender: o, group: &groups[i], pattern: p, time: now.UnixNano()}
			if err := d.run(ctx, view); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *dump) run(ctx context.Context, view schema.View) error {
	var err error
	opt := schema.LeafOptions{Content: d.content(), Depth: d.depth, Defaults: true}
	d.group.tree.leaves(view, d.group.patterns[d.pattern], opt, func(l *schema.LeafValue) bool {
		if l.Key != d.key {
			if err = d.flush(); err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return false
			}
			d.begin(l)
		}
		if d.sent || !d.takes(l.Node) || !d.group.policy.part.takes(l.Node) ||
			slices.ContainsFunc(d.earlier, func(r reach) bool { return r.takes(l.Rel) }) {
			return true
		}
		d.value = appendValue(d.value[:0], d.encoding, l)
		d.told.update(l.Node, l.Rel, d.value, 0)
		return true
	})
	if err != nil {
		return err
	}
	return d.flush()
}

// begin starts the message of a record.
func (d *dump) begin(l *schema.LeafValue) {
	d.key, d.earlier, d.sent = l.Key, d.earlier[:0], false
	for _, p := range d.group.patterns[:d.pattern] {
		if r, ok := d.within(p, l.Record); ok {
			d.earlier = append(d.earlier, r)
			d.sent = d.sent || r.whole()
		}
	}
	d.told = told{sender: d.sender, group: d.group, record: l.Record, time: d.time, recycle: true, path: d.told.path}
}

// flush sends what is to be said of the record at hand. gRPC gives the memory
// back when it is on the wire.
func (d *dump) flush() error {
	for _, n := range []*notice{&d.told.plain, &d.told.atomic} {
		if !n.says {
			continue
		}
		sent := *n // the memory is no longer the notice's
		*n = notice{}
		if err := d.send(once(&sent)); err != nil {
			return err
		}
	}
	return nil
}

// told collects what is to be said of one record.
type told struct {
	*sender
	group  *group
	record schema.Path
	time   int64
	gone   bool // the record as such was deleted

	plain, atomic notice
	recycle       bool   // the memory of the notices comes from the pool
	path          []byte // scratch
}

// atomicNode is the container whose leaves are only ever told together, so
// that nobody sees the address of one connection with the port of another
// (gnmi.md 80). It has no containers below it.
var atomicNode = mustNode("bgp", "instances", "instance", "vpn-instances", "vpn-instance", "peers", "peer", "transport", "state")

func mustNode(names ...string) *schema.Node {
	n := schema.Root()
	for _, name := range names {
		if n = n.Child(name); n == nil {
			panic("gnmi: the model has no node " + name)
		}
	}
	return n
}

// atomicPath is the schema path of the atomic container.
var atomicPath = func() schema.Path {
	var p schema.Path
	for n := atomicNode; n.Parent != nil; n = n.Parent {
		p = append(p, schema.Step{Node: n})
	}
	slices.Reverse(p)
	return p
}()

func isAtomic(n *schema.Node) bool { return n.Parent == atomicNode }

// atomicRel leads from the record to the atomic container.
var atomicRel = schema.Path{{Node: atomicNode.Parent}, {Node: atomicNode}}

// at returns the message for a leaf.
func (t *told) at(n *schema.Node) *notice {
	if isAtomic(n) {
		t.container()
		return &t.atomic
	}
	if !t.plain.begun() {
		t.begin(&t.plain, t.heading(t.group, t.record, t.time))
	}
	return &t.plain
}

// container starts the message of the atomic container.
func (t *told) container() {
	if !t.atomic.begun() {
		h := t.heading(t.group, append(slices.Clip(t.record), atomicRel...), t.time)
		h.atomic = true
		t.begin(&t.atomic, h)
	}
}

func (t *told) begin(n *notice, h heading) {
	var buf []byte
	if t.recycle {
		buf = *recycled.Get(0)
	}
	n.begin(buf, h)
}

// update tells the value of a leaf, a TypedValue in wire form.
func (t *told) update(n *schema.Node, rel schema.Path, value []byte, duplicates uint32) {
	m := t.at(n)
	p, ok := knownPath(n)
	if !ok {
		t.path = appendElems(t.path[:0], rel)
		p = t.path
	}
	m.update(p, value, duplicates)
}

// messages returns what is to be sent, the plain message first.
func (t *told) messages() [][]byte {
	var out [][]byte
	for _, n := range []*notice{&t.plain, &t.atomic} {
		if n.says {
			out = append(out, n.bytes())
		}
	}
	return out
}
