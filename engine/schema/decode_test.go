package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gnmi.md 13, 35, 36, 39, 40, 42; netconf.md 32, 33, 34
func TestDecodeJSONErrors(t *testing.T) {
	config := peerPath + "/config"
	tests := []struct {
		name, path, json string
		op               Op
		tag              Tag
		errPath, text    string
	}{
		{"not JSON", config, `{`, OpMerge, MalformedMessage, config, "byte 1"},
		{"trailing text", config, `{} {}`, OpMerge, MalformedMessage, config, "after the value"},
		{"trailing comma", config, `{"as":1,}`, OpMerge, MalformedMessage, config, "comma"},
		{"empty", config, ``, OpMerge, MalformedMessage, config, "expected"},
		{"bad escape", config, `{"description":"\x"}`, OpMerge, MalformedMessage, config + "/description", "escape"},
		{"half a surrogate", config, `{"description":"\ud800"}`, OpMerge, MalformedMessage, config + "/description", "character"},
		{"not UTF-8", config, "{\"description\":\"\xff\"}", OpMerge, MalformedMessage, config + "/description", "UTF-8"},
		{"leading zero", peerPath + "/timers/config", `{"hold-time":090}`, OpMerge, MalformedMessage, peerPath + "/timers/config", "comma"},
		{"control character", config, `{"description":"a\u0000b"}`, OpMerge, InvalidValue, config + "/description", "control"},
		{"unknown member", config, `{"asn":1}`, OpMerge, UnknownElement, config, `there is no "asn" in config`},
		{"metadata", config, `{"@as":{}}`, OpMerge, UnknownElement, config, "@as"},
		{"wrong module", config, `{"mooring-agent:as":1}`, OpMerge, UnknownNamespace, config, "mooring-bgp"},
		{"member twice", config, `{"as":1,"mooring-bgp:as":2}`, OpMerge, BadElement, config + "/as", "twice"},
		{"null", config, `{"as":null}`, OpMerge, InvalidValue, config + "/as", "null"},
		{"null leaf", config + "/as", `null`, OpReplace, InvalidValue, config + "/as", "null"},
		{"null container", config, `null`, OpReplace, InvalidValue, config, "null"},
		{"out of range", config, `{"as":0}`, OpMerge, InvalidValue, config + "/as", `"0": an AS number is 1 to 4294967295`},
		{"too large", config, `{"as":4294967296}`, OpMerge, InvalidValue, config + "/as", "4294967295"},
		{"fraction", config, `{"as":1.5}`, OpMerge, InvalidValue, config + "/as", "integer"},
		{"exponent", config, `{"as":15e-1}`, OpMerge, InvalidValue, config + "/as", "integer"},
		{"text for a number", config, `{"as":"x"}`, OpMerge, InvalidValue, config + "/as", `"x"`},
		{"boolean for a number", config, `{"as":true}`, OpMerge, InvalidValue, config + "/as", "a boolean"},
		{"object for a leaf", config, `{"as":{}}`, OpMerge, InvalidValue, config + "/as", "an object"},
		{"number for a boolean", config, `{"enabled":1}`, OpMerge, InvalidValue, config + "/enabled", "a number"},
		{"string for a boolean", config, `{"enabled":"true"}`, OpMerge, InvalidValue, config + "/enabled", "a string"},
		{"boolean for a string", config, `{"description":true}`, OpMerge, InvalidValue, config + "/description", "a boolean"},
		{"array for a container", peerPath, `{"config":[]}`, OpMerge, InvalidValue, config, "an array"},
		{"unknown enum", peerPath + "/transport/config", `{"connect-mode":"never"}`, OpMerge, InvalidValue, peerPath + "/transport/config/connect-mode", "both, connect-only, listen-only"},
		{"number for an enum", peerPath + "/transport/config", `{"connect-mode":1}`, OpMerge, InvalidValue, peerPath + "/transport/config/connect-mode", "a number"},
		{"bad address", peerPath + "/transport/connect-interface/config", `{"source-address":"10.1.1"}`, OpMerge, InvalidValue, peerPath + "/transport/connect-interface/config/source-address", "IPv4 or IPv6"},
		{"secret", peerPath + "/transport/authentication/config", `{"password":""}`, OpMerge, InvalidValue, peerPath + "/transport/authentication/config/password", "length of 1..80"},
		{"state leaf", peerPath, `{"state":{"as":1}}`, OpMerge, InvalidValue, peerPath + "/state", "config false"},
		{"state path", peerPath + "/state/as", `1`, OpMerge, InvalidValue, peerPath + "/state/as", "config false"},
		{"empty entry", peerPath, ` { } `, OpReplace, InvalidValue, peerPath, "empty object"},
		{"key contradicts", peerPath, `{"address":"10.1.1.3"}`, OpMerge, InvalidValue, peerPath + "/address", "10.1.1.2"},
		{"twin contradicts", peerPath, `{"config":{"address":"10.1.1.3"}}`, OpMerge, InvalidValue, config + "/address", "10.1.1.2"},
		{"twin contradicts in a list", vpnPath + "/peers", `{"peer":[{"config":{"address":"10.1.1.3"},"address":"10.1.1.2"}]}`, OpMerge, InvalidValue, config + "/address", "10.1.1.2"},
		{"key missing", vpnPath + "/peers", `{"peer":[{"config":{"as":1}}]}`, OpMerge, MissingElement, vpnPath + "/peers/peer", "address"},
		{"inner key missing", peerPath + "/afi-safis", `{"afi-safi":[{"config":{}}]}`, OpMerge, MissingElement, peerPath + "/afi-safis/afi-safi", "name"},
		{"star as key", vpnPath + "/peers", `{"peer":[{"address":"*"}]}`, OpMerge, InvalidValue, vpnPath + "/peers/peer/address", "*"},
		{"star as name", "/vpn-instances", `{"vpn-instance":[{"name":"*"}]}`, OpMerge, InvalidValue, "/vpn-instances/vpn-instance/name", "any entry"},
		{"entry twice", vpnPath + "/peers", `{"peer":[{"address":"::1"},{"address":"0::1"}]}`, OpMerge, OperationFailed, vpnPath + "/peers/peer[address=::1]", "twice"},
		{"entry twice, not in order", vpnPath + "/peers", `{"peer":[{"address":"2.2.2.2"},{"address":"1.1.1.1"},{"address":"2.2.2.2"}]}`, OpMerge, OperationFailed, vpnPath + "/peers/peer[address=2.2.2.2]", "twice"},
		{"inner entry twice", peerPath + "/transport/authentication/keys", `{"key":[{"key-id":1},{"key-id":"01"}]}`, OpMerge, OperationFailed, peerPath + "/transport/authentication/keys/key[key-id=1]", "twice"},
		{"error before the key", vpnPath + "/peers", `{"peer":[{"config":{"as":0},"address":"10.1.1.2"}]}`, OpMerge, InvalidValue, config + "/as", "AS number"},
		{"leaf-list twice", "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config", `{"import-route-target":["1:1","01:1"]}`, OpMerge, InvalidValue, "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", "twice"},
		{"two cases", peerPath + "/transport/connect-interface/config", `{"interface":"a","interface-type":"b"}`, OpMerge, BadElement, peerPath + "/transport/connect-interface/config/interface-type", "exclude"},
		{"wildcard", vpnPath + "/peers/peer[address=*]/config", `{}`, OpMerge, InvalidValue, vpnPath + "/peers/peer[address=*]", "all keys"},
		{"omitted key", vpnPath + "/peers/peer", `[]`, OpReplace, InvalidValue, vpnPath + "/peers/peer", "all keys"},
		{"array for the root", "/", `[]`, OpReplace, InvalidValue, "/", "an array"},
		{"deep garbage", "/", `{"bgp":` + strings.Repeat("[", 100000), OpMerge, InvalidValue, "/bgp", "an array"},
		{"deep garbage in a record", "/bgp/instances", `{"instance":[{"vpn-instances":` + strings.Repeat("[", 100000), OpMerge, MalformedMessage, "/bgp/instances/instance/vpn-instances", "does not end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sample(t).edit(t, tt.path, tt.json, tt.op)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Tag != tt.tag || e.Path.String() != tt.errPath || !strings.Contains(e.Message, tt.text) {
				t.Errorf("got %s at %s: %s\nwant %s at %s: ...%s...", e.Tag, e.Path, e.Message, tt.tag, tt.errPath, tt.text)
			}
		})
	}
}

