package ygnmi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openconfig/ondatra/gnmi/oc"
	"github.com/openconfig/ondatra/gnmi/oc/netinstbgp"
	"github.com/openconfig/ygnmi/ygnmi"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// bgpPath is /network-instances/network-instance[name]/protocols/protocol[BGP][default]/bgp
// in typed form. It is put together here because the package that has its
// upper part takes minutes to build.
func bgpPath(networkInstance string) *netinstbgp.NetworkInstance_Protocol_BgpPath {
	root := ygnmi.NewDeviceRootBase()
	ni := ygnmi.NewNodePath([]string{"network-instances", "network-instance"}, map[string]any{"name": networkInstance}, root)
	protocol := ygnmi.NewNodePath([]string{"protocols", "protocol"}, map[string]any{
		"identifier": oc.PolicyTypes_INSTALL_PROTOCOL_TYPE_BGP, "name": "default",
	}, ni)
	return &netinstbgp.NetworkInstance_Protocol_BgpPath{NodePath: ygnmi.NewNodePath([]string{"bgp"}, map[string]any{}, protocol)}
}

func TestYgnmi(t *testing.T) {
	a := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := ygnmi.NewClient(gpb.NewGNMIClient(a.dial(t)), ygnmi.WithTarget("dut"))
	if err != nil {
		t.Fatal(err)
	}
	bgp := bgpPath("DEFAULT")
	n := bgp.Neighbor(neighbor)

	// One Set of a container and of leaves below it.
	b := &ygnmi.SetBatch{}
	ygnmi.BatchUpdate(b, bgp.Global().As().Config(), 100)
	ygnmi.BatchUpdate(b, n.Config(), &oc.NetworkInstance_Protocol_Bgp_Neighbor{
		NeighborAddress: ptr(neighbor), PeerAs: ptr(uint32(200)), Description: ptr("typed"),
	})
	if res, err := b.Set(ctx, c); err != nil || len(res.RawResponse.GetResponse()) != 2 {
		t.Fatalf("Set: %v, %v", res, err)
	}
	if as, err := ygnmi.Get(ctx, c, n.PeerAs().Config()); err != nil || as != 200 {
		t.Errorf("peer-as %d, %v", as, err)
	}
	// A whole neighbor, checked against the client's own schema.
	got, err := ygnmi.Get(ctx, c, n.State())
	if err != nil || got.GetPeerAs() != 200 || got.GetDescription() != "typed" || got.GetNeighborAddress() != neighbor {
		t.Errorf("state %+v, %v", got, err)
	}
	if all, err := ygnmi.GetAll(ctx, c, bgp.NeighborAny().PeerAs().State()); err != nil || len(all) != 1 || all[0] != 200 {
		t.Errorf("all neighbors: %v, %v", all, err)
	}
	// ONCE, a wildcard, and what is not there.
	if v, err := ygnmi.Lookup(ctx, c, bgp.Neighbor("10.9.9.9").PeerAs().State()); err != nil || v.IsPresent() {
		t.Errorf("no such neighbor: %v, %v", v, err)
	}
	if _, err := ygnmi.Get(ctx, c, bgp.Neighbor("10.9.9.9").PeerAs().State()); !errors.Is(err, ygnmi.ErrNotPresent) {
		t.Errorf("no such neighbor: %v", err)
	}

	// STREAM: ygnmi closes its side at once, and waits for what comes.
	up, err := ygnmi.Await(ctx, c, n.SessionState().State(), oc.Bgp_Neighbor_SessionState_ESTABLISHED)
	if err != nil || !up.IsPresent() {
		t.Fatalf("session-state: %v, %v", up, err)
	}
	watch := ygnmi.Watch(ctx, c, n.Description().Config(), func(v *ygnmi.Value[string]) error {
		if text, ok := v.Val(); ok && text == "later" {
			return nil
		}
		return ygnmi.Continue
	})
	if _, err := ygnmi.Replace(ctx, c, n.Description().Config(), "later"); err != nil {
		t.Fatal(err)
	}
	if v, err := watch.Await(); err != nil {
		t.Errorf("watch: %v, %v", v, err)
	}
	if _, err := ygnmi.Delete(ctx, c, n.Config()); err != nil {
		t.Fatal(err)
	}
	if v, err := ygnmi.Lookup(ctx, c, n.PeerAs().Config()); err != nil || v.IsPresent() {
		t.Errorf("after the delete: %v, %v", v, err)
	}
	// What the client sends and the agent refuses is a clear error, and nothing has changed.
	if _, err := ygnmi.Update(ctx, c, n.PeerAs().Config(), 0); err == nil {
		t.Error("AS 0 was taken")
	}
}

func ptr[T any](v T) *T { return &v }
