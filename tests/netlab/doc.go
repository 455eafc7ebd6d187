// Package netlab is the laboratory of the end-to-end tests: network
// namespaces joined by veth pairs, real remote BGP speakers in them, and a
// witness on the wire.
//
//	namespace "dut"                        namespace "remote"
//	+-----------------------+   veth       +-------------------------+
//	| process under test    | vd ------ vr | StartBIRD or Listener   |
//	|        Capture on vd  |              |                         |
//	+-----------------------+              +-------------------------+
//
// It owns every namespace, process, socket and goroutine that it makes and
// removes them in the Cleanup of the test that made the Lab, also when that
// test failed. It must never touch the namespace that the test runs in, a
// process that it did not start, or Mooring itself: it imports no package of
// this module, so that what it reports about the wire is independent evidence.
//
// A test reads like this:
//
//	lab := netlab.New(t)
//	dut, remote := lab.Namespace("dut"), lab.Namespace("remote")
//	lab.Link(dut, "vd", remote, "vr")
//	dut.AddAddr("vd", "10.1.1.1/24")
//	remote.AddAddr("vr", "10.1.1.2/24")
//	wire := lab.Capture(dut, "vd", 179)
//	bird := lab.StartBIRD(remote, netlab.BIRDConfig{...})
//	bird.WaitEstablished(t, "dut", 10*time.Second)
//	mark := wire.Mark()
//	// change something, then assert only what happened since
//	wire.WaitFor(t, 5*time.Second, func(v netlab.View) bool {
//		return len(v.Since(mark).Notifications()) == 1
//	})
//
// All methods of Lab and Namespace fail the test at once when the kernel or a
// tool refuses, and so must be called from the goroutine that runs the test.
// Only Namespace.Do returns its error.
//
// A test binary that is killed (a timeout of go test panics past Cleanup)
// leaves its namespaces behind. Their names are unique, so later runs are not
// disturbed; `ip netns list` shows them as netlab-PID-N-NAME.
package netlab
