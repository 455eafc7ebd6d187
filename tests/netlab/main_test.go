package netlab

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addr(s string) netip.Addr         { return netip.MustParseAddr(s) }
func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// fakeTB stands in for a test whose end is looked at.
type fakeTB struct {
	testing.TB
	skipped, failed string
	errors          []string
	cleanups        []func()
}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Skip(args ...any)          { f.skipped = fmt.Sprint(args...) }
func (f *fakeTB) Fatal(args ...any)         { f.failed = fmt.Sprint(args...) }
func (f *fakeTB) Errorf(s string, a ...any) { f.errors = append(f.errors, fmt.Sprintf(s, a...)) }
func (f *fakeTB) Logf(string, ...any)       {}
func (f *fakeTB) Failed() bool              { return f.failed != "" || len(f.errors) > 0 }
func (f *fakeTB) Cleanup(c func())          { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Fatalf(s string, a ...any) { f.failed = fmt.Sprintf(s, a...); runtime.Goexit() }

// run calls body as a test would be: Fatalf ends it, the cleanups follow.
func (f *fakeTB) run(body func()) {
	done := make(chan struct{})
	go func() { defer close(done); body() }()
	<-done
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
}
