package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

const (
	// patience is how long a session may take to come up: the GoBGP of the agent
	// waits up to 2 s before it dials, and this machine may be busy.
	patience = 20 * time.Second
	// atOnce is how soon the agent has to follow the kernel.
	atOnce = 2 * time.Second
	poll   = 10 * time.Millisecond

	remoteAS   = 200
	remote     = "10.1.1.2"
	remote6    = "2001:db8:1::2"
	loopBack1  = "10.9.1.1"
	loopBack2  = "10.9.2.1"
	loopBack1b = "10.9.1.2"
	direct     = "10.1.1.1"
)

// bed is the laboratory of one scenario.
type bed struct {
	t        *testing.T
	lab      *netlab.Lab
	dut, far *netlab.Namespace
	wire     *netlab.Capture
	begin    netlab.Mark // of the capture
	bird     *netlab.BIRD
	agent    *runner.Agent
	gnmi     *runner.GNMI
}

// newBed makes the picture of the package doc and starts the agent in it,
// without a configuration.
func newBed(t *testing.T, o runner.Options) *bed {
	t.Helper()
	b := newLines(t)
	b.start(o)
	return b
}

// newLines is newBed without the agent.
func newLines(t *testing.T) *bed {
	t.Helper()
	lab := netlab.New(t)
	b := &bed{t: t, lab: lab, dut: lab.Namespace("dut"), far: lab.Namespace("far")}
	lab.Link(b.dut, "vd", b.far, "vr")
	b.dut.AddAddr("vd", direct+"/24")
	b.far.AddAddr("vr", remote+"/24")
	b.dut.AddAddr("vd", "2001:db8:1::1/64")
	b.far.AddAddr("vr", remote6+"/64")
	b.far.AddRoute("10.9.0.0/16", "via", direct)
	b.far.AddRoute("2001:db8:9::/48", "via", "2001:db8:1::1")
	b.loopBack("LoopBack1", loopBack1+"/32")
	b.loopBack("LoopBack2", loopBack2+"/32")
	b.wire = lab.Capture(b.dut, "vd", 179)
	b.begin = b.wire.Mark()
	b.bird = lab.StartBIRD(b.far, netlab.BIRDConfig{
		RouterID: netip.MustParseAddr("2.2.2.2"),
		Protocols: []netlab.BIRDPeer{
			birdPeer("dut", "10.0.0.0/8", 100),
			birdPeer("dut6", "2001:db8::/32", 100),
		},
	})
	return b
}

// birdPeer takes any source of a range as a peer with the AS.
func birdPeer(name, sources string, as uint32) netlab.BIRDPeer {
	return netlab.BIRDPeer{
		Name: name, LocalAS: remoteAS, NeighborRange: netip.MustParsePrefix(sources), NeighborAS: as, MultihopTTL: 8,
		Passive: true, // the range itself is so anyway; this is for the sessions that come out of it
	}
}

// loopBack makes an interface of the agent's host with addresses.
func (b *bed) loopBack(name string, cidrs ...string) {
	b.t.Helper()
	b.dut.AddInterface(name)
	for _, cidr := range cidrs {
		b.dut.AddAddr(name, cidr)
	}
}

// start runs the agent on the agent's side of the bed.
func (b *bed) start(o runner.Options) {
	b.t.Helper()
	o.Namespace = b.dut
	o.Args = append([]string{"--log-level", "debug"}, o.Args...)
	b.agent = runner.Start(b.t, o)
	b.gnmi = b.agent.GNMI(b.t)
}

func (b *bed) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

// set performs the operations in one Set, which must be accepted.
func (b *bed) set(ops ...runner.Op) *gpb.SetResponse {
	b.t.Helper()
	r, err := b.gnmi.Change(b.ctx(), ops...)
	if err != nil {
		b.t.Fatalf("Set: %v", err)
	}
	return r
}

