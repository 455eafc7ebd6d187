package gnmi

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
)

func snapshotExt(at time.Time) *extpb.Extension {
	return &extpb.Extension{Ext: &extpb.Extension_History{History: &extpb.History{Request: &extpb.History_SnapshotTime{SnapshotTime: at.UnixNano()}}}}
}

func rangeExt(start, end time.Time) *extpb.Extension {
	return &extpb.Extension{Ext: &extpb.Extension_History{History: &extpb.History{Request: &extpb.History_Range{
		Range: &extpb.TimeRange{Start: start.UnixNano(), End: end.UnixNano()},
	}}}}
}

// pastOf makes this history, with the times that it returns the first of:
//
//	0s   the example, and its session
//	10s  the description is "one"
//	20s  the session ends and comes back
//	30s  the description is "two"
//	40s  the peer is deleted
//	50s  now
func pastOf(b *bench) time.Time {
	b.Helper()
	start := time.Now()
	for _, step := range []func(){
		func() { b.describe("one") }, b.flap, func() { b.describe("two") },
		func() { b.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}}) },
	} {
		time.Sleep(10 * time.Second)
		step()
		synctest.Wait()
	}
	time.Sleep(10 * time.Second)
	return start
}

// gnmi.md 91: ONCE shows what was there at a time, configuration and state, in
// either model, and never what is there now.
func TestHistorySnapshot(t *testing.T) {
	const leaves = `subscription: {path: {PEER /config /description}} subscription: {path: {PEER /state elem: {name: "established-transitions"}}} mode: ONCE`
	oc := `subscription: {path: {` + pathProto("/network-instances/network-instance[name=vpn1]/protocols/protocol[identifier=BGP][name=default]/bgp/neighbors/neighbor[neighbor-address=10.1.1.2]/state/established-transitions") + `}} mode: ONCE`
	tests := []struct {
		seconds       int
		want          []string
		ocTransitions string
	}{
		{5, []string{"5s PEER/state/established-transitions = json 1", "sync"}, "1"},
		{10, []string{`10s PEER/config/description = json "one"`, "10s PEER/state/established-transitions = json 1", "sync"}, "1"},
		{25, []string{`25s PEER/config/description = json "one"`, "25s PEER/state/established-transitions = json 2", "sync"}, "2"},
		{35, []string{`35s PEER/config/description = json "two"`, "35s PEER/state/established-transitions = json 2", "sync"}, "2"},
		{40, []string{"sync"}, ""},
		{50, []string{"sync"}, ""},
	}
	bubble(t, func(b *bench) {
		epoch := pastOf(b)
		for _, tt := range tests {
			at := epoch.Add(time.Duration(tt.seconds) * time.Second)
			p := b.open(leaves, snapshotExt(at))
			p.epoch = epoch
			p.want(time.Second, tt.want...)
			if err := <-p.ended; err != nil {
				t.Errorf("at %ds: ended with %v", tt.seconds, err)
			}
			p = b.open(oc, snapshotExt(at))
			got := strings.Join(p.read(time.Second), "\n")
			if want := "established-transitions = json " + tt.ocTransitions + "\n"; strings.Contains(got, want) != (tt.ocTransitions != "") {
				t.Errorf("OpenConfig at %ds: %s", tt.seconds, got)
			}
		}
		// The agent tells of itself what it knew then, and nothing of the speaker.
		p := b.open(`subscription: {path: {elem: {name: "agent"}}} mode: ONCE`, snapshotExt(epoch.Add(15*time.Second)))
		all := strings.Join(p.read(time.Second), "\n")
		if !strings.Contains(all, `/agent/state/revision = json 2`) || strings.Contains(all, "commit[revision=3]") || strings.Contains(all, "/agent/backend/state") {
			t.Errorf("the agent at 15s:\n%s", all)
		}
		p = b.open(leaves+` updates_only: true`, snapshotExt(epoch.Add(35*time.Second)))
		p.want(time.Second, "sync")
	})
}