// Secrets stay out of error texts.
func TestDecodeJSONSecretError(t *testing.T) {
	long := strings.Repeat("topsecret", 10)
	_, err := sample(t).edit(t, peerPath+"/transport/authentication/config/password", `"`+long+`"`, OpMerge)
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("got %v", err)
	}
}

// gnmi.md section 2: numbers and strings stand for each other where the leaf's
// type says which is meant.
func TestDecodeJSONAccepts(t *testing.T) {
	tests := []struct{ path, json, at, want string }{
		{peerPath + "/config/as", `"65002"`, "", `65002`},
		{peerPath + "/config/as", `"+0065002"`, "", `65002`},
		{peerPath + "/config/as", `1e3`, "", `1000`},
		{peerPath + "/config/as", `6500.20E+1`, "", `65002`},
		{peerPath + "/config/as", `7000e-3`, "", `7`},
		{peerPath + "/config/as", `-1e0`, "", ``},
		{peerPath + "/config/as", `1e10`, "", ``},
		{peerPath + "/config/as", `1e99999999999999999999`, "", ``},
		{peerPath + "/config/as", `1e-99999999999999999999`, "", ``},
		{peerPath + "/transport/config/dscp", `0e99`, "", `0`},
		{peerPath + "/config/description", `10`, "", `"10"`},
		{peerPath + "/config/description", `-1.50e+3`, "", `"-1.50e+3"`},
		{peerPath + "/config/description", `"\u00e9\ud83d\ude00\/\b"`, "", ``},
		{peerPath + "/config/description", `"\u00e9\ud83d\ude00\/\n"`, "", `"é😀/\n"`},
		{peerPath + "/config", ` { "mooring-bgp:as" : 7 , "description" : "" } `, "", `{"address":"10.1.1.2","description":"","enabled":true,"peer-group":"g1","as":7,"local-as":4200000000}`},
		{"/agent/history/config/size", `"100"`, "", `100`},
		{
			"/", `{"mooring-bgp:bgp":{"instances":{"instance":[{"vpn-instances":{"vpn-instance":[{"name":"vpn1","peers":{"peer":[{"config":{"as":5},"address":"2001:0db8::1"}]}}]},"name":"default"}]}}}`,
			vpnPath + "/peers/peer[address=2001:db8::1]/config/as", `5`,
		},
		{peerPath + "/transport/connect-interface/config/source-address", `"2001:DB8:0::1"`, "", `"2001:db8::1"`},
		{"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", `["2:2","1.1.1.1:7"]`, "", `["1.1.1.1:7","2:2"]`},
		{vpnPath + "/peers/peer[address=10.1.1.9]", `{}`, "", `{"address":"10.1.1.9","config":{"address":"10.1.1.9"}}`},
		{"/bgp", `{}`, peerPath + "/config/as", `200`},
	}
	for _, tt := range tests {
		tx, err := sample(t).edit(t, tt.path, tt.json, OpMerge)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s %s was accepted", tt.path, tt.json)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", tt.path, tt.json, err)
			continue
		}
		at := tt.at
		if at == "" {
			at = tt.path
		}
		if diff := cmp.Diff(tt.want, tx.json(t, at, JSONOptions{})); diff != "" {
			t.Errorf("%s %s:\n%s", tt.path, tt.json, diff)
		}
	}
}

