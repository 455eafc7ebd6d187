package schema

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/bgp"
)

// keyOf returns the key of the record at a path.
func keyOf(t testing.TB, text string) Key {
	t.Helper()
	k, rest, ok := path(t, text).Record()
	if !ok || len(rest) != 0 {
		t.Fatalf("%s is not a record", text)
	}
	return k
}

func TestKey(t *testing.T) {
	tests := []struct {
		path   string
		key    Key
		letter byte
		name   string
		values []string
		parent Key
	}{
		{"/agent", "\x00a", KindAgent, "", nil, ""},
		{"/vpn-instances/vpn-instance[name=vpn1]", "\x00Vvpn1", KindVPNInstance, "vpn1", []string{"vpn1"}, ""},
		{"/bgp/instances/instance[name=default]", "\x00idefault", KindInstance, "default", []string{"default"}, ""},
		{vpnPath, "\x00idefault\x00vvpn1", KindBGPVPNInstance, "vpn1", []string{"default", "vpn1"}, "\x00idefault"},
		{vpnPath + "/peer-groups/peer-group[name=g]", "\x00idefault\x00vvpn1\x00gg", KindPeerGroup, "g", []string{"default", "vpn1", "g"}, "\x00idefault\x00vvpn1"},
		{vpnPath + "/peers/peer[address=FE80::1%eth0]", "\x00idefault\x00vvpn1\x00pfe80::1%eth0", KindPeer, "fe80::1%eth0", []string{"default", "vpn1", "fe80::1%eth0"}, "\x00idefault\x00vvpn1"},
	}
	for _, tt := range tests {
		k := keyOf(t, tt.path)
		if k != tt.key || k.Kind().Letter != tt.letter || k.Name() != tt.name || k.Parent() != tt.parent {
			t.Errorf("%s: got %q, kind %c, name %q, parent %q", tt.path, k, k.Kind().Letter, k.Name(), k.Parent())
		}
		if diff := cmp.Diff(tt.values, k.Values()); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
		if !k.Path().Equal(path(t, tt.path)) {
			t.Errorf("%s: path back is %s", tt.path, k)
		}
	}
	for _, k := range []Key{"", "x", "\x00", "\x00?x"} {
		if k.Kind() != nil || k.Path() != nil || k.Name() != strings.TrimPrefix(string(k), "\x00?") && k.Kind() != nil {
			t.Errorf("%q is taken for a key", k)
		}
	}
}

// The keys that are made of words of package bgp are those of the paths.
func TestRecordKeys(t *testing.T) {
	in := bgp.InstanceKey{Instance: "default", VPN: "vpn1"}
	peer := bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("fe80::1%eth0")}
	for path, k := range map[string]Key{
		"/agent":                                 AgentKey(),
		"/vpn-instances/vpn-instance[name=vpn1]": VPNInstanceKey("vpn1"),
		"/bgp/instances/instance[name=default]":  BGPInstanceKey("default"),
		vpnPath:                                  BGPVPNInstanceKey(in),
		vpnPath + "/peer-groups/peer-group[name=g]":   PeerGroupKey(in, "g"),
		vpnPath + "/peers/peer[address=fe80::1%eth0]": PeerKey(peer),
	} {
		if want := keyOf(t, path); k != want {
			t.Errorf("%s: key %q, want %q", path, k, want)
		}
	}
	if got := PeerKey(peer).PeerKey(); got != peer {
		t.Errorf("peer %v, want %v", got, peer)
	}
	for _, k := range []Key{BGPVPNInstanceKey(in), PeerGroupKey(in, "g"), PeerKey(peer)} {
		if got := k.InstanceKey(); got != in {
			t.Errorf("%s: instance %v, want %v", k, got, in)
		}
	}
}

// legalName draws a name as the model allows it; short ones and those with a
// common start are frequent.
func legalName(r *rand.Rand) string {
	const printable = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~"
	for {
		b := make([]byte, 1+r.IntN(4))
		for i := range b {
			b[i] = printable[r.IntN(len(printable))]
		}
		if string(b) != Wild {
			return string(b)
		}
	}
}

// Every legal name survives key -> path -> text -> path -> key.
func TestKeyRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"~", "!", "a]b", `a\`, `\]`, "]", "[", "x=y", "a/b", "**", "...", strings.Repeat("n", 63)}
	for c := byte('!'); c <= '~'; c++ {
		if string(c) != Wild {
			names = append(names, string(c))
		}
	}
	for range 500 {
		names = append(names, legalName(r))
	}
	instance, vpn := KindOf(KindInstance), KindOf(KindBGPVPNInstance)
	for i, name := range names {
		k := MakeKey(MakeKey("", instance, name), vpn, names[len(names)-1-i])
		back, rest, ok := path(t, k.String()).Record()
		if !ok || len(rest) != 0 || back != k {
			t.Errorf("%q -> %s -> %q", k, k, back)
		}
		if got := k.Values(); !slices.Equal(got, []string{name, names[len(names)-1-i]}) {
			t.Errorf("%q: values %q", k, got)
		}
		if rec := New(k); !Empty(rec) {
			t.Errorf("%q: a new record is not empty", k)
		}
	}
}

// In key order a record's descendants follow it directly, and no name is mixed
// up with one that it is a prefix of.
func TestKeyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	set := map[Key]bool{}
	for range 300 {
		k := MakeKey("", KindOf(KindInstance), legalName(r))
		set[k] = true
		v := MakeKey(k, KindOf(KindBGPVPNInstance), legalName(r))
		set[v] = true
		for _, kind := range v.Kind().Children {
			set[MakeKey(v, kind, legalName(r))] = true
		}
	}
	for _, name := range []string{"vpn", "vpn1", "vp"} {
		v := MakeKey("\x00ix", KindOf(KindBGPVPNInstance), name)
		set["\x00ix"], set[v], set[MakeKey(v, KindOf(KindPeer), "10.0.0.1")] = true, true, true
	}
	var keys []Key
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		end := i + 1
		for end < len(keys) && isBelow(keys[end], k) {
			end++
		}
		for j, other := range keys {
			if isBelow(other, k) != (j > i && j < end) {
				t.Fatalf("%q is out of place for %q", other, k)
			}
			if strings.HasPrefix(string(other), string(k)+"\x00") != isBelow(other, k) {
				t.Fatalf("%q has the prefix of the children of %q", other, k)
			}
		}
	}
}

// isBelow asks the values, not the bytes.
func isBelow(k, above Key) bool {
	for k != "" {
		if k = k.Parent(); k == above {
			return true
		}
	}
	return false
}

// The kinds in the tree and the letters in stored keys are fixed.
func TestKinds(t *testing.T) {
	var got []string
	for _, k := range Kinds() {
		got = append(got, string(k.Letter)+" "+k.String())
		if KindOf(k.Letter) != k || !k.Node.IsRecord() || k.Node.Record != k {
			t.Errorf("%s is not wired", k)
		}
	}
	want := []string{
		"a /agent", "n /nacm", "V /vpn-instances/vpn-instance", "i /bgp/instances/instance",
		"v /bgp/instances/instance/vpn-instances/vpn-instance",
		"g /bgp/instances/instance/vpn-instances/vpn-instance/peer-groups/peer-group",
		"p /bgp/instances/instance/vpn-instances/vpn-instance/peers/peer",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Key{"\x00V_public_", "\x00a", "\x00n"}, Permanent()); diff != "" {
		t.Error(diff)
	}
}
