package frr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Message types and sizes of BMP (RFC 7854 4.1, 4.2).
const (
	bmpVersion   = 3
	bmpHeader    = 6
	bmpPeer      = 42
	bmpMax       = 1 << 20
	bmpPeerDown  = 2
	bmpPeerUp    = 3
	bmpFlagIPv6  = 0x80
	bmpMinRetry  = 100  // ms
	bmpMaxRetry  = 1000 // ms
	hintsForPoll = 64   // more than these are looked at by a summary
)

var errBMP = errors.New("not a BMP message")

// hints are the neighbors that something happened to. BMP does not say in
// which VRF, nor with which NOTIFICATION, so it is only a hint to look.
type hints struct {
	mu    sync.Mutex // guards all below; never held with Backend.mu wanted
	addrs map[netip.Addr]bool
	all   bool
}

func (h *hints) add(a netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.addrs == nil {
		h.addrs = map[netip.Addr]bool{}
	}
	h.addrs[a] = true
}

func (h *hints) addAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = true
}

func (h *hints) take() (addrs map[netip.Addr]bool, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	addrs, all = h.addrs, h.all || len(h.addrs) > hintsForPoll
	h.addrs, h.all = nil, false
	return addrs, all
}

// readBMP reads one message. ok says whether it is about a session that came
// up or went down.
func readBMP(r io.Reader) (addr netip.Addr, ok bool, err error) {
	var h [bmpHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return addr, false, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if h[0] != bmpVersion || n < bmpHeader || n > bmpMax {
		return addr, false, errBMP
	}
	kind := h[5]
	if kind != bmpPeerDown && kind != bmpPeerUp {
		_, err := io.CopyN(io.Discard, r, int64(n-bmpHeader))
		return addr, false, err
	}
	if n < bmpHeader+bmpPeer {
		return addr, false, errBMP
	}
	body := make([]byte, n-bmpHeader)
	if _, err := io.ReadFull(r, body); err != nil {
		return addr, false, err
	}
	if body[1]&bmpFlagIPv6 != 0 {
		return netip.AddrFrom16([16]byte(body[10:26])), true, nil
	}
	return netip.AddrFrom4([4]byte(body[22:26])), true, nil
}

// listen opens the BMP listener where bgpd can reach it.
func (b *Backend) listen(ctx context.Context) (net.Listener, error) {
	open := func() (net.Listener, error) {
		var lc net.ListenConfig
		return lc.Listen(ctx, "tcp", b.opt.BMP.String())
	}
	if b.opt.Namespace == "" {
		return open()
	}
	var l net.Listener
	err := inNamespace(b.opt.Namespace, func() (err error) {
		l, err = open()
		return err
	})
	return l, err
}

// inNamespace runs f on a thread that is in a named network namespace.
// Sockets that f opens stay there.
func inNamespace(name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open(filepath.Join("/run/netns", name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- fmt.Errorf("network namespace %s: %w", name, err)
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("network namespace %s: %w", name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// serveBMP takes bgpd's streams until ctx ends, and waits for what it started.
func (b *Backend) serveBMP(ctx context.Context, l net.Listener) {
	var readers sync.WaitGroup
	defer readers.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				b.log.Error("BMP is no longer listened for, polling instead", "err", err)
			}
			return
		}
		readers.Go(func() { b.readStream(ctx, conn) })
	}
}

func (b *Backend) readStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		addr, ok, err := readBMP(conn)
		if err != nil {
			if ctx.Err() == nil {
				b.log.Info("a BMP stream ended", "from", conn.RemoteAddr().String(), "err", err)
			}
			b.hints.addAll() // bgpd may be gone
			b.poke()
			return
		}
		if ok {
			b.hints.add(addr)
			b.poke()
		}
	}
}

// stream makes the instance send BMP to us. Without the module it is noted
// that there is none.
func (b *Backend) stream(ctx context.Context, in *instance, blk *block) error {
	in.streamed = true
	if b.noBMP || !b.bmpAt.IsValid() {
		return nil
	}
	want := fmt.Sprintf("bmp connect %s port %d min-retry %d max-retry %d", b.bmpAt.Addr(), b.bmpAt.Port(), bmpMinRetry, bmpMaxRetry)
	var commands []command
	if blk != nil {
		have, ok := blk.bmp[group]
		if len(have) == 1 && have[0] == want {
			return nil
		}
		if ok {
			commands = append(commands, command{"", "no bmp targets " + group})
		}
	}
	commands = append(commands, command{"", "bmp targets " + group}, command{"", want}, command{"", "exit"})
	err := b.shell.configure(ctx, in.router(), commands)
	var no *refusal
	if errors.As(err, &no) && no.code == codeNoMatch {
		b.noBMP = true
		b.log.Info("bgpd has no BMP module: sessions are polled; add `-M bmp` to bgpd_options in /etc/frr/daemons to hear of them at once")
		return nil
	}
	return err
}
