package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// The index names each leafref and each unique value, and nothing else.
func TestIndexEntries(t *testing.T) {
	s := baseStore(t)
	got := map[string][]string{}
	s.Scan("", func(k Key, rec ygot.GoStruct) bool {
		for _, e := range IndexEntries(k, rec, nil) {
			entry, holder, _ := strings.Cut(e, "\x01\x00")
			got[k.String()] = append(got[k.String()], strings.NewReplacer("\x00", "/", "\x01", "|", "\x02", "|").Replace(entry+" <- "+holder))
		}
		return true
	})
	want := map[string][]string{
		"/vpn-instances/vpn-instance[name=vpn1]":   {"uVipv4-family/config/route-distinguisher||100:1 <- Vvpn1"},
		vpn1Path:                                   {"r/Vvpn1 <- idefault/vvpn1"},
		vpn1Path + "/peers/peer[address=10.0.0.2]": {"r/idefault/vvpn1/gg1 <- idefault/vvpn1/p10.0.0.2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A group is not found under the name of another that begins the same, nor in
// another VPN instance.
func TestReferrers(t *testing.T) {
	s := baseStore(t).mustXML(t, inVPN1(`<peer-groups><peer-group><name>g11</name></peer-group></peer-groups>`+
		`<peers><peer><address>10.0.0.1</address><config><peer-group>g11</peer-group></config></peer></peers>`))
	vpn, _, _ := path(t, vpn1Path).Record()
	for group, want := range map[string][]string{"g": nil, "g1": {"10.0.0.2"}, "g11": {"10.0.0.1"}, "g2": nil} {
		var got []string
		s.Referrers(MakeKey(vpn, KindOf(KindPeerGroup), group), func(k Key) bool {
			got = append(got, k.Name())
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", group, got, want)
		}
	}
}
