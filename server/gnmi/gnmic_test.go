package gnmi

import (
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
)

// What stock gnmic sends, message by message as it was seen on the wire: the
// forms that its users get without asking for them must work, and what cannot
// be meant must be refused with a reason.

// wire replaces PATH(/a/b) by the elements of the path in text form.
func wire(text string) string {
	for {
		before, rest, ok := strings.Cut(text, "PATH(")
		if !ok {
			return text
		}
		at, after, _ := strings.Cut(rest, ")")
		text = before + pathProto(at) + after
	}
}

func TestGnmicSet(t *testing.T) {
	const (
		config = thePeer + "/config"
		text   = config + "/description"
		as     = config + "/as"
		rd     = "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/route-distinguisher"
	)
	up := func(at, val string) string { return `update: {path: {PATH(` + at + `)} val: {` + val + `}}` }
	tests := []struct {
		name, req string
		code      codes.Code
		at, want  string // a path and its JSON_IETF value afterwards; of an error a text in it
	}{
		{"--update-value hello is quoted", up(text, `json_val: "\"hello\""`), codes.OK, text, `"hello"`},
		{"--update-value 10 for a string is a number (39)", up(text, `json_val: "10"`), codes.OK, text, `"10"`},
		{"--update-value 010 is quoted", up(text, `json_val: "\"010\""`), codes.OK, text, `"010"`},
		{"--update-value true for a string", up(text, `json_val: "true"`), codes.InvalidArgument, "", text},
		{"--update-value 65010 for a number", up(as, `json_val: "65010"`), codes.OK, as, "65010"},
		{`--update-value "65010" for a number, quoted by hand`, up(as, `json_val: "\"65010\""`), codes.OK, as, "65010"},
		{"the same with -e json_ietf", up(as, `json_ietf_val: "\"65010\""`), codes.OK, as, "65010"},
		{"--update-value true for a boolean, or yes in a request file", up(config+"/enabled", `json_val: "true"`), codes.OK, config + "/enabled", "true"},
		{"--update-value null (40)", up(text, `json_val: "null"`), codes.InvalidArgument, "", text},
		{"--replace-value null (35)", `replace: {path: {PATH(` + text + `)} val: {json_val: "null"}}`, codes.InvalidArgument, "", text},
		{"--update-value 64512:1 is quoted", up(rd, `json_val: "\"64512:1\""`), codes.OK, rd, `"64512:1"`},
		{"--update-value 18446744073709551615", up(as, `json_ietf_val: "18446744073709551615"`), codes.InvalidArgument, "", as},
		{"-e ascii (39)", up(text, `ascii_val: "hello"`), codes.Unimplemented, "", text},
		{"-e string", up(text, `string_val: "hello"`), codes.OK, text, `"hello"`},
		{"encoding string in a request file sends the quotes too", up(text, `string_val: "\"hello\""`), codes.OK, text, `"\"hello\""`},
		{"--update p:::string:::v", up(text, `string_val: "10"`), codes.OK, text, `"10"`},
		{"--update p:::int:::v for an unsigned leaf", up(as, `int_val: 65010`), codes.OK, as, "65010"},
		{"--update p:::int:::-1 for an unsigned leaf", up(as, `int_val: -1`), codes.InvalidArgument, "", as},
		{"--update p:::uint:::v", up(as, `uint_val: 65010`), codes.OK, as, "65010"},
		{"--update p:::uint:::v for a string", up(text, `uint_val: 10`), codes.OK, text, `"10"`},
		{"--update p:::bool:::v", up(config+"/enabled", `bool_val: true`), codes.OK, config + "/enabled", "true"},
		{"--update p:::float:::1.5 for a number", up(as, `float_val: 1.5`), codes.InvalidArgument, "", as},
		{"--update p:::bytes:::v for a string", up(text, `bytes_val: "hello"`), codes.InvalidArgument, "", text},
		{"--delete", `delete: {PATH(` + thePeer + `/transport/connect-interface)}`, codes.OK, sourceLeaf, ""},
		{"--replace-path / --replace-value {}", `replace: {path: {} val: {json_val: "{}"}}`, codes.OK, thePeer, ""},
		{"a request file without a path is the root", `update: {path: {} val: {json_val: "{\"bgp\":{\"instances\":{\"instance\":[{\"name\":\"default\",\"config\":{\"as\":7}}]}}}"}}`, codes.OK, "/bgp/instances/instance[name=default]/config/as", "7"},
		{"deletes, replaces and updates at once", `delete: {PATH(` + text + `)} replace: {path: {PATH(` + as + `)} val: {json_val: "7"}} ` + up(as, `json_val: "8"`), codes.OK, as, "8"},
		{"--prefix and --target", `prefix: {target: "dut:57400" PATH(/bgp/instances/instance[name=default])} update: {path: {elem: {name: "config"} elem: {name: "as"}} val: {json_val: "9"}}`, codes.OK, "/bgp/instances/instance[name=default]/config/as", "9"},
		{"a prefix and a path with an origin (9)", `prefix: {origin: "mooring"} update: {path: {origin: "mooring" PATH(` + as + `)} val: {json_val: "9"}}`, codes.InvalidArgument, "", "origin"},
		{"mooring-bgp:bgp keeps the prefix in the element (11)", up(strings.Replace(as, "/bgp", "/mooring-bgp:bgp", 1), `json_val: "9"`), codes.OK, as, "9"},
		{"--update-cli", `update: {path: {origin: "cli"} val: {ascii_val: "router bgp 1\n neighbor 10.1.1.2 shutdown"}}`, codes.Unimplemented, "", "cli"},
		{"--union-replace", `union_replace: {path: {PATH(` + config + `)} val: {json_val: "{\"as\":7}"}}`, codes.OK, as, "7"},
		{"--union-replace cli:/:::ascii:::x (51)", `union_replace: {path: {origin: "cli"} val: {ascii_val: "x"}}`, codes.Unimplemented, "", "cli"},
		{"--request-file with commit-action only sends an empty id (86)", up(text, `json_val: "\"x\""`) + ` extension: {commit: {commit: {rollback_duration: {}}}}`, codes.InvalidArgument, "", "needs an id"},
		{"--commit-id alone asks for another duration, 0 (88)", `extension: {commit: {id: "x" set_rollback_duration: {rollback_duration: {}}}}`, codes.InvalidArgument, "", "above 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).example()
			before := r.value("/bgp")
			resp, err := r.client.Set(r.ctx(), textOf[gpb.SetRequest](t, wire(tt.req)))
			if tt.code != codes.OK {
				wantStatus(t, err, tt.code, tt.want)
				if got := r.value("/bgp"); got != before {
					t.Errorf("what was refused has changed something:\n%s\nwas\n%s", got, before)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.value(tt.at); got != tt.want {
				t.Errorf("%s is %s, want %s", tt.at, got, tt.want)
			}
			if strings.Contains(tt.req, "target:") && resp.GetPrefix().GetTarget() != "dut:57400" {
				t.Errorf("target %q", resp.GetPrefix().GetTarget())
			}
		})
	}
}

func TestGnmicGet(t *testing.T) {
	r := newRig(t).example()
	caps, err := r.client.Capabilities(r.ctx(), &gpb.CapabilityRequest{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, req, want string }{
		{"-e is JSON by default, the type ALL", `path: {PATH(` + thePeer + `/config/as)}`, "json 200"},
		{"a string leaf is a JSON value (20)", `path: {PATH(` + sourceLeaf + `)}`, `json "10.1.1.1"`},
		{"--path /", `path: {} type: CONFIG extension: {depth: {level: 1}}`, "json {}"},
		{"--prefix", `prefix: {PATH(` + thePeer + `)} path: {elem: {name: "config"} elem: {name: "as"}}`, "json 200"},
		{"--target", `prefix: {target: "dut:57400"} path: {PATH(` + thePeer + `/config/as)}`, "json 200 of dut:57400"},
		{"keys and elements with wildcards", `path: {PATH(/bgp/.../peer[address=*]/config/as)}`, "json 200"},
		{"--depth 1", `path: {PATH(` + thePeer + `)} type: CONFIG extension: {depth: {level: 1}}`, `json {"address":"10.1.1.2"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := r.get(textOf[gpb.GetRequest](t, wire(tt.req))).Notification[0]
			got := "json " + string(n.Update[0].Val.GetJsonVal())
			if target := n.GetPrefix().GetTarget(); target != "" {
				got += " of " + target
			}
			if got != tt.want {
				t.Errorf("answer %s, want %s", got, tt.want)
			}
		})
	}
	// --model asks for the Capabilities first and sends the whole ModelData.
	for _, m := range caps.SupportedModels {
		if m.Name == "mooring-bgp" {
			r.get(&gpb.GetRequest{Path: []*gpb.Path{path("/bgp")}, UseModels: []*gpb.ModelData{m}})
		}
	}
}

func TestGnmicSubscribe(t *testing.T) {
	r := newRig(t).example()
	tests := []struct{ name, list string }{
		{"no flags: STREAM, TARGET_DEFINED, JSON", `subscription: {path: {PATH(` + thePeer + `)}}`},
		{"-i 5s alone keeps TARGET_DEFINED (75)", `subscription: {path: {PATH(` + thePeer + `)} sample_interval: 5000000000}`},
		{"--set-target", `prefix: {target: "dut:57400"} subscription: {path: {PATH(` + thePeer + `)}}`},
		{"--mode once drops modes and intervals (68)", `subscription: {path: {PATH(` + thePeer + `)}} mode: ONCE`},
		{"stream-subscriptions in a file (76)", `subscription: {path: {PATH(` + thePeer + `/config)} mode: ON_CHANGE} subscription: {path: {PATH(` + thePeer + `/state)} mode: SAMPLE sample_interval: 1000000000}`},
		{"--suppress-redundant --heartbeat-interval (72)", `subscription: {path: {PATH(` + thePeer + `)} mode: SAMPLE sample_interval: 1000000000 suppress_redundant: true heartbeat_interval: 60000000000}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := r.open(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](t, wire(tt.list))}})
			seen := s.untilSync()
			if len(seen) == 0 || !strings.Contains(strings.Join(allTexts(seen), "\n"), "/config/as = ") {
				t.Errorf("told %q", allTexts(seen))
			}
			target := ""
			if strings.Contains(tt.list, "target:") {
				target = "dut:57400"
			}
			for _, n := range seen {
				if got := n.GetPrefix().GetTarget(); got != target {
					t.Errorf("target %q, want %q", got, target)
				}
			}
			s.cancel()
		})
	}
}
