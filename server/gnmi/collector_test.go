package gnmi

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openconfig/gnmi/cache"
	"github.com/openconfig/gnmi/ctree"
	ocpath "github.com/openconfig/gnmi/path"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"mooring/bgp"
)

// collector keeps what it is sent as the collectors of OpenConfig do.
type collector struct {
	testing.TB
	cache  *cache.Cache
	target *cache.Target
}

func newCollector(tb testing.TB) *collector {
	c := &collector{TB: tb, cache: cache.New([]string{"agent"})}
	c.target = c.cache.GetTarget("agent")
	return c
}

func (c *collector) take(n *gpb.Notification) {
	n = proto.CloneOf(n)
	if n.Prefix == nil {
		n.Prefix = &gpb.Path{}
	}
	n.Prefix.Target = "agent"
	// An update that is older than what is kept is left out: what counts is what
	// is kept in the end.
	_ = c.target.GnmiUpdate(n)
}

// kept is every value by its path.
func (c *collector) kept() map[string]string {
	c.Helper()
	out := map[string]string{}
	err := c.cache.Query("agent", []string{"*"}, func(_ []string, _ *ctree.Leaf, v any) error {
		n, ok := v.(*gpb.Notification)
		if !ok {
			return fmt.Errorf("the cache holds a %T", v)
		}
		for _, u := range n.GetUpdate() {
			at := append(ocpath.ToStrings(n.GetPrefix(), true), ocpath.ToStrings(u.GetPath(), false)...)
			out[strings.Join(at, "/")] = u.GetVal().String()
		}
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// watched are the subscriptions that the property holds for.
var watched = map[string]string{
	"on change":                              `mode: STREAM subscription: { mode: ON_CHANGE path: { elem: { name: "bgp" } } } subscription: { mode: ON_CHANGE path: { elem: { name: "vpn-instances" } } }`,
	"on change, OpenConfig":                  `mode: STREAM subscription: { mode: ON_CHANGE path: { origin: "openconfig" elem: { name: "network-instances" } } }`,
	"target defined":                         `mode: STREAM subscription: { mode: TARGET_DEFINED sample_interval: 1000000000 suppress_redundant: true path: { elem: { name: "bgp" } } } subscription: { mode: TARGET_DEFINED sample_interval: 1000000000 suppress_redundant: true path: { elem: { name: "vpn-instances" } } }`,
	"target defined, OpenConfig":             `mode: STREAM subscription: { mode: TARGET_DEFINED sample_interval: 1000000000 suppress_redundant: true path: { origin: "openconfig" elem: { name: "network-instances" } } }`,
	"sampled":                                `mode: STREAM subscription: { mode: SAMPLE sample_interval: 1000000000 path: { elem: { name: "bgp" } } }`,
	"sampled, what differs, with heartbeats": `mode: STREAM subscription: { mode: SAMPLE sample_interval: 1000000000 suppress_redundant: true heartbeat_interval: 1500000000 path: { elem: { name: "bgp" } } }`,
	"sampled, OpenConfig":                    `mode: STREAM subscription: { mode: SAMPLE sample_interval: 1000000000 suppress_redundant: true path: { origin: "openconfig" elem: { name: "network-instances" } } }`,
	"on change, with heartbeats":             `mode: STREAM subscription: { mode: ON_CHANGE heartbeat_interval: 1000000000 path: { elem: { name: "bgp" } } }`,
}

// change makes one random change: of the configuration, or of a session.
func (r *rig) change(d *rand.Rand) {
	vpn := fmt.Sprintf("vpn%d", 1+d.IntN(2))
	in := "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=" + vpn + "]"
	address := fmt.Sprintf("10.1.1.%d", 2+d.IntN(3))
	at := in + "/peers/peer[address=" + address + "]"
	key := bgp.PeerKey{Instance: "default", VPN: vpn, Address: netip.MustParseAddr(address)}
	create := fmt.Sprintf(`{"config":{"as":%d,"description":"d%d"},"timers":{"config":{"hold-time":%d}}}`, 200+d.IntN(3), d.IntN(9), 30+d.IntN(3))
	switch d.IntN(10) {
	case 0, 1, 2:
		r.apply(&gpb.SetRequest{Update: []*gpb.Update{update("/vpn-instances/vpn-instance[name="+vpn+"]", jsonVal("{}")), update(at, jsonVal(create))}})
	case 3, 4:
		r.apply(&gpb.SetRequest{Delete: []*gpb.Path{path(at)}})
	case 5: // a new peer in the place of the old one, in one Set
		r.apply(&gpb.SetRequest{Delete: []*gpb.Path{path(at)}, Update: []*gpb.Update{update(at, jsonVal(create))}})
	case 6:
		r.apply(&gpb.SetRequest{Delete: []*gpb.Path{path(in)}})
	case 7:
		_ = r.backend.EndByRemote(key, nil)
	case 8:
		r.backend.Establish(key)
	default:
		r.apply(&gpb.SetRequest{Delete: []*gpb.Path{path(at + "/config/description")}, Update: []*gpb.Update{update(at+"/afi-safis/afi-safi[name=ipv6-unicast]/config/enabled", jsonVal("true"))}})
	}
}

// apply is a Set that may be refused, as one of a peer that is not there is.
func (r *rig) apply(req *gpb.SetRequest) {
	if _, err := r.client.Set(r.ctx(), req); err != nil && status.Code(err).String() == "Unavailable" {
		r.Fatal(err)
	}
}

// TestCollectorsKeepWhatIsThere: what a collector keeps of a stream is what a
// ONCE answers afterwards, whatever happened and however it was streamed
// (gnmi.md 60).
func TestCollectorsKeepWhatIsThere(t *testing.T) {
	for name, list := range watched {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for samples
			r := newRig(t).example()
			d := rand.New(rand.NewPCG(10, uint64(len(name))))
			stream := r.subscribe(list)
			c := newCollector(t)
			done := make(chan struct{})
			notes := make(chan *gpb.Notification, 1000)
			go func() {
				defer close(done)
				for {
					resp, err := stream.Recv()
					if err != nil {
						return
					}
					if n := resp.GetUpdate(); n != nil {
						notes <- n
					}
				}
			}()
			for range 4 {
				for range 25 {
					r.change(d)
				}
				once := strings.Replace(list, "STREAM", "ONCE", 1)
				for end := time.Now().Add(patience); ; {
					for len(notes) > 0 {
						c.take(<-notes)
					}
					want := newCollector(t)
					for _, n := range r.subscribe(once).untilSync() {
						want.take(n)
					}
					diff := differ(c.kept(), want.kept())
					if len(diff) == 0 {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("the collector differs:\n%s", strings.Join(diff, "\n"))
					}
					select {
					case n := <-notes:
						c.take(n)
					case <-time.After(100 * time.Millisecond):
					}
				}
			}
			r.stop()
			<-done
		})
	}
}

// differ tells where two collections differ, but for what depends on when it is
// read.
func differ(got, want map[string]string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			out = append(out, fmt.Sprintf("%s: %q, want %q", k, got[k], want[k]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			out = append(out, fmt.Sprintf("%s: %q, is not there", k, got[k]))
		}
	}
	return out[:min(len(out), 10)]
}
