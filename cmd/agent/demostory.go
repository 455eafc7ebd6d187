package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/commit"
)

// errNotBack is returned by demo --once when the session did not come back
// as it should.
var errNotBack = errors.New("demo: the session did not come back from the new source in time")

// story tells resets and returns of the demo's session from notifications.
// The counters of the peer are what it goes by: a slow reader may get several
// changes merged into one.
type story struct {
	out     io.Writer
	leaves  map[string]string // below the peer
	config  map[string]string // those of leaves that are configuration
	ups     int               // established-transitions told
	told    int               // sessions told
	reset   string            // time of the last reset told
	changed time.Time         // when demo --once changed the source
	// socket reads the leaves of the live connection. They come in a
	// notification of their own, so that what was told last may be older.
	socket func() (map[string]string, error)
	onUp   func(n int, source string) (done bool, err error) // at the nth session
}

// tell takes a notification.
func (s *story) tell(n *gpb.Notification) (done bool, err error) {
	if s.leaves == nil {
		s.leaves = map[string]string{}
	}
	for _, p := range n.GetDelete() {
		gone := leafOf(n.GetPrefix(), p)
		if gone == "" && len(s.leaves) > 0 {
			fmt.Fprintf(s.out, "%s  GONE   the peer was deleted\n", clock(time.Unix(0, n.GetTimestamp())))
			s.ups, s.reset = 0, "" // a peer that comes after it counts anew
		}
		for leaf := range s.leaves {
			if gone == "" || leaf == gone || strings.HasPrefix(leaf, gone+"/") {
				delete(s.leaves, leaf)
			}
		}
	}
	for _, u := range n.GetUpdate() {
		s.leaves[leafOf(n.GetPrefix(), u.GetPath())] = textOf(u.GetVal())
	}
	s.tellConfig(time.Unix(0, n.GetTimestamp()))
	s.tellReset()
	return s.tellUp()
}

// tellConfig tells what is configured otherwise than before, so that a change
// that resets nothing is seen too. A reset comes before the configuration that
// caused it, because what is published is applied already; it has said it all.
func (s *story) tellConfig(at time.Time) {
	const none = "(none)"
	now := map[string]string{}
	for leaf, v := range s.leaves {
		if strings.Contains("/"+leaf, "/config/") {
			now[leaf] = v
		}
	}
	before := s.config
	s.config = now
	if len(before) == 0 || len(now) == 0 {
		return // all of it came or went
	}
	all := maps.Clone(before)
	maps.Copy(all, now)
	for _, leaf := range slices.Sorted(maps.Keys(all)) {
		was, is := cmp.Or(before[leaf], none), cmp.Or(now[leaf], none)
		change := leaf + ": " + was + " -> " + is
		if was != is && !strings.Contains(s.leaves["state/last-reset/leaf"], change) {
			fmt.Fprintf(s.out, "%s  SET    %s\n", clock(at), change)
		}
	}
}

func (s *story) tellReset() {
	const last = "state/last-reset/"
	at := s.leaves[last+"time"]
	if at == "" || at == s.reset {
		return
	}
	s.reset = at
	line := fmt.Sprintf("%s  RESET  cause %s", clock(parseTime(at)), s.leaves[last+"cause"])
	if code := s.leaves[last+"notification-code"]; code != "" {
		line += fmt.Sprintf(", NOTIFICATION %s/%s %s", code, s.leaves[last+"notification-subcode"], s.leaves[last+"notification-direction"])
	}
	for _, more := range []string{"leaf", "text"} {
		if v := s.leaves[last+more]; v != "" {
			line += ", " + v
		}
	}
	fmt.Fprintln(s.out, line)
}

func (s *story) tellUp() (bool, error) {
	ups, _ := strconv.Atoi(s.leaves["state/established-transitions"])
	if ups == s.ups || s.leaves["state/session-state"] != "established" {
		return false, nil
	}
	socket, err := s.socket()
	source := socket["transport/state/local-address"]
	if err != nil || source == "" {
		return false, err // gone again: its return will be told
	}
	s.ups = ups
	s.told++
	at := parseTime(s.leaves["state/last-established"])
	line := fmt.Sprintf("%s  UP     established from %s to %s", clock(at), source, socket["transport/state/remote-address"])
	if s.reset != "" {
		line += fmt.Sprintf(", %v after the reset", at.Sub(parseTime(s.reset)).Round(time.Millisecond))
	}
	fmt.Fprintln(s.out, line)
	return s.onUp(s.told, source)
}

// verdict is that of demo --once: back from the new source, by one reset, and
// that one caused by the commit.
func (s *story) verdict(source string) error {
	if s.changed.IsZero() {
		return nil // not --once: no judge
	}
	cause := s.leaves["state/last-reset/cause"]
	switch {
	case source != demoSources[1]:
		return fmt.Errorf("demo: the session came back from %s, not from %s", source, demoSources[1])
	case s.ups != 2 || cause != "commit":
		return fmt.Errorf("demo: want one reset by the commit, found %d sessions and the cause %q", s.ups, cause)
	}
	reset, up := parseTime(s.reset), parseTime(s.leaves["state/last-established"])
	fmt.Fprintf(s.out, "\nOne change, one reset: %v from the request to the reset, %v from the reset to the session from %s.\n",
		reset.Sub(s.changed).Round(100*time.Microsecond), up.Sub(reset).Round(time.Millisecond), source)
	return nil
}

// parseTime reads a date-and-time; what is none is now.
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Now()
	}
	return t
}

// unchangedLog is the demo's log. It shows what no subscriber is told, because
// there is nothing to tell: a request after which all is as before.
type unchangedLog struct {
	slog.Handler
	out io.Writer
}

// Enabled is true for debug, at which that is logged.
func (l *unchangedLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle tells what changed nothing, and hands on what the log is to have.
func (l *unchangedLog) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Message == commit.Unchanged:
		var by []string
		r.Attrs(func(a slog.Attr) bool { by = append(by, a.Value.String()); return true })
		_, err := fmt.Fprintf(l.out, "%s  SAME   %s: %s, so nothing is reset\n", clock(r.Time), strings.Join(by, " over "), commit.Unchanged)
		return err
	case l.Handler.Enabled(ctx, r.Level):
		return l.Handler.Handle(ctx, r)
	}
	return nil
}

// WithAttrs and WithGroup keep the handler around the one that they return.
func (l *unchangedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &unchangedLog{l.Handler.WithAttrs(attrs), l.out}
}

func (l *unchangedLog) WithGroup(name string) slog.Handler {
	return &unchangedLog{l.Handler.WithGroup(name), l.out}
}
