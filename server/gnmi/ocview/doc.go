// Package ocview is the OpenConfig view of this agent's model: the tree
// /network-instances/network-instance/protocols/protocol/bgp of OpenConfig,
// read from and written to the records of engine/schema.
//
// It owns the mapping table (table.go), which serves both directions, the
// schema of the mapped tree, and what an OpenConfig path, value or operation
// means for the records. It must never hold data, decide whether a
// configuration is valid (that is engine/schema's), or know gRPC.
//
//	elements ─► Resolve, Expand ─► schema.Path of OpenConfig nodes
//	schema.View ─► Leaves, Match, AppendJSON        (read)
//	WriteJSON, WriteScalar, Delete ─► schema.Apply  (write, on a schema.Tx)
//	a changed record ─► Changes                     (ON_CHANGE)
//
// The nodes are of type schema.Node, so that paths, errors and values have the
// types that the native model's have; they are no part of schema.Root.
//
// How the trees lie on each other:
//   - network-instance[name] is a VPN instance. DEFAULT is _public_.
//   - protocol[identifier=BGP][name] is a BGP instance in that VPN instance.
//     global/config/as belongs to the BGP instance, so all protocol entries of
//     the same name share it. The BGP instance goes with the last of them.
//   - peer-group and neighbor are peer group and peer.
//
// A replace sets the mapped leaves of what it names and removes the list
// entries that it does not name. An entry that stays keeps the settings that
// OpenConfig has no node for; an entry that goes takes them along. What has no
// place in this agent's model is refused by its path.
package ocview