// read gets what is at a path into v.
func (b *bed) read(path string, v any) {
	b.t.Helper()
	if err := b.gnmi.Read(b.ctx(), path, v); err != nil {
		b.t.Fatalf("Get %s: %v", path, err)
	}
}

// peer is what a test looks at of a peer.
type peer struct {
	Config struct {
		Description string
	}
	State struct {
		SessionState     string `json:"session-state"`
		Transitions      uint64 `json:"established-transitions,string"`
		DownReason       string `json:"down-reason"`
		DownDetail       string `json:"down-detail"`
		LastConnectError string `json:"last-connect-error"`
		ConnectFailures  struct {
			ConnectFailure []struct {
				Kind     string
				Count    uint64    `json:",string"`
				LastTime time.Time `json:"last-time"`
				LastText string    `json:"last-text"`
			} `json:"connect-failure"`
		} `json:"connect-failures"`
		LastReset struct {
			Cause     string
			CommitID  string `json:"commit-id"`
			Leaf      []string
			Code      int    `json:"notification-code"`
			Subcode   int    `json:"notification-subcode"`
			Direction string `json:"notification-direction"`
			Text      string
		} `json:"last-reset"`
		Resets struct {
			Commit   uint64 `json:"commit,string"`
			Operator uint64 `json:"operator,string"`
			Source   uint64 `json:"source,string"`
			Remote   uint64 `json:"remote,string"`
			Backend  uint64 `json:"backend,string"`
		}
	}
	Transport struct {
		State struct {
			LocalAddress  string `json:"local-address"`
			RemoteAddress string `json:"remote-address"`
		}
		ConnectInterface struct {
			State struct {
				ResolvedInterface string   `json:"resolved-interface"`
				ResolvedSource    string   `json:"resolved-source"`
				SourceWarning     string   `json:"source-warning"`
				Candidate         []string `json:"candidate"`
			}
		} `json:"connect-interface"`
	}
}

// failures is how many attempts to connect failed for a kind of reason.
func (p peer) failures(kind string) uint64 {
	for _, f := range p.State.ConnectFailures.ConnectFailure {
		if f.Kind == kind {
			return f.Count
		}
	}
	return 0
}

