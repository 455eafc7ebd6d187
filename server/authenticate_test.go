package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 1)
}

// gnmi.md 101: wrong or missing credentials are refused, all in the same words.
func TestAuthenticate(t *testing.T) {
	long := strings.Repeat("x", 72)
	u := openUsers(t, "users:\n"+
		"- name: ann\n  groups: [ops]\n  password-hash: "+cheapHash(t, "right")+"\n"+
		"- name: max\n  password-hash: "+cheapHash(t, long)+"\n"+
		"- name: nil\n  password-hash: "+cheapHash(t, "")+"\n"+
		"- name: key\n  authorized-keys: ["+testKey+"]\n")
	tests := []struct {
		name, user, password string
		want                 *Identity
	}{
		{"right", "ann", "right", &Identity{User: "ann", Groups: []string{"ops"}}},
		{"right again, remembered", "ann", "right", &Identity{User: "ann", Groups: []string{"ops"}}},
		{"wrong after right", "ann", "wrong", nil},
		{"case", "ann", "Right", nil},
		{"unknown user", "eve", "right", nil},
		{"no user", "", "right", nil},
		{"empty password", "ann", "", nil},
		{"empty password that is hashed", "nil", "", nil},
		{"as long as bcrypt looks", "max", long, &Identity{User: "max"}},
		{"longer than bcrypt looks", "max", long + "y", nil},
		{"user without a password", "key", "0", nil},
		{"the hash itself", "ann", string(u.accounts.Load().byName["ann"].hash), nil},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := u.Authenticate(t.Context(), tt.user, tt.password, address(i))
			if tt.want == nil {
				if got != nil || err != ErrUnauthenticated {
					t.Fatalf("got %v, %v; want exactly ErrUnauthenticated", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Source = address(i)
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRememberedPassword proves that the second login computes no hash: with
// all slots taken it still gets in, and a wrong one does not.
func TestRememberedPassword(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "right")+"\n")
	if _, err := u.Authenticate(t.Context(), "ann", "right", client); err != nil {
		t.Fatal(err)
	}
	for range cap(u.slots) {
		u.slots <- struct{}{}
	}
	if _, err := u.Authenticate(t.Context(), "ann", "right", client); err != nil {
		t.Errorf("remembered password: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := u.Authenticate(ctx, "ann", "wrong", client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrong password without a free slot: %v, want the deadline", err)
	}
	if len(u.flights) != 0 {
		t.Errorf("%d flights left behind", len(u.flights))
	}
}

func TestIdentityGroupsAreOwn(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  groups: [ops]\n  password-hash: "+cheapHash(t, "right")+"\n")
	for range 2 {
		id, err := u.Authenticate(t.Context(), "ann", "right", client)
		if err != nil {
			t.Fatal(err)
		}
		if id.Groups[0] != "ops" {
			t.Fatalf("another identity changed the groups to %q", id.Groups)
		}
		id.Groups[0] = "admin"
	}
}

func TestFailuresAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "right")+"\n")
		login := func(password string, source netip.AddrPort) error {
			_, err := u.Authenticate(t.Context(), "ann", password, source)
			return err
		}
		for range 2 * failureBurst { // successes cost nothing
			if err := login("right", client); err != nil {
				t.Fatal(err)
			}
		}
		for i := range failureBurst {
			if err := login("wrong", client); err != ErrUnauthenticated {
				t.Fatalf("failure %d: %v", i, err)
			}
		}
		err := login("right", client)
		if !errors.Is(err, ErrThrottled) || !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("after the burst, right password: %v, want ErrThrottled that is ErrUnauthenticated", err)
		}
		if err := login("right", netip.AddrPortFrom(client.Addr(), 9)); !errors.Is(err, ErrThrottled) {
			t.Errorf("another port of the same address: %v", err)
		}
		if err := login("right", address(1)); err != nil {
			t.Errorf("another address: %v", err)
		}
		time.Sleep(failureRefill)
		if err := login("right", client); err != nil {
			t.Errorf("after the refill: %v", err)
		}
		if err := login("wrong", client); err != ErrUnauthenticated {
			t.Errorf("the earned attempt: %v", err)
		}
		if err := login("right", client); !errors.Is(err, ErrThrottled) {
			t.Errorf("the earned attempt was not spent: %v", err)
		}
	})
}

