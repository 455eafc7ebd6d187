// Package backendtest is the contract of backend.Backend as tests: Run plays
// the same cases against every backend, and what they observe they observe at
// the remote side of a session, not in the backend's own words.
//
//	suite ── plan steps ─► backend ══ BGP session ══ Remote ── counts ─► suite
//	   └───────── events ◄────┘
//
// It must never know a particular backend: what differs comes in a Harness.
package backendtest

import (
	"testing"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Harness is one backend with nothing in it, and the world around it. Each
// case gets its own.
type Harness struct {
	Backend backend.Backend
	// Instance returns the i-th VPN instance that the world has room for;
	// there are at least two.
	Instance func(i int) *bgp.InstanceSpec
	// Peer returns the i-th peer of the i-th instance, with a source that is
	// its own; the same i is the same neighbour address in every instance.
	// There are at least three.
	Peer func(instance, i int) *bgp.PeerSpec
	// OtherSource changes the source of a peer to another that works.
	OtherSource func(*bgp.PeerSpec)
	// Remote returns the far side of a peer; it stays until the case ends.
	Remote func(t *testing.T, p *bgp.PeerSpec) Remote
	// InForce returns what the speaker works by for the peer now: settings
	// that wait for the next session have their old value.
	InForce func(bgp.PeerKey) *bgp.PeerSpec
	// Unsupported returns what Prepare must refuse: p with a setting that the
	// backend has not.
	Unsupported func(p *bgp.PeerSpec) *bgp.PeerSpec
	// FailingStep returns a step that Prepare lets pass and Apply fails at.
	FailingStep func(t *testing.T) plan.Step
	// Adapt takes back settings that the cases change on the way to something
	// else and that the backend has not; nil: it has all.
	Adapt func(*bgp.PeerSpec)
	// Return is how long a session may take to come up or back; Quiet how
	// long to look before nothing counts as having happened.
	Return, Quiet time.Duration
}

// Run plays the contract. newHarness is called once a case, after parallel,
// which marks the case as parallel where the backend allows that.
func Run(t *testing.T, parallel func(*testing.T), newHarness func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		play func(*testing.T, *suite)
	}{
		{"Capabilities", testCapabilities},
		{"CreateAndDelete", testCreateAndDelete},
		{"SeveralSettingsOneCease", testSeveralSettings},
		{"Forced", testForced},
		{"Idempotent", testIdempotent},
		{"PrepareRefuses", testPrepareRefuses},
		{"FailureInTheMiddle", testFailureInTheMiddle},
		{"FailureAtEachStep", testFailureAtEachStep},
		{"ThousandPeers", testThousandPeers},
		{"Down", testDown},
		{"Disabled", testDisabled},
		{"Reset", testReset},
		{"ResetIsNeverKept", testResetIsNeverKept},
		{"RemoteEnds", testRemoteEnds},
		{"Snapshot", testSnapshot},
		{"SameAddressInTwoVPNs", testSameAddressInTwoVPNs},
		{"InstanceChange", testInstanceChange},
		{"InstanceChangeWithoutReset", testInstanceChangeWithoutReset},
		{"InverseRestores", testInverseRestores},
		{"RunEnds", testRunEnds},
	} {
		t.Run(c.name, func(t *testing.T) {
			parallel(t)
			c.play(t, newSuite(t, newHarness(t)))
		})
	}
	for _, c := range changes {
		t.Run("Change/"+c.name, func(t *testing.T) {
			parallel(t)
			testChange(t, newSuite(t, newHarness(t)), c)
		})
	}
}
