// Package e2e plays the life of a peer on the real agent: a process in a network
// namespace, real clients in front of it, a real BGP speaker (BIRD) behind it,
// and a capture on the wire between them that decides what really happened.
//
//	dut                                  far
//	+---------------------------+        +-------------------------+
//	| agent   vd 10.1.1.1/24    |--veth--| vr 10.1.1.2/24          |
//	|         LoopBack1 10.9.1.1|        | BIRD, AS 200, passive:  |
//	|         LoopBack2 10.9.2.1|        | takes any source        |
//	+---------------------------+        +-------------------------+
//
// Each test is one scenario of that life, with a bed of its own, so that all of
// them can run at the same time. The session always starts on the agent's side,
// because BIRD is passive: what the agent binds to is what the SYN shows.
package e2e
