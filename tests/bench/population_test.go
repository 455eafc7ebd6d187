package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"golang.org/x/sys/unix"

	"mooring/tests/runner"
)

// vpns is the number of VPN instances that the peers are spread over.
const vpns = 100

// size is n, or a hundredth of it with -short.
func size(n int) int {
	if testing.Short() {
		return n / 100
	}
	return n
}

// object is a JSON object.
type object = map[string]any

// address of the peer i.
func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }

// vpnOf is the VPN instance of the peer i.
func vpnOf(i int) string { return "vpn" + strconv.Itoa(i%vpns) }

func peerPath(i int) string {
	return "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=" + vpnOf(i) + "]/peers/peer[address=" + address(i) + "]"
}

// population is a configuration of n peers, as a Set.
func population(b *testing.B, n int) *gpb.SetRequest {
	b.Helper()
	peers := make([][]object, vpns)
	for v := range peers {
		peers[v] = []object{} // not null, where there are fewer peers than VPN instances
	}
	for i := range n {
		a := address(i)
		peers[i%vpns] = append(peers[i%vpns], object{
			"address":   a,
			"config":    object{"address": a, "as": 64512 + i%1000, "description": "customer " + strconv.Itoa(i), "peer-group": "g"},
			"transport": object{"config": object{"tcp-mss": 1400}},
		})
	}
	var names, inBGP []object
	for v, ps := range peers {
		name := "vpn" + strconv.Itoa(v)
		names = append(names, object{
			"name": name, "config": object{"name": name},
			"ipv4-family": object{"config": object{"route-distinguisher": "100:" + strconv.Itoa(v)}},
		})
		inBGP = append(inBGP, object{
			"name": name, "config": object{"name": name, "listen-port": 0}, "peers": object{"peer": ps},
			"peer-groups": object{"peer-group": []object{{"name": "g", "config": object{"name": "g"}, "timers": object{"config": object{"hold-time": 90}}}}},
		})
	}
	r, err := runner.Request(
		runner.Replace("/vpn-instances", object{"vpn-instance": names}),
		runner.Replace("/bgp", object{"instances": object{"instance": []object{{
			"name": "default", "config": object{"name": "default", "as": 100, "router-id": "1.1.1.1"},
			"vpn-instances": object{"vpn-instance": inBGP},
		}}}}))
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// populationXML is the peers of population as the content of <config>.
func populationXML(n int) string {
	var x strings.Builder
	x.WriteString(`<vpn-instances xmlns="urn:mooring:yang:vpn-instance">`)
	for v := range vpns {
		fmt.Fprintf(&x, "<vpn-instance><name>vpn%d</name></vpn-instance>", v)
	}
	x.WriteString(`</vpn-instances><bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name>` +
		`<config><as>100</as><router-id>1.1.1.1</router-id></config><vpn-instances>`)
	for v := range vpns {
		fmt.Fprintf(&x, "<vpn-instance><name>vpn%d</name><config><listen-port>0</listen-port></config>"+
			"<peer-groups><peer-group><name>g</name><timers><config><hold-time>90</hold-time></config></timers></peer-group></peer-groups><peers>", v)
		for i := v; i < n; i += vpns {
			fmt.Fprintf(&x, "<peer><address>%s</address><config><as>%d</as><description>customer %d</description><peer-group>g</peer-group></config>"+
				"<transport><config><tcp-mss>1400</tcp-mss></config></transport></peer>", address(i), 64512+i%1000, i)
		}
		x.WriteString("</peers></vpn-instance>")
	}
	x.WriteString("</vpn-instances></instance></instances></bgp>")
	return x.String()
}

// peerXML is the content of <config> that sets the MSS of one peer.
func peerXML(i, mss int) string {
	return fmt.Sprintf(`<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>%s</name>`+
		`<peers><peer><address>%s</address><transport><config><tcp-mss>%d</tcp-mss></config></transport></peer></peers>`+
		`</vpn-instance></vpn-instances></instance></instances></bgp>`, vpnOf(i), address(i), mss)
}

// describedXML is the content of <config> that gives one peer another description.
func describedXML(i, round int) string {
	return fmt.Sprintf(`<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>%s</name>`+
		`<peers><peer><address>%s</address><config><description>round %d</description></config></peer></peers>`+
		`</vpn-instance></vpn-instances></instance></instances></bgp>`, vpnOf(i), address(i), round)
}

// options are those of an agent that speaks with nobody.
func options(dir string) runner.Options {
	return runner.Options{StateDir: dir, Backend: "fake", Args: []string{"--log-level", "warn"}}
}

// stateDir is a state directory with n peers, made once for all benchmarks and
// copied for each.
func stateDir(b *testing.B, n int) string {
	b.Helper()
	made := filepath.Join(cache, strconv.Itoa(n))
	if _, err := os.Stat(made); err != nil {
		dir := runner.StateDir(b)
		a := runner.Start(b, options(dir))
		if _, err := a.GNMI(b).Set(b.Context(), population(b, n)); err != nil {
			b.Fatal(err)
		}
		a.Stop(b)
		copyDir(b, dir, made)
	}
	dir := filepath.Join(b.TempDir(), "state")
	copyDir(b, made, dir)
	return dir
}

func copyDir(b *testing.B, from, to string) {
	b.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		b.Fatal(err)
	}
	if err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600) // CopyFS adds what the umask allows
	}); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(to, 0o700); err != nil {
		b.Fatal(err)
	}
}

// loaded starts an agent with n peers.
func loaded(b *testing.B, n int) *runner.Agent {
	b.Helper()
	return runner.Start(b, options(stateDir(b, n)))
}

// disk appends to a file beside the agent's state and waits until it is on disk.
type disk struct {
	file *os.File
	data []byte
	cpu  time.Duration // that all writes have cost
}

// record is the size of a commit of one leaf on disk.
const record = 700

func newDisk(b *testing.B, dir string) *disk {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &disk{file: f, data: make([]byte, record)}
}

func (d *disk) sync(context.Context) error {
	runtime.LockOSThread() // its CPU is that of the thread
	defer runtime.UnlockOSThread()
	before, err := threadCPU()
	if err != nil {
		return err
	}
	if _, err := d.file.Write(d.data); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	after, err := threadCPU()
	d.cpu += after - before
	return err
}

func threadCPU() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}

// sample is a series of durations.
type sample []time.Duration

// time adds how long f takes.
func (s *sample) time(b *testing.B, f func(context.Context) error) {
	b.Helper()
	start := time.Now()
	if err := f(b.Context()); err != nil {
		b.Fatal(err)
	}
	*s = append(*s, time.Since(start))
}

// p50 is the median.
func (s sample) p50() time.Duration {
	slices.Sort(s)
	return s[len(s)/2]
}

// report adds a metric in microseconds.
func (s sample) report(b *testing.B, unit string) {
	b.ReportMetric(float64(s.p50().Nanoseconds())/1e3, unit)
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }
