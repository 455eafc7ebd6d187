// Package srcaddr answers one question: which source address does the TCP
// connection of a peer use when its connect-interface names an interface, an
// address, or both?
//
// It owns an in-memory mirror of the links and addresses of every network
// namespace that it was asked about, and keeps the mirrors current by netlink:
//
//	Resolve(Query) --first query--> load ----.
//	      |                                  v
//	      '------ classify (pure) <------- mirror <-- events -- netlink socket
//	                                         |                  (one a namespace)
//	Changes() <-- debounce <-- changed ------'
//
// It must never change an interface or an address, never decide what happens
// to a session, and never leave a thread in a foreign network namespace.
//
// A caller makes a Resolver with New, runs Run in a goroutine that it owns,
// calls Resolve whenever it needs an answer, and calls Resolve again for the
// queries of a namespace that Changes names.
package srcaddr
