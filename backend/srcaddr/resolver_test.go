package srcaddr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

var (
	peer = ip("192.0.2.1")
	ask  = Query{NetNS: "vpn1", Interface: "a", Peer: peer}
)

// harness is a Resolver on a fake kernel, in a synctest bubble.
type harness struct {
	t *testing.T
	k *fakeKernel
	*Resolver
	stop func()
}

// run starts Run and stops it at the end of the test.
func (h *harness) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx); err != nil {
			h.t.Errorf("run: %v", err)
		}
	})
	h.stop = func() { cancel(); wg.Wait() }
	synctest.Wait()
}

func (h *harness) want(q Query, s Status) Answer {
	h.t.Helper()
	synctest.Wait()
	got := h.Resolve(q)
	if got.Status != s {
		h.t.Fatalf("got %v (%s), want %v", got.Status, got.Detail, s)
	}
	return got
}

// change expects a Change after exactly d.
func (h *harness) change(netns string, d time.Duration) {
	h.t.Helper()
	start := time.Now()
	select {
	case c := <-h.Changes():
		if c.NetNS != netns || time.Since(start) != d {
			h.t.Fatalf("change of %q after %v, want %q after %v", c.NetNS, time.Since(start), netns, d)
		}
	case <-time.After(time.Minute):
		h.t.Fatalf("no change, want %q after %v", netns, d)
	}
}

// silence expects no Change for d.
func (h *harness) silence(d time.Duration) {
	h.t.Helper()
	select {
	case c := <-h.Changes():
		h.t.Fatalf("change of %q, want none", c.NetNS)
	case <-time.After(d):
	}
}

// bubble runs f with a fake namespace vpn1 that has interface a, 10.0.0.1.
func bubble(t *testing.T, f func(h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel()
		k.add("vpn1", eth(2, "a"), on(2, "10.0.0.1/24"))
		h := &harness{t: t, k: k, Resolver: newResolver(quiet(), Options{}, k), stop: func() {}}
		defer func() { h.stop() }()
		f(h)
	})
}

func TestResolveBeforeRun(t *testing.T) {
	bubble(t, func(h *harness) {
		a := h.want(ask, Resolved)
		if a.Source != ip("10.0.0.1") || a.Interface != "a" || a.Index != 2 {
			t.Errorf("got %+v", a)
		}
		h.want(Query{NetNS: "vpn2", Interface: "a", Peer: peer}, NamespaceMissing)
		for range 10 {
			h.Resolve(ask)
		}
		if subs, lists := h.k.counts(); subs != 0 || lists != 1 {
			t.Errorf("%d subscriptions and %d lists, want 0 and 1", subs, lists)
		}
	})
}

// Queries that name no namespace are about the home of the speaker, in words
// and in changes.
func TestHome(t *testing.T) {
	bubble(t, func(h *harness) {
		h.Resolver = newResolver(quiet(), Options{Home: "vpn1"}, h.k)
		h.run()
		here := Query{Interface: "a", Peer: peer}
		if a := h.want(here, Resolved); a.Source != ip("10.0.0.1") {
			t.Errorf("got %+v", a)
		}
		if a := h.want(Query{Interface: "b", Peer: peer}, InterfaceMissing); !strings.Contains(a.Detail, "network namespace vpn1") {
			t.Errorf("detail %q", a.Detail)
		}
		h.want(Query{Peer: peer}, Unbound)
		h.change("", defaultDebounce) // the load itself
		h.k.set("vpn1", on(2, "10.0.0.2/24"))
		h.change("", defaultDebounce)
		h.want(here, Ambiguous)
		h.k.remove("vpn1")
		h.k.names.names <- []string{"vpn1"}
		h.want(here, NamespaceMissing)
		h.change("", defaultDebounce)
		h.want(Query{NetNS: "vpn2", Interface: "a", Peer: peer}, NamespaceMissing)
	})
}

func TestUnboundNeedsNoNamespace(t *testing.T) {
	bubble(t, func(h *harness) {
		h.want(Query{Peer: peer}, Unbound)
		h.want(Query{NetNS: "vpn2", Peer: peer}, NamespaceMissing)
		h.want(Query{NetNS: "vpn1", Peer: peer}, Unbound)
		if _, lists := h.k.counts(); lists != 1 {
			t.Errorf("%d lists, want 1: the agent's own namespace was read", lists)
		}
	})
}