// serves asserts that the agent still takes a change.
func (b *bed) serves() {
	b.t.Helper()
	before := b.revision()
	b.set(runner.Update(peer1+"/config/description", time.Now().String()))
	if after := b.revision(); after != before+1 {
		b.t.Errorf("a change made revision %d of %d", after, before)
	}
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// look reads a peer.
func (b *bed) look(path string) peer {
	b.t.Helper()
	var p peer
	b.read(path, &p)
	return p
}

// wait reads a peer until ok holds for it.
func (b *bed) wait(path string, timeout time.Duration, what string, ok func(peer) bool) peer {
	b.t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(poll) {
		p := b.look(path)
		if ok(p) {
			return p
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s after %v: %s is %+v\non the wire:\n%s", what, timeout, path, p, b.wire.View())
		}
	}
}

// waitUp waits until a peer has been established n times and is so now.
func (b *bed) waitUp(path string, n uint64) peer {
	b.t.Helper()
	return b.wait(path, patience, fmt.Sprintf("not established for the %d. time", n), func(p peer) bool {
		return p.State.SessionState == "established" && p.State.Transitions >= n
	})
}

// cameUp asserts that there was one connection since the mark, from source, and
// not one more SYN, and that the agent tells the truth about it. It returns
// what the wire saw.
func (b *bed) cameUp(since netlab.Mark, p peer, source string) netlab.View {
	b.t.Helper()
	v := b.wire.Since(since)
	conns := v.Connections()
	if len(conns) != 1 || conns[0].Client.Addr() != netip.MustParseAddr(source) {
		b.t.Fatalf("want one connection from %s on the wire:\n%s", source, v)
	}
	// A remote that is not ready yet is dialled again; once it is, no more.
	for _, syn := range v.SYNs(nil) {
		if !syn.Retransmit && syn.Time.After(conns[0].Time) {
			b.t.Errorf("another attempt to connect: %v\n%s", syn, v)
		}
	}
	if got := p.Transport.State.LocalAddress; got != source {
		b.t.Errorf("transport/state/local-address = %q, the wire says %s", got, source)
	}
	return v
}

// resetOnce does something that must reset the session of a peer, waits until
// it is up again, and asserts what the wire saw: one Cease, Other Configuration
// Change (RFC 4486 3), and one new connection, from source. It returns the
// connection and the peer.
func (b *bed) resetOnce(path, source string, do func()) (netlab.Connection, peer) {
	b.t.Helper()
	before := b.look(path)
	mark := b.wire.Mark()
	do()
	after := b.waitUp(path, before.State.Transitions+1)
	v := b.cameUp(mark, after, source)
	b.oneCease(v)
	if got, want := after.State.Transitions, before.State.Transitions+1; got != want {
		b.t.Errorf("established-transitions = %d, want %d", got, want)
	}
	if got, want := after.State.Resets.Commit, before.State.Resets.Commit+1; got != want {
		b.t.Errorf("resets/commit = %d, want %d", got, want)
	}
	last := after.State.LastReset
	if last.Cause != "commit" || last.CommitID == "" || len(last.Leaf) == 0 ||
		last.Code != 6 || last.Subcode != 6 || last.Direction != "sent" {
		b.t.Errorf("last-reset = %+v, want a commit that sent Cease 6", last)
	}
	return v.Connections()[0], after
}

// oneCease asserts that the agent sent one Cease 6/6 and nobody anything else.
func (b *bed) oneCease(v netlab.View) {
	b.t.Helper()
	notes := v.Notifications()
	if len(notes) != 1 || notes[0].Code != 6 || notes[0].Subcode != 6 || notes[0].To.Port() != 179 {
		b.t.Errorf("want one Cease 6/6 from the agent, got %v on the wire:\n%s", notes, v)
	}
}

// refused asserts that a Set is refused with the code and each of the texts, and
// that it has changed nothing.
func (b *bed) refused(code string, texts []string, ops ...runner.Op) {
	b.t.Helper()
	before := b.revision()
	_, err := b.gnmi.Change(b.ctx(), ops...)
	if got := statusOf(err); got != code {
		b.t.Errorf("Set gave %s (%v), want %s", got, err, code)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			b.t.Errorf("Set gave %q, want %q in it", err, text)
		}
	}
	if after := b.revision(); after != before {
		b.t.Errorf("a refused Set changed revision %d to %d", before, after)
	}
}

// refusedRPC is refused for NETCONF.
func refusedRPC(t *testing.T, err error, tag string, texts ...string) {
	t.Helper()
	var rpcErr *runner.RPCError
	if !errors.As(err, &rpcErr) || rpcErr.Tag != tag {
		t.Errorf("NETCONF gave %v, want an rpc-error %s", err, tag)
		return
	}
	for _, text := range texts {
		if !strings.Contains(rpcErr.Error(), text) {
			t.Errorf("NETCONF gave %q, want %q in it", rpcErr, text)
		}
	}
}

// revision is that of the running configuration.
func (b *bed) revision() (n uint64) {
	b.t.Helper()
	var state struct {
		Revision uint64 `json:"revision,string"`
	}
	b.read("/agent/state", &state)
	return state.Revision
}

// commit is an entry of the agent's history.
type commit struct {
	ID       string
	Revision uint64 `json:"revision,string"`
	User     string
	Protocol string
	Result   string
	Change   []string
	Reset    []string
}

// history returns the commits, oldest first.
func (b *bed) history() []commit {
	b.t.Helper()
	var h struct{ Commit []commit }
	b.read("/agent/commits", &h)
	slices.SortFunc(h.Commit, func(x, y commit) int { return int(x.Revision) - int(y.Revision) })
	return h.Commit
}
