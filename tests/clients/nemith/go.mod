// A module of its own: the replacement below, without which the client cannot
// be had, would keep others from installing the agent.
module mooring/tests/clients/nemith

go 1.26.0

require (
	golang.org/x/crypto v0.58.0
	nemith.io/netconf v0.0.4
)

require golang.org/x/sys v0.49.0 // indirect

replace nemith.io/netconf => github.com/nemith/netconf v0.0.4
