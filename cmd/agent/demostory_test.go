package main

import (
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
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
