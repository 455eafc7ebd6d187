package netconf

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSeveralSessionsInOneConnection(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	conn := l.mustLogin("admin")
	ids := map[uint32]bool{}
	var last *sshClient
	for range maxChannels {
		last = l.start(conn)
		if !last.subsystem("netconf") {
			t.Fatal("subsystem refused")
		}
		last.greet(base11)
		ids[last.id] = true
	}
	if len(ids) != maxChannels {
		t.Errorf("%d different ids", len(ids))
	}
	if _, err := conn.NewSession(); err == nil {
		t.Error("a channel too many was not refused")
	}
	last.ok("<close-session/>")
	last.wantNoMessage()
	_ = last.ch.Close()
	within(t, patience, "the place of a closed channel is free", func() bool {
		s, err := conn.NewSession()
		if err == nil {
			_ = s.Close()
		}
		return err == nil
	})
}

// netconf.md 5: who is refused is told why.
func TestSessionLimitOverSSH(t *testing.T) {
	l := newRig(t, Limits{MaxSessions: 1}).listen()
	first, conn := l.dial("admin")
	second := l.start(l.mustLogin("admin"))
	if second.subsystem("netconf") {
		t.Fatal("a session too many was not refused")
	}
	_ = second.ch.Close()
	if text := <-second.stderr; !strings.Contains(text, errTooMany.Error()) {
		t.Errorf("the reason given is %q", text)
	}
	first.ok("<close-session/>")
	_ = conn.Close()
	within(t, patience, "there is room again", func() bool {
		c := l.start(l.mustLogin("admin"))
		return c.subsystem("netconf")
	})
}

// netconf.md 5
func TestPreAuthLimits(t *testing.T) {
	l := newRig(t, Limits{MaxPreAuth: 1, AuthTimeout: 300 * time.Millisecond}).listen()
	c, _ := l.dial("admin") // does not count any more
	silent, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_ = silent.SetDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(silent)
	if line, err := reader.ReadString('\n'); err != nil || strings.TrimSpace(line) != version {
		t.Fatalf("first line is %q, %v", line, err)
	}
	refused, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_ = refused.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(refused, "SSH-2.0-x\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(refused) // an end, no reset
	if err != nil || !strings.Contains(string(text), "too many connections") {
		t.Errorf("refused with %q, %v", text, err)
	}
	start := time.Now()
	if _, err := io.Copy(io.Discard, reader); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("silent connection: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a silent connection lives for %v", took)
	}
	c.ok("<commit/>")
	within(t, patience, "there is room again", func() bool {
		conn, err := l.login("admin")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// netconf.md 5: who has logged in and does nothing is closed too.
func TestConnectionWithoutSession(t *testing.T) {
	l := newRig(t, Limits{HelloTimeout: time.Second}).listen()
	without := l.mustLogin("admin")
	idle := l.start(l.mustLogin("admin"))
	start := time.Now()
	_ = without.Wait()
	idle.wantNoMessage()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("closed after %v", took)
	}
}
