package frr

import (
	"net/netip"
	"slices"
	"strings"
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

// setting is how FRR treats one line of a neighbor.
type setting struct {
	key    string
	resets bool // FRR ends the session by itself, with 6/6
	whole  bool // "no" wants the whole line
}

// neighborSettings are the lines of a neighbor that Mooring manages, in the
// order in which a new neighbor gets them: a neighbor without an activated
// address family has no session, so that comes last. Every other line of a
// neighbor is the operator's (route-map, maximum-prefix, ...).
var neighborSettings = []setting{
	{key: "remote-as", resets: true},
	{key: "description"},
	{key: "shutdown"}, // ends the session with 6/2
	{key: "interface"},
	{key: "local-as", resets: true},
	{key: "passive", resets: true},
	{key: "port", resets: true},
	{key: "ebgp-multihop", resets: true},
	{key: "ttl-security", resets: true, whole: true},
	{key: "update-source", resets: true},
	{key: "password", resets: true},
	{key: "tcp-mss"},
	{key: "timers"},
	{key: "timers connect"},
	{key: "graceful-restart"},
	{key: "activate", resets: true},
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

// step is a command of a change and whether FRR resets on it.
type step struct {
	command
	key    string
	resets bool
}

// change returns the commands that lead a neighbor from old to new: what goes
// away first, because some settings exclude each other.
func change(addr netip.Addr, old, new conf) []step {
	name := "neighbor " + addr.WithZone("").String() + " "
	var out []step
	add := func(l line, text string) {
		s, _ := settingOf(l.text)
		out = append(out, step{command{l.af, text}, l.key, s.resets})
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
		add(l, "no "+name+text)
	}
	for _, l := range new {
		if was, ok := old.find(l.af, l.key); !ok || was.text != l.text {
			add(l, name+l.text)
		}
	}
	return out
}

// nudge is a pair of commands that changes nothing and ends the session with
// one Cease 6/6: the second finds no session.
func nudge(addr netip.Addr, now conf) []command {
	name := "neighbor " + addr.WithZone("").String() + " passive"
	if now.has("passive") {
		return []command{{"", "no " + name}, {"", name}}
	}
	return []command{{"", name}, {"", "no " + name}}
}

// create returns the commands that make a neighbor, of which old may be there
// already. bgpd accepts connections as soon as one address family is activated,
// with what it has been told by then: where there are several, the neighbor is
// shut down until all are.
func create(addr netip.Addr, old, new conf) []command {
	steps := change(addr, old, new)
	families := 0
	for _, s := range steps {
		if s.key == "activate" {
			families++
		}
	}
	shut, open := shutters(addr)
	closed, stays := old.has("shutdown"), new.has("shutdown")
	var out []command
	for _, s := range steps {
		// After the mark: what dies before it is not known again as ours.
		if !closed && !stays && families > 1 && s.key != "remote-as" && s.key != "description" {
			out, closed = append(out, shut), true
		}
		if s.command != open {
			out = append(out, s.command)
		}
	}
	if closed && !stays {
		out = append(out, open)
	}
	return out
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
