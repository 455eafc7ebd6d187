package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gnmi.md 11, 12
func TestResolve(t *testing.T) {
	tests := []struct{ path, want string }{
		{"/", "/"},
		{"/bgp/instances", "/bgp/instances"},
		{"/mooring-bgp:bgp/mooring-bgp:instances/instance[name=a]", "/bgp/instances/instance[name=a]"},
		{"/bgp/instances/instance", "/bgp/instances/instance"},
		{"/bgp/instances/instance[name=*]/config/as", "/bgp/instances/instance[name=*]/config/as"},
		{vpnPath + "/peers/peer[address=2001:DB8:0::1]", vpnPath + "/peers/peer[address=2001:db8::1]"},
		{peerPath + "/transport/authentication/keys/key[key-id=010]", peerPath + "/transport/authentication/keys/key[key-id=10]"},
	}
	for _, tt := range tests {
		if got := path(t, tt.path).String(); got != tt.want {
			t.Errorf("%s: got %s", tt.path, got)
		}
	}
}

// gnmi.md 23, 41
func TestResolveErrors(t *testing.T) {
	tests := []struct {
		path string
		tag  Tag
		at   string
	}{
		{"/bgp/nothing", UnknownElement, "/bgp"},
		{"/nothing", UnknownElement, "/"},
		{peerPath + "/config/as/more", UnknownElement, peerPath + "/config/as"},
		{"/mooring-agent:bgp", UnknownNamespace, "/"},
		{"/other:bgp", UnknownNamespace, "/"},
		{"/bgp//instances", BadElement, "/bgp"},
		{"/mooring-bgp:", BadElement, "/"},
		{"/bgp[name=a]", BadElement, "/"},
		{"/bgp/instances/instance[nam=a]", BadElement, "/bgp/instances/instance"},
		{"/bgp/instances/instance[name=a][other=b]", BadElement, "/bgp/instances/instance"},
		{"/bgp/instances/instance[name=a b]", InvalidValue, "/bgp/instances/instance/name"},
		{vpnPath + "/peers/peer[address=10.1.1.256]", InvalidValue, vpnPath + "/peers/peer/address"},
		{peerPath + "/transport/authentication/keys/key[key-id=256]", InvalidValue, peerPath + "/transport/authentication/keys/key/key-id"},
		{peerPath + "/afi-safis/afi-safi[name=ipv5]", InvalidValue, peerPath + "/afi-safis/afi-safi/name"},
	}
	for _, tt := range tests {
		_, err := Resolve(elems(t, tt.path))
		var e *Error
		if !errors.As(err, &e) || e.Tag != tt.tag || e.Path.String() != tt.at {
			t.Errorf("%s: got %v, %+v", tt.path, err, e)
		}
	}
}

func TestPath(t *testing.T) {
	tests := []struct {
		path     string
		wildcard bool
		key      Key
		rest     int
		ok       bool
	}{
		{"/", false, "", 0, false},
		{"/bgp/instances", false, "", 0, false},
		{"/bgp/instances/instance", true, "", 0, false},
		{"/bgp/instances/instance[name=a]", false, "\x00ia", 0, true},
		{"/bgp/instances/instance[name=a]/vpn-instances", false, "\x00ia", 1, true},
		{"/bgp/instances/instance[name=*]/config", true, "", 0, false},
		{"/bgp/instances/instance[name=a]/vpn-instances/vpn-instance", true, "", 0, false},
		{peerPath + "/config/as", false, "\x00idefault\x00vvpn1\x00p10.1.1.2", 2, true},
		{peerPath + "/afi-safis/afi-safi[name=*]", true, "\x00idefault\x00vvpn1\x00p10.1.1.2", 2, true},
		{"/agent/history", false, "\x00a", 1, true},
	}
	for _, tt := range tests {
		p := path(t, tt.path)
		k, rest, ok := p.Record()
		if p.Wildcard() != tt.wildcard || k != tt.key || len(rest) != tt.rest || ok != tt.ok {
			t.Errorf("%s: wildcard %v, record %q + %d, %v", tt.path, p.Wildcard(), k, len(rest), ok)
		}
	}
	if got := path(t, "/bgp").Node().Path(); got != "/bgp" {
		t.Errorf("got %s", got)
	}
	p := path(t, peerPath)
	if a, b := p.Append(p.Node().Child("config")), p.Append(p.Node().Child("state")); a.Node().Name != "config" || b.Node().Name != "state" {
		t.Error("appended paths share memory")
	}
}

// gnmi.md 13
func TestExpand(t *testing.T) {
	peers := "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer"
	tests := []struct {
		path string
		want []string
	}{
		{"/bgp/instances/instance[name=a]", []string{"/bgp/instances/instance[name=a]"}},
		{"/*", []string{"/agent", "/bgp", "/nacm", "/vpn-instances"}},
		{"/agent/*/config", []string{"/agent/reset-control/config", "/agent/history/config"}},
		{"/.../tcp-mss", []string{
			"/bgp/instances/instance/vpn-instances/vpn-instance/peer-groups/peer-group/transport/config/tcp-mss",
			"/bgp/instances/instance/vpn-instances/vpn-instance/peer-groups/peer-group/transport/state/tcp-mss",
			peers + "/transport/config/tcp-mss", peers + "/transport/state/tcp-mss",
		}},
		{"/.../peer[address=::1]/.../...", []string{peers + "[address=::1]"}},
		{"/...", []string{"/"}},
		{"/agent/.../history", []string{"/agent/history"}},
		{"/bgp/*/*[name=a]", []string{"/bgp/instances/instance[name=a]"}},
	}
	for _, tt := range tests {
		got, err := Expand(elems(t, tt.path))
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		var texts []string
		for _, p := range got {
			texts = append(texts, p.String())
		}
		slices.Sort(texts)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, texts); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
	}
	for text, tag := range map[string]Tag{
		"/bgp/nothing":                     UnknownElement,
		"/*/nothing":                       UnknownElement,
		"/.../nothing":                     UnknownElement,
		"/agent/history/config/size/*":     UnknownElement,
		"/...[a=b]/config":                 BadElement,
		"/bgp/*/*[name=a b]":               InvalidValue,
		strings.Repeat("/...", maxElems+1): TooBig,
	} {
		_, err := Expand(elems(t, text))
		var e *Error
		if !errors.As(err, &e) || e.Tag != tag {
			t.Errorf("%.40s: got %v", text, err)
		}
	}
}
