package netlab

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// dial makes n connections in the namespace, one after the other, each with an
// OPEN and a Cease of the client, and waits until the server has read them.
func dial(t *testing.T, n *Namespace, server *Remote, to string, count int) {
	t.Helper()
	before := len(server.Sessions())
	err := n.Do(func() error {
		hello := marshalOpen(Open{AS: 100, HoldTime: 90 * time.Second, RouterID: addr("1.1.1.1")})
		hello = append(hello, marshalNotification(Notification{Code: 6, Subcode: 6})...)
		for range count {
			c, err := net.Dial("tcp", to)
			if err != nil {
				return err
			}
			_, err = c.Write(hello)
			if cerr := c.(*net.TCPConn).CloseWrite(); err == nil {
				err = cerr
			}
			if err != nil {
				return err
			}
			// Until the server closes: so no RST of ours cuts anything off.
			buf := make([]byte, 256)
			for err == nil {
				_, err = c.Read(buf)
			}
			c.Close()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !server.WaitFor(patience, func(all []*RemoteSession) bool {
		return len(all) == before+count && all[len(all)-1].Closed()
	}) {
		t.Fatalf("%d sessions, want %d", len(server.Sessions()), before+count)
	}
}

// 1,000 resets on lo: each counted once, none lost, and none counted again after a mark.
func TestCaptureThousand(t *testing.T) {
	t.Parallel()
	const count = 1000
	lab := New(t)
	n := lab.Namespace("a")
	wire := lab.Capture(n, "lo", 1179)
	other := lab.Capture(n, "lo", 1180)
	server := lab.Listener(n, addrPort("127.0.0.1:1179"), RemoteConfig{AS: 200, RouterID: addr("2.2.2.2"), HoldTime: 90 * time.Second})
	dial(t, n, server, "127.0.0.1:1179", count)
	v := wire.View()
	if got := len(v.SYNs(nil)); got != count {
		t.Errorf("%d SYNs, want %d", got, count)
	}
	if got := len(v.SYNACKs(nil)); got != count {
		t.Errorf("%d SYN-ACKs, want %d", got, count)
	}
	conns := v.Connections()
	if len(conns) != count || conns[0].ClientOpen.AS != 100 || conns[0].MSS == 0 || conns[0].Server != addrPort("127.0.0.1:1179") {
		t.Errorf("%d connections, first %+v", len(conns), conns)
	}
	if got := len(v.Notifications()); got != count {
		t.Errorf("%d notifications, want %d", got, count)
	}
	if got := len(v.Messages(func(m Message) bool { return m.Type == TypeMalformed })); got != 0 {
		t.Errorf("%d malformed messages", got)
	}
	if got := other.View().String(); got != "nothing was captured" {
		t.Errorf("on another port:\n%s", got)
	}

	mark := wire.Mark()
	if got := wire.Since(mark).String(); got != "nothing was captured" {
		t.Errorf("right after the mark:\n%s", got)
	}
	dial(t, n, server, "127.0.0.1:1179", 1)
	if v := wire.Since(mark); len(v.SYNs(nil)) != 1 || len(v.Connections()) != 1 || len(v.Notifications()) != 1 {
		t.Errorf("one connection after the mark:\n%s", v)
	}
}

// Packets that the kernel had no room for are reported: a capture whose reader stands still.
func TestCaptureDrops(t *testing.T) {
	lab := New(t)
	n := lab.Namespace("a")
	server := lab.Listener(n, addrPort("[::1]:1179"), RemoteConfig{AS: 200, RouterID: addr("2.2.2.2")})
	c, err := openCapture(n, "lo", 1179, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	dial(t, n, server, "[::1]:1179", 20)
	c.mu.Unlock()
	if drops, err := c.close(); drops == 0 || err != nil {
		t.Errorf("close = %d drops, %v; want drops", drops, err)
	}
}

// The capture goes on when its device was down, and WaitFor ends at its timeout.
func TestCaptureLinkDown(t *testing.T) {
	lab, dut, remote := pair(t)
	server := lab.Listener(remote, addrPort("10.1.1.2:179"), RemoteConfig{AS: 200, RouterID: addr("2.2.2.2")})
	wire := lab.Capture(dut, "vd", 179)
	dial(t, dut, server, "10.1.1.2:179", 1)
	dut.LinkDown("vd")
	dut.LinkUp("vd")
	dial(t, dut, server, "10.1.1.2:179", 1)
	if got := len(wire.Connections()); got != 2 {
		t.Errorf("%d connections, want 2:\n%s", got, wire.View())
	}
	if _, ok := wire.wait(10*time.Millisecond, func(v View) bool { return len(v.Connections()) == 3 }); ok {
		t.Error("wait says yes to what did not happen")
	}
	if _, err := openCapture(dut, "nodev", 179, 1); err == nil || !strings.Contains(err.Error(), "nodev") && !strings.Contains(err.Error(), "no such") {
		t.Errorf("capture on a missing device: %v", err)
	}
}

// A refused SYN is seen with its RST, and is no connection.
func TestCaptureRefused(t *testing.T) {
	lab, dut, _ := pair(t)
	wire := lab.Capture(dut, "vd", 179)
	err := dut.Do(func() error {
		c, err := net.Dial("tcp", "10.1.1.2:179")
		if err == nil {
			c.Close()
		}
		return err
	})
	if err == nil {
		t.Fatal("nobody listens, but dial succeeded")
	}
	v := wire.WaitFor(t, patience, func(v View) bool { return len(v.RSTs(nil)) > 0 })
	if len(v.SYNs(From(addr("10.1.1.1")))) == 0 || len(v.Connections()) != 0 || v.SYNs(From(netip.Addr{})) != nil {
		t.Errorf("seen:\n%s", v)
	}
}
