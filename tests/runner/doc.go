// Package runner builds the agent, runs it as a process of its own and talks to
// it as its users do: gNMI over TLS with a password, and NETCONF over SSH by a
// client library that knows nothing of this project. The packages of end-to-end
// tests, crash tests and benchmarks share it.
//
// It owns the processes that it starts and ends them in the Cleanup of the test
// that started them. It must never reach into the agent: what a test learns, it
// learns over the wire, from the state directory, or from the kernel. So it
// imports no package of this module but tests/netlab.
//
//	func TestMain(m *testing.M) { os.Exit(runner.Main(m)) }
//
//	a := runner.Start(t, runner.Options{Namespace: dut})
//	g, n := a.GNMI(t), a.NETCONF(t)
//	_, err := g.Set(ctx, runner.Update(path, value))
package runner
