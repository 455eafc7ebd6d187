package schema

import (
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// blind says whether there may be something below a container or list entry
// that can neither be read nor deleted. What can be read decides by being there
// or not; of the rest it is enough that it might be there.
func (w *namer) blind(n *Node, at spot, may Permission) bool {
	if may.Read == nil || may.Delete == nil {
		return false
	}
	return may.hidden() || slices.ContainsFunc(n.Children, func(c *Node) bool {
		return c.Config && !c.isKey && c.twin == nil && w.blindAt(c, w.into(c, nil, at), may.child(c))
	})
}

// blindAt is blind of a node of any kind, of a list for all its entries.
func (w *namer) blindAt(n *Node, at spot, may Permission) bool {
	switch {
	case n.Kind == List:
		return w.blindList(n, at, may)
	case n.IsLeaf():
		return may.Read != nil && may.Delete != nil
	}
	return w.blind(n, at, may)
}

// blindList is blind of all entries of a list. An entry of which something may
// be read is seen, so only those that are there matter.
func (w *namer) blindList(n *Node, above spot, may Permission) bool {
	if may.Read == nil || may.Delete == nil {
		return false
	}
	if may.hidden() {
		return true
	}
	const other = "\x00" // no list has a key with this character
	for _, key := range append(append(may.Read.Entries(), may.Delete.Entries()...), other) {
		if e := may.entry(key); e.hidden() && e.Delete != nil {
			return true
		}
	}
	found := false
	w.entries(n, above, func(key string, at spot) bool {
		if e := may.entry(key); !e.hidden() {
			found = w.blind(n, at, e)
		}
		return !found
	})
	return found
}

// entries calls fn for the entries of a list as they were, but for those that
// the transaction has already deleted, until fn returns false.
func (w *namer) entries(n *Node, above spot, fn func(key string, at spot) bool) {
	if n.kind == nil {
		for _, e := range n.entries(above.sv) {
			if !fn(e.key.String(), spot{above.key, e.sv}) {
				return
			}
		}
		return
	}
	ScanEntries(w.tx, above.key.childPrefix(n.kind), func(k Key, _ ygot.GoStruct) bool {
		at := w.record(k)
		return !at.sv.IsValid() || fn(k.Name(), at)
	})
}

// seen says whether there is something at n or below that may be read.
func (w *namer) seen(n *Node, at spot, may Permission) bool {
	if n.Kind == List {
		return w.seenList(n, at, may)
	}
	return slices.ContainsFunc(n.Children, func(c *Node) bool {
		sub := may.child(c)
		switch {
		case !c.Config || sub.hidden():
			return false
		case c.IsLeaf():
			return c.isSet(at.sv)
		}
		return w.seen(c, w.into(c, nil, at), sub)
	})
}

func (w *namer) seenList(n *Node, above spot, may Permission) bool {
	found := false
	w.entries(n, above, func(key string, _ spot) bool {
		found = !may.entry(key).hidden()
		return !found
	})
	return found
}
