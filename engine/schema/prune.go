package schema

import "reflect"

// PruneWhen removes the nodes whose when became false in an edit although the
// edit did not change them (RFC 7950 8.3.2): the password of a method that is
// no longer md5. What the edit itself set under a false when stays, for
// Validate to refuse.
//
// It is called once after each edit of a datastore, candidate or running,
// before Validate, with what is dirty against the state before that edit. It
// says whether it removed anything; what was computed from the transaction
// before is old then.
func PruneWhen(tx Tx, dirty []Dirty) bool {
	pruned := false
	for _, d := range dirty {
		r := allRules()[d.Key.Kind()]
		if d.Old == nil || d.New == nil || r == nil {
			continue
		}
		p := pruner{validator: validator{r: tx, k: d.Key}}
		p.push(d.Key.Kind().Node, structOf(d.New), d.Key.Name())
		p.collect(r, structOf(d.Old))
		if len(p.false) == 0 {
			continue
		}
		pruned = true
		sv := structOf(tx.Mutable(d.Key))
		for _, rest := range p.false {
			remove(sv, rest)
		}
	}
	return pruned
}

// CheckWhen refuses what an edit set under a when that is false. That is a fault
// of the edit and not of the configuration (RFC 7950 8.3.1): it is called for a
// candidate too, after PruneWhen, with the same records. Validate has it in it.
func CheckWhen(r Reader, dirty []Dirty) Errors {
	v := &validator{r: r}
	for _, d := range dirty {
		rules := allRules()[d.Key.Kind()]
		if d.New == nil || rules == nil {
			continue
		}
		v.k, v.stack = d.Key, v.stack[:0]
		v.push(d.Key.Kind().Node, structOf(d.New), d.Key.Name())
		v.whens(rules)
	}
	v.errs.Sort()
	return v.errs
}

// whens checks the whens of the container or list entry on top of the stack, and
// below it.
func (v *validator) whens(r *rules) {
	sv := v.stack[len(v.stack)-1].sv
	v.when(r.when)
	v.leafWhens(r, sv)
	for _, c := range r.children {
		if c.node.Kind == Container {
			v.push(c.node, c.node.sub(sv), "")
			v.whens(c)
			v.pop()
			continue
		}
		for _, e := range c.node.entries(sv) {
			v.push(c.node, e.sv, e.key.String())
			v.whens(c)
			v.pop()
		}
	}
}

// remove takes the leaf or list entry at rest away.
func remove(sv reflect.Value, rest Path) {
	last := rest[len(rest)-1]
	parent := locate(sv, rest)
	if last.Node.Kind == List {
		last.Node.removeEntry(parent, last.Keys[0])
	} else {
		last.Node.unset(parent)
	}
}

// pruner walks a record like a validator.
type pruner struct {
	validator
	false []Path // within the record: unchanged nodes whose when is false
}

// rest returns the path of the top of the stack within the record.
func (p *pruner) rest() Path { return p.path()[len(p.k.Kind().path):] }

// collect looks for nodes to remove at the container or list entry on top of
// the stack; old is its struct before the edit.
func (p *pruner) collect(r *rules, old reflect.Value) {
	sv := p.stack[len(p.stack)-1].sv
	for _, l := range r.leaves {
		if !l.node.isSet(sv) || !l.node.isSet(old) || !l.node.sameLeaf(sv, old) {
			continue
		}
		p.push(l.node, reflect.Value{}, "")
		if !l.when.holds(&p.validator) {
			p.false = append(p.false, p.rest())
		}
		p.pop()
	}
	for _, c := range r.children {
		if c.node.Kind == Container {
			p.push(c.node, c.node.sub(sv), "")
			p.collect(c, c.node.sub(old))
			p.pop()
			continue
		}
		for _, e := range c.node.entries(sv) {
			before := c.node.entry(old, e.key.String())
			p.push(c.node, e.sv, e.key.String())
			switch {
			case c.when != nil && before.IsValid() && equal(c.node, e.sv, before) && !c.when.holds(&p.validator):
				p.false = append(p.false, p.rest())
			default:
				p.collect(c, before)
			}
			p.pop()
		}
	}
}
