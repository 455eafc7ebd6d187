package gnmi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	gproto "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mooring/engine/schema"
)

// What is written by hand is what the protobuf library would have written: for
// every leaf of an agent with all kinds of values, in both trees and each
// encoding.
func TestWire(t *testing.T) {
	r := newRig(t).example()
	long := strings.Repeat("long ", 40)
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update("/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", jsonVal(`["1:1","1:2"]`)),
		update(thePeer+"/config/description", stringVal(long)),
		update(thePeer+"/afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled", jsonVal("true")),
		update(vpn1+"/config/listen-address", jsonVal(`["127.0.0.1"]`)),
	}})
	seen := map[schema.ValueKind]int{}
	for _, tr := range []*tree{nativeTree, openConfigTree} {
		for _, enc := range encodings {
			tr.leaves(r.engine.View(), nil, schema.LeafOptions{Defaults: true}, func(l *schema.LeafValue) bool {
				seen[l.Value.Kind()]++
				at := append(schema.Path{}, l.Record...)
				if isAtomic(l.Node) {
					at = append(at, atomicRel...)
				}
				want := &gpb.Notification{
					Timestamp: 1 << 60, Atomic: isAtomic(l.Node),
					Prefix: &gpb.Path{Origin: "o", Target: "t", Elem: elemsOut(at)},
				}
				path := &gpb.Path{Elem: elemsOut(l.Path()[len(at):])}
				var n notice
				n.begin(nil, heading{time: 1 << 60, origin: "o", target: "t", at: at, atomic: want.Atomic})
				for _, duplicates := range []uint32{0, 1, 300} {
					n.update(relPath(l.Node, l.Rel), appendValue(nil, enc, l), duplicates)
					want.Update = append(want.Update, &gpb.Update{Path: path, Val: leafValue(enc, l), Duplicates: duplicates})
				}
				n.delete(relPath(l.Node, l.Rel))
				want.Delete = []*gpb.Path{path}

				got := &gpb.SubscribeResponse{}
				if err := gproto.Unmarshal(n.bytes(), got); err != nil {
					t.Fatalf("%s in %s: %v", l.Path(), enc, err)
				}
				if diff := cmp.Diff(want, got.GetUpdate(), protocmp.Transform()); diff != "" {
					t.Errorf("%s in %s (-want +got):\n%s", l.Path(), enc, diff)
				}
				return !t.Failed()
			})
		}
	}
	for _, k := range []schema.ValueKind{0, schema.ValueString, schema.ValueUint, schema.ValueBool, schema.ValueEnum} { // 0: leaf-lists
		if seen[k] == 0 {
			t.Errorf("no value of kind %d was written", k)
		}
	}
}

// Two streams that ask for the same share the octets, and only those.
func TestClasses(t *testing.T) {
	class := func(list string) string {
		req := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](t, list)}}
		w, err := newWatch(req)
		if err != nil {
			t.Fatal(err)
		}
		return w.groups[0].class
	}
	lists := map[string]string{
		"everything":      `subscription {}`,
		"a path":          `subscription {path {elem {name: "bgp"}}}`,
		"two paths":       `subscription {mode: ON_CHANGE path {elem {name: "bgp"}}} subscription {mode: ON_CHANGE path {elem {name: "agent"}}}`,
		"a target":        `prefix {target: "x"} subscription {}`,
		"an origin":       `prefix {origin: "mooring"} subscription {}`,
		"the other tree":  `prefix {origin: "openconfig"} subscription {}`,
		"sampled":         `subscription {mode: SAMPLE}`,
		"not redundant":   `subscription {mode: SAMPLE suppress_redundant: true}`,
		"each 2 s":        `subscription {mode: SAMPLE sample_interval: 2000000000}`,
		"when it changes": `subscription {mode: ON_CHANGE}`,
		"one model":       `subscription {} use_models {name: "mooring-bgp"}`,
		"another model":   `subscription {} use_models {name: "mooring-agent"}`,
	}
	names := map[string]string{}
	for name, list := range lists {
		c := class(list)
		if other, ok := names[c]; ok {
			t.Errorf("%s and %s are of one class", name, other)
		}
		names[c] = name
		if class(list) != c {
			t.Errorf("%s is of two classes", name)
		}
	}
}
