// Package plan turns two sets of resolved specifications into the steps that
// lead from one to the other with the fewest session resets. It is pure: no
// I/O, no clock, no YANG, no backend; what a change costs and what a backend
// does by itself come in as functions.
//
//	old, new InstanceSpec ─┐
//	old, new PeerSpec ─────┼─ Compute ─► Plan: ordered steps, each with its
//	Costs ─────────────────┘             impact and the leaves that cause it
//
// Invariants, held by the property tests of this package and of engine/commit:
//   - a peer stands in at most one step;
//   - equal input gives no step;
//   - a step resets exactly where the effective value of a leaf with impact
//     reset changed, or where the policy asks for it (Forced);
//   - Inverse of the steps, reversed, leads back.
package plan

import (
	"slices"

	"mooring/bgp"
)

// Op is what a step does.
type Op uint8

// The operations, in the order in which a plan does them: what goes away
// makes room first, and an instance stands before its peers.
const (
	DeletePeer Op = iota
	DeleteInstance
	PutInstance // create or change
	UpdatePeer
	CreatePeer
)

var opNames = [...]string{"delete-peer", "delete-instance", "put-instance", "update-peer", "create-peer"}

// String returns the name of the operation.
func (o Op) String() string { return opNames[o] }

// Step is one change of one instance or one peer.
type Step struct {
	Op Op

	// Instance is the instance, also of a peer's step.
	Instance                 bgp.InstanceKey
	OldInstance, NewInstance *bgp.InstanceSpec // nil: absent; only in steps of instances

	Peer     bgp.PeerKey   // zero in steps of instances
	Old, New *bgp.PeerSpec // nil: absent; only in steps of peers

	// Impact is what the change costs an established session: exactly this,
	// whatever the backend would do by itself.
	Impact bgp.Impact
	// AddReset says that the backend by itself would not end the session but
	// the model asks for it, so the backend adds one Cease.
	AddReset bool
	// Leaves are the settings that change, with the old and new values.
	Leaves []bgp.LeafChange
	// Forced are the leaves of PeerPair.Forced.
	Forced []string
	// Text is for the peer's operator, where the peer is shut down (RFC 9003).
	Text string
}

// Plan is what a commit does to the backend. The zero Plan does nothing.
type Plan struct {
	Steps []Step
}

// Pair is one thing before and after: nil is absent.
type Pair[T any] struct{ Old, New *T }

// PeerPair is a peer before and after.
type PeerPair struct {
	Old, New *bgp.PeerSpec
	// Forced are leaves, of bgp.PeerLeaves, with impact reset that were written without a change,
	// in an instance whose reset-policy is "always".
	Forced []string
}

// Costs answers what changes cost. All functions are pure.
type Costs struct {
	// Impact is that of a setting of a peer, by the model.
	Impact func(leaf string) bgp.Impact
	// Native is what the backend does by itself between two specifications.
	Native func(old, new *bgp.PeerSpec) bgp.Impact
	// NativeInstance is what the backend does to all sessions of an instance.
	NativeInstance func(old, new *bgp.InstanceSpec) bgp.Impact
}

// Compute returns the plan that leads from the old to the new
// specifications. Peers of an instance that changes must be among the peers.
// The order of the input does not matter.
func Compute(instances []Pair[bgp.InstanceSpec], peers []PeerPair, costs Costs) Plan {
	p := Plan{Steps: make([]Step, 0, len(instances)+len(peers))}
	causes := map[bgp.InstanceKey][]bgp.LeafChange{} // of instances whose change resets all their sessions
	for _, in := range instances {
		step, ok := instanceStep(in, costs)
		if !ok {
			continue
		}
		if step.Impact == bgp.ImpactReset {
			causes[step.Instance] = step.Leaves
		}
		p.Steps = append(p.Steps, step)
	}
	for _, pair := range peers {
		if step, ok := peerStep(pair, causes, costs); ok {
			p.Steps = append(p.Steps, step)
		}
	}
	slices.SortFunc(p.Steps, compareSteps)
	return p
}

// Resets returns how many sessions the plan ends if all are established.
func (p Plan) Resets() int {
	n := 0
	for i := range p.Steps {
		if p.Steps[i].EndsSession() {
			n++
		}
	}
	return n
}

// ShutsDown says whether the step disables a peer, which is the one Cease that
// has room for a text (RFC 9003).
func (s *Step) ShutsDown() bool {
	return s.Old != nil && s.New != nil && s.New.Down == bgp.DownDisabled && s.Old.Down != bgp.DownDisabled
}

