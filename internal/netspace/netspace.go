// Package netspace makes things in another network namespace than the agent's.
//
// It owns that no goroutine ever runs in a foreign namespace by accident: what
// enters one has a thread of its own, which ends afterwards. It must not know
// what is made there.
package netspace

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ID tells network namespaces apart: a name that was deleted and made again is
// another one. The zero ID is the agent's own.
type ID struct{ dev, ino uint64 }

// ErrNotFound is wrapped by In for a namespace that does not exist.
var ErrNotFound = errors.New("there is no such network namespace")

// In calls f in the network namespace of the name, as `ip netns` lists it; the
// name "" is the agent's own. Sockets that f makes stay in that namespace
// wherever they are used.
func In(name string, f func(ID) error) error {
	if name == "" {
		return f(ID{})
	}
	ns, err := netns.GetFromName(name)
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("network namespace %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", name, err)
	}
	defer ns.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(ns), &st); err != nil {
		return fmt.Errorf("stat network namespace %q: %w", name, err)
	}
	return OnOwnThread(func() error {
		if err := unix.Setns(int(ns), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %q: %w", name, err)
		}
		return f(ID{uint64(st.Dev), st.Ino})
	})
}

// OnOwnThread calls f on a thread that runs nothing else and then ends. The
// main thread cannot end (it would stay where f left it, and /proc/self with
// it), so it is held while another thread is found.
func OnOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- OnOwnThread(f)
			return
		}
		done <- f() // never unlocked: the thread ends with the goroutine
	}()
	return <-done
}
