package frr

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// reaction is what one command does to an established session of its neighbor.
type reaction uint8

const (
	quiet   reaction = iota // nothing
	ends                    // it ends, with one NOTIFICATION
	repeats                 // it ends, with several NOTIFICATIONs on one connection
)

// reactions are those to a setting that comes, changes and goes.
type reactions struct{ set, change, unset reaction }

// behaviour is what a version of bgpd does without being asked. All of it has been
// measured: TestReactions compares each version with its table.
type behaviour struct {
	since    [2]int // major and minor version
	settings map[string]reactions
	// restartTime says that a new `bgp graceful-restart restart-time` ends all
	// sessions of the router block that have announced graceful restart.
	restartTime bool
}

// reactionsOf84 are those of 8.4. What is not in it is quiet.
var reactionsOf84 = map[string]reactions{
	"remote-as":     {ends, ends, ends},
	"shutdown":      {set: ends}, // with 6/2, all others with 6/6
	"local-as":      {ends, ends, ends},
	"passive":       {ends, ends, ends},
	"port":          {set: ends},
	"ebgp-multihop": {ends, ends, ends},
	"ttl-security":  {set: ends, unset: ends},
	"update-source": {ends, ends, ends},
	"password":      {ends, ends, ends},
	"activate":      {set: ends, unset: ends},
}

var reactionsOf103 = merged(reactionsOf84, map[string]reactions{
	"local-as":         {set: repeats, unset: repeats},
	"graceful-restart": {ends, ends, ends},
	"activate":         {set: repeats, unset: ends},
})

func merged(base, more map[string]reactions) map[string]reactions {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

// behaviours are the versions that have been measured, the oldest first.
var behaviours = []behaviour{
	{since: [2]int{8, 4}, settings: reactionsOf84},
	{since: [2]int{10, 3}, settings: reactionsOf103},
	{since: [2]int{10, 7}, settings: reactionsOf103, restartTime: true},
}

// behaviourOf returns the table of a version, and what to say of it where it has
// not been measured: then the next newer one counts, which expects more.
func behaviourOf(version string) (*behaviour, string) {
	newest := &behaviours[len(behaviours)-1]
	number := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	v := [2]int{}
	for i := range v {
		if i < len(number) {
			v[i], _ = strconv.Atoi(number[i]) // digits; too many are a new version
		}
	}
	for i := range behaviours {
		b := &behaviours[i]
		if v == b.since {
			return b, ""
		}
		if v[0] < b.since[0] || v[0] == b.since[0] && v[1] < b.since[1] {
			return b, fmt.Sprintf("FRR %s has not been measured: it is taken for %d.%d", version, b.since[0], b.since[1])
		}
	}
	return newest, fmt.Sprintf("FRR %s has not been measured: it is taken for %d.%d", version, newest.since[0], newest.since[1])
}

// of returns the reaction to a step.
func (b *behaviour) of(s step) reaction {
	r := b.settings[s.key]
	switch s.kind {
	case added:
		return r.set
	case removed:
		return r.unset
	case changed:
	}
	return r.change
}
