package e2e

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/tests/runner"
)

// Why a peer does not come up is counted by kind, and connections of strangers
// are counted, for both front ends to read.
func TestConnectFailures(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	const strange = "10.1.1.7"
	b.far.AddAddr("vr", strange+"/24")
	b.set(example(nil)...)
	b.waitUp(peer1, 1)
	b.set(runner.Update(peer1+"/transport/config/remote-port", 1179))

	p := b.wait(peer1, patience, "no refusals", func(p peer) bool { return p.failures("refused") > 1 })
	if f := p.State.ConnectFailures.ConnectFailure[0]; !strings.Contains(f.LastText, "1179") || time.Since(f.LastTime) > patience {
		t.Errorf("failure %+v", f)
	}
	if !strings.Contains(p.State.LastConnectError, "connection refused") {
		t.Errorf("last-connect-error %q", p.State.LastConnectError)
	}
	err := b.far.Do(func() error {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(strange), 0)), Timeout: patience}
		c, err := d.Dial("tcp", direct+":179")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
		return err
	})
	if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("a stranger gets %v, want a RST", err)
	}
	var state struct {
		Degraded string
		Refused  struct {
			Unknown uint64 `json:"unknown-peer,string"`
		} `json:"refused-connections"`
	}
	b.read("/agent/backend/state", &state)
	if state.Refused.Unknown != 1 || state.Degraded != "" {
		t.Errorf("backend/state = %+v, want one connection of a stranger", state)
	}
	reply, err := b.agent.NETCONF(t).Call(`<get><filter><bgp xmlns="urn:mooring:yang:bgp"/></filter></get>`)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(reply, "<kind>refused</kind><count>")
	n, _, _ := strings.Cut(after, "</count>")
	if count, err := strconv.Atoi(n); err != nil || count < 2 {
		t.Errorf("NETCONF counts %q refusals: %s", n, reply)
	}
}
