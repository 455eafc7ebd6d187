package nacm

import (
	"slices"
	"sync"

	"mooring/engine/schema"
	"mooring/gen"
)

// Rights is what one user may do under one policy. Nil permits everything.
// Rights are safe for concurrent use.
type Rights struct {
	control *Control
	policy  *policy
	user    string
	rules   []rule

	trees [exec]struct { // for read, create, update and delete
		once sync.Once
		root schema.Access
	}
}

// baseModule is where the operations of RFC 6241 are defined.
const baseModule = "ietf-netconf"

// Exec says whether the user may call an operation (RFC 8341 3.4.4). A refusal
// is counted.
func (r *Rights) Exec(module, name string) bool {
	if r == nil || module == baseModule && name == "close-session" || r.may(exec, operation, module, name) {
		return true
	}
	r.control.operations.Add(1)
	return false
}

// Notify says whether the user may receive a notification (RFC 8341 3.4.6). A
// refusal is counted.
func (r *Rights) Notify(module, name string) bool {
	if r == nil || r.may(read, notification, module, name) {
		return true
	}
	r.control.notifications.Add(1)
	return false
}

// Dropped counts a notification that was not sent because of what it tells.
func (r *Rights) Dropped() { r.control.notifications.Add(1) }

// may decides by the first rule that matches, or by default.
func (r *Rights) may(does access, about subject, module, name string) bool {
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.covers(module, does) && (rule.about == anything || rule.about == about && (rule.name == all || rule.name == name)) {
			return rule.permit
		}
	}
	return !denied(module, name) && r.policy.permitted[does]
}

// denied says whether nobody may call an operation or receive a notification
// unless a rule says so. RFC 8341 3.4.4 step 11 adds two to those whose modules
// say it.
func denied(module, name string) bool {
	if module == baseModule && (name == "kill-session" || name == "delete-config") {
		return true
	}
	return slices.Contains(deniedNames()[module], name)
}

var deniedNames = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	for _, mod := range slices.Concat(gen.Modules, gen.Standard) {
		m[mod.Name] = mod.DenyAll
	}
	return m
})

// Same says whether the rights of a user, nil for all, are those that they were.
func (r *Rights) Same(o *Rights) bool {
	return r == o || r != nil && o != nil && r.policy == o.policy
}

// Read is the access to the whole data tree for reading.
func (r *Rights) Read() schema.Access { return r.access(read) }

// access is the access to the whole data tree for one operation.
func (r *Rights) access(does access) schema.Access {
	if r == nil {
		return nil
	}
	t := &r.trees[does]
	t.once.Do(func() { t.root = newTree(r, does) })
	return t.root
}

// All says whether the user may read and write everything.
func (r *Rights) All() bool {
	for does := read; does <= remove; does++ {
		if r.access(does) != nil {
			return false
		}
	}
	return true
}

// Element is a step to an element of a tree that no datastore holds.
type Element struct {
	Module, Name string
	Keys         map[string]string
}

// Reads says whether the user may read an element of a tree that a front end
// makes by hand, and whether a rule permits something below it.
func (r *Rights) Reads(at []Element) (here, below bool) {
	if r == nil {
		return true, true
	}
	module := at[0].Module
	here, decided := r.policy.permitted[read], false
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.covers(module, read) || rule.about != anything && rule.about != dataNode {
			continue
		}
		matches, leads := true, false
		if rule.about == dataNode {
			matches, leads = r.reaches(rule.path, at)
		}
		if leads && rule.permit && !decided {
			below = true
		}
		if matches && !decided {
			here, decided = rule.permit, true
		}
	}
	return here, below || here
}

// reaches says whether a path names an element or something above it, or else
// something below.
func (r *Rights) reaches(path schema.Instance, at []Element) (matches, leads bool) {
	for i, s := range path {
		if i == len(at) {
			return false, true
		}
		if s.Name != at[i].Name || s.Module != "" && s.Module != at[i].Module {
			return false, false
		}
		for _, k := range s.Keys {
			if at[i].Keys[k.Name] != r.value(k) {
				return false, false
			}
		}
	}
	return true, false
}

// value is what a list key must be.
func (r *Rights) value(k schema.InstanceKey) string {
	if k.User {
		return r.user
	}
	return k.Value
}

// permission is what the user may read and write of the whole tree.
func (r *Rights) permission() schema.Permission {
	return schema.Permission{
		Read:        r.access(read),
		WriteAccess: schema.WriteAccess{Create: r.access(create), Update: r.access(update), Delete: r.access(remove)},
	}
}