func TestQueryReadsNamespaceOnlyOnce(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		synctest.Wait() // the space subscribes and lists for itself
		for range 10 {
			h.want(ask, Resolved)
		}
		if subs, lists := h.k.counts(); subs != 1 || lists != 2 {
			t.Errorf("%d subscriptions and %d lists, want 1 and 2", subs, lists)
		}
	})
}

func TestWhatChangedBeforeRunIsTold(t *testing.T) {
	bubble(t, func(h *harness) {
		h.want(ask, Resolved)
		h.k.silently("vpn1", on(2, "10.0.0.2/24"))
		h.want(ask, Resolved) // as of the load
		h.run()
		h.change("vpn1", defaultDebounce)
		h.want(ask, Ambiguous)
	})
}

func TestChangesAreDebounced(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		h.change("vpn1", defaultDebounce) // the load itself

		start := time.Now()
		for range 7 { // 70 ms of flapping, told of once
			h.k.set("vpn1", eth(2, "a", down))
			h.k.set("vpn1", eth(2, "a"))
			time.Sleep(10 * time.Millisecond)
		}
		h.k.set("vpn1", off(on(2, "10.0.0.1/24")), on(2, "10.0.0.7/24"))
		if a := h.want(ask, Resolved); a.Source != ip("10.0.0.7") {
			t.Errorf("source %v before the change is told", a.Source)
		}
		h.change("vpn1", defaultDebounce-time.Since(start))
		h.silence(time.Minute)

		// What changes no answer is not told of: the same link and address again.
		h.k.set("vpn1", eth(2, "a"), on(2, "10.0.0.7/24"))
		h.silence(time.Minute)
	})
}

func TestDebounceOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel()
		k.add("")
		h := &harness{t: t, k: k, Resolver: newResolver(quiet(), Options{Debounce: time.Second}, k)}
		h.run()
		defer h.stop()
		h.want(Query{Interface: "a", Peer: peer}, InterfaceMissing)
		h.change("", time.Second)
	})
}

func TestSlowReaderMissesNothing(t *testing.T) {
	bubble(t, func(h *harness) {
		h.k.add("vpn2", eth(2, "a"))
		h.run()
		h.want(ask, Resolved)
		h.want(Query{NetNS: "vpn2", Interface: "a", Peer: peer}, NoAddress)
		for i := range 1000 {
			h.k.set("vpn1", on(2, fmt.Sprintf("10.0.%d.%d/24", i/200, i%200+2)))
			h.k.set("vpn2", on(2, fmt.Sprintf("10.0.%d.%d/24", i/200, i%200+2)))
			if i%50 == 0 {
				time.Sleep(time.Second)
			} else {
				synctest.Wait()
			}
		}
		seen := map[string]int{}
		for {
			select {
			case c := <-h.Changes():
				seen[c.NetNS]++
				continue
			case <-time.After(time.Minute):
			}
			break
		}
		if seen["vpn1"] < 1 || seen["vpn1"] > 2 || seen["vpn2"] < 1 || seen["vpn2"] > 2 || len(seen) != 2 {
			t.Errorf("changes %v, want one or two for each namespace", seen)
		}
	})
}

// backends.md 5: "resync by a full list on ENOBUFS".
func TestLostEventsResync(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		h.change("vpn1", defaultDebounce)
		h.k.silently("vpn1", off(on(2, "10.0.0.1/24")))
		h.want(ask, Resolved) // nobody has told yet
		h.k.fail("vpn1", fmt.Errorf("receive: %w", unix.ENOBUFS))
		h.change("vpn1", retryMin+defaultDebounce)
		h.want(ask, NoAddress)
		h.k.set("vpn1", on(2, "10.0.0.3/24")) // the new subscription works
		if a := h.want(ask, Resolved); a.Source != ip("10.0.0.3") {
			t.Errorf("source %v", a.Source)
		}
		if n := len(h.k.subscribers("vpn1")); n != 1 {
			t.Errorf("%d open subscriptions, want 1", n)
		}
	})
}

func TestResyncBacksOff(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		synctest.Wait()
		h.k.do(func() { h.k.openErr = unix.EMFILE })
		h.k.fail("vpn1", unix.ENOBUFS)
		time.Sleep(10 * time.Minute)
		h.want(ask, Resolved) // the last mirror is better than none
		h.k.do(func() { h.k.openErr = nil; h.k.listErr = unix.EINTR })
		before, _ := h.k.counts()
		time.Sleep(10 * time.Second)
		if after, _ := h.k.counts(); after-before < 9 || after-before > 10 {
			t.Errorf("%d attempts in 10 s, want one each second", after-before)
		}
		h.k.do(func() { h.k.listErr = nil })
		time.Sleep(retryMax)
		h.k.set("vpn1", eth(2, "a", down))
		h.want(ask, InterfaceDown)
	})
}

