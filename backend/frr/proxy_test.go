package frr

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// proxy stands between a Backend and bgpd and spoils what a test wants.
type proxy struct {
	dir  string
	real string

	mu    sync.Mutex // guards all below
	spoil func(command string) verdict
	seen  []string
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

type verdict uint8

const (
	pass    verdict = iota
	spoiled         // bgpd never sees it, the answer is a refusal
	cut             // the connection ends
)

func newProxy(t testing.TB, l *lab) *proxy {
	t.Helper()
	p := &proxy{dir: l.path("p"), real: l.path("bgpd.vty"), conns: map[net.Conn]bool{}}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(p.dir, "bgpd.vty"))
	if err != nil {
		t.Fatal(err)
	}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	far, err := net.Dial("unix", p.real)
	if err != nil {
		return
	}
	defer far.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if err != nil || n == 0 || buf[n-1] != 0 {
			return
		}
		// What is one write stays one.
		var to []byte
		waiting := 0
		relay := func() error {
			if waiting == 0 {
				return nil
			}
			_, err := far.Write(to)
			var answers []byte
			for err == nil && count(answers) < waiting {
				n, err = far.Read(buf)
				answers = append(answers, buf[:n]...)
			}
			if err == nil {
				_, err = c.Write(answers)
			}
			to, waiting = nil, 0
			return err
		}
		for command := range strings.SplitSeq(string(buf[:n-1]), "\x00") {
			switch p.judge(command) {
			case cut:
				return
			case spoiled:
				if err = relay(); err == nil {
					_, err = c.Write([]byte("% spoiled\n\x00\x00\x00\x0d"))
				}
			case pass:
				to, waiting = append(append(to, command...), 0), waiting+1
			}
			if err != nil {
				return
			}
		}
		err = relay()
		if err != nil {
			return
		}
	}
}

// count is how many whole answers b has.
func count(b []byte) int {
	n := 0
	for {
		_, _, size, err := decodeAnswer(b)
		if err != nil || size == 0 {
			return n
		}
		b, n = b[size:], n+1
	}
}

func (p *proxy) judge(command string) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, command)
	if p.spoil == nil {
		return pass
	}
	return p.spoil(command)
}

func (p *proxy) set(spoil func(string) verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil, p.seen = spoil, nil
}

func (p *proxy) commands() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}
