package ocview

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mooring/engine/schema"
)

// random returns a random OpenConfig configuration of a protocol entry, as
// canonical as it is read back: no multihop-ttl without enabled, no passwords.
func random(rnd *rand.Rand) string {
	maybe := func(m map[string]any, name string, v func() any) {
		if rnd.IntN(2) == 0 {
			m[name] = v()
		}
	}
	number := func(from, to int) func() any { return func() any { return from + rnd.IntN(to-from+1) } }
	truth := func() any { return rnd.IntN(2) == 0 }
	text := func() any { return string(rune('a'+rnd.IntN(26))) + "\"<\u00e9>" }
	config := func(m map[string]any) map[string]any { return map[string]any{"config": m} }
	common := func(entry, c map[string]any) {
		maybe(c, "peer-as", number(1, 1<<31))
		maybe(c, "local-as", number(1, 65535))
		maybe(c, "description", text)
		timers, transport, restart := map[string]any{}, map[string]any{}, map[string]any{}
		maybe(timers, "hold-time", number(3, 65535))
		maybe(timers, "keepalive-interval", number(1, 21845))
		maybe(timers, "connect-retry", number(1, 65535))
		maybe(transport, "tcp-mss", number(176, 4096))
		maybe(transport, "mtu-discovery", truth)
		maybe(transport, "passive-mode", truth)
		maybe(transport, "local-address", func() any {
			return []string{"192.0.2.1", "2001:db8::1", "LoopBack1", "eth0.5"}[rnd.IntN(4)]
		})
		maybe(restart, "enabled", truth)
		maybe(restart, "restart-time", number(1, 4095))
		maybe(restart, "stale-routes-time", number(1, 65535))
		entry["config"], entry["timers"], entry["transport"], entry["graceful-restart"] = c, config(timers), config(transport), config(restart)
		switch rnd.IntN(3) {
		case 0:
			entry["ebgp-multihop"] = config(map[string]any{"enabled": true, "multihop-ttl": 2 + rnd.IntN(254)})
		case 1:
			entry["ebgp-multihop"] = config(map[string]any{"enabled": false})
		}
		var fs []any
		for _, f := range families {
			if rnd.IntN(3) == 0 {
				c := map[string]any{"afi-safi-name": f.oc}
				maybe(c, "enabled", truth)
				fs = append(fs, map[string]any{"afi-safi-name": f.oc, "config": c})
			}
		}
		if fs != nil {
			entry["afi-safis"] = map[string]any{"afi-safi": fs}
		}
	}
	var groups, neighbors []any
	for i := range rnd.IntN(3) {
		c := map[string]any{"peer-group-name": fmt.Sprintf("g%d", i)}
		g := map[string]any{"peer-group-name": c["peer-group-name"]}
		common(g, c)
		groups = append(groups, g)
	}
	for i := range rnd.IntN(4) {
		c := map[string]any{"neighbor-address": []string{"10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1%eth0"}[i]}
		n := map[string]any{"neighbor-address": c["neighbor-address"]}
		maybe(c, "enabled", truth)
		maybe(c, "peer-group", func() any { return "g0" })
		maybe(c, "neighbor-port", number(1, 65535))
		common(n, c)
		neighbors = append(neighbors, n)
	}
	global := map[string]any{"as": 1 + rnd.IntN(1<<31)}
	maybe(global, "router-id", func() any { return "192.0.2.7" })
	bgp := map[string]any{"global": config(global)}
	if groups != nil {
		bgp["peer-groups"] = map[string]any{"peer-group": groups}
	}
	if neighbors != nil {
		bgp["neighbors"] = map[string]any{"neighbor": neighbors}
	}
	out, err := json.Marshal(map[string]any{
		"identifier": "BGP", "name": "default", "config": map[string]any{"identifier": "BGP", "name": "default"}, "bgp": bgp,
	})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// canonical is JSON with sorted members and without empty objects.
func canonical(t testing.TB, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var prune func(v any) any
	prune = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, m := range v {
				if m = prune(m); m == nil {
					delete(v, k)
				}
			}
			if len(v) == 0 {
				return nil
			}
		case []any:
			for i := range v {
				v[i] = prune(v[i])
			}
		}
		return v
	}
	out, err := json.Marshal(prune(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// What is written is read back, whatever was there before: a replace leaves
// exactly what it says, an update of nothing too, PROTO's leaves are the same
// as JSON's, and a delete leaves nothing (gnmi.md 33, 34, 37).
func TestWriteReadBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := newStore()
	for range 300 {
		want := random(rnd)
		s.write(t, schema.OpReplace, theProtocol, want)
		got := s.read(t, theProtocol, schema.ConfigOnly)
		if canonical(t, got) != canonical(t, want) {
			t.Fatalf("read    %s\nwritten %s", canonical(t, got), canonical(t, want))
		}
		again := newStore()
		Leaves(s, oc(t, theProtocol), schema.LeafOptions{Content: schema.ConfigOnly}, func(l *schema.LeafValue) bool {
			text := AppendValue(nil, l.Node.Type, l.Value, true)
			again.write(t, schema.OpMerge, l.Path().String(), string(text))
			return true
		})
		if leafwise := again.read(t, theProtocol, schema.ConfigOnly); leafwise != got {
			t.Fatalf("leaf by leaf %s\nat once      %s", leafwise, got)
		}
		for k := range s.records {
			if !strings.HasPrefix(string(k), "\x00a") && again.records[k] == nil {
				t.Fatalf("%s was written at once, but not leaf by leaf", k)
			}
		}
	}
	s.remove(t, "/network-instances")
	if len(s.records) != len(schema.Permanent()) {
		t.Fatalf("left after the delete: %v", s.records)
	}
}