func TestUnreadableNamespace(t *testing.T) {
	bubble(t, func(h *harness) {
		h.k.do(func() { h.k.openErr = unix.EPERM })
		if a := h.want(ask, NamespaceMissing); !strings.Contains(a.Detail, "operation not permitted") {
			t.Errorf("detail %q does not give the reason", a.Detail)
		}
		h.run()
		h.k.do(func() { h.k.openErr = nil })
		time.Sleep(retryMax)
		h.want(ask, Resolved)
	})
}

func TestInterruptedListIsRepeated(t *testing.T) {
	bubble(t, func(h *harness) {
		h.k.do(func() { h.k.interrupt = 3 }) // of Resolve, and two of the space
		h.want(ask, NoAddress)
		h.run()
		h.want(ask, NoAddress)
		time.Sleep(relistGap + time.Millisecond)
		h.want(ask, NoAddress)
		time.Sleep(relistGap)
		h.want(ask, Resolved)
		_, before := h.k.counts()
		time.Sleep(time.Hour)
		if _, after := h.k.counts(); after != before {
			t.Errorf("%d lists more", after-before)
		}
	})
}

func TestVRFMasterChanges(t *testing.T) {
	bubble(t, func(h *harness) {
		q := ask
		q.VRFDevice = "vrf-a"
		h.run()
		h.want(q, WrongVRF)
		h.k.set("vpn1", eth(5, "vrf-a", vrf))
		h.want(q, WrongVRF)
		h.k.set("vpn1", eth(2, "a", master(5)))
		h.want(q, Resolved)
		h.want(ask, WrongVRF)
		h.k.set("vpn1", eth(2, "a"))
		h.want(q, WrongVRF)
		h.want(ask, Resolved)
		h.k.set("vpn1", off(eth(5, "vrf-a", vrf)))
		h.want(q, WrongVRF)
	})
}

func TestNamespaceComesAndGoes(t *testing.T) {
	bubble(t, func(h *harness) {
		q := Query{NetNS: "vpn2", Interface: "a", Peer: peer}
		h.run()
		if a := h.want(q, NamespaceMissing); !strings.Contains(a.Detail, "vpn2 does not exist") {
			t.Errorf("detail %q", a.Detail)
		}
		h.change("vpn2", defaultDebounce)
		h.silence(10 * time.Minute)

		// The file comes first, the mount a moment later.
		h.k.names.names <- []string{"other", "vpn2"}
		h.want(q, NamespaceMissing)
		h.k.add("vpn2", eth(2, "a"), on(2, "10.0.0.2/24"))
		time.Sleep(retryMin)
		h.want(q, Resolved)
		h.change("vpn2", defaultDebounce)

		// Deleted: the conn must be closed, it keeps the namespace alive.
		h.k.remove("vpn2")
		h.k.names.names <- []string{"vpn2"}
		h.want(q, NamespaceMissing)
		if n := len(h.k.subscribers("vpn2")); n != 0 {
			t.Errorf("%d subscriptions keep the namespace alive", n)
		}
		h.change("vpn2", defaultDebounce)

		// Made anew under the same name before anyone looked.
		h.k.add("vpn2", eth(2, "a"), on(2, "10.0.0.3/24"))
		h.k.names.names <- []string{"vpn2"}
		h.want(q, Resolved)
		h.k.add("vpn2", eth(2, "a"), on(2, "10.0.0.4/24"))
		h.k.names.names <- []string{"vpn2"}
		if a := h.want(q, Resolved); a.Source != ip("10.0.0.4") {
			t.Errorf("source %v is of the namespace before", a.Source)
		}
		h.k.set("vpn2", eth(2, "a", down))
		h.want(q, InterfaceDown)

		// Events of names lost: all are looked at.
		h.k.remove("vpn2")
		h.k.names.names <- nil
		h.want(q, NamespaceMissing)

		// Nobody watches for a second then, and what happens is seen at its end.
		h.k.add("vpn2", eth(2, "a"))
		time.Sleep(retryMax / 2)
		h.want(q, NoAddress)
		h.k.remove("vpn2")
		h.want(q, NoAddress)
		time.Sleep(retryMax / 2)
		h.want(q, NamespaceMissing)
	})
}

