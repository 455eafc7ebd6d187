package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mooring/server/gnmi/preview"
	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// A change of a peer group resets its ten members two by two: the preview says
// so, the state says who waits, and the wire that never more were down.
func TestPacing(t *testing.T) {
	t.Parallel()
	const n, limit = 10, 2
	lab := netlab.New(t)
	b := &bed{t: t, lab: lab, dut: lab.Namespace("dut"), far: lab.Namespace("far")}
	lab.Link(b.dut, "vd", b.far, "vr")
	b.dut.AddAddr("vd", direct+"/8")
	members := make([]object, n)
	for i := range members {
		a := fmt.Sprintf("10.3.0.%d", i+1)
		b.far.AddAddr("vr", a+"/8")
		members[i] = object{"address": a, "config": object{"address": a, "peer-group": "g"}}
	}
	lab.Listener(b.far, netip.MustParseAddrPort("0.0.0.0:179"), netlab.RemoteConfig{
		AS: remoteAS, RouterID: netip.MustParseAddr("2.2.2.2"), HoldTime: 240 * time.Second,
	})
	b.wire = lab.Capture(b.dut, "vd", 179)
	b.start(runner.Options{})
	const vpn = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=_public_]"
	const group = vpn + "/peer-groups/peer-group[name=g]"
	const mss = group + "/transport/config/tcp-mss"
	b.set(
		runner.Update("/agent/reset-control/config/max-concurrent", limit),
		runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}),
		runner.Update(group+"/config/as", remoteAS),
		runner.Update(vpn+"/peers", object{"peer": members}),
	)
	settled := func(what string, ok func(up, waiting int) bool) {
		t.Helper()
		for end := time.Now().Add(2 * patience); ; time.Sleep(poll) {
			var up, waiting int
			b.read(vpn+"/state/established-peers", &up)
			b.read("/agent/reset-control/state/pending-resets", &waiting)
			if ok(up, waiting) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d are up, %d wait\non the wire:\n%s", what, up, waiting, b.wire.View())
			}
		}
	}
	settled("all up", func(up, _ int) bool { return up == n })

	resp := b.set(runner.Update(mss, 1000), asking(&preview.Preview{DryRun: true}))
	var told preview.Preview
	if err := proto.Unmarshal(resp.Extension[0].GetRegisteredExt().GetMsg(), &told); err != nil {
		t.Fatal(err)
	}
	if p := told.GetPacing(); told.GetResets() != n || p.GetMaxConcurrent() != limit || p.GetAtOnce() != limit || p.GetWaiting() != n-limit {
		t.Errorf("preview says %v", &told)
	}

	_, next, err := b.gnmi.Watch(t.Context(), vpn+"/peers/peer[address=*]/state/pending-reset")
	if err != nil {
		t.Fatal(err)
	}
	mark := b.wire.Mark()
	b.set(runner.Update(mss, 1000))
	waited, ready := map[string]bool{}, 0
	for ready < n-limit { // each that waited is told twice: that it waits, and that it does not any more
		events, err := next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			switch is := fmt.Sprint(e.Value) == "true"; {
			case is:
				waited[e.Path] = true
			case waited[e.Path] && strings.HasSuffix(e.Path, "/pending-reset"):
				ready++
			}
		}
	}
	settled("all up again", func(up, waiting int) bool {
		return up == n && waiting == 0 && len(b.wire.Since(mark).Notifications()) >= n
	})
	v := b.wire.Since(mark)
	ceases, most := ended(v)
	if len(ceases) != n || len(v.Notifications()) != n || most > limit {
		t.Errorf("%d Ceases to %d peers, %d down at once; want one each, at most %d down\n%s", len(v.Notifications()), len(ceases), most, limit, v)
	}
	if len(waited) != n-limit {
		t.Errorf("%d peers were told to wait, want %d: %v", len(waited), n-limit, waited)
	}
}

// ended counts the NOTIFICATIONs to each peer, and how many peers were down at
// once: from one to the KEEPALIVE with which our side is established.
func ended(v netlab.View) (ceases map[netip.Addr]int, most int) {
	ceases, down := map[netip.Addr]int{}, map[netip.Addr]bool{}
	for _, m := range v.Messages(nil) {
		switch m.Type {
		case netlab.TypeNotification:
			ceases[m.To.Addr()]++
			down[m.To.Addr()] = true
		case netlab.TypeKeepalive:
			delete(down, m.From.Addr())
		}
		most = max(most, len(down))
	}
	return ceases, most
}
