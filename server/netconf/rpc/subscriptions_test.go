package rpc

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring/server"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// reader is a client that reads a message when it is let.
type reader struct {
	let  chan struct{}
	mu   sync.Mutex
	buf  bytes.Buffer
	read []string
}

func (r *reader) Begin() {
	<-r.let
	r.mu.Lock()
	r.buf.Reset()
}

func (r *reader) Write(p []byte) (int, error) { return r.buf.Write(p) }

func (r *reader) End() error {
	_, content, _ := strings.Cut(r.buf.String(), "</eventTime>")
	r.read = append(r.read, strings.TrimSuffix(content, "</notification>"))
	r.mu.Unlock()
	return nil
}

// netconf.md 72, 74: a subscriber that falls behind the log is told that it
// has missed something, and its subscription goes on.
func TestSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{stream: notify.NewStream(notify.Limits{Events: 2})}
		event := func(name string) {
			s.stream.Publish(notify.Event{Time: time.Now(), Content: xmltree.New(name).In("urn:e")})
		}
		sub := &subscription{id: 7, sess: &Session{Identity: &server.Identity{}}, done: make(chan struct{})}
		sub.stream = s.stream.Subscribe(notify.Options{})
		out := &reader{let: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- s.serveStream(ctx, sub, out) }()
		event("a")
		synctest.Wait() // it waits for the reader
		for _, name := range []string{"b", "c", "d"} {
			event(name)
		}
		close(out.let)
		synctest.Wait()
		event("e")
		synctest.Wait()
		const ns = ` xmlns="urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"`
		want := []string{
			`<a xmlns="urn:e"/>`,
			"<subscription-suspended" + ns + "><id>7</id><reason xmlns:sn=" + strings.TrimPrefix(ns, " xmlns=") + ">sn:unsupportable-volume</reason></subscription-suspended>",
			"<subscription-resumed" + ns + "><id>7</id></subscription-resumed>",
			`<e xmlns="urn:e"/>`,
		}
		if got := strings.Join(out.read, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
		cancel()
		if err := <-served; err == nil || ctx.Err() == nil {
			t.Errorf("served: %v", err)
		}
	})
}

// Numbers are not given twice, 0 is none, and there is a limit.
func TestSubscriptionNumbers(t *testing.T) {
	var r subscriptions
	sess := &Session{Identity: &server.Identity{}}
	r.last = 1<<32 - 2
	for _, want := range []uint32{1<<32 - 1, 1, 2} {
		sub := &subscription{sess: sess}
		if !r.add(sub) || sub.id != want {
			t.Errorf("number %d, want %d", sub.id, want)
		}
	}
	r.last = 1<<32 - 2
	if sub := (&subscription{sess: sess}); !r.add(sub) || sub.id != 3 {
		t.Errorf("number %d, want 3", sub.id)
	}
	sess.dynamic.Store(maxSessionSubscriptions)
	if r.add(&subscription{sess: sess}) {
		t.Error("no limit")
	}
	r.remove(r.get(1))
	if r.get(1) != nil || len(r.all()) != 3 || r.all()[0].id != 2 {
		t.Errorf("left: %v", r.all())
	}
}

// netconf.md 74: the subscriptions of a session, and of all, are bounded.
func TestSubscriptionLimits(t *testing.T) {
	var r subscriptions
	var sess *Session
	var last *subscription
	for i := range maxSubscriptions {
		if i%maxSessionSubscriptions == 0 {
			sess = &Session{}
		}
		if last = (&subscription{sess: sess}); !r.add(last) {
			t.Fatalf("subscription %d is refused", i+1)
		}
		if one := (&subscription{sess: sess}); i == maxSessionSubscriptions-1 && r.add(one) {
			t.Fatal("one more of a session is taken")
		}
	}
	one := &subscription{sess: &Session{}}
	if r.add(one) {
		t.Fatal("one more of all is taken")
	}
	if r.remove(last); !r.add(one) {
		t.Error("there is room, and one is refused")
	}
}
