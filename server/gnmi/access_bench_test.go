package gnmi

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/nacm"
	"mooring/engine/schema"
)

// BenchmarkAccess is what 200 rules cost a user with 100,000 peers, in turn with
// a user of the recovery group, for whom no rule is looked at. All rules but one
// name single peers of other VPN instances, as a list of exceptions does;
// hiding adds one that hides a leaf of every peer, so that each record that is
// read is copied without it.
//
// Target, as the metric ratio, of the medians: a keyed Get and a one-leaf Set at
// most 1.1 times that without rules, a full get-config at most 1.3 times, with
// hiding at most 2 times.
func BenchmarkAccess(b *testing.B) {
	r := newGuardedRig(b).example()
	r.load(100_000)
	exceptions := make([]string, 0, 200)
	for i := range 199 {
		exceptions = append(exceptions, rule(fmt.Sprint("other", i), fmt.Sprintf("%s[name='other%d']/peers/peer[address='10.9.0.1']/config/description", vpnPath, i), "*", "deny"))
	}
	permit := rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit")
	at := vpn1 + "/peers/peer[address=10.1.0.77]"
	keyed := &gpb.GetRequest{Path: []*gpb.Path{path(at)}}
	type user struct {
		*rig
		nacm.Identity
	}
	free := user{r.as(testUser), nacm.Identity{User: testUser, Groups: []string{"admin"}}}
	ruled := user{r.as("operator"), nacm.Identity{User: "operator", Groups: []string{"operators"}}}
	sets := 0
	operations := map[string]func(user) error{
		"SetLeaf": func(u user) error {
			sets++
			_, err := u.client.Set(b.Context(), &gpb.SetRequest{Update: []*gpb.Update{update(at+"/transport/config/dscp", jsonVal(fmt.Sprint(sets%60)))}})
			return err
		},
		"GetKeyed": func(u user) error {
			_, err := u.client.Get(b.Context(), keyed)
			return err
		},
		"GetConfig": func(u user) error {
			v := r.engine.Access().Of(u.Identity).View(r.engine.ConfigView(r.engine.Store().Running()))
			return schema.EncodeXML(io.Discard, v, nil, schema.XMLOptions{Content: schema.ConfigOnly})
		},
	}
	for name, rules := range map[string][]string{
		"rules=200":        append(exceptions[:199:199], permit),
		"rules=200,hiding": append(exceptions[:198:198], rule("text", vpnPath+"/peers/peer/config/description", "read", "deny"), permit),
	} {
		r.rules(rules...)
		for what, do := range operations {
			b.Run(what+"/"+name, func(b *testing.B) {
				took := map[string][]time.Duration{}
				for b.Loop() {
					for _, u := range []user{free, ruled} {
						start := time.Now()
						if err := do(u); err != nil {
							b.Fatal(err)
						}
						took[u.User] = append(took[u.User], time.Since(start))
					}
				}
				p50 := func(u user) float64 {
					slices.Sort(took[u.User])
					return float64(took[u.User][b.N/2].Nanoseconds()) / 1e3
				}
				b.ReportMetric(p50(free), "free-p50-us")
				b.ReportMetric(p50(ruled), "p50-us")
				b.ReportMetric(p50(ruled)/p50(free), "ratio")
				b.ReportMetric(0, "ns/op") // of both together
			})
		}
	}
}
