package transport

import "mooring/internal/netspace"

// nsID tells network namespaces apart.
type nsID = netspace.ID

// errNoNamespace is returned for a namespace that does not exist.
var errNoNamespace = netspace.ErrNotFound

// inNamespace calls f in the network namespace of the name; the name "" is the
// agent's own.
func inNamespace(name string, f func(nsID) error) error { return netspace.In(name, f) }