// The decoder hands out one edit per record, and ends on the caller's error.
func TestDecodeJSONStreams(t *testing.T) {
	var got []string
	err := DecodeJSON(nil, []byte(sampleRoot), OpReplace, func(base Path, e *Edit) error {
		got = append(got, e.Op.String()+" "+base.Append(e.Node, e.Keys...).String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"replace /", "merge /vpn-instances/vpn-instance[name=vpn1]", "merge /vpn-instances/vpn-instance[name=_public_]", "merge /agent",
		"merge /bgp/instances/instance[name=default]", "merge " + vpnPath, "merge " + vpnPath + "/peer-groups/peer-group[name=g1]",
		"merge " + peerPath, "merge " + vpnPath + "/peers/peer[address=2001:db8::1]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("stop")
	if err := DecodeJSON(nil, []byte(sampleRoot), OpReplace, func(Path, *Edit) error { return stop }); err != stop {
		t.Errorf("got %v, want the error of emit", err)
	}
}

// gnmi.md 21, 38, 39, 40 and section 2
func TestDecodeScalar(t *testing.T) {
	tests := []struct {
		path string
		v    Scalar
		want string // JSON, "" for an error
		text string
	}{
		{peerPath + "/config/as", int64(7), `7`, ""},
		{peerPath + "/config/as", uint64(7), `7`, ""},
		{peerPath + "/config/as", "7", `7`, ""},
		{peerPath + "/config/as", int64(-7), "", "AS number"},
		{peerPath + "/config/as", uint64(1 << 40), "", "AS number"},
		{peerPath + "/config/as", true, "", "a boolean"},
		{peerPath + "/config/as", 7.0, "", "floating"},
		{peerPath + "/config/as", nil, "", "no value"},
		{peerPath + "/config/as", []Scalar{"7"}, "", "one value"},
		{peerPath + "/config/enabled", false, `false`, ""},
		{peerPath + "/config/enabled", "false", "", "a string"},
		{peerPath + "/config/enabled", int64(0), "", "an integer"},
		{peerPath + "/config/description", int64(-5), `"-5"`, ""},
		{peerPath + "/config/description", true, "", "a boolean"},
		{peerPath + "/config/description", []byte("x"), "", "octets"},
		{peerPath + "/transport/config/connect-mode", "both", `"both"`, ""},
		{peerPath + "/transport/config/connect-mode", uint64(1), "", "an integer"},
		{peerPath + "/transport/config", "both", "", "JSON"},
		{peerPath + "/state/as", uint64(1), "", "config false"},
		{"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", []Scalar{"2:1", "1:1"}, `["1:1","2:1"]`, ""},
		{"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", []Scalar{"1:1", "1:1"}, "", "twice"},
		{"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", []Scalar{[]Scalar{}}, "", "a list"},
		{"/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", "1:1", "", "list of values"},
		{vpnPath + "/peers/peer/config/as", uint64(1), "", "all keys"},
	}
	for _, tt := range tests {
		tx := sample(t).begin()
		err := DecodeScalar(path(t, tt.path), tt.v, OpMerge, func(base Path, e *Edit) error { return Apply(tx, base, e) })
		if tt.want == "" {
			var e *Error
			if !errors.As(err, &e) || e.Tag != InvalidValue || !strings.Contains(e.Message, tt.text) {
				t.Errorf("%s %v: got %v", tt.path, tt.v, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %v: %v", tt.path, tt.v, err)
		} else if got := tx.json(t, tt.path, JSONOptions{}); got != tt.want {
			t.Errorf("%s %v: got %s, want %s", tt.path, tt.v, got, tt.want)
		}
	}
}
