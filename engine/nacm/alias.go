package nacm

import (
	"strings"
	"sync"

	"mooring/engine/schema"
)

// Some state of a peer tells of its settings: where their values came from
// (effective) and which of them changed before the last reset. What is told of a
// setting that the user may not read is left out there too (RFC 8341 5).

// Setting says whether the user may read a setting of a peer, a leaf of
// bgp.PeerLeaves.
func (r *Rights) Setting(peer schema.Key, leaf string) bool {
	return r.Read() == nil || schema.At(schema.At(r.Read(), peer.Path()), schema.Settings()[leaf]) == nil
}

// tellers are the nodes below a peer that tell of settings: a list with their
// names as keys, and a leaf-list that begins with them.
var tellers = sync.OnceValue(func() [2]*schema.Node {
	peer := schema.KindOf(schema.KindPeer).Node
	return [2]*schema.Node{peer.Child("effective").Child("value"), peer.Child("state").Child("last-reset").Child("leaf")}
})

// tellsOf says whether n is one of tellers, or leads to one.
func tellsOf(n *schema.Node) bool {
	for _, t := range tellers() {
		for ; t != nil; t = t.Parent {
			if t == n {
				return true
			}
		}
	}
	return false
}

// hideAliases makes the access to the children of a peer leave out what they tell
// of settings that may not be read.
func hideAliases(peer *schema.Node, children []schema.Access) {
	hidden := map[string]bool{}
	for name, p := range schema.Settings() {
		if schema.At(children[p[0].Node.Index()], p[1:]) != nil {
			hidden[name] = true
		}
	}
	if len(hidden) == 0 {
		return
	}
	for i, c := range peer.Children {
		if tellsOf(c) && children[i] != schema.Nothing {
			children[i] = &alias{node: c, inner: children[i], hidden: hidden}
		}
	}
}

// alias is the access to a node that leads to one that tells of settings.
type alias struct {
	node   *schema.Node
	inner  schema.Access
	hidden map[string]bool // the settings that may not be read
}

// Here implements schema.Access.
func (a *alias) Here() bool { return a.inner == nil || a.inner.Here() }

// Child implements schema.Access.
func (a *alias) Child(n *schema.Node) schema.Access {
	inner := a.inner
	if inner != nil {
		inner = inner.Child(n)
	}
	if inner == schema.Nothing || !tellsOf(n) {
		return inner
	}
	return &alias{node: n, inner: inner, hidden: a.hidden}
}

// Entry implements schema.Access.
func (a *alias) Entry(key string) schema.Access {
	switch {
	case a.node == tellers()[0] && a.hidden[key]:
		return schema.Nothing
	case a.inner == nil:
		return nil
	}
	return a.inner.Entry(key)
}

// Entries implements schema.Access. Only state is told of here, which is never
// written.
func (a *alias) Entries() []string { return nil }

// Value implements schema.ValueAccess.
func (a *alias) Value(text string) bool {
	leaf, _, _ := strings.Cut(text, ": ")
	return !a.hidden[leaf]
}
