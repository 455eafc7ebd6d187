package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/datastore"
	"mooring/server"
	"mooring/server/netconf"
)

// Flag, environment, file, default: the first that says something wins.
func TestPrecedence(t *testing.T) {
	file := choices{"gnmi": {"127.0.0.1:3", "f.yaml:1"}, "netconf": {"127.0.0.1:30", "f.yaml:2"}, "log-level": {"error", "f.yaml:3"}}
	env := map[string]string{"MOORING_GNMI": "127.0.0.1:2", "MOORING_NETCONF": "127.0.0.1:20", "MOORING_LOG_LEVEL": ""}
	flags := choices{"gnmi": {"127.0.0.1:1", "--gnmi"}}
	got := choose(flags, file, func(k string) string { return env[k] })
	want := choices{
		"gnmi":      {"127.0.0.1:1", "--gnmi"},
		"netconf":   {"127.0.0.1:20", "MOORING_NETCONF"},
		"log-level": {"error", "f.yaml:3"}, // an empty variable says nothing
		"backend":   {"gobgp", fromDefault},
	}
	for key, w := range want {
		if got[key] != w {
			t.Errorf("%s: %v, want %v", key, got[key], w)
		}
	}
	if len(got) != len(settings) {
		t.Errorf("%d choices for %d settings", len(got), len(settings))
	}
}

