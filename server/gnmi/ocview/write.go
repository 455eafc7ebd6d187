package ocview

import (
	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// writer turns what is asked for into edits of records.
type writer struct {
	now  records
	emit func(base schema.Path, e *schema.Edit) error
}

// records are those that there are now.
type records interface {
	Get(k schema.Key) ygot.GoStruct
	Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool)
}

// on returns a writer that carries edits out on a transaction.
func on(tx schema.Tx) writer {
	return writer{schema.Seen(tx), func(base schema.Path, e *schema.Edit) error { return schema.Apply(tx, base, e) }}
}

// configView is configuration to walk through.
type configView struct{ records }

// State returns nil: a transaction has no state.
func (configView) State(schema.Key) ygot.GoStruct { return nil }

func (w writer) top() *entry { return top(configView{w.now}) }

// Delete takes away what a pattern names; what is not there is no error. The
// error is an *schema.Error, after which the transaction is to be thrown away.
func Delete(tx schema.Tx, pattern schema.Path) error {
	if n := nodeOf(pattern); !n.Config {
		return stateError(pattern)
	}
	w := on(tx)
	holder, last := pattern, schema.Step{}
	if nodeOf(pattern).IsLeaf() { // found by what holds it: secrets are not shown
		holder, last = pattern.Parent(), pattern[len(pattern)-1]
	}
	paths := []schema.Path{holder}
	if anyEntry(holder) {
		paths = nil
		Match(configView{w.now}, holder, schema.LeafOptions{Content: schema.ConfigOnly}, func(p schema.Path) bool {
			paths = append(paths, p)
			return true
		})
	}
	for _, p := range paths {
		if last.Node != nil {
			p = p.Append(last.Node)
		}
		if err := w.clear(p); err != nil {
			return err
		}
	}
	return nil
}

// anyEntry says whether a list on the path is without a choice of one entry.
func anyEntry(p schema.Path) bool {
	for _, s := range p {
		if s.Node.Kind == schema.List && (wildKeys(s.Node, s.Keys) || s.Keys[0] == schema.Wild) {
			return true
		}
	}
	return false
}

func stateError(p schema.Path) *schema.Error {
	n := nodeOf(p)
	return &schema.Error{Tag: schema.InvalidValue, Path: p, BadElement: n.Name, Message: n.Name + " is state (config false) and cannot be written"}
}

// clear takes away the node at a concrete path.
func (w writer) clear(p schema.Path) error {
	n := nodeOf(p)
	if r := model.row[n]; r != nil && r.key != noKey {
		return &schema.Error{Tag: schema.BadElement, Path: p, BadElement: n.Name, Message: "a list key cannot be deleted: delete the list entry"}
	}
	within := p
	if n.Kind == schema.List && !isFamily(n) {
		within = p[:len(p)-1]
	}
	e, ok := locate(w.top(), within, false)
	switch {
	case !ok:
		return nil
	case n.Kind == schema.List && !isFamily(n):
		at := e.at(n, p[len(p)-1].Keys)
		if at.config(letter(n)) == nil {
			return nil
		}
		return w.remove(at)
	}
	ed := w.edit(e, entryPath(p))
	switch {
	case n.Kind == schema.List:
		ed.dropFamily(e.family)
	case n.IsLeaf():
		ed.clearLeaf(n)
	default:
		if err := w.clearBelow(ed, n); err != nil {
			return err
		}
	}
	return ed.flush()
}

// entryPath is the part of a path that leads to the record's list entry.
func entryPath(p schema.Path) schema.Path {
	for i := len(p) - 1; i >= 0; i-- {
		if n := p[i].Node; n.Kind == schema.List && !isFamily(n) {
			return p[: i+1 : i+1]
		}
	}
	return nil
}

// clearBelow takes away everything below a container or list entry: leaves
// when the edit is flushed, list entries at once.
func (w writer) clearBelow(ed *edit, n *schema.Node) error {
	for _, c := range n.Children {
		if err := w.clearChild(ed, c); err != nil {
			return err
		}
	}
	return nil
}

func (w writer) clearChild(ed *edit, c *schema.Node) error {
	switch {
	case !c.Config:
	case c.IsLeaf():
		ed.clearLeaf(c)
	case c.Kind == schema.Container:
		return w.clearBelow(ed, c)
	case isFamily(c):
		for i := range families {
			if ed.at.hasFamily(letter(c), i, false) {
				ed.dropFamily(i)
			}
		}
	default:
		return w.removeOthers(ed.at, c, nil)
	}
	return nil
}

// removeOthers deletes the entries of a list but for those to keep, by their
// last key.
func (w writer) removeOthers(e *entry, list *schema.Node, keep map[string]bool) error {
	var gone []*entry
	e.entries(list, nil, false, func(at *entry) bool {
		if s := at.step(); !keep[s.Keys[len(s.Keys)-1]] {
			gone = append(gone, at)
		}
		return true
	})
	for _, at := range gone {
		if err := w.remove(at); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a list entry that is a record, with all below it. A BGP
// instance goes with the last of its VPN instances.
func (w writer) remove(e *entry) error {
	if e.list == model.instance {
		if err := w.removeOthers(e, model.protocol, nil); err != nil {
			return err
		}
	}
	if err := w.drop(e.key); err != nil || e.list != model.protocol {
		return err
	}
	last := true
	w.now.Scan(schema.BGPInstanceKey(e.proto).Below(), func(schema.Key, ygot.GoStruct) bool {
		last = false
		return false
	})
	if !last {
		return nil
	}
	return w.drop(schema.BGPInstanceKey(e.proto))
}

// drop deletes a record and what is below it.
func (w writer) drop(k schema.Key) error {
	p := k.Path()
	return w.emit(p.Parent(), &schema.Edit{Node: p.Node(), Op: schema.OpRemove, Keys: p[len(p)-1].Keys})
}
