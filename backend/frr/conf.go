package frr

import (
	"net/netip"
	"slices"
	"strings"

	"mooring/bgp"
)

// command is one line for a router block; af is the address family that it
// is entered in, "" for the block itself.
type command struct{ af, text string }

// line is one setting as FRR's configuration shows it: of a neighbor what
// follows "neighbor ADDRESS ", of a router block the line itself.
type line struct {
	af, key, text string
}

// conf is a set of settings, sorted by rank.
type conf []line

// setting is how FRR names one line of a neighbor.
type setting struct {
	key   string
	whole bool // "no" wants the whole line
}

// neighborSettings are the lines of a neighbor that Mooring manages, in the
// order in which a new neighbor gets them: a neighbor without an activated
// address family has no session, so that comes last. Every other line of a
// neighbor is the operator's (route-map, maximum-prefix, ...).
var neighborSettings = []setting{
	{key: "remote-as"},
	{key: "description"},
	{key: "shutdown"},
	{key: "interface"},
	{key: "local-as"},
	{key: "passive"},
	{key: "port"},
	{key: "ebgp-multihop"},
	{key: "ttl-security", whole: true},
	{key: "update-source"},
	{key: "password"},
	{key: "tcp-mss"},
	{key: "timers"},
	{key: "timers connect"},
	{key: "graceful-restart"},
	{key: "activate"},
}

// settingOf returns the setting that a line of a neighbor is.
func settingOf(text string) (setting, bool) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "timers":
		if strings.HasPrefix(rest, "connect ") {
			word = "timers connect"
		} else if strings.HasPrefix(rest, "delayopen ") {
			return setting{}, false
		}
	case "graceful-restart-disable", "graceful-restart-helper":
		word = "graceful-restart"
	}
	for _, s := range neighborSettings {
		if s.key == word {
			return s, true
		}
	}
	return setting{}, false
}

func rank(key string) int {
	return slices.IndexFunc(neighborSettings, func(s setting) bool { return s.key == key })
}

func compareLines(a, b line) int {
	if c := rank(a.key) - rank(b.key); c != 0 {
		return c
	}
	return strings.Compare(a.af, b.af)
}

func (c conf) find(af, key string) (line, bool) {
	i := slices.IndexFunc(c, func(l line) bool { return l.key == key && l.af == af })
	if i < 0 {
		return line{}, false
	}
	return c[i], true
}

func (c conf) text(key string) string {
	l, _ := c.find("", key)
	return l.text
}

func (c conf) has(key string) bool { return c.text(key) != "" }

// kind is what a step does to its setting.
type kind uint8

const (
	added kind = iota
	changed
	removed
)

// step is a command of a change.
type step struct {
	command
	key  string
	kind kind
}

// change returns the commands that lead a neighbor from old to new: what goes
// away first, because some settings exclude each other.
func change(addr netip.Addr, old, new conf) []step {
	name := "neighbor " + addr.WithZone("").String() + " "
	var out []step
	add := func(l line, k kind, text string) {
		out = append(out, step{command{l.af, text}, l.key, k})
	}
	if old.has("remote-as") && old.text("remote-as") != new.text("remote-as") {
		// FRR forgets what does not fit the new kind of session, and shows
		// it or not: what is wanted is said again.
		old = slices.DeleteFunc(slices.Clone(old), func(l line) bool {
			_, still := new.find(l.af, l.key)
			return still && (l.key == "ebgp-multihop" || l.key == "ttl-security" || l.key == "local-as")
		})
	}
	for _, l := range slices.Backward(old) {
		if _, ok := new.find(l.af, l.key); ok || l.key == "remote-as" {
			continue
		}
		s, _ := settingOf(l.text)
		text := l.key
		if s.whole {
			text = l.text
		}
		add(l, removed, "no "+name+text)
	}
	for _, l := range new {
		switch was, ok := old.find(l.af, l.key); {
		case !ok:
			add(l, added, name+l.text)
		case was.text != l.text:
			add(l, changed, name+l.text)
		}
	}
	return out
}

// nudge puts a command before those of a change that ends the session with one Cease
// 6/6: `passive` comes or goes, whatever it is to be. What undoes that, if it does not
// change, is next, and finds no session any more where bgpd has ended it.
func nudge(addr netip.Addr, now conf, rest []command) []command {
	passive := command{"", "neighbor " + addr.WithZone("").String() + " passive"}
	active := command{"", "no " + passive.text}
	there, back := passive, active
	if now.has("passive") {
		there, back = active, passive
	}
	if i := slices.Index(rest, there); i >= 0 {
		return slices.Concat([]command{there}, rest[:i], rest[i+1:])
	}
	return append([]command{there, back}, rest...)
}

// create returns the commands that make a neighbor, of which old may be there
// already. bgpd accepts connections as soon as one address family is activated,
// with what it has been told by then: the families come last, and in one write.
// `timers connect` comes with them: without a family it would start the neighbor.
// Where a family is active from the beginning, the neighbor is shut down until all
// is there, if that is more than one write.
func create(addr netip.Addr, old, new conf, implicit bool) [][]command {
	shut, open := shutters(addr)
	closed, stays := old.has("shutdown"), new.has("shutdown")
	_, active := old.find(afNames[bgp.IPv4Unicast], "activate")
	active = active || implicit && len(old) == 0
	var first, last []command
	for _, s := range change(addr, old, new) {
		switch {
		case s.command == open:
		case s.key == "activate", s.key == "timers connect":
			last = append(last, s.command)
		default:
			first = append(first, s.command)
		}
		if s.key == "remote-as" && implicit && len(old) == 0 {
			first = append(first, command{afNames[bgp.IPv4Unicast], "no neighbor " + addr.String() + " activate"})
			active = false
		}
	}
	if active && !closed && !stays && !atOnce(slices.Concat(first, last)) {
		first, closed = slices.Insert(first, 0, shut), true
	}
	if closed && !stays {
		last = append(last, open)
	}
	if active {
		return [][]command{slices.Concat(first, last)}
	}
	return [][]command{first, last}
}

// shutters are the commands between which bgpd neither opens nor accepts a
// connection of the neighbor, and gives up one that has not come to a session.
func shutters(addr netip.Addr) (shut, open command) {
	name := "neighbor " + addr.WithZone("").String() + " shutdown"
	return command{"", name}, command{"", "no " + name}
}

func remove(addr netip.Addr) []command {
	return []command{{"", "no neighbor " + addr.WithZone("").String()}}
}

func commands(steps []step) []command {
	out := make([]command, len(steps))
	for i, s := range steps {
		out[i] = s.command
	}
	return out
}
