package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain makes this binary the command agent too, which scripts and tests
// run as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"agent": main})
}

// leakChecked runs the tests and then looks for goroutines that are left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	// glog, a dependency of ygot, starts one at init that never ends.
	if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon")); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts plays testdata/script: what a user types, and what comes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"CI", "CONFIG"} {
				env.Setenv(envPrefix+name, "") // not those of who runs the tests
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode":     exitCode,
			"waitgreeting": waitGreeting,
			"holdport":     holdPort,
			"stopwatch":    stopwatch,
			"permissions":  permissions,
		},
	})
}

// exitcode N command... runs a command that must end with N.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N command [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// waitgreeting FILE waits until a front end greets on a unix socket: NETCONF
// does so in any case, gNMI only in the clear.
func waitGreeting(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitgreeting file")
	}
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := d.DialContext(ctx, "unix", ts.MkAbs(args[0]))
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // an agent that ends closes it
			conn.Close()
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("nobody greets on %s: %v", args[0], err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// holdport VAR listens on a port of loopback until the script ends and puts
// its address into the variable.
func holdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holdport VAR")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// stopwatch start starts it, stopwatch below D checks it.
func stopwatch(ts *testscript.TestScript, neg bool, args []string) {
	const key = "STOPWATCH"
	switch {
	case !neg && len(args) == 1 && args[0] == "start":
		ts.Setenv(key, time.Now().Format(time.RFC3339Nano))
	case !neg && len(args) == 2 && args[0] == "below":
		limit, err := time.ParseDuration(args[1])
		ts.Check(err)
		start, err := time.Parse(time.RFC3339Nano, ts.Getenv(key))
		ts.Check(err)
		if took := time.Since(start); took >= limit {
			ts.Fatalf("took %v, want less than %v", took, limit)
		}
	default:
		ts.Fatalf("usage: stopwatch start | below duration")
	}
}

// permissions MODE FILE... checks the permission bits of files.
func permissions(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: permissions mode file...")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}
