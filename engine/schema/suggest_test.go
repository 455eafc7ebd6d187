package schema

import (
	"strings"
	"testing"
)

// An unknown name is answered with the one that was meant: a slip, another
// spelling, or a node further down.
func TestSuggest(t *testing.T) {
	peer := KindOf(KindPeer).Node
	for name, want := range map[string]string{
		"confg":            ": did you mean config?",
		"Timers":           ": did you mean timers?",
		"hold-time":        ": did you mean timers/config/hold-time?",
		"source-address":   ": did you mean transport/connect-interface/config/source-address?",
		"frobnicate":       "",
		"":                 "",
		"session-state":    ": did you mean state/session-state?",
		"password":         ": did you mean transport/authentication/config/password?",
		"connectinterface": "",
	} {
		if got := peer.Suggest(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	vpn := elemsOf("bgp", "instances", "instance", "vpn-instances", "vpn-instance")
	_, err := Resolve(append(vpn, elemsOf("peer")...))
	wantHint(t, err, "peers")
	_, err = Resolve(append(vpn, Elem{Name: "peers"}, Elem{Name: "peer", Keys: map[string]string{"addess": "10.1.1.2"}}))
	wantHint(t, err, "address")
	_, err = Resolve(elemsOf("bpg"))
	wantHint(t, err, "bgp")
	_, err = Expand(elemsOf("agent", "comits"))
	wantHint(t, err, "commits")
	wantHint(t, DecodeJSON(Path{}, []byte(`{"bgp":{"instances":{"instance":[{"name":"x","confg":{}}]}}}`), OpMerge, func(Path, *Edit) error { return nil }), "config")
	_, err = RPC("rollback").DecodeInput([]byte(`{"commitid":"1"}`))
	wantHint(t, err, "commit-id")
	in, err := ParseInstance("/m:bgp/m:instancs", func(string) (string, bool) { return "mooring-bgp", true })
	if err == nil {
		err = in.Known()
	}
	wantHint(t, err, "instances")
	bgp := `<bgp xmlns="` + RPC("rollback").Namespace + `">`
	wantHint(t, decodeXML(bgp+`<instancs/></bgp>`, OpMerge, func(Path, *Edit) error { return nil }), "instances")
}

func elemsOf(names ...string) (out []Elem) {
	for _, name := range names {
		out = append(out, Elem{Name: name})
	}
	return out
}

func wantHint(t *testing.T, err error, name string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), ": did you mean "+name+"?") {
		t.Errorf("error %v, want a hint at %s", err, name)
	}
}
