package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	ln, err := Listen(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func dial(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	conn, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestListen(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		t.Run(addr, func(t *testing.T) { dial(t, listen(t, addr)) })
	}
	t.Run("[::1]:0", func(t *testing.T) {
		ln, err := Listen(t.Context(), "[::1]:0")
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("this machine has no IPv6 loopback")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		dial(t, ln)
	})
}

func TestListenErrors(t *testing.T) {
	busy := listen(t, "127.0.0.1:0").Addr().String()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "x", 0o600)
	live := filepath.Join(dir, "live")
	listen(t, "unix:"+live)
	tests := []struct {
		name, addr string
		want       []string
	}{
		{"in use", busy, []string{busy, "address already in use", "choose another address"}},
		{"not ours", "192.0.2.1:0", []string{"192.0.2.1:0", "no interface of this machine", "choose another address"}},
		{"no port", "127.0.0.1", []string{`"127.0.0.1"`, "want host:port"}},
		{"bare ipv6", "::1:80", []string{"want host:port"}},
		{"port name", "127.0.0.1:http", []string{"must be a number"}},
		{"port too large", "127.0.0.1:65536", []string{"must be a number"}},
		{"empty", "", []string{"want host:port"}},
		{"live socket", "unix:" + live, []string{live, "address already in use", "remove it or choose another"}},
		{"a file in its place", "unix:" + file, []string{file, "a file is in its place"}},
		{"no directory", "unix:" + dir + "/missing/s", []string{"the directory does not exist"}},
		{"path too long", "unix:" + dir + strings.Repeat("x", 108), []string{"longer than 107"}},
		{"abstract", "unix:@x", []string{"want the path of a file"}},
		{"no path", "unix:", []string{"want the path of a file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := Listen(t.Context(), tt.addr)
			if err == nil {
				ln.Close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "x" {
		t.Errorf("the file in the way was touched: %v", err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the live socket was removed: %v", err)
	}
}

// TestExplain covers what depends on rights that the test may have.
func TestExplain(t *testing.T) {
	if err := explainTCP(syscall.EACCES, 830); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Errorf("port 830: %v", err)
	}
	if err := explainTCP(syscall.EACCES, 1830); strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Errorf("port 1830: %v", err)
	}
	if err := explainUnix(syscall.EACCES); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "may not create files") {
		t.Errorf("socket: %v", err)
	}
}

func TestUnixSocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln := listen(t, "unix:"+path)
	wantMode(t, path, 0o600)
	// What a killed agent leaves: a file that nobody listens on.
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	next := listen(t, "unix:"+path)
	wantMode(t, path, 0o600)
	dial(t, next)
	next.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket file after close: %v", err)
	}
}

// gnmi.md 100: what may be served in the clear.
func TestIsLoopback(t *testing.T) {
	tests := []struct {
		addr string
		want bool
	}{
		{"127.0.0.1:9339", true},
		{"127.9.9.9:1", true},
		{"[::1]:1", true},
		{"[::ffff:127.0.0.1]:1", true},
		{"localhost:1", true},
		{"LocalHost:1", true},
		{"unix:/run/s", true},
		{":9339", false},
		{"0.0.0.0:1", false},
		{"[::]:1", false},
		{"192.0.2.1:1", false},
		{"localhost.example:1", false},
		{"127.0.0.1.example:1", false},
		{"127.0.0.1", false},
		{"", false},
		{"/run/s", false},
	}
	for _, tt := range tests {
		if got := IsLoopback(tt.addr); got != tt.want {
			t.Errorf("IsLoopback(%q) = %v, want %v", tt.addr, got, tt.want)
		}
	}
}

func TestCheckBound(t *testing.T) {
	loop, other := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	if err := checkBound("localhost:1", other); err == nil || !strings.Contains(err.Error(), "192.0.2.1:1") {
		t.Errorf("localhost elsewhere: %v", err)
	}
	if err := checkBound("localhost:1", loop); err != nil {
		t.Error(err)
	}
	if err := checkBound("router.example:1", other); err != nil {
		t.Error(err)
	}
}

// netconf.md 5: the excess is closed cleanly and counted.
func TestLimitListener(t *testing.T) {
	for _, network := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			ln := LimitListener(listen(t, network), 2)
			accepted := make(chan net.Conn, 4)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					accepted <- conn
				}
			})
			dial(t, ln)
			dial(t, ln)
			first, second := <-accepted, <-accepted

			// The client has sent bytes, as SSH and TLS do: it must read an end of file, not a reset.
			third := dial(t, ln)
			if _, err := third.Write([]byte("SSH-2.0-x\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := third.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("refused client read %v, want an end of file", err)
			}
			if a, r := ln.Active(), ln.Refused(); a != 2 || r != 1 {
				t.Errorf("active %d refused %d, want 2 and 1", a, r)
			}
			first.Close()
			first.Close() // gives its place back once
			dial(t, ln)
			fourth := <-accepted
			if a := ln.Active(); a != 2 {
				t.Errorf("active %d, want 2", a)
			}
			// Close does not wait for the second that a refused client has.
			dial(t, ln)
			start := time.Now()
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > lingerTime/2 {
				t.Errorf("close took %v", d)
			}
			wg.Wait()
			second.Close()
			fourth.Close()
		})
	}
}

// TestLimitListenerFlood: refused clients that never leave hold a bounded number of goroutines.
func TestLimitListenerFlood(t *testing.T) {
	ln := LimitListener(listen(t, "127.0.0.1:0"), 0)
	var wg sync.WaitGroup
	wg.Go(func() {
		if conn, err := ln.Accept(); err == nil {
			conn.Close()
			t.Error("a connection was accepted with a limit of 0")
		}
	})
	const clients = 2 * maxLingering
	for i := range clients {
		conn := dial(t, ln)
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(fmt.Errorf("client %d: %w", i, err))
		}
		ln.mu.Lock()
		n := len(ln.lingering)
		ln.mu.Unlock()
		if n > maxLingering {
			t.Fatalf("%d connections linger", n)
		}
	}
	ln.Close()
	wg.Wait()
	if n := ln.Refused(); n != clients {
		t.Errorf("refused %d, want %d", n, clients)
	}
	if n := len(ln.lingering); n != 0 {
		t.Errorf("%d connections left", n)
	}
}