// EndsSession says whether an established session of the step's peer ends.
func (s *Step) EndsSession() bool {
	return s.Old != nil && s.Impact == bgp.ImpactReset
}

// Inverse returns the steps that undo done, in the order in which they are to
// be done. The impact of a step is that of its inverse.
func Inverse(done []Step) []Step {
	undo := make([]Step, 0, len(done))
	for _, s := range slices.Backward(done) {
		s.Old, s.New = s.New, s.Old
		s.OldInstance, s.NewInstance = s.NewInstance, s.OldInstance
		switch s.Op {
		case DeletePeer:
			s.Op = CreatePeer
		case CreatePeer:
			s.Op = DeletePeer
		case DeleteInstance:
			s.Op = PutInstance
		case PutInstance:
			if s.NewInstance == nil {
				s.Op = DeleteInstance
			}
		case UpdatePeer:
		}
		leaves := make([]bgp.LeafChange, len(s.Leaves))
		for i, l := range s.Leaves {
			leaves[i] = bgp.LeafChange{Leaf: l.Leaf, Old: l.New, New: l.Old}
		}
		s.Leaves = leaves
		undo = append(undo, s)
	}
	return undo
}

func instanceStep(in Pair[bgp.InstanceSpec], costs Costs) (Step, bool) {
	switch {
	case in.Old == nil && in.New == nil:
		return Step{}, false
	case in.New == nil:
		return Step{Op: DeleteInstance, Instance: in.Old.Key, OldInstance: in.Old, Impact: bgp.ImpactReset}, true
	case in.Old == nil:
		return Step{Op: PutInstance, Instance: in.New.Key, NewInstance: in.New}, true
	}
	leaves := bgp.DiffInstances(in.Old, in.New)
	if len(leaves) == 0 {
		return Step{}, false
	}
	return Step{
		Op: PutInstance, Instance: in.New.Key, OldInstance: in.Old, NewInstance: in.New,
		Impact: costs.NativeInstance(in.Old, in.New), Leaves: leaves,
	}, true
}

func peerStep(pair PeerPair, causes map[bgp.InstanceKey][]bgp.LeafChange, costs Costs) (Step, bool) {
	old, new := pair.Old, pair.New
	switch {
	case old == nil && new == nil:
		return Step{}, false
	case new == nil:
		return Step{Op: DeletePeer, Instance: old.Key.InstanceKey(), Peer: old.Key, Old: old, Impact: bgp.ImpactReset}, true
	case old == nil:
		return Step{Op: CreatePeer, Instance: new.Key.InstanceKey(), Peer: new.Key, New: new}, true
	}
	step := Step{
		Op: UpdatePeer, Instance: new.Key.InstanceKey(), Peer: new.Key, Old: old, New: new,
		Leaves: bgp.DiffPeers(old, new), Forced: pair.Forced,
	}
	changed := len(step.Leaves) > 0
	if slices.ContainsFunc(step.Leaves, bgp.LeafChange.InForce) {
		step.Impact = bgp.ImpactNextSession
		step.Leaves = slices.DeleteFunc(step.Leaves, bgp.LeafChange.InForce)
	}
	for _, l := range step.Leaves {
		step.Impact = max(step.Impact, costs.Impact(l.Leaf))
	}
	if cause, ok := causes[step.Instance]; ok {
		step.Impact = bgp.ImpactReset
		step.Leaves = append(step.Leaves, cause...)
	}
	for _, leaf := range pair.Forced {
		step.Impact = bgp.ImpactReset
		if !slices.ContainsFunc(step.Leaves, func(l bgp.LeafChange) bool { return l.Leaf == leaf }) {
			v := new.Value(slices.Index(bgp.PeerLeaves(), leaf))
			step.Leaves = append(step.Leaves, bgp.LeafChange{Leaf: leaf, Old: v, New: v})
		}
	}
	if !changed && step.Impact == bgp.ImpactNone {
		return Step{}, false
	}
	native := costs.Native(old, new)
	step.AddReset = step.Impact == bgp.ImpactReset && native < bgp.ImpactReset && causes[step.Instance] == nil
	return step, true
}

func compareSteps(a, b Step) int {
	if a.Op != b.Op {
		return int(a.Op) - int(b.Op)
	}
	if c := a.Instance.Compare(b.Instance); c != 0 {
		return c
	}
	return a.Peer.Compare(b.Peer)
}