func TestNamesArePolledWithoutWatch(t *testing.T) {
	bubble(t, func(h *harness) {
		h.k.namesErr = errors.New("no inotify")
		q := Query{NetNS: "vpn2", Interface: "a", Peer: peer}
		h.run()
		h.want(q, NamespaceMissing)
		time.Sleep(time.Minute)
		h.k.add("vpn2", eth(2, "a"), on(2, "10.0.0.2/24"))
		time.Sleep(retryMax)
		h.want(q, Resolved)
		h.k.remove("vpn2")
		time.Sleep(retryMax)
		h.want(q, NamespaceMissing)

		h.k.do(func() { h.k.namesErr = nil })
		time.Sleep(retryMax)
		synctest.Wait() // watched from here on
		h.k.add("vpn2", eth(2, "a"))
		h.k.names.names <- []string{"vpn2"}
		h.want(q, NoAddress)
	})
}

func TestSync(t *testing.T) {
	bubble(t, func(h *harness) {
		ctx := context.Background()
		h.want(ask, Resolved)
		h.want(Query{NetNS: "vpn2", Interface: "a", Peer: peer}, NamespaceMissing)
		h.k.silently("vpn1", on(2, "10.0.0.2/24"))
		if err := h.Sync(ctx); err != nil {
			t.Fatalf("sync before run, a namespace missing: %v", err)
		}
		h.want(ask, Ambiguous)

		h.run()
		h.change("vpn1", defaultDebounce)
		h.change("vpn2", 0)
		h.k.silently("vpn1", off(on(2, "10.0.0.1/24")))
		if err := h.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		h.want(ask, Resolved)
		h.change("vpn1", defaultDebounce)

		h.k.add("vpn1", eth(2, "a", down)) // another one of that name: it is followed
		if err := h.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		h.want(ask, InterfaceDown)
		h.k.set("vpn1", eth(2, "a"))
		h.want(ask, NoAddress)

		h.k.do(func() { h.k.listErr = unix.EIO })
		if err := h.Sync(ctx); !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "vpn1") {
			t.Errorf("got %v, want %v naming vpn1", err, unix.EIO)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if err := h.Sync(done); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		h.want(ask, NoAddress)
	})
}

func TestForget(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		h.change("vpn1", defaultDebounce)
		h.Forget("vpn1")
		h.Forget("never-asked")
		synctest.Wait()
		if n := len(h.k.subscribers("vpn1")); n != 0 {
			t.Errorf("%d subscriptions left", n)
		}
		h.k.set("vpn1", on(2, "10.0.0.2/24"))
		h.silence(time.Minute)
		h.want(ask, Ambiguous) // asked again: watched again
		h.change("vpn1", defaultDebounce)
		h.k.set("vpn1", off(on(2, "10.0.0.1/24")))
		h.want(ask, Resolved)
	})
}

func TestRunAgain(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		h.want(ask, Resolved)
		if err := h.Run(context.Background()); err == nil {
			t.Fatal("second Run at the same time: no error")
		}
		h.stop()
		if n := len(h.k.subscribers("vpn1")); n != 0 {
			t.Errorf("%d subscriptions left after Run", n)
		}
		h.k.silently("vpn1", on(2, "10.0.0.2/24"))
		h.want(ask, Ambiguous) // not from the mirror that nobody keeps current
		h.run()
		h.k.set("vpn1", off(on(2, "10.0.0.1/24")))
		h.want(ask, Resolved)
	})
}

func TestConcurrentUse(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 200 {
					switch (i + j) % 5 {
					case 0:
						h.k.set("vpn1", on(2, fmt.Sprintf("10.0.%d.%d/24", i, j)))
					case 1:
						_ = h.Sync(context.Background())
					case 2:
						h.Forget("vpn1")
					default:
						if a := h.Resolve(ask); a.Status != Resolved && a.Status != Ambiguous {
							t.Errorf("got %v (%s)", a.Status, a.Detail)
						}
					}
				}
			})
		}
		wg.Wait()
		h.want(ask, Ambiguous)
	})
}

func BenchmarkResolve(b *testing.B) {
	k := newFakeKernel()
	var events []event
	for i := 1; i <= 4000; i++ {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
		events = append(events, eth(i, fmt.Sprintf("eth%d", i)), on(i, netip.PrefixFrom(a, 24).String()))
	}
	k.add("", events...)
	r := newResolver(quiet(), Options{}, k)
	for name, q := range map[string]Query{
		"interface": {Interface: "eth3999", Peer: peer},
		"source":    {Source: ip("10.15.159.1"), Peer: peer},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := r.Resolve(q); a.Status != Resolved {
					b.Fatal(a.Detail)
				}
			}
		})
	}
}
