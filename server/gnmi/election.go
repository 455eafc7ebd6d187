package gnmi

import (
	"cmp"
	"fmt"
	"sync"

	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
)

// maxRoles bounds how many roles elect masters.
const maxRoles = 1024

// elections remembers the highest election id of each role (gnmi.md 84). It
// forgets all at a restart (gnmi.md 85). The zero value is ready.
type elections struct {
	mu     sync.Mutex         // guards master
	master map[string]uint128 // by the role's id; "" is the default role
}

// uint128 is an election id.
type uint128 struct{ high, low uint64 }

func (a uint128) compare(b uint128) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// check accepts a client that is master of its role, or becomes it by a higher
// id. A request without an election is not part of any.
func (e *elections) check(m *extpb.MasterArbitration) error {
	if m == nil {
		return nil
	}
	role := m.GetRole().GetId()
	id := uint128{m.GetElectionId().GetHigh(), m.GetElectionId().GetLow()}
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.master[role]
	switch {
	case ok && id.compare(known) < 0:
		return fault{
			code: codes.PermissionDenied, op: "extension",
			reason: fmt.Sprintf("election id {high %d, low %d} of role %s is lower than that of the master, {high %d, low %d}", id.high, id.low, quote(role), known.high, known.low),
		}.err()
	case !ok && len(e.master) >= maxRoles:
		return fault{code: codes.ResourceExhausted, op: "extension", reason: fmt.Sprintf("there are %d roles with a master already", maxRoles)}.err()
	case e.master == nil:
		e.master = map[string]uint128{}
	}
	e.master[role] = id
	return nil
}
