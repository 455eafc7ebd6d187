package netconf

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"

	"mooring/backend/fake"
	"mooring/backend/srcaddr"
	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/nacm"
	"mooring/engine/plan"
	"mooring/engine/schema"
	"mooring/server"
)

func TestMain(m *testing.M) {
	// ygot brings glog, whose flusher lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

var quiet = slog.New(slog.DiscardHandler)

// unbound is a network in which every peer's source is the kernel's choice.
type unbound chan srcaddr.Change

func (u unbound) Changes() <-chan srcaddr.Change { return u }

func (unbound) Route(srcaddr.Query) netip.Addr { return netip.Addr{} }

func (unbound) Resolve(q srcaddr.Query) srcaddr.Answer {
	return srcaddr.Answer{Status: srcaddr.Unbound}
}

// rig is a coordinator on the fake backend, and a Server that is not serving.
type rig struct {
	testing.TB
	speaker *fake.Backend
	engine  *commit.Coordinator
	srv     *Server
	log     *slog.Logger
	setup   setup
}

func newRig(tb testing.TB, l Limits) *rig {
	tb.Helper()
	return newRigOn(tb, tb.TempDir(), l)
}

// missing is a network in which no interface exists.
type missing struct{ unbound }

func (missing) Resolve(q srcaddr.Query) srcaddr.Answer {
	if q.Interface == "" {
		return srcaddr.Answer{Status: srcaddr.Unbound}
	}
	return srcaddr.Answer{Status: srcaddr.InterfaceMissing, Detail: "there is no " + q.Interface}
}

// newRigOn has its state in dir.
func newRigOn(tb testing.TB, dir string, l Limits) *rig {
	tb.Helper()
	return newRigIn(tb, dir, make(unbound), l)
}

func newRigWith(tb testing.TB, network commit.Sources, l Limits) *rig {
	tb.Helper()
	return newRigIn(tb, tb.TempDir(), network, l)
}

func newRigIn(tb testing.TB, dir string, network commit.Sources, l Limits) *rig {
	tb.Helper()
	return setup{dir: dir, network: network, limits: l}.rig(tb)
}

// setup is what a rig may have.
type setup struct {
	dir     string // of its state
	network commit.Sources
	limits  Limits
	startup bool
	urlDir  string
	guarded bool // by access control
}

func (o setup) rig(tb testing.TB) *rig {
	tb.Helper()
	if o.dir == "" {
		o.dir = tb.TempDir()
	}
	if o.network == nil {
		o.network = make(unbound)
	}
	dir := o.dir
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: quiet})
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{TB: tb, speaker: fake.New(fake.Options{}), log: quiet, setup: o}
	var access *nacm.Control
	if o.guarded {
		access = nacm.New(func() schema.Reader { return store.Running() }, "admin")
	}
	r.engine = commit.New(commit.Config{
		Store: store, Backend: r.speaker, Sources: o.network, RouterID: netip.MustParseAddr("192.0.2.1"), Version: "test", Log: quiet,
		Startup: o.startup, Access: access,
	})
	if err := r.engine.Boot(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.engine.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("Run: %v", err)
		}
		if err := store.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	r.srv = r.newServer(o.limits)
	return r
}

const password = "correct horse"

func (r *rig) newServer(l Limits) *Server {
	r.Helper()
	srv, err := New(Config{Engine: r.engine, Users: r.users(), HostKeys: []ssh.Signer{hostKey(r)}, Log: r.log, Limits: l, Startup: r.setup.startup, URLDir: r.setup.urlDir})
	if err != nil {
		r.Fatal(err)
	}
	return srv
}

// cheapHash is that of password.
func cheapHash(tb testing.TB) string {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	return string(hash)
}

// users are admin and guest, both with the password and clientKey.
// groupOf is the group that a user is in: all but the operator may do
// everything.
func groupOf(user string) string {
	if user == "operator" {
		return "operators"
	}
	return "admin"
}

func (r *rig) users() *server.Users {
	r.Helper()
	hash := cheapHash(r)
	text := "users:\n"
	for _, name := range []string{"admin", "guest", "operator"} {
		text += fmt.Sprintf("  - {name: %s, groups: [%s], password-hash: '%s', authorized-keys: ['%s']}\n",
			name, groupOf(name), hash, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(clientKey(r).PublicKey()))))
	}
	path := filepath.Join(r.TempDir(), "users.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	users, err := server.OpenUsers(path)
	if err != nil {
		r.Fatal(err)
	}
	return users
}

// hostKey and clientKey are the same in each test.
func hostKey(tb testing.TB) ssh.Signer   { return keyOf(tb, 1) }
func clientKey(tb testing.TB) ssh.Signer { return keyOf(tb, 2) }

func keyOf(tb testing.TB, seed byte) ssh.Signer {
	tb.Helper()
	signer, err := ssh.NewSignerFromKey(rawKey(seed))
	if err != nil {
		tb.Fatal(err)
	}
	return signer
}

// hang makes the backend hang in its next Apply.
func (r *rig) hang() *hanging {
	h := &hanging{TB: r, entered: make(chan struct{}), released: make(chan struct{})}
	r.speaker.FailPrepare(func(plan.Step) error {
		h.once.Do(func() { close(h.entered) })
		<-h.released
		return nil
	})
	r.Cleanup(h.release)
	return h
}

// hanging is a backend that hangs.
type hanging struct {
	testing.TB
	once, twice       sync.Once
	entered, released chan struct{}
}

func (h *hanging) reached() {
	h.Helper()
	select {
	case <-h.entered:
	case <-time.After(patience):
		h.Fatal("the backend was not asked")
	}
}

func (h *hanging) release() { h.twice.Do(func() { close(h.released) }) }

func rawKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}
