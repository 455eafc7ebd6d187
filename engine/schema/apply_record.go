package schema

import (
	"reflect"
	"slices"
)

// child applies an edit within a record to the struct of the parent.
func (a *applier) child(sv reflect.Value, e *Edit) *Error {
	a.push(e)
	defer a.pop()
	n := e.Node
	if err := n.writable(a.path); err != nil {
		err.Path = slices.Clone(a.path)
		return err
	}
	if n.Choice != "" && e.Op.creates() {
		n.clearOtherCases(sv)
	}
	switch n.Kind {
	case Container:
		return a.container(sv, e)
	case List:
		return a.list(sv, e)
	case LeafList:
		return a.leafList(sv, e)
	}
	if n.isKey || n.twin != nil {
		return a.keyLeaf(sv, e)
	}
	return a.leaf(sv, e)
}

// children applies the edits below e to the struct of its node.
func (a *applier) children(sv reflect.Value, e *Edit) *Error {
	if err := a.choices(e); err != nil {
		return err
	}
	for _, c := range e.Children {
		if err := a.child(sv, c); err != nil {
			return err
		}
	}
	return nil
}

// choices refuses an edit that makes nodes of two cases of a choice
// (RFC 7950 8.3.1).
func (a *applier) choices(e *Edit) *Error {
	for i, c := range e.Children {
		if c.Node.Choice == "" || !c.Op.creates() {
			continue
		}
		for _, o := range e.Children[:i] {
			if o.Op.creates() && o.Node.Choice == c.Node.Choice && o.Node.Case != c.Node.Case {
				a.push(c)
				return a.fault(BadElement, c.Node.Name+" and "+o.Node.Name+" exclude each other: give one of them")
			}
		}
	}
	return nil
}

// clearOtherCases takes away the nodes of the other cases of the choice that n
// is in (RFC 7950 7.9.5).
func (n *Node) clearOtherCases(sv reflect.Value) {
	for _, o := range n.Parent.Children {
		if o.Choice == n.Choice && o.Case != n.Case && o.Config && o.isSet(sv) {
			o.unset(sv)
		}
	}
}

func (a *applier) leaf(sv reflect.Value, e *Edit) *Error {
	n := e.Node
	switch {
	case e.Op == OpNone:
		return nil
	case e.Op == OpDelete && !n.isSet(sv):
		return a.missing()
	case e.Op.deletes():
		n.unset(sv)
		return nil
	case e.Op == OpCreate && n.isSet(sv):
		return a.exists()
	case !e.HasValue:
		return a.fault(InvalidValue, "the leaf has no value")
	}
	n.set(sv, e.Value)
	a.tx.Touch(a.key, n)
	return nil
}

// keyLeaf checks the edit of a key, or of config/<key>, which always has a
// value.
func (a *applier) keyLeaf(sv reflect.Value, e *Edit) *Error {
	have, _ := e.Node.value(sv)
	switch {
	case e.Op == OpNone:
		return nil
	case e.Op.deletes():
		return a.fault(BadElement, "a list key cannot be deleted: delete the list entry")
	case e.Op == OpCreate && !a.fresh:
		return a.exists()
	case e.HasValue && e.Value != have:
		return a.fault(InvalidValue, clip(e.Value.String())+" contradicts the list key "+clip(have.String()))
	}
	return nil
}

func (a *applier) leafList(sv reflect.Value, e *Edit) *Error {
	n := e.Node
	values := n.values(sv)
	switch {
	case e.Op == OpNone:
		return nil
	case e.Op == OpDelete && !e.HasValue && values == nil:
		return a.missing()
	case e.Op == OpReplace:
		return a.replaceLeafList(sv, e)
	case e.Op.deletes() && !e.HasValue:
		values = nil
	}
	for _, v := range e.Values {
		i := slices.Index(values, v)
		switch {
		case e.Op == OpCreate && i >= 0:
			return a.exists()
		case e.Op == OpDelete && i < 0:
			return a.fault(DataMissing, clip(v.String())+" is not in the leaf-list")
		case e.Op.deletes() && i >= 0:
			values = slices.Delete(values, i, i+1)
		case e.Op.creates() && i < 0:
			values = append(values, v)
		}
	}
	n.setValues(sv, values)
	if e.Op.creates() {
		a.tx.Touch(a.key, n)
	}
	return nil
}

