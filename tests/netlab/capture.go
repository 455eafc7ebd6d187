package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// captureBuffer bounds the kernel's queue of packets that were not read yet:
// room for 1,000 resets of some 20 small packets each, at up to 2.3 kB that
// the kernel charges for one, with a margin of two. It is a limit; memory is
// taken only while packets wait.
const captureBuffer = 96 << 20

// Capture records the BGP connections that pass one device of a namespace.
type Capture struct {
	t        testing.TB
	name     string
	loopback bool
	file     *os.File
	raw      syscall.RawConn
	done     chan struct{} // closed when the reader has ended

	mu      sync.Mutex // guards the fields below; packets are read under it too
	track   *tracker
	changed chan struct{} // closed and replaced when something was added
	err     error
	buf     []byte
	oob     []byte
}

// Capture starts to record TCP to and from the given port on dev, which may be
// lo. It ends in the Cleanup of the test, and fails the test if the kernel
// dropped a packet for want of room: then no count could be trusted.
func (l *Lab) Capture(n *Namespace, dev string, port uint16) *Capture {
	l.t.Helper()
	c, err := openCapture(n, dev, port, captureBuffer)
	if err != nil {
		l.t.Fatalf("netlab: capture on %s in %s: %v", dev, n.Name, err)
	}
	c.t = l.t
	l.t.Cleanup(func() {
		drops, err := c.close()
		if err != nil {
			l.t.Errorf("netlab: %s: %v", c.name, err)
		}
		if drops > 0 {
			l.t.Errorf("netlab: %s: the kernel dropped %d packets: what was captured is incomplete", c.name, drops)
		}
		if l.t.Failed() {
			l.t.Logf("netlab: %s:\n%s", c.name, c.View())
		}
	})
	return c
}

func openCapture(n *Namespace, dev string, port uint16, buffer int) (*Capture, error) {
	c := &Capture{
		name:    "capture on " + dev + " in " + n.Name,
		done:    make(chan struct{}),
		track:   newTracker(port),
		changed: make(chan struct{}),
		buf:     make([]byte, 1<<17), // a segment before segmentation offload has up to 64 KiB
		oob:     make([]byte, 128),
	}
	if err := n.Do(func() error { return c.open(dev, buffer) }); err != nil {
		return nil, err
	}
	raw, err := c.file.SyscallConn()
	if err != nil {
		c.file.Close()
		return nil, err
	}
	c.raw = raw
	go c.run()
	return c, nil
}

// open makes the packet socket; the thread is in the namespace.
func (c *Capture) open(dev string, buffer int) error {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		return err
	}
	c.loopback = ifi.Flags&net.FlagLoopback != 0
	// Protocol 0: nothing arrives before bind chooses the device.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	c.file = os.NewFile(uintptr(fd), c.name)
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: ifi.Index}),
	)
	if err != nil {
		c.file.Close()
		return fmt.Errorf("set up the packet socket: %w", err)
	}
	return nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// run reads until close closes the socket.
func (c *Capture) run() {
	defer close(c.done)
	for {
		err := c.raw.Read(func(fd uintptr) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.drain(int(fd)) || c.err != nil
		})
		if err != nil { // closed
			return
		}
		c.mu.Lock()
		failed := c.err != nil
		c.mu.Unlock()
		if failed {
			return
		}
	}
}

// drain reads all packets that wait, and says whether there were any. The
// caller holds mu. It is also called by who takes a view, so that a view
// holds every packet that was queued before.
func (c *Capture) drain(fd int) bool {
	added := false
	for {
		n, oobn, _, from, err := unix.Recvmsg(fd, c.buf, c.oob, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if added {
				close(c.changed)
				c.changed = make(chan struct{})
			}
			return added
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENXIO):
			continue // told once when the device goes down; packets come again when it is up
		case err != nil:
			c.err = fmt.Errorf("receive: %w", err)
			return added
		}
		added = true
		// A packet on lo passes twice, out and in: the way in is recorded.
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && c.loopback && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if p, ok := parsePacket(c.buf[:n]); ok {
			c.track.add(stamp(c.oob[:oobn]), p)
		}
	}
}

// stamp returns the kernel's time of arrival, which a mark can be compared
// with however late the packet is read.
func stamp(oob []byte) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			sec, nsec := int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))
			return time.Unix(sec, nsec)
		}
	}
	return time.Now()
}

// close stops the reader, waits for it, and returns how many packets the
// kernel dropped.
func (c *Capture) close() (drops uint32, err error) {
	c.sync()
	ctlErr := c.raw.Control(func(fd uintptr) {
		var stats *unix.TpacketStats
		if stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			drops = stats.Drops
		}
	})
	c.file.Close()
	<-c.done
	return drops, errors.Join(err, ctlErr, c.err)
}

// sync reads what waits in the kernel. After close there is nothing to read.
func (c *Capture) sync() {
	_ = c.raw.Control(func(fd uintptr) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drain(int(fd))
	})
}

// View returns everything recorded so far.
func (c *Capture) View() View {
	v, _ := c.view()
	return v
}

func (c *Capture) view() (View, <-chan struct{}) {
	c.sync()
	c.mu.Lock()
	defer c.mu.Unlock()
	return View{segments: c.track.segments, messages: c.track.messages}, c.changed
}

// Mark returns the present moment, for Since.
func (c *Capture) Mark() Mark { return Mark{at: time.Now()} }

// Since returns what was recorded from the mark on.
func (c *Capture) Since(m Mark) View { return c.View().Since(m) }

// Connections is View().Connections().
func (c *Capture) Connections() []Connection { return c.View().Connections() }

// SYNs is View().SYNs(filter).
func (c *Capture) SYNs(filter func(Segment) bool) []Segment { return c.View().SYNs(filter) }

// Notifications is View().Notifications().
func (c *Capture) Notifications() []Message { return c.View().Notifications() }

// WaitFor returns the first view for which ok is true; ok is asked again each
// time something was recorded. After the timeout the test fails.
func (c *Capture) WaitFor(t testing.TB, timeout time.Duration, ok func(View) bool) View {
	t.Helper()
	v, found := c.wait(timeout, ok)
	if !found {
		t.Fatalf("netlab: %s: not seen within %v; seen:\n%s", c.name, timeout, v)
	}
	return v
}

func (c *Capture) wait(timeout time.Duration, ok func(View) bool) (View, bool) {
	expired := time.NewTimer(timeout)
	defer expired.Stop()
	for {
		v, changed := c.view()
		if ok(v) {
			return v, true
		}
		select {
		case <-changed:
		case <-c.done:
			return v, false
		case <-expired.C:
			v = c.View()
			return v, ok(v)
		}
	}
}
