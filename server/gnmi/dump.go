package gnmi

import (
	"context"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

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
}

func (o *sender) dump(ctx context.Context, groups []group) error {
	view := o.server.cfg.Engine.View()
	now := time.Now().UnixNano()
	for i := range groups {
		for p := range groups[i].patterns {
			d := &dump{sender: o, group: &groups[i], pattern: p, time: now}
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
		d.told.update(l.Node, l.Rel, leafValue(d.encoding, l), 0)
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
	d.told = told{sender: d.sender, group: d.group, record: l.Record, time: d.time}
}

func (d *dump) flush() error {
	for _, n := range d.told.messages() {
		if err := d.notify(n); err != nil {
			return err
		}
	}
	d.told = told{}
	return nil
}

// told collects what is to be said of one record.
type told struct {
	*sender
	group  *group
	record schema.Path
	time   int64
	gone   bool // the record as such was deleted

	plain, atomic *gpb.Notification
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

// at returns the message for a leaf and its path there.
func (t *told) at(n *schema.Node, rel schema.Path) (*gpb.Notification, *gpb.Path) {
	if isAtomic(n) {
		t.container()
		return t.atomic, atomicPaths[n]
	}
	if t.plain == nil {
		t.plain = &gpb.Notification{Timestamp: t.time, Prefix: t.prefix(t.group, t.record)}
	}
	return t.plain, relOut(rel)
}

// container starts the message of the atomic container.
func (t *told) container() {
	if t.atomic == nil {
		at := append(slices.Clip(t.record), atomicRel...)
		t.atomic = &gpb.Notification{Timestamp: t.time, Prefix: t.prefix(t.group, at), Atomic: true}
	}
}

func (t *told) update(n *schema.Node, rel schema.Path, v *gpb.TypedValue, duplicates uint32) {
	m, p := t.at(n, rel)
	m.Update = append(m.Update, &gpb.Update{Path: p, Val: v, Duplicates: duplicates})
}

// messages returns what is to be sent, the plain message first.
func (t *told) messages() []*gpb.Notification {
	var out []*gpb.Notification
	for _, n := range []*gpb.Notification{t.plain, t.atomic} {
		if n != nil && len(n.Update)+len(n.Delete) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// atomicPaths are the paths of the leaves in the atomic container.
var atomicPaths = func() map[*schema.Node]*gpb.Path {
	m := map[*schema.Node]*gpb.Path{}
	for _, c := range atomicNode.Children {
		m[c] = &gpb.Path{Elem: elemsOut(schema.Path{{Node: c}})}
	}
	return m
}()

// relPaths are the paths from a record to its leaves that no list is on: most
// leaves, and always the same message.
var relPaths = func() map[*schema.Node]*gpb.Path {
	m := map[*schema.Node]*gpb.Path{}
	var grow func(n *schema.Node, p schema.Path)
	grow = func(n *schema.Node, p schema.Path) {
		for _, c := range n.Children {
			rel := p.Append(c)
			switch {
			case c.IsRecord():
				grow(c, nil)
			case c.IsLeaf():
				m[c] = &gpb.Path{Elem: elemsOut(rel)}
			case c.Kind == schema.Container:
				grow(c, rel)
			}
		}
	}
	grow(schema.Root(), nil)
	return m
}()

// relOut is a path below a record as gNMI writes it. It may be shared: nobody
// changes it.
func relOut(rel schema.Path) *gpb.Path {
	if p := relPaths[rel.Node()]; p != nil {
		return p
	}
	return &gpb.Path{Elem: elemsOut(rel)}
}
