package nacm

import (
	"errors"
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

// Write says whether the user may make the changes of a transaction (RFC 8341
// 3.4.5). The error is a *schema.Error that names the first node that the user
// may not touch, and is counted.
func (r *Rights) Write(dirty []schema.Dirty) error {
	if r == nil {
		return nil
	}
	var at [exec]Records
	for does := create; does <= remove; does++ {
		at[does].root = r.access(does)
	}
	for _, d := range dirty {
		w := schema.WriteAccess{Create: at[create].Of(d.Key), Update: at[update].Of(d.Key), Delete: at[remove].Of(d.Key)}
		if p, what := schema.Forbidden(d.Key, d.Old, d.New, w); p != nil {
			r.control.writes.Add(1)
			return &schema.Error{Tag: schema.AccessDenied, Path: p, Message: "access denied: " + r.user + " may not " + what + " it"}
		}
	}
	return nil
}

// Conceal returns the error of an edit without what it tells of data that the
// user may not read: that it exists, or that it does not.
func (r *Rights) Conceal(err error) error {
	e, ok := errors.AsType[*schema.Error](err)
	if r == nil || !ok || e.Tag != schema.DataExists && e.Tag != schema.DataMissing || schema.At(r.Read(), e.Path) != schema.Nothing {
		return err
	}
	r.control.writes.Add(1)
	return &schema.Error{Tag: schema.AccessDenied, Path: e.Path, Message: "access denied: " + r.user + " may not read it"}
}
