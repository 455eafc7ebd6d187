package schema

import (
	"reflect"
	"slices"
	"strings"

	"github.com/openconfig/ygot/ygot"
)

// references checks the leafrefs of a record (RFC 7950 9.9).
func (v *validator) references(k Key, sv reflect.Value) {
	refs := linkages()[k.Kind()].references
	for i := range refs {
		r := &refs[i]
		if value, ok := r.leaf.value(follow(sv, r.route)); ok && v.r.Get(r.named(k, value.s)) == nil {
			v.fail(r.missing(k, value.s))
		}
	}
}

// MissingReference returns the fault of the first leafref that is new in a
// record and names a record that is not readable, as Validate does for one that
// does not exist; nil for none.
func MissingReference(d Dirty, readable func(Key) bool) error {
	if d.New == nil {
		return nil
	}
	refs := linkages()[d.Key.Kind()].references
	for i := range refs {
		r := &refs[i]
		value, ok := r.leaf.value(follow(structOf(d.New), r.route))
		if before, had := r.leaf.value(follow(structOf(d.Old), r.route)); !ok || had && before == value {
			continue
		}
		if !readable(r.named(d.Key, value.s)) {
			return r.missing(d.Key, value.s)
		}
	}
	return nil
}

// missing is the fault of a leafref whose target does not exist (RFC 7950
// 15.5).
func (r *reference) missing(k Key, value string) *Error {
	return &Error{
		Tag: DataMissing, AppTag: AppInstanceRequired, Path: routePath(k, r.route, r.leaf),
		Message: "names " + value + ", but there is no " + r.named(k, value).String(),
	}
}

// routePath returns the path of a leaf of the record k.
func routePath(k Key, route []*Node, leaf *Node) Path {
	p := k.Path()
	for _, n := range route {
		p = append(p, Step{Node: n})
	}
	return append(p, Step{Node: leaf})
}

// unique checks the unique statements of a list whose entries are records. Of
// two new records with the same value only the later one is a fault.
func (v *validator) unique(d Dirty, dirty []Dirty) {
	k, sv := d.Key, structOf(d.New)
	uniques := linkages()[k.Kind()].uniques
	for i := range uniques {
		u := &uniques[i]
		value, ok := u.leaf.value(follow(sv, u.route))
		if !ok {
			continue
		}
		v.r.Holders(u.name, u.scoped(k, value), func(other Key) bool {
			if other == k || other > k && dirtyAt(dirty, other) != nil {
				return true
			}
			own, others := routePath(k, u.route, u.leaf), routePath(other, u.route, u.leaf)
			v.fail(notUnique(own, others, value))
			return false
		})
	}
}

// uniqueWithin checks a unique statement of a list within a record.
func (v *validator) uniqueWithin(list *Node, route []*Node, entries []listEntry) {
	leaf := route[len(route)-1]
	seen := make(map[Value]Value, len(entries))
	for _, e := range entries {
		value, ok := leaf.value(follow(e.sv, route[:len(route)-1]))
		if !ok {
			continue
		}
		first, twice := seen[value]
		if !twice {
			seen[value] = e.key
			continue
		}
		at := func(key Value) Path {
			p := append(v.path(), Step{Node: list, Keys: []string{key.String()}})
			for _, n := range route {
				p = append(p, Step{Node: n})
			}
			return p
		}
		v.fail(notUnique(at(e.key), at(first), value))
	}
}

// notUnique is the fault of two leaves with one value (RFC 7950 15.1).
func notUnique(own, other Path, value Value) *Error {
	return &Error{
		Tag: OperationFailed, AppTag: AppNotUnique, Path: own, NonUnique: []Path{own, other},
		Message: "value " + value.String() + " must be unique, but " + other.String() + " has it too",
	}
}

// dirtyAt returns the dirty record of a key, nil for none.
func dirtyAt(dirty []Dirty, k Key) *Dirty {
	i, ok := slices.BinarySearchFunc(dirty, k, func(d Dirty, k Key) int { return strings.Compare(string(d.Key), string(k)) })
	if !ok {
		return nil
	}
	return &dirty[i]
}

// dependents checks the records that are not dirty themselves and that a
// change of d can make wrong: those that name d when it is gone, and the
// members of a group that lost its AS.
func (v *validator) dependents(d Dirty, dirty []Dirty) {
	lostAS := d.Key.Kind().Letter == KindPeerGroup && groupHasAS(d.Old) && !groupHasAS(d.New)
	if d.New != nil && !lostAS {
		return
	}
	v.r.Referrers(d.Key, func(k Key) bool {
		if dirtyAt(dirty, k) != nil {
			return true
		}
		sv := structOf(v.r.Get(k))
		if d.New == nil {
			v.references(k, sv)
		} else {
			v.record(k, sv)
		}
		return !v.full()
	})
}

// groupHasAS says whether a peer group exists and has an AS number.
func groupHasAS(group ygot.GoStruct) bool {
	if group == nil {
		return false
	}
	config := KindOf(KindPeerGroup).Node.Child("config")
	return config.Child("as").isSet(config.sub(structOf(group)))
}