func TestDefaults(t *testing.T) {
	got, err := choose(nil, nil, func(string) string { return "" }).config()
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		StateDir: "/var/lib/mooring", GNMI: "127.0.0.1:9339", NETCONF: "127.0.0.1:1830", Backend: "gobgp", FRRVty: "/run/frr", Drift: "repair",
		TLSClientAuth: server.ClientCertNone, ConfirmLimit: 24 * time.Hour, RecoveryGroup: "admin", LogLevel: slog.LevelInfo, LogFormat: "text",
		NETCONFLimits:   netconf.Limits{Keepalive: netconf.Keepalive{Interval: time.Minute}},
		NETCONFHostKeys: []string{"ed25519", "ecdsa-p256", "rsa-3072"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
}

// The example has every setting, in comments where it has no default, and
// what it sets are the defaults.
func TestExample(t *testing.T) {
	const path = "../../examples/agent.yaml"
	found, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range settings {
		s := &settings[i]
		g, ok := found[s.key]
		switch {
		case ok && g.value != s.def:
			t.Errorf("%s: %q, the default is %q", g.origin, g.value, s.def)
		case !ok && (s.def != "" || !strings.Contains(string(text), "\n# "+s.key+":")):
			t.Errorf("the example lacks %s", s.key)
		}
	}
}

func TestTogether(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		want string // part of the error, "": none
	}{
		{"plaintext on loopback", map[string]string{"insecure-plaintext": "true"}, ""},
		{"plaintext on IPv6 loopback", map[string]string{"insecure-plaintext": "true", "gnmi": "[::1]:9339"}, ""},
		{"plaintext on a socket", map[string]string{"insecure-plaintext": "true", "gnmi": "unix:/run/g"}, ""},
		{"plaintext with gnmi off", map[string]string{"insecure-plaintext": "true", "gnmi": "off"}, ""},
		{"plaintext everywhere", map[string]string{"insecure-plaintext": "true", "gnmi": ":9339"}, "in the clear"},
		{"plaintext on a name", map[string]string{"insecure-plaintext": "true", "gnmi": "router:9339"}, "in the clear"},
		{"plaintext with a certificate", map[string]string{"insecure-plaintext": "true", "tls-cert": "c", "tls-key": "k"}, "contradicts"},
		{"certificate and key", map[string]string{"tls-cert": "c", "tls-key": "k"}, ""},
		{"key alone", map[string]string{"tls-key": "k"}, "has no certificate"},
		{"client authorities without a mode", map[string]string{"tls-client-ca": "ca"}, "has no effect"},
		{"client authorities", map[string]string{"tls-client-ca": "ca", "tls-client-auth": "if-given"}, ""},
		{"revocation lists alone", map[string]string{"tls-client-crl": "crl"}, "has no effect without certificate authorities"},
		{"netconf over tls", map[string]string{"netconf-tls": "127.0.0.1:6513", "tls-client-ca": "ca", "tls-client-crl": "crl"}, ""},
		{"netconf over tls only", map[string]string{"gnmi": "off", "netconf": "off", "netconf-tls": ":6513", "tls-client-ca": "ca"}, ""},
		{"netconf over tls beside gnmi in the clear", map[string]string{"insecure-plaintext": "true", "netconf-tls": ":6513", "tls-client-ca": "ca"}, ""},
		{"netconf over tls without authorities", map[string]string{"netconf-tls": "127.0.0.1:6513"}, "netconf-tls \"127.0.0.1:6513\" needs the certificate authorities"},
		{"one port for ssh and tls", map[string]string{"netconf-tls": "127.0.0.1:1830", "tls-client-ca": "ca"}, "is the address of netconf too"},
		{"host keys as a list", map[string]string{"netconf-host-keys": "[rsa-3072, 'ed25519']"}, ""},
		{"host keys with commas", map[string]string{"netconf-host-keys": "rsa-3072,ed25519"}, ""},
		{"host keys: none", map[string]string{"netconf-host-keys": "[]"}, "names no key: want one or more of ed25519, ecdsa-p256, rsa-3072"},
		{"host keys: unknown", map[string]string{"netconf-host-keys": "ed25519,rsa-4096"}, `names "rsa-4096", which is not known, did you mean rsa-3072?`},
		{"host keys: twice", map[string]string{"netconf-host-keys": "ed25519, ed25519"}, "names ed25519 twice"},
		{"only call home", map[string]string{"gnmi": "off", "netconf": "off", "call-home": "[{name: nms, endpoints: [{address: 192.0.2.1}]}]"}, ""},
		{"call home over tls without authorities", map[string]string{"call-home": "[{name: nms, endpoints: [{address: 192.0.2.1, transport: tls}]}]"}, "needs the certificate authorities"},
		{"call home: no list", map[string]string{"call-home": "nms"}, "is not a list of clients: cannot unmarshal !!str `nms`: the keys"},
		{"call home: unknown key", map[string]string{"call-home": "[{name: nms, endpoint: x}]"}, "unknown key endpoint: the keys of a client are name, endpoints"},
		{"call home: no name", map[string]string{"call-home": "[{endpoints: [{address: x}]}]"}, "every client needs a name of its own"},
		{"call home: a name twice", map[string]string{"call-home": "[{name: a, endpoints: [{address: x}]}, {name: a, endpoints: [{address: x}]}]"}, "names its client number 2"},
		{"call home: no endpoint", map[string]string{"call-home": "[{name: nms}]"}, "of client nms: there is no endpoint"},
		{"call home: no address", map[string]string{"call-home": "[{name: nms, endpoints: [{}]}]"}, "of client nms: endpoint 1: address \"\" is none"},
		{"call home: port", map[string]string{"call-home": "[{name: nms, endpoints: [{address: 'x:ssh'}]}]"}, "want host, host:port or [ipv6]:port"},
		{"call home: transport", map[string]string{"call-home": "[{name: nms, endpoints: [{address: x, transport: quic}]}]"}, "want ssh or tls"},
		{"call home: time", map[string]string{"call-home": "[{name: nms, period: 5, endpoints: [{address: x}]}]"}, "of client nms: period \"5\" is no time"},
		{"call home: anchor", map[string]string{"call-home": "[{name: nms, period: 1h, anchor-time: noon, endpoints: [{address: x}]}]"}, "anchor-time \"noon\" is no time"},
		{"call home: anchor without a period", map[string]string{"call-home": "[{name: nms, anchor-time: '2026-01-01T00:00:00Z', endpoints: [{address: x}]}]"}, "is for a client with a period"},
		{"call home: attempts", map[string]string{"call-home": "[{name: nms, max-attempts: 0, endpoints: [{address: x}]}]"}, "max-attempts 0 is not from 1 to 255"},
		{"call home: start", map[string]string{"call-home": "[{name: nms, start-with: middle, endpoints: [{address: x}]}]"}, "want first-listed, last-connected or random-selection"},
		{"leaf-lists", map[string]string{"gnmi-leaf-list": "merge"}, ""},
		{"leaf-lists otherwise", map[string]string{"gnmi-leaf-list": "merged"}, "did you mean merge"},
		{"times", map[string]string{"netconf-keepalive": "off", "netconf-idle-timeout": "10m"}, ""},
		{"a time without a unit", map[string]string{"netconf-idle-timeout": "10"}, "want a number with a unit"},
		{"a time too short", map[string]string{"netconf-keepalive": "1ms"}, "from 1s to 24h"},
		{"any port twice", map[string]string{"gnmi": "127.0.0.1:0", "netconf": "127.0.0.1:0"}, ""},
		{"one port twice", map[string]string{"gnmi": "127.0.0.1:5", "netconf": "127.0.0.1:5"}, "is the address of gnmi too"},
		{"both off", map[string]string{"gnmi": "off", "netconf": "off"}, "nobody could reach the agent"},
		{"empty state directory", map[string]string{"state-dir": ""}, "is empty"},
		{"socket without a name", map[string]string{"gnmi": "unix:"}, "names no file"},
		{"port as a name", map[string]string{"gnmi": "127.0.0.1:bgp"}, "has no port number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flags := choices{}
			for key, v := range tt.set {
				flags[key] = given{v, "--" + key}
			}
			_, err := choose(flags, nil, func(string) string { return "" }).config()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzConfig reads files. What is accepted has known keys only and reads the
// same when it is written out again.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("gnmi: 127.0.0.1:9339\nnetconf: off # not now\n"))
	f.Add([]byte("gnmi: *a\n"))
	f.Add([]byte("? [gnmi]\n: off\n"))
	f.Add([]byte("{gnmi: off, netconf: \"unix:/run/n\"}"))
	f.Add([]byte("insecure-plaintext: yes\nlog-level: ~\n"))
	f.Add([]byte("state-dir: |\n  /var\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := decodeFile("f.yaml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Errorf("error without the file: %v", err)
			}
			return
		}
		var again strings.Builder
		for _, key := range slices.Sorted(maps.Keys(first)) {
			v := first[key].value
			if settingOf(key) == nil {
				t.Fatalf("unknown key %q accepted", key)
			}
			if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
				return // beyond what %q and YAML write alike
			}
			fmt.Fprintf(&again, "%s: %q\n", key, v)
		}
		second, err := decodeFile("f.yaml", []byte(again.String()))
		if err != nil {
			t.Fatalf("written out again it is refused: %v\n%s", err, again.String())
		}
		for key := range first {
			if second[key].value != first[key].value {
				t.Errorf("%s: %q, then %q", key, first[key].value, second[key].value)
			}
		}
		_, _ = choose(nil, first, func(string) string { return "" }).config() // must not panic
	})
}