// gnmi.md 91: STREAM tells what was there at the start, then every update in
// [start, end) with its own time, and ends with OK.
func TestHistoryRange(t *testing.T) {
	const leaves = `subscription: {path: {PEER /config /description}} subscription: {path: {PEER /state /session-state} mode: SAMPLE sample_interval: 1000000000}`
	const settled = `PEER/state/session-state = json "established"`
	tests := []struct {
		name     string
		from, to int
		list     string
		want     []string
	}{
		{"one update", 5, 15, leaves, []string{"5s " + settled, "sync", `10s PEER/config/description = json "one"`}},
		{
			"all of it", 5, 45, leaves,
			[]string{
				"5s " + settled, "sync", `10s PEER/config/description = json "one"`, `20s PEER/state/session-state = json "idle"`, "20s " + settled,
				`30s PEER/config/description = json "two"`, `40s PEER/config/description deleted`, `40s PEER/state/session-state deleted`,
			},
		},
		{"the start is in it", 10, 15, leaves, []string{"10s " + settled, "sync", `10s PEER/config/description = json "one"`}},
		{"the end is not", 5, 10, leaves, []string{"5s " + settled, "sync"}},
		{"nothing at all", 5, 5, leaves, []string{"5s " + settled, "sync"}},
		{"updates only", 5, 15, leaves + " updates_only: true", []string{"sync", `10s PEER/config/description = json "one"`}},
		{
			"the peer as such", 35, 45, `subscription: {path: {PEERS /config /description}} subscription: {path: {` + pathProto(vpn1+"/state/peers") + `}}`,
			[]string{"35s " + vpn1 + "/state/peers = json 1", `35s PEER/config/description = json "two"`, "sync", "40s PEER/config/description deleted", "40s " + vpn1 + "/state/peers = json 0"},
		},
	}
	bubble(t, func(b *bench) {
		epoch := pastOf(b)
		at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
		for _, tt := range tests {
			p := b.open(tt.list, rangeExt(at(tt.from), at(tt.to)))
			p.epoch = epoch
			got := p.read(time.Second)
			slices.Sort(got) // of one instant, records may come in any order
			want := slices.Sorted(slices.Values(tt.want))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %q, want %q", tt.name, got, want)
			}
			if err := <-p.ended; err != nil {
				t.Errorf("%s: ended with %v", tt.name, err)
			}
		}
	})
}

// gnmi.md 91: a range may end in the time to come, or never; gnmi.md 90: a
// config subscription is told of the commits of the past as of those to come.
func TestHistoryRangeGoesOn(t *testing.T) {
	start := &extpb.Extension{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
		Action: &extpb.ConfigSubscription_Start{Start: &extpb.ConfigSubscriptionStart{}},
	}}}
	const list = `subscription: {path: {PEER /config /description}} updates_only: true`
	bubble(t, func(b *bench) {
		epoch := time.Now()
		time.Sleep(10 * time.Second)
		b.describe("one")
		time.Sleep(10 * time.Second)
		limited := b.open(list, start, rangeExt(epoch.Add(1), epoch.Add(40*time.Second)))
		endless := b.open(list, start, rangeExt(epoch.Add(1), time.Unix(0, math.MaxInt64)))
		limited.epoch, endless.epoch = epoch, epoch
		past := []string{"sync", `10s PEER/config/description = json "one"`, `server_commit_id:"2" done:true`}
		limited.want(time.Second, past...)
		endless.want(time.Second, past...)
		time.Sleep(8 * time.Second)
		b.describe("two")
		for _, p := range []*pipe{limited, endless} {
			p.want(time.Second, `30s PEER/config/description = json "two"`, `server_commit_id:"3" done:true`)
		}
		limited.want(time.Minute)
		if err := <-limited.ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		b.describe("three")
		endless.want(time.Second, `40s PEER/config/description = json "three"`, `server_commit_id:"4" done:true`)
		// gnmi.md 53: nothing may follow the list.
		endless.in <- &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
		wantStatus(t, <-endless.ended, codes.InvalidArgument, "nothing may follow")
	})
}

