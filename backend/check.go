package backend

import (
	"errors"

	"mooring/bgp"
	"mooring/engine/plan"
)

// Checks are what Prepare asks of single steps. An error is the reason, which
// Refuse puts into an *Error.
type Checks struct {
	Instance func(*bgp.InstanceSpec) error
	Peer     func(in *bgp.InstanceSpec, p *bgp.PeerSpec) error
	Refuse   func(*plan.Step, error) error
}

// Check is the part of Prepare that speakers share: it checks each step
// against the instances as they are by then. It brings after, the instances
// that there are before, to what they are after all steps, and says whether an
// instance is put.
func (c Checks) Check(after map[bgp.InstanceKey]*bgp.InstanceSpec, steps []plan.Step) (placed bool, err error) {
	for i := range steps {
		s := &steps[i]
		switch s.Op {
		case plan.PutInstance:
			placed = true
			after[s.Instance] = s.NewInstance
			err = c.Instance(s.NewInstance)
		case plan.DeleteInstance:
			delete(after, s.Instance)
		case plan.CreatePeer, plan.UpdatePeer:
			if in := after[s.Instance]; in == nil {
				err = errors.New("its instance does not exist")
			} else {
				err = c.Peer(in, s.New)
			}
		case plan.DeletePeer:
		}
		if err != nil {
			return placed, c.Refuse(s, err)
		}
	}
	return placed, nil
}
