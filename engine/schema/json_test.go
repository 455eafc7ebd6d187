package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// parsed reads JSON for comparison without the order of members and entries,
// with or without module names.
func parsed(t *testing.T, text []byte, names bool) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return normal(v, names)
}

func normal(v any, names bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if _, local, ok := strings.Cut(name, ":"); ok && !names {
				name = local
			}
			out[name] = normal(member, names)
		}
		return out
	case []any:
		for i := range v {
			v[i] = normal(v[i], names)
		}
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return v
}

// The oracle for each record is ygot, which knows neither records nor secrets.
// gnmi.md 22
func TestAppendJSONAgainstYgot(t *testing.T) {
	m := sample(t)
	for k, rec := range m.records {
		if _, ok := rec.(*genInstance); ok {
			continue // covered by the tests of whole trees: ygot would lack the nested records
		}
		open := Clone(rec)
		if p, ok := open.(*genPeer); ok && p.Transport != nil && p.Transport.Authentication != nil {
			p.Transport.Authentication.Config.Password = nil
			if keys := p.Transport.Authentication.Keys; keys != nil {
				for _, key := range keys.Key {
					key.Config.Secret = nil
				}
			}
		}
		want, err := ygot.Marshal7951(open, &ygot.RFC7951JSONConfig{AppendModuleName: true})
		if err != nil {
			t.Fatal(err)
		}
		single := newMemory()
		single.records = map[Key]ygot.GoStruct{k: rec}
		for _, ietf := range []bool{true, false} {
			got := single.json(t, k.String(), JSONOptions{IETF: ietf, Content: ConfigOnly})
			if diff := cmp.Diff(parsed(t, want, ietf), parsed(t, []byte(got), ietf)); diff != "" {
				t.Errorf("%s ietf=%v:\n%s", k, ietf, diff)
			}
		}
	}
}

// state gives the sample peer a state record.
func withState(t *testing.T, m *memory) *memory {
	t.Helper()
	k, _, _ := path(t, peerPath).Record()
	st := &genPeer{}
	for leaf, text := range map[string]string{
		"/state/session-state": "established", "/state/established-transitions": "18446744073709551615", "/state/as": "200",
		"/transport/state/local-address": "10.1.1.1", "/afi-safis/afi-safi[name=ipv4-unicast]/state/active": "true",
		"/state/last-reset/text": "\x01<\"é\\\n",
	} {
		_, rel, _ := path(t, peerPath+leaf).Record()
		v, err := rel.Node().Type.Parse(text)
		if err != nil {
			v = StringValue(text)
		}
		SetLeaf(st, rel, v)
	}
	m.states[k] = st
	return m
}

// gnmi.md 18, 20, 22, 24, 95, 96, 99
func TestAppendJSON(t *testing.T) {
	m := withState(t, sample(t))
	tests := []struct {
		name, path string
		o          JSONOptions
		want       string
	}{
		{"leaf string", peerPath + "/config/description", JSONOptions{}, `"a \"peer\""`},
		{"leaf number", peerPath + "/config/as", JSONOptions{IETF: true}, `200`},
		{"leaf boolean", peerPath + "/config/enabled", JSONOptions{}, `true`},
		{"leaf with depth", peerPath + "/config/as", JSONOptions{Depth: 1}, `200`},
		{"64 bits IETF", peerPath + "/state/established-transitions", JSONOptions{IETF: true}, `"18446744073709551615"`},
		{"64 bits plain", peerPath + "/state/established-transitions", JSONOptions{}, `18446744073709551615`},
		{"escapes", peerPath + "/state/last-reset/text", JSONOptions{}, `"\u0001<\"é\\\n"`},
		{"leaf-list", "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", JSONOptions{IETF: true}, `["100:1","100:2"]`},
		{"default", vpnPath + "/peers/peer[address=2001:db8::1]/config/enabled", JSONOptions{}, `true`},
		{"container", peerPath + "/timers/config", JSONOptions{IETF: true}, `{"mooring-bgp:hold-time":90,"mooring-bgp:keepalive-interval":30}`},
		{"container plain", peerPath + "/timers", JSONOptions{}, `{"config":{"hold-time":90,"keepalive-interval":30}}`},
		{"empty container", peerPath + "/graceful-restart", JSONOptions{}, `{}`},
		{"secrets", peerPath + "/transport/authentication", JSONOptions{}, `{"config":{"method":"md5"}}`},
		{"depth 1", peerPath + "/timers", JSONOptions{Depth: 1}, `{}`},
		{"depth 2", vpnPath, JSONOptions{Depth: 2}, `{"name":"vpn1","config":{"name":"vpn1","listen-port":1179}}`},
		{"depth 1 of a list", vpnPath + "/peers/peer", JSONOptions{Depth: 1}, `[{"address":"10.1.1.2"},{"address":"2001:db8::1"}]`},
		{
			"list in a record", vpnPath + "/peers/peer[address=2001:db8::1]/afi-safis/afi-safi",
			JSONOptions{IETF: true},
			`[{"mooring-bgp:name":"ipv4-unicast","mooring-bgp:config":{"name":"ipv4-unicast"}},` +
				`{"mooring-bgp:name":"vpnv4-unicast","mooring-bgp:config":{"name":"vpnv4-unicast","enabled":false}}]`,
		},
		{
			"state only", vpnPath,
			JSONOptions{Content: StateOnly},
			`{"name":"vpn1","peers":{"peer":[{"address":"10.1.1.2",` +
				`"state":{"as":200,"session-state":"established","established-transitions":18446744073709551615,"last-reset":{"text":"\u0001<\"é\\\n"}},` +
				`"transport":{"state":{"local-address":"10.1.1.1"}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","state":{"active":true}}]}}]}}`,
		},
		{"operational", peerPath + "/state", JSONOptions{Content: Operational, Depth: 1}, `{"session-state":"established","established-transitions":18446744073709551615}`},
		{"config only", peerPath + "/state", JSONOptions{Content: ConfigOnly}, `{}`},
		{"root", "/", JSONOptions{IETF: true, Depth: 1}, `{}`},
		{"root depth 4", "/", JSONOptions{IETF: true, Depth: 4}, `{"mooring-agent:agent":{"history":{"config":{"size":50}}},` +
			`"mooring-bgp:bgp":{"instances":{"instance":[{"name":"default"}]}},` +
			`"mooring-vpn-instance:vpn-instances":{"vpn-instance":[{"name":"_public_","config":{"name":"_public_"}},{"name":"vpn1","config":{"name":"vpn1","vrf-device":"red"}}]}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, m.json(t, tt.path, tt.o)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// gnmi.md 23, 24
func TestAppendJSONMissing(t *testing.T) {
	m := sample(t)
	for _, at := range []string{
		peerPath + "/config/local-as/", "/bgp/instances/instance[name=other]", "/bgp/instances/instance[name=other]/config",
		peerPath + "/transport/authentication/config/password", peerPath + "/afi-safis/afi-safi[name=ipv4-unicast]",
		peerPath + "/afi-safis/afi-safi", vpnPath + "/peers/peer[address=*]/config", peerPath + "/transport/config/local-port",
		"/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=none]/peers/peer",
	} {
		p := path(t, strings.TrimSuffix(at, "/"))
		o := JSONOptions{}
		if strings.HasSuffix(at, "/") {
			o.Content = StateOnly
		}
		got, err := AppendJSON([]byte("kept"), m, p, o)
		var e *Error
		if !errors.As(err, &e) || e.Tag != DataMissing || !e.Path.Equal(p) || string(got) != "kept" {
			t.Errorf("%s: got %q, %v", p, got, err)
		}
	}
}