// TestParallelGuesses: guesses sent at once cannot outrun the limiter, even
// with the right password, remembered, among them.
func TestParallelGuesses(t *testing.T) {
	for _, remembered := range []bool{false, true} {
		t.Run(fmt.Sprintf("remembered %v", remembered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { parallelGuesses(t, remembered) })
		})
	}
}

// parallelGuesses runs in a bubble, where no attempt is earned meanwhile.
func parallelGuesses(t *testing.T, remembered bool) {
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "right")+"\n")
	if remembered {
		if _, err := u.Authenticate(t.Context(), "ann", "right", client); err != nil {
			t.Fatal(err)
		}
	}
	var judged atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := u.Authenticate(t.Context(), "ann", fmt.Sprint(i), client); err == ErrUnauthenticated {
				judged.Add(1)
			}
		})
	}
	wg.Wait()
	if n := judged.Load(); n != failureBurst {
		t.Errorf("%d guesses were judged, want %d", n, failureBurst)
	}
}

// TestParallelLogins: many sessions of one client at once share one hash and
// are not taken for guesses.
func TestParallelLogins(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "right")+"\n")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, err := u.Authenticate(t.Context(), "ann", "right", client); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(u.failed.buckets) != 0 || len(u.flights) != 0 {
		t.Errorf("%d buckets and %d flights left", len(u.failed.buckets), len(u.flights))
	}
}

// TestLeaderGivesUp: whoever waits with a leader whose context ends takes over.
func TestLeaderGivesUp(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "right")+"\n")
	synctest.Test(t, func(t *testing.T) {
		u.slots = make(chan struct{}, 1) // of this bubble
		u.slots <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		var leader, follower error
		var wg sync.WaitGroup
		wg.Go(func() { _, leader = u.Authenticate(ctx, "ann", "right", client) })
		synctest.Wait()
		wg.Go(func() { _, follower = u.Authenticate(t.Context(), "ann", "right", client) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		<-u.slots
		wg.Wait()
		if !errors.Is(leader, context.Canceled) || follower != nil {
			t.Errorf("leader %v, follower %v; want canceled and nil", leader, follower)
		}
		if len(u.failed.buckets) != 0 {
			t.Errorf("an attempt that was never judged was paid for")
		}
	})
}

// TestSameWork: unknown user, wrong password, no password and a cheaper hash
// compute hashes for the same CPU time. Leaving the work out would show as a
// factor of ten and more, so the margin can be wide.
func TestSameWork(t *testing.T) {
	runtime.LockOSThread() // the hash is computed by the caller
	defer runtime.UnlockOSThread()
	const cost = 8
	dear, err := bcrypt.GenerateFromPassword([]byte("right"), cost)
	if err != nil {
		t.Fatal(err)
	}
	u := openUsers(t, "users:\n- name: dear\n  password-hash: "+string(dear)+"\n"+
		"- name: cheap\n  password-hash: "+cheapHash(t, "right")+"\n- name: none\n")
	u.accounts.Load().maxCost = cost
	spent := make(map[string]time.Duration)
	for i, name := range []string{"dear", "cheap", "none", "unknown"} {
		best := time.Hour
		for j := range 3 {
			start := threadTime(t)
			if _, err := u.Authenticate(t.Context(), name, fmt.Sprint("wrong", j), address(i)); err != ErrUnauthenticated {
				t.Fatal(err)
			}
			best = min(best, threadTime(t)-start)
		}
		spent[name] = best
	}
	for name, d := range spent {
		if d < spent["dear"]/3 || d > spent["dear"]*3 {
			t.Errorf("refusing %s took %v, refusing dear %v", name, d, spent["dear"])
		}
	}
}

// threadTime is the CPU time of this thread.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	const rusageThread = 1 // RUSAGE_THREAD, getrusage(2)
	var use syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func TestAuthenticateKey(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  groups: [ops]\n  authorized-keys: ["+testKey+" ann@host]\n- name: bob\n")
	listed, err := parseKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	others, err := LoadOrCreateHostKeys(t.TempDir(), []string{"ed25519"})
	if err != nil {
		t.Fatal(err)
	}
	other := others[0]
	tests := []struct {
		name, user string
		key        ssh.PublicKey
		want       error
	}{
		{"listed", "ann", listed, nil},
		{"another key", "ann", other.PublicKey(), ErrUnauthenticated},
		{"another user", "bob", listed, ErrUnauthenticated},
		{"unknown user", "eve", listed, ErrUnauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := u.AuthenticateKey(tt.user, tt.key, client)
			if !errors.Is(err, tt.want) || (id == nil) != (tt.want != nil) {
				t.Fatalf("got %v, %v; want %v", id, err, tt.want)
			}
			if id != nil && (id.User != "ann" || id.Groups[0] != "ops" || id.Source != client) {
				t.Errorf("identity %v", id)
			}
		})
	}
}

func TestLimiterBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLimiter()
	source := func(i int) netip.Prefix { return sourceKey(address(i).Addr()) }
	for i := range maxSources + failureBurst {
		if !l.allowed(source(i), now) {
			t.Fatalf("source %d refused", i)
		}
		l.charge(source(i), now)
	}
	if len(l.buckets) != maxSources {
		t.Errorf("%d sources stored, want %d", len(l.buckets), maxSources)
	}
	if l.allowed(source(maxSources+failureBurst), now) {
		t.Error("the shared bucket is spent, and a new source was allowed")
	}
	if !l.allowed(source(0), now) {
		t.Error("a stored source was refused with attempts left")
	}
	// Once all have earned theirs back, the next failure makes room.
	now = now.Add(failureBurst * failureRefill)
	l.charge(source(9000), now)
	if len(l.buckets) != 1 {
		t.Errorf("%d sources stored after the sweep, want 1", len(l.buckets))
	}
	// A clock that goes back gives nothing and takes nothing.
	if b := (bucket{tokens: 3, at: now}).refilled(now.Add(-time.Hour)); b.tokens != 3 {
		t.Errorf("%v tokens after the clock went back, want 3", b.tokens)
	}
}

func TestSourceKey(t *testing.T) {
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"v4", "192.0.2.1", "192.0.2.2", false},
		{"v4 mapped", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"v6 of one /64", "2001:db8::1", "2001:db8::ffff:2", true},
		{"v6 of two", "2001:db8::1", "2001:db8:0:1::1", false},
		{"v6 zones", "fe80::1%a", "fe80::2%b", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := sourceKey(netip.MustParseAddr(tt.a)), sourceKey(netip.MustParseAddr(tt.b))
			if (a == b) != tt.same || !a.IsValid() {
				t.Errorf("%v and %v: same %v, want %v", a, b, a == b, tt.same)
			}
		})
	}
	if got := sourceKey(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("socket: %v", got)
	}
}

// BenchmarkAuthenticate is a gNMI RPC's share: the password was verified before.
func BenchmarkAuthenticate(b *testing.B) {
	u := openUsers(b, "users:\n- name: ann\n  groups: [ops]\n  password-hash: "+cheapHash(b, "right")+"\n")
	if _, err := u.Authenticate(b.Context(), "ann", "right", client); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Authenticate(b.Context(), "ann", "right", client); err != nil {
			b.Fatal(err)
		}
	}
}
