package gnmi

import (
	"context"
	"fmt"
	"io"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/nacm"
	"mooring/engine/schema"
)

// BenchmarkAccess is what 200 rules cost a user with 100,000 peers, beside a
// user of the recovery group, for whom no rule is looked at. All rules but one
// name single peers of other VPN instances, as a list of exceptions does;
// hiding adds one that hides a leaf of every peer, so that each record that is
// read is copied without it.
//
// Target: a keyed Get and a one-leaf Set at most 1.1 times that without rules,
// a full get-config at most 1.3 times, with hiding at most 2 times.
func BenchmarkAccess(b *testing.B) {
	r := newGuardedRig(b).example()
	r.load(100_000)
	exceptions := make([]string, 0, 200)
	for i := range 199 {
		exceptions = append(exceptions, rule(fmt.Sprint("other", i), fmt.Sprintf("%s[name='other%d']/peers/peer[address='10.9.0.1']/config/description", vpnPath, i), "*", "deny"))
	}
	permit := rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit")
	at := vpn1 + "/peers/peer[address=10.1.0.77]"
	for _, tt := range []struct {
		name, user string
		rules      []string
	}{
		{"rules=0", testUser, nil},
		{"rules=200", "operator", append(exceptions[:199:199], permit)},
		{"rules=200,hiding", "operator", append(exceptions[:198:198], rule("text", vpnPath+"/peers/peer/config/description", "read", "deny"), permit)},
	} {
		r.rules(tt.rules...)
		user := r.as(tt.user)
		rights := func() *nacm.Rights {
			if tt.user == testUser {
				return r.engine.Access().Of(nacm.Identity{User: tt.user, Groups: []string{"admin"}})
			}
			return r.engine.Access().Of(nacm.Identity{User: tt.user, Groups: []string{"operators"}})
		}
		b.Run("SetLeaf/"+tt.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				user.set(&gpb.SetRequest{Update: []*gpb.Update{update(at+"/transport/config/dscp", jsonVal(fmt.Sprint(i%60)))}})
			}
		})
		b.Run("GetKeyed/"+tt.name, func(b *testing.B) {
			req := &gpb.GetRequest{Path: []*gpb.Path{path(at)}}
			for b.Loop() {
				if _, err := user.client.Get(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("GetConfig/"+tt.name, func(b *testing.B) {
			for b.Loop() {
				v := rights().View(r.engine.ConfigView(r.engine.Store().Running()))
				if err := schema.EncodeXML(io.Discard, v, nil, schema.XMLOptions{Content: schema.ConfigOnly}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
