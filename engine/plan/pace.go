package plan

import "mooring/bgp"

// Pace splits the steps of a plan, in their order, into those to be carried out
// now and those that wait for their turn, so that at most room established
// sessions that are to come back go down at once. up says whether the session of
// a peer is established.
//
// What waits are updates of single peers. Never waits:
//   - a step that ends no session, or one that is down already;
//   - the end of a session that is not meant to come back: a peer that is
//     deleted or disabled;
//   - a peer whose instance changes too: the two belong together.
func Pace(steps []Step, room int, up func(bgp.PeerKey) bool) (now, later []Step) {
	whole := map[bgp.InstanceKey]bool{}
	for i := range steps {
		if s := &steps[i]; s.OldInstance != nil {
			whole[s.Instance] = true
		}
	}
	for i := range steps {
		s := &steps[i]
		switch {
		case !s.ComesBack() || whole[s.Instance] || !up(s.Peer):
		case room > 0:
			room--
		default:
			if later == nil {
				now = append(make([]Step, 0, len(steps)), steps[:i]...)
			}
			later = append(later, *s)
			continue
		}
		if later != nil {
			now = append(now, *s)
		}
	}
	if later == nil {
		return steps, nil // the ordinary case copies nothing
	}
	return now, later
}

// ComesBack says whether the step ends an established session that is meant to
// be established again.
func (s *Step) ComesBack() bool {
	return s.Op == UpdatePeer && s.EndsSession() && s.New != nil && s.New.Down != bgp.DownDisabled
}
