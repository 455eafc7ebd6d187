package nacm

import (
	"slices"
	"strings"
	"sync"

	"mooring/engine/schema"
	"mooring/gen"
)

// Short names for the generated structs.
type (
	nacmRec = gen.IETFNetconfAcm_Nacm
	ruleRec = gen.IETFNetconfAcm_Nacm_RuleList_Rule
)

// all stands for all modules, groups, names and operations.
const all = "*"

// access is an access operation (RFC 8341 2.2).
type access uint8

const (
	read access = iota
	create
	update
	remove
	exec
	accesses
)

var accessNames = [accesses]string{"read", "create", "update", "delete", "exec"}

// policy is /nacm, compiled. Only users changes.
type policy struct {
	record    *nacmRec // nil: nothing is configured
	enabled   bool
	external  bool
	permitted [accesses]bool // by default
	groups    map[string][]string
	lists     []ruleList

	mu    sync.Mutex // guards users
	users map[string]*Rights
}

// ruleList is the rules for some groups.
type ruleList struct {
	groups []string
	rules  []rule
}

// subject is what a rule is about.
type subject uint8

const (
	anything subject = iota // no rule-type
	operation
	notification
	dataNode
)

// rule is one rule (RFC 8341 3.4.4 to 3.4.6).
type rule struct {
	module string
	about  subject
	name   string // of an operation or notification
	path   schema.Instance
	does   [accesses]bool
	permit bool
}

// covers says whether the rule speaks of a module and an access operation.
func (r *rule) covers(module string, does access) bool {
	return r.does[does] && (r.module == all || r.module == module)
}

// compile makes a policy of /nacm.
func compile(rec *nacmRec) *policy {
	p := &policy{record: rec, groups: map[string][]string{}, users: map[string]*Rights{}}
	from := rec
	if from == nil {
		from = &nacmRec{}
	}
	write := from.WriteDefault == gen.IETFNetconfAcm_ActionType_permit
	p.enabled = from.EnableNacm == nil || *from.EnableNacm
	p.external = from.EnableExternalGroups == nil || *from.EnableExternalGroups
	p.permitted = [accesses]bool{
		read: from.ReadDefault != gen.IETFNetconfAcm_ActionType_deny, exec: from.ExecDefault != gen.IETFNetconfAcm_ActionType_deny,
		create: write, update: write, remove: write,
	}
	if from.Groups != nil {
		for name, g := range from.Groups.Group {
			for _, user := range g.UserName {
				p.groups[user] = append(p.groups[user], name)
			}
		}
	}
	for _, l := range from.RuleList.Values() {
		list := ruleList{groups: l.Group, rules: make([]rule, 0, l.Rule.Len())}
		for _, r := range l.Rule.Values() {
			list.rules = append(list.rules, newRule(r))
		}
		p.lists = append(p.lists, list)
	}
	return p
}

// newRule reads one rule. A path that cannot be read, which no validated
// configuration has, matches nothing.
func newRule(r *ruleRec) rule {
	out := rule{module: or(r.ModuleName, all), permit: r.Action == gen.IETFNetconfAcm_ActionType_permit}
	switch {
	case r.RpcName != nil:
		out.about, out.name = operation, *r.RpcName
	case r.NotificationName != nil:
		out.about, out.name = notification, *r.NotificationName
	case r.Path != nil:
		out.about = dataNode
		var err error
		if out.path, err = schema.ParseInstance(*r.Path, nil); err != nil {
			return rule{}
		}
	}
	does := or(r.AccessOperations, all)
	for a, name := range accessNames {
		out.does[a] = does == all || slices.Contains(strings.Fields(does), name)
	}
	return out
}

func or(s *string, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return *s
}

// maxUsers bounds the users whose rights are remembered.
const maxUsers = 1024

// of returns the rights of a user.
func (p *policy) of(c *Control, id Identity) *Rights {
	name := id.User + "\x00" + strings.Join(id.Groups, "\x00")
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.users[name]; r != nil {
		return r
	}
	if len(p.users) >= maxUsers {
		clear(p.users)
	}
	r := &Rights{control: c, policy: p, user: id.User, rules: p.rulesFor(id)}
	p.users[name] = r
	return r
}

// rulesFor returns the rules for the groups of a user, in order (RFC 8341
// 3.4.4, steps 4 to 7). Without a group there are none.
func (p *policy) rulesFor(id Identity) []rule {
	groups := slices.Clone(p.groups[id.User])
	if p.external {
		groups = append(groups, id.Groups...)
	}
	if len(groups) == 0 {
		return nil
	}
	var out []rule
	for _, l := range p.lists {
		if slices.ContainsFunc(l.groups, func(g string) bool { return g == all || slices.Contains(groups, g) }) {
			out = append(out, l.rules...)
		}
	}
	return out
}
