package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"mooring/internal/xmltok"
	"mooring/server/netconf/xmltree"
)

func TestMain(m *testing.M) {
	// ygot brings glog, whose flusher lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func event(n int) Event {
	return Event{Time: time.Now(), Content: xmltree.New("e", xmltree.Leaf("n", fmt.Sprint(n))).In("urn:e")}
}

// drain reads until nothing comes any more, and tells what came.
func drain(t *testing.T, s *Subscription) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	var out []string
	for {
		e, kind, err := s.Next(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return strings.Join(out, " ")
		case errors.Is(err, io.EOF):
			return strings.Join(append(out, "end"), " ")
		case err != nil:
			return strings.Join(append(out, err.Error()), " ")
		case kind == ReplayComplete:
			out = append(out, "replayed")
		case kind == Complete:
			out = append(out, "complete")
		default:
			out = append(out, e.Content.Children[0].Text)
		}
	}
}

// netconf.md 72: replay, its marks, the times of a subscription.
func TestSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStream(Limits{})
		begin := time.Now()
		for n := range 3 {
			s.Publish(event(n))
			time.Sleep(time.Second)
		}
		live := s.Subscribe(Options{})
		all := s.Subscribe(Options{Start: begin.Add(-time.Hour)})
		late := s.Subscribe(Options{Start: begin.Add(time.Second)})
		past := s.Subscribe(Options{Start: begin, Stop: begin.Add(time.Second)})
		soon := s.Subscribe(Options{Start: begin.Add(2 * time.Second), Stop: begin.Add(10 * time.Second)})
		empty := s.Subscribe(Options{Start: begin.Add(2500 * time.Millisecond)})
		s.Publish(event(3))
		for _, tt := range []struct {
			name string
			sub  *Subscription
			want string
		}{
			{"live", live, "3"},
			{"all", all, "0 1 2 replayed 3"},
			{"late", late, "1 2 replayed 3"},
			{"past", past, "0 1 replayed complete end"},
			{"until soon", soon, "2 replayed 3"},
			{"nothing to replay", empty, "replayed 3"},
		} {
			if got := drain(t, tt.sub); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
		s.Publish(event(4))
		time.Sleep(time.Minute)
		s.Publish(event(5))
		if got, want := drain(t, soon), "4 complete end"; got != want {
			t.Errorf("at the stop time: %q, want %q", got, want)
		}
		if got, want := drain(t, live), "4 5"; got != want {
			t.Errorf("live: %q, want %q", got, want)
		}
	})
}

func TestSubscriptionFilter(t *testing.T) {
	dec := xmltok.NewDecoder([]byte(`<filter><e xmlns="urn:e"><n>2</n></e></filter>`), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		t.Fatal(err)
	}
	f, err := xmltree.ParseFilter(dec, xmltree.All)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStream(Limits{})
	sub := s.Subscribe(Options{Filter: f.Matches})
	s.Publish(event(1), event(2), event(3), event(2))
	if got, want := drain(t, sub), "2 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// netconf.md 72: the log is bounded in number and size, says what it lost, and
// who has missed something is told.
func TestBounds(t *testing.T) {
	one := event(1)
	size := len(one.Content.Append(nil, ""))
	for name, l := range map[string]Limits{"number": {Events: 3}, "bytes": {Bytes: 3 * size}} {
		s := NewStream(l)
		slow, quick := s.Subscribe(Options{}), s.Subscribe(Options{})
		if created, aged := s.Log(); created.IsZero() || !aged.IsZero() {
			t.Errorf("%s: log of %v lost %v", name, created, aged)
		}
		for n := range 5 {
			s.Publish(event(n))
			if got := drain(t, quick); got != fmt.Sprint(n) {
				t.Errorf("%s: quick reader has %q", name, got)
			}
		}
		if got, want := drain(t, slow), ErrBehind.Error(); got != want {
			t.Errorf("%s: slow reader has %q, want %q", name, got, want)
		}
		if got, want := drain(t, s.Subscribe(Options{Start: time.Now().Add(-time.Hour)})), "2 3 4 replayed"; got != want {
			t.Errorf("%s: replay is %q, want %q", name, got, want)
		}
		if _, aged := s.Log(); aged.IsZero() {
			t.Errorf("%s: the log does not say that it lost something", name)
		}
	}
}

// Readers and publishers at once: each reader gets everything in order.
func TestConcurrent(t *testing.T) {
	const events, readers = 500, 8
	s := NewStream(Limits{})
	var wg sync.WaitGroup
	for range readers {
		sub := s.Subscribe(Options{})
		wg.Go(func() {
			for n := range events {
				e, _, err := sub.Next(t.Context())
				if err != nil || e.Content.Children[0].Text != fmt.Sprint(n) {
					t.Errorf("event %d: %v, %v", n, e, err)
					return
				}
			}
		})
	}
	for n := range events {
		s.Publish(event(n))
	}
	wg.Wait()
}

// netconf.md 74: new terms, what a filter has kept back, and going on after a
// loss.
func TestModifyAndSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStream(Limits{Events: 2})
		dec := xmltok.NewDecoder([]byte(`<f><other xmlns="urn:e"/></f>`), xmltok.Options{})
		if _, err := dec.Next(); err != nil {
			t.Fatal(err)
		}
		other, err := xmltree.ParseFilter(dec, xmltree.All)
		if err != nil {
			t.Fatal(err)
		}
		excluded := 0
		sub := s.Subscribe(Options{Filter: other.Matches, Excluded: func() { excluded++ }})
		s.Publish(event(0), event(1))
		if got := drain(t, sub); got != "" || excluded != 2 {
			t.Errorf("%q, excluded %d", got, excluded)
		}
		sub.Modify(time.Now().Add(time.Hour), nil)
		s.Publish(event(2), event(3), event(4))
		if got := drain(t, sub); got != ErrBehind.Error() {
			t.Errorf("behind: %q", got)
		}
		sub.Skip()
		s.Publish(event(5))
		if got := drain(t, sub); got != "5" {
			t.Errorf("after Skip: %q", got)
		}
		time.Sleep(2 * time.Hour)
		if got := drain(t, sub); got != "complete end" {
			t.Errorf("after the new end: %q", got)
		}
	})
}
