package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/commit"
)

// A peer that is deleted is told, and the one that comes after it is not the
// demo's first session again.
func TestStoryOfDeletedPeer(t *testing.T) {
	var out strings.Builder
	var told []int
	s := &story{
		out: &out,
		socket: func() (map[string]string, error) {
			return map[string]string{"transport/state/local-address": "127.0.0.11"}, nil
		},
		onUp: func(n int, _ string) (bool, error) { told = append(told, n); return false, nil },
	}
	leaf := func(name, value string) *gpb.Update {
		return &gpb.Update{Path: peerPath("state", name), Val: &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: value}}}
	}
	up := &gpb.Notification{Update: []*gpb.Update{
		leaf("session-state", "established"), leaf("established-transitions", "1"), leaf("last-established", time.Now().Format(time.RFC3339Nano)),
	}}
	for _, n := range []*gpb.Notification{up, {Delete: []*gpb.Path{peerPath()}}, {Delete: []*gpb.Path{peerPath()}}, up} {
		if done, err := s.tell(n); done || err != nil {
			t.Fatalf("tell: %v, %v", done, err)
		}
	}
	if len(told) != 2 || told[0] != 1 || told[1] != 2 {
		t.Errorf("sessions told: %v, want 1 and 2", told)
	}
	if n := strings.Count(out.String(), "GONE"); n != 1 {
		t.Errorf("told %d times that the peer is gone, want once:\n%s", n, out.String())
	}
}

// A change that costs nothing, and a request that changes nothing, are told.
func TestStoryOfChangesWithoutReset(t *testing.T) {
	var out strings.Builder
	s := &story{out: &out}
	leaf := func(path, value string) *gpb.Update {
		return &gpb.Update{Path: peerPath(strings.Split(path, "/")...), Val: &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: value}}}
	}
	for _, n := range []*gpb.Notification{
		{Update: []*gpb.Update{leaf("config/as", "200"), leaf("transport/connect-interface/config/source-address", "127.0.0.11")}},
		{Update: []*gpb.Update{leaf("config/description", "a"), leaf("config/as", "200")}},
		{Update: []*gpb.Update{leaf("config/description", "b")}},
		{Delete: []*gpb.Path{peerPath("transport", "connect-interface")}},
		{Update: []*gpb.Update{leaf("state/last-reset/leaf", "transport/connect-interface/config/source-address: (none) -> 127.0.0.12")}},
		{Update: []*gpb.Update{leaf("transport/connect-interface/config/source-address", "127.0.0.12")}}, // the reset has told it
	} {
		if done, err := s.tell(n); done || err != nil {
			t.Fatalf("tell: %v, %v", done, err)
		}
	}
	log := slog.New(&unchangedLog{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}), &out}).With("part", "engine")
	log.Debug(commit.Unchanged, "user", "admin", "protocol", "gnmi")
	log.Info("not for the demo")
	log.Warn("for the demo")
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []string{
		"  SET    config/description: (none) -> a",
		"  SET    config/description: a -> b",
		"  SET    transport/connect-interface/config/source-address: 127.0.0.11 -> (none)",
		"  SAME   admin over gnmi: nothing differs, so nothing is reset",
		`level=WARN msg="for the demo" part=engine`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
	}
	for i := range want {
		if !strings.HasSuffix(lines[i], want[i]) {
			t.Errorf("line %d: %q, want %q", i, lines[i], want[i])
		}
	}
}
