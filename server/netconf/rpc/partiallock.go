package rpc

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/engine/xpath"
	"mooring/server/netconf/xmltree"
)

const (
	partialLockNS = "urn:ietf:params:xml:ns:netconf:partial-lock:1.0"
	// maxLocked is how many nodes one lock may have: more are better locked by
	// what is above them.
	maxLocked = 10_000
)

// The error-app-tags of RFC 5717 2.4.1.
const (
	notANodeSet = "not-a-node-set"
	noMatches   = "no-matches"
)

// partial-lock is RFC 5717 2.4.1. The expressions select nodes of running as
// it is now; what comes below them later is locked too. A session may lock the
// same node again.
var partialLockOperation = operation{
	params: []spec{{name: "select", mandatory: true, many: true}},
	run: func(c *call) (body, error) {
		var filters []*filter
		var selects []datastore.Select
		for i := range c.req.params {
			f, err := c.lockFilter(&c.req.params[i])
			if err != nil {
				return nil, err
			}
			filters = append(filters, f)
			selects = append(selects, datastore.Select{Text: f.expr.String(), Prefixes: f.expr.Prefixes()})
		}
		l, err := c.srv.engine.LockPartly(c.ctx, c.sess.actor(), selects, func(v schema.View) ([]schema.Path, error) {
			return c.lockedNodes(c.rights.View(v), filters) // what may not be read is not found
		})
		if locked, ok := errors.AsType[*datastore.LockedError](err); ok {
			return nil, lockDenied(locked)
		}
		if err != nil {
			return nil, err
		}
		return func(w io.Writer, _ string) error {
			var b []byte
			for _, e := range append([]xmltree.Element{xmltree.Leaf("lock-id", number(l.ID))}, lockedNodes(l)...) {
				e.Namespace = partialLockNS
				b = e.Append(b, "")
			}
			_, err := w.Write(b)
			return err
		}, nil
	},
}

// lockFilter compiles one expression.
func (c *call) lockFilter(p *param) (*filter, error) {
	f, err := c.expression(p)
	if err != nil {
		return nil, err
	}
	err = f.needsNodes()
	if e, ok := errors.AsType[*Error](err); ok {
		e.AppTag = notANodeSet
	}
	return f, err
}

// lockedNodes returns what the expressions select of a configuration, each
// node once.
func (c *call) lockedNodes(v schema.View, filters []*filter) ([]schema.Path, error) {
	var out []schema.Path
	seen := map[string]bool{}
	doc := xpath.NewDocument(xpath.Records(&schema.Tree{View: v, Content: schema.ConfigOnly}))
	for _, f := range filters {
		nodes, err := f.expr.Nodes(c.ctx, xpath.Context{Document: doc})
		if err != nil {
			return nil, f.wire(err, schema.ResourceDenied)
		}
		for _, n := range nodes {
			i := xpath.Item(n)
			if i == nil {
				return nil, f.fault(schema.InvalidValue, "the whole of running is locked by lock, not in part")
			}
			p := i.Path()
			if text := p.String(); !seen[text] {
				seen[text] = true
				out = append(out, p)
			}
		}
		if len(out) > maxLocked {
			return nil, f.fault(schema.ResourceDenied, "more than "+strconv.Itoa(maxLocked)+" nodes are selected: select what is above them")
		}
	}
	if len(out) == 0 {
		e := protocolError(schema.OperationFailed, "the expressions select nothing of running")
		e.AppTag = noMatches
		return nil, e
	}
	return out, nil
}

// lockedNodes are the elements that name what is locked.
func lockedNodes(l *datastore.PartialLock) []xmltree.Element {
	out := make([]xmltree.Element, len(l.Nodes))
	for i, p := range l.Nodes {
		path := dataPath(p)
		out[i] = xmltree.Leaf("locked-node", path.text)
		for _, p := range path.prefixes {
			out[i].Prefixes = append(out[i].Prefixes, xmltree.Prefix{Name: p.prefix, Namespace: p.namespace})
		}
	}
	return out
}

// partial-unlock is RFC 5717 2.4.2.
var partialUnlockOperation = operation{
	params: []spec{{name: "lock-id", mandatory: true}},
	run: func(c *call) (body, error) {
		p := c.req.find("lock-id")
		id, err := strconv.ParseUint(p.text, 10, 32)
		if err == nil && p.child == nil {
			err = c.store().UnlockPartly(c.sess.holder(), uint32(id))
		}
		if err != nil {
			return nil, protocolError(schema.InvalidValue, "lock-id must be that of a partial lock of this session").at(c.here("lock-id"))
		}
		return nil, nil
	},
}

// stateOfPartialLocks is the list partial-lock of a datastore (RFC 6022
// 2.1.2).
func stateOfPartialLocks(locks []*datastore.PartialLock) []xmltree.Element {
	var out []xmltree.Element
	for _, l := range locks {
		e := xmltree.New("partial-lock", xmltree.Key("lock-id", number(l.ID)),
			xmltree.Leaf("locked-by-session", number(l.Holder.Session)), xmltree.Leaf("locked-time", stamp(l.Since)))
		for _, s := range l.Selects {
			sel := xmltree.Leaf("select", s.Text)
			for _, prefix := range slices.Sorted(maps.Keys(s.Prefixes)) {
				sel.Prefixes = append(sel.Prefixes, xmltree.Prefix{Name: prefix, Namespace: s.Prefixes[prefix]})
			}
			e.Children = append(e.Children, sel)
		}
		e.Children = append(e.Children, lockedNodes(l)...)
		out = append(out, e)
	}
	return out
}
