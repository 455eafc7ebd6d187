// Package effective owns what a configuration means: the specifications of
// instances and peers in the words of package bgp. A setting of a peer is its
// own value, else that of its peer group, else that of its instance, else a
// default; Origin tells which.
//
//	records of the model ─► Config.Instance ─► bgp.InstanceSpec
//	                     ─► Config.Peer ─────► bgp.PeerSpec but for its source,
//	                                           and the srcaddr.Query that asks for it
//	                        answer ─► SetSource ─► the whole bgp.PeerSpec
//
// It also knows which leaf of the model decides which setting (Setting), and
// what a change of a setting costs by the model (Impact).
//
// It must never write, ask the network or a backend, or know of commits: what
// it returns depends on the records and the answer alone.
package effective
