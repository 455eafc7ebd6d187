package netlab

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRequire(t *testing.T) {
	const why = "needs something"
	for _, tc := range []struct {
		name, ci, reason, skipped, failed string
	}{
		{name: "all there", ci: "true"},
		{name: "missing on a desk", reason: why, skipped: "netlab: " + why},
		{name: "missing in CI", ci: "true", reason: why, failed: "netlab: " + why},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("CI", tc.ci)
			f := &fakeTB{}
			require(f, tc.reason)
			if f.skipped != tc.skipped || f.failed != tc.failed {
				t.Errorf("skipped %q, failed %q; want %q, %q", f.skipped, f.failed, tc.skipped, tc.failed)
			}
		})
	}
}

// output runs a program in the namespace.
func output(t *testing.T, n *Namespace, args ...string) string {
	t.Helper()
	out, err := n.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestInterfaces(t *testing.T) {
	lab := New(t)
	a, b := lab.Namespace("a"), lab.Namespace("b")
	lab.Link(a, "vd", b, "vr")
	a.AddInterface("LoopBack1")
	a.AddAddr("LoopBack1", "192.0.2.1/32")
	a.AddAddr("LoopBack1", "2001:db8::1/128")
	a.AddAltname("vd", "GigabitEthernet0/1/0")
	a.AddAddr("vd", "10.1.1.1/24")
	a.AddAddr6Tentative("vd", "2001:db8:1::1/64")
	b.AddAddr("vr", "10.1.1.2/24")
	b.AddRoute("192.0.2.0/24", "via", "10.1.1.1")

	show := func(args ...string) string { return output(t, a, append([]string{"ip", "-o"}, args...)...) }
	for _, tc := range []struct {
		name, got string
		want, not string
	}{
		{"lo", show("link", "show", "lo"), "LOWER_UP", "NO-CARRIER"},
		{"interface", show("link", "show", "LoopBack1"), "LOWER_UP", "NO-CARRIER"},
		{"ready at once", show("addr", "show", "LoopBack1"), "2001:db8::1/128", "tentative"},
		{"tentative", show("addr", "show", "vd"), "2001:db8:1::1/64 scope global tentative", ""},
		{"altname", show("link", "show", "vd"), "altname GigabitEthernet0/1/0", ""},
	} {
		if !strings.Contains(tc.got, tc.want) || tc.not != "" && strings.Contains(tc.got, tc.not) {
			t.Errorf("%s: got %q, want %q, not %q", tc.name, tc.got, tc.want, tc.not)
		}
	}
	server := lab.Listener(a, addrPort("192.0.2.1:179"), RemoteConfig{AS: 1, RouterID: addr("1.1.1.1")})
	dial(t, b, server, "192.0.2.1:179", 1) // over the route

	a.DelAddr("vd", "10.1.1.1/24")
	if got := show("addr", "show", "vd"); strings.Contains(got, "10.1.1.1") {
		t.Errorf("after DelAddr: %s", got)
	}
	a.LinkDown("vd")
	if got := show("link", "show", "vd"); strings.Contains(got, ",UP") {
		t.Errorf("after LinkDown: %s", got)
	}
	a.DelLink("vd")
	if out, err := b.Command("ip", "link", "show", "vr").CombinedOutput(); err == nil {
		t.Errorf("after DelLink of one end the other is there: %s", out)
	}
}

func TestDo(t *testing.T) {
	lab := New(t)
	n := lab.Namespace("a")
	lab.Link(n, "onlyhere", n, "farend")
	home, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var inside bool
	if err := n.Do(func() error { _, err := net.InterfaceByName("onlyhere"); inside = err == nil; return nil }); err != nil || !inside {
		t.Errorf("inside = %v, %v", inside, err)
	}
	wantErr := errors.New("of the function")
	if err := n.Do(func() error { return wantErr }); !errors.Is(err, wantErr) {
		t.Errorf("error = %v, want %v", err, wantErr)
	}
	if err := n.Do(func() error { runtime.Goexit(); return nil }); !errors.Is(err, errGoexit) {
		t.Errorf("error = %v, want %v", err, errGoexit)
	}
	gone := &Namespace{Name: "x", Path: netnsDir + "/netlab-does-not-exist"}
	if err := gone.Do(func() error { t.Error("called"); return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want %v", err, os.ErrNotExist)
	}
	// No thread of this process stayed behind.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		got, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net")
		if err == nil && got != home {
			t.Errorf("thread %s is in %s, want %s", task.Name(), got, home)
		}
	}
}

// A lab leaves no namespace, process or file behind, also when its test failed.
func TestCleanup(t *testing.T) {
	Require(t)
	RequireBIRD(t)
	for _, fail := range []bool{false, true} {
		t.Run("fail="+strconv.FormatBool(fail), func(t *testing.T) {
			f := &fakeTB{}
			var lab *Lab
			var names []string
			var pid int
			f.run(func() {
				lab = New(f)
				a, b := lab.Namespace("a"), lab.Namespace("b")
				lab.Link(a, "vd", b, "vr")
				lab.Capture(a, "vd", 179)
				lab.Listener(a, addrPort("127.0.0.1:179"), RemoteConfig{AS: 1, RouterID: addr("1.1.1.1")})
				pid = lab.StartBIRD(b, BIRDConfig{RouterID: addr("2.2.2.2")}).Pid()
				names = append(names, a.Name, b.Name)
				if fail {
					a.DelAddr("vd", "10.0.0.1/24") // is not there
				}
			})
			if (f.failed != "") != fail {
				t.Fatalf("failed = %q", f.failed)
			}
			if len(f.errors) > 0 || len(names) != 2 {
				t.Errorf("errors %q, namespaces %q", f.errors, names)
			}
			list, err := exec.Command("ip", "netns", "list").Output()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(list), lab.prefix) {
				t.Errorf("left behind: %s", list)
			}
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("process %d: %v, want it gone", pid, err)
			}
			if _, err := os.Stat(lab.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("directory %s: %v, want it gone", lab.dir, err)
			}
		})
	}
}

// A process that the test forgot is reported, not ended.
func TestForgottenProcess(t *testing.T) {
	Require(t)
	f := &fakeTB{}
	var cmd *exec.Cmd
	f.run(func() {
		n := New(f).Namespace("a")
		cmd = n.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			f.Fatalf("%v", err)
		}
		// Until ip has become sleep it may not have entered the namespace.
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && len(n.foreignPids()) == 0; {
			runtime.Gosched()
		}
	})
	if f.failed != "" {
		t.Fatal(f.failed)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("errors %q do not name process %d", f.errors, cmd.Process.Pid)
	}
}