// The default router ID is chosen once, but for one that is only a makeshift.
func TestRouterIDIsKept(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	first, err := keptRouterID(store, log)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := store.Note(routerIDNote); err != nil || (len(text) == 0) != first.IsLoopback() {
		t.Errorf("chose %s, kept %q, %v", first, text, err)
	}
	if err := store.SetNotes(map[string][]byte{routerIDNote: []byte("192.0.2.77")}); err != nil {
		t.Fatal(err)
	}
	if id, err := keptRouterID(store, log); err != nil || id.String() != "192.0.2.77" {
		t.Errorf("%s, %v", id, err)
	}
}

func TestRouterID(t *testing.T) {
	addrs := func(texts ...string) (out []netip.Addr) {
		for _, s := range texts {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	tests := []struct {
		name       string
		interfaces []networkInterface
		want       string
	}{
		{"nothing", nil, "127.0.0.1"},
		{"loopback addresses only", []networkInterface{{loopback: true, up: true, addresses: addrs("127.0.0.1", "127.0.0.53", "::1")}}, "127.0.0.1"},
		{"highest of all", []networkInterface{
			{up: true, addresses: addrs("10.0.0.9", "2001:db8::1")}, {up: true, addresses: addrs("192.0.2.1", "10.0.0.10")},
		}, "192.0.2.1"},
		{"loopback interface before others", []networkInterface{
			{up: true, addresses: addrs("192.0.2.1")}, {loopback: true, up: true, addresses: addrs("127.0.0.1", "10.255.0.1", "10.254.0.1")},
		}, "10.255.0.1"},
		{"not what is down", []networkInterface{
			{addresses: addrs("192.0.2.1")}, {loopback: true, addresses: addrs("10.255.0.1")}, {up: true, addresses: addrs("10.0.0.1")},
		}, "10.0.0.1"},
		{"no IPv4", []networkInterface{{up: true, addresses: addrs("2001:db8::1")}}, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := routerID(tt.interfaces); got.String() != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"gnmi", "netconf", "state-dir"}
	tests := []struct{ in, want string }{
		{"gnim", ", did you mean gnmi?"},
		{"statedir", ", did you mean state-dir?"},
		{"netcnof", ", did you mean netconf?"},
		{"zebra", ""},
		{"", ""},
		{strings.Repeat("gnmi", 100), ""},
	}
	for _, tt := range tests {
		if got := didYouMean(tt.in, words); got != tt.want {
			t.Errorf("%.20q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// The example of call-home, and one with defaults only.
func TestCallHomeSetting(t *testing.T) {
	text, err := os.ReadFile("../../examples/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "\n# call-home:\n")
	example, _, _ = strings.Cut("# call-home:\n"+example, "\n\n")
	file, err := decodeFile("x.yaml", []byte(strings.ReplaceAll(strings.ReplaceAll(example, "\n# ", "\n"), "# call-home", "call-home")+"\ntls-client-ca: ca\n"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := choose(nil, file, func(string) string { return "" }).config()
	if err != nil {
		t.Fatal(err)
	}
	want := []netconf.CallHome{{
		Name: "nms",
		Endpoints: []netconf.Endpoint{
			{Name: "east", Address: "192.0.2.10:4334"}, {Name: "west", TLS: true, Address: "[2001:db8::10]:4335"},
		},
		Period: time.Hour, Anchor: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), IdleTimeout: 2 * time.Minute,
		MaxWait: 5 * time.Second, MaxAttempts: 3, Keepalive: netconf.Keepalive{Interval: 30 * time.Second, Attempts: 3},
	}}
	if d := cmp.Diff(want, cfg.CallHome); d != "" {
		t.Errorf("the example (-want +got):\n%s", d)
	}
	got, err := callHome("[{name: a, endpoints: [{address: '2001:db8::1'}, {address: nms.example.com, transport: tls}]}]")
	want = []netconf.CallHome{{
		Name:      "a",
		Endpoints: []netconf.Endpoint{{Name: "[2001:db8::1]:4334", Address: "[2001:db8::1]:4334"}, {Name: "nms.example.com:4335", TLS: true, Address: "nms.example.com:4335"}},
		Keepalive: netconf.Keepalive{Interval: 30 * time.Second},
	}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("defaults: %v (-want +got):\n%s", err, d)
	}
	if _, err := decodeFile("x.yaml", []byte("call-home: &a\n- [*a]\n")); err == nil || !strings.Contains(err.Error(), "x.yaml:1: key call-home: wants no alias") {
		t.Errorf("an alias: %v", err)
	}
}