// replaceLeafList takes the same time for each entry, however many they are.
func (a *applier) replaceLeafList(sv reflect.Value, e *Edit) *Error {
	var seen keySet
	for _, v := range e.Values {
		if !seen.add(v.String()) {
			return a.fault(InvalidValue, clip(v.String())+" stands in the leaf-list twice")
		}
	}
	e.Node.setValues(sv, e.Values)
	a.tx.Touch(a.key, e.Node)
	return nil
}

func (a *applier) container(sv reflect.Value, e *Edit) *Error {
	n := e.Node
	sub := n.sub(sv)
	there := sub.IsValid() && (n.Presence || !empty(n, sub))
	switch e.Op {
	case OpDelete, OpRemove:
		if !there && e.Op == OpDelete {
			return a.missing()
		}
		n.clear(sv)
		return nil
	case OpCreate:
		if there {
			return a.exists()
		}
	case OpReplace:
		n.clear(sv)
	case OpNone:
		if n.Presence && !there {
			return a.missing()
		}
	}
	return a.children(n.ensure(sv), e)
}

// clear takes away the container n, but for the twin of a list key in it.
func (n *Node) clear(sv reflect.Value) {
	sub := n.sub(sv)
	n.unset(sv)
	for _, c := range n.Children {
		if c.twin == nil || !sub.IsValid() {
			continue
		}
		if v, ok := c.value(sub); ok {
			c.set(n.ensure(sv), v)
		}
	}
}

// list applies the edit of one entry of a list, or of the whole list with
// entries as children.
func (a *applier) list(sv reflect.Value, e *Edit) *Error {
	n := e.Node
	if e.Keys == nil {
		return a.wholeList(sv, e)
	}
	entry := n.entry(sv, e.Keys[0])
	fresh := !entry.IsValid()
	switch e.Op {
	case OpDelete, OpNone:
		if fresh {
			return a.missing()
		}
	case OpCreate:
		if !fresh {
			return a.exists()
		}
	}
	if !fresh && e.Op == OpReplace {
		key, _ := n.Keys[0].value(entry)
		entry.SetZero() // in its place, if the user orders the list
		n.setKeys(entry, key)
		fresh = true
	}
	if !fresh && e.Op.deletes() {
		n.removeEntry(sv, e.Keys[0])
	}
	if e.Op.deletes() {
		return nil
	}
	defer a.enter(a.key, fresh)()
	entry = n.ensureEntry(sv, e.Keys[0])
	if e.Insert != InsertNowhere && !n.move(sv, e.Keys[0], e.Insert, e.Anchor) {
		err := a.fault(BadAttribute, "there is no entry "+clip(e.Anchor)+" to stand "+e.Insert.String())
		err.AppTag, err.BadAttribute = AppMissingInstance, "key"
		return err
	}
	return a.children(entry, e)
}

func (a *applier) wholeList(sv reflect.Value, e *Edit) *Error {
	n := e.Node
	there := n.isSet(sv)
	switch {
	case e.Op == OpDelete && !there:
		return a.missing()
	case e.Op == OpCreate && there:
		return a.exists()
	case e.Op.deletes() || e.Op == OpReplace:
		n.unset(sv)
	}
	if e.Op.deletes() {
		return nil
	}
	a.pop() // the entries push the list themselves, with their keys
	defer a.push(e)
	for _, c := range e.Children {
		a.push(c)
		if err := a.list(sv, c); err != nil {
			return err
		}
		a.pop()
	}
	return nil
}