// Named implements schema.Judge: it refuses an edit that names what the user
// may not touch, whether or not it would change anything. The error is a
// *schema.Error, and is counted.
func (r *Rights) Named(tx schema.Judged, base schema.Path, e *schema.Edit) error {
	if p, what := schema.Named(tx, base, e, r.permission()); what != "" {
		return r.denied(p, what)
	}
	return nil
}

// denied is the refusal to touch a node. It is counted.
func (r *Rights) denied(at schema.Path, what string) error {
	r.control.writes.Add(1)
	return &schema.Error{Tag: schema.AccessDenied, Path: at, Message: "access denied: " + r.user + " may not " + what + " it"}
}

// Shows says whether the user may read something of the node at a path.
func (r *Rights) Shows(p schema.Path) bool { return schema.At(r.Read(), p) != schema.Nothing }

// Shown cuts a path at the deepest node that the user may read something of.
func (r *Rights) Shown(p schema.Path) schema.Path {
	a := r.Read()
	for i := range p {
		if a = schema.At(a, p[i:i+1]); a == schema.Nothing {
			return p[:i:i]
		}
	}
	return p
}

// Write says whether the user may make the changes of a transaction (RFC 8341
// 3.4.5). The error is a *schema.Error that names the first node that the user
// may not touch, or what the user may read above it, and is counted. It is for
// what nobody named, such as the rest of a candidate and a rollback: Named comes
// first.
func (r *Rights) Write(dirty []schema.Dirty) error {
	if r == nil {
		return nil
	}
	if p, what := r.forbidden(dirty); p != nil {
		if !r.Shows(p) {
			p, what = r.Shown(p), "change all that is to be changed in"
		}
		return r.denied(p, what)
	}
	return r.references(dirty)
}

// MayWrite says whether Write would permit changes. It counts nothing.
func (r *Rights) MayWrite(dirty []schema.Dirty) bool {
	if r == nil {
		return true
	}
	p, _ := r.forbidden(dirty)
	return p == nil
}

// forbidden returns the first node that the user may not change.
func (r *Rights) forbidden(dirty []schema.Dirty) (schema.Path, string) {
	var at [exec]Records
	for does := create; does <= remove; does++ {
		at[does].root = r.access(does)
	}
	for _, d := range dirty {
		w := schema.WriteAccess{Create: at[create].Of(d.Key), Update: at[update].Of(d.Key), Delete: at[remove].Of(d.Key)}
		if p, what := schema.Forbidden(d.Key, d.Old, d.New, w); p != nil {
			return p, what
		}
	}
	return nil, ""
}

// references refuses a new reference to what the user may not read, as one to
// what does not exist.
func (r *Rights) references(dirty []schema.Dirty) error {
	records := r.Records()
	if records.root == nil {
		return nil
	}
	for _, d := range dirty {
		if err := schema.MissingReference(d, func(k schema.Key) bool { return r.Shows(k.Path()) }); err != nil {
			return err
		}
	}
	return nil
}

// Writes says whether there is anything that the user may write. Who may not has
// no business with locks, candidates and pending commits.
func (r *Rights) Writes() bool {
	if r == nil {
		return true
	}
	for does := create; does <= remove; does++ {
		if r.access(does) != schema.Nothing {
			return true
		}
	}
	return false
}

// conflict is the message of a fault in what the user may not read.
const conflict = "it does not fit to configuration that you may not read"

// Conceal returns an error without what it tells of data that the user may not
// read. What it wraps is kept where it tells nothing.
func (r *Rights) Conceal(err error) error {
	if r == nil || r.Read() == nil || err == nil {
		return err
	}
	switch e := err.(type) { //nolint:errorlint // what wraps one tells its text
	case *schema.Error:
		return r.concealed(e)
	case schema.Errors:
		out := make(schema.Errors, 0, len(e))
		for _, one := range e {
			one = r.concealed(one)
			if !slices.ContainsFunc(out, func(o *schema.Error) bool { return o.Error() == one.Error() }) {
				out = append(out, one)
			}
		}
		return out
	}
	return err
}

func (r *Rights) concealed(e *schema.Error) *schema.Error {
	hidden := func(p schema.Path) bool { return !r.Shows(p) }
	if !hidden(e.Path) && !slices.ContainsFunc(e.NonUnique, hidden) {
		return e
	}
	return &schema.Error{Tag: e.Tag, AppTag: e.AppTag, Path: r.Shown(e.Path), Message: conflict}
}