// gnmi.md 91: a range in the OpenConfig view. The AS of a BGP instance is told
// of each of its network instances that was there when it changed, also of those
// made since the start and since the present.
func TestHistoryRangeOpenConfig(t *testing.T) {
	as := func(vpn string) string {
		return "/network-instances/network-instance[name=" + vpn + "]/protocols/protocol[identifier=BGP][name=default]/bgp/global/config/as"
	}
	list := `subscription: {path: {` + pathProto(as("*")) + `}}`
	bubble(t, func(b *bench) {
		epoch := time.Now()
		step := func(updates ...*gpb.Update) {
			time.Sleep(10 * time.Second)
			b.set(&gpb.SetRequest{Update: updates})
			synctest.Wait()
		}
		vpn := func(name string) []*gpb.Update {
			return []*gpb.Update{
				update("/vpn-instances/vpn-instance[name="+name+"]", jsonVal("{}")),
				update("/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name="+name+"]", jsonVal(`{"name":"`+name+`"}`)),
			}
		}
		change := func(n string) *gpb.Update {
			return update("/bgp/instances/instance[name=default]/config/as", jsonVal(n))
		}
		step(vpn("vpn2")...)
		step(change("101"))
		time.Sleep(10 * time.Second)
		p := b.open(list, rangeExt(epoch.Add(time.Second), time.Unix(0, math.MaxInt64)))
		p.epoch = epoch
		wantIn(t, p.read(time.Second), "1s "+as("vpn1")+" = json 100", "sync", "20s "+as("vpn1")+" = json 101", "20s "+as("vpn2")+" = json 101")
		step(vpn("vpn3")...)
		step(change("102"))
		wantIn(t, p.read(time.Second), "51s "+as("vpn1")+" = json 102", "51s "+as("vpn2")+" = json 102", "51s "+as("vpn3")+" = json 102")
	})
}

// wantIn fails where a line is missing.
func wantIn(t *testing.T, lines []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(lines, w) {
			t.Errorf("%s is missing in %q", w, lines)
		}
	}
}

// gnmi.md 91, 92: what is asked for in a wrong way, or is not kept.
func TestHistoryRefused(t *testing.T) {
	const peer = `subscription: {path: {PEER /state}}`
	bubble(t, func(b *bench) {
		epoch := pastOf(b)
		h := func(at int) *extpb.Extension { return snapshotExt(epoch.Add(time.Duration(at) * time.Second)) }
		r := func(from, to int) *extpb.Extension {
			return rangeExt(epoch.Add(time.Duration(from)*time.Second), epoch.Add(time.Duration(to)*time.Second))
		}
		tests := []struct {
			name, list string
			ext        *extpb.Extension
			code       codes.Code
			text       string
		}{
			{"a snapshot with STREAM", peer, h(5), codes.InvalidArgument, "mode ONCE, not STREAM"},
			{"a snapshot with POLL", peer + " mode: POLL", h(5), codes.InvalidArgument, "mode ONCE, not POLL"},
			{"a range with ONCE", peer + " mode: ONCE", r(5, 6), codes.InvalidArgument, "mode STREAM, not ONCE"},
			{"a range with POLL", peer + " mode: POLL", r(5, 6), codes.InvalidArgument, "mode STREAM, not POLL"},
			{"an end before the start", peer, r(6, 5), codes.InvalidArgument, "after its end"},
			{"no end", peer, rangeExt(epoch, time.Unix(0, 0)), codes.InvalidArgument, "after its end"},
			{"neither", peer, &extpb.Extension{Ext: &extpb.Extension_History{History: &extpb.History{}}}, codes.InvalidArgument, "snapshot_time or a range"},
			{"a snapshot to come", peer + " mode: ONCE", h(60), codes.Unimplemented, "yet to come"},
			{"a start to come", peer, r(60, 70), codes.Unimplemented, "yet to come"},
			{"state from before the agent", peer + " mode: ONCE", h(-1), codes.OutOfRange, "the state is kept from"},
			{"configuration from before the history", `subscription: {path: {PEER /config}} mode: ONCE`, h(-1), codes.OutOfRange, "the configuration is kept from"},
			{"a range from before", peer, r(-1, 5), codes.OutOfRange, "the state is kept from"},
			{"before the epoch", peer + " mode: ONCE", snapshotExt(time.Unix(-1, 0)), codes.OutOfRange, "is kept from"},
			{"a path that is not there", `subscription: {path: {elem: {name: "no"}}} mode: ONCE`, h(5), codes.Unimplemented, `there is no "no"`},
		}
		for _, tt := range tests {
			p := b.open(tt.list, tt.ext)
			if got := p.read(time.Second); len(got) > 0 {
				t.Errorf("%s: told %q", tt.name, got)
			}
			t.Run(tt.name, func(t *testing.T) { wantStatus(t, <-p.ended, tt.code, tt.text) })
		}
		// A commit that the history no longer has.
		b.set(&gpb.SetRequest{Update: []*gpb.Update{update("/agent/history/config/size", jsonVal("1"))}})
		p := b.open(`subscription: {path: {PEER /config}} mode: ONCE`, h(35))
		p.read(time.Second)
		wantStatus(t, <-p.ended, codes.OutOfRange, "the configuration is kept from "+stampOf(epoch.Add(50*time.Second)))
	})
}
