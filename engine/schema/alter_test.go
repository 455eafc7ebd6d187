package schema

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/internal/xmltok"
)

// patch applies an alteration by way of the XML codec, so that a create of what
// is there and a delete of what is not there fail.
func (m *memory) patch(t testing.TB, a *Alteration) {
	t.Helper()
	const nc = ` xmlns:nc="` + baseNamespace + `"`
	above, value, end := a.Path.Parent(), string(a.Value), ""
	switch name := "<" + a.Path.Node().Name; a.Op {
	case OpCreate:
		value = name + nc + ` nc:operation="create"` + strings.TrimPrefix(value, name)
	case OpDelete:
		value = string(xmltok.AppendEscaped(nil, a.Entry)) // of a leaf-list
		above = a.Path
	}
	var b strings.Builder
	for i, step := range above {
		n := step.Node
		fmt.Fprintf(&b, "<%s xmlns=%q", n.Name, n.Namespace)
		if a.Op == OpDelete && i == len(above)-1 {
			b.WriteString(nc + ` nc:operation="delete"`)
		}
		b.WriteByte('>')
		for j, key := range step.Keys {
			b.Write(append(xmltok.AppendEscaped(fmt.Appendf(nil, "<%s>", n.Keys[j].Name), key), "</"+n.Keys[j].Name+">"...))
		}
		end = "</" + n.Name + ">" + end
	}
	text := "<config>" + b.String() + value + end + "</config>"
	dec := xmltok.NewDecoder([]byte(text), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		t.Fatal(err)
	}
	if err := DecodeXML(dec, XMLDecodeOptions{DefaultOp: OpMerge}, func(base Path, e *Edit) error { return Apply(m, base, e) }); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Op, a.Path, err, text)
	}
}

// text is what EncodeXML writes.
func (m *memory) text(t testing.TB, f *Filter, c Content) string {
	t.Helper()
	var b strings.Builder
	if err := EncodeXML(&b, m, f, XMLOptions{Content: c}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// compare calls fn for the alterations between two configurations, but for
// those of records below one that is gone.
func compare(from, to *memory, f *Filter, c Content, fn func(Key, *Alteration)) {
	keys := maps.Clone(from.records)
	maps.Copy(keys, to.records)
	gone := Key("")
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if gone != "" && strings.HasPrefix(string(k), string(gone)+"\x00") {
			continue
		}
		state := func(m *memory) RecordState {
			r := RecordState{Config: m.Get(k)}
			if r.Config != nil {
				r.State = m.State(k)
			}
			return r
		}
		Alterations(k, state(from), state(to), f, c, func(a *Alteration) {
			if a.Op == OpDelete && a.Path.Node() == k.Kind().Node {
				gone = k
			}
			fn(k, a)
		})
	}
}

// netconf.md 75: the alterations between two configurations make the one out of
// the other.
func TestAlterationsApply(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		from, to := randomStore(r), randomStore(r)
		if seed%2 == 0 { // most of it is the same
			to = from.begin()
			for _, k := range slices.Sorted(maps.Keys(from.records)) {
				if r.IntN(3) == 0 {
					randomFill(r, k.Kind().Node, structOf(to.Mutable(k)))
				}
			}
		}
		got := from.begin()
		compare(from, to, nil, ConfigOnly, func(_ Key, a *Alteration) { got.patch(t, a) })
		if got, want := got.text(t, nil, ConfigOnly), to.text(t, nil, ConfigOnly); got != want {
			t.Fatalf("seed %d:\ngot  %s\nwant %s", seed, got, want)
		}
	}
}

// netconf.md 75: what a filter does not select is never told, and what it
// selects is.
func TestAlterationsFiltered(t *testing.T) {
	filters := []string{
		``, `<agent xmlns="urn:mooring:yang:agent"/>`, `<bgp ` + bgpXMLNS + `/>`,
		`<bgp ` + bgpXMLNS + `><instances><instance><vpn-instances><vpn-instance><peers><peer><config/></peer></peers></vpn-instance></vpn-instances></instance></instances></bgp>`,
		`<bgp ` + bgpXMLNS + `><instances><instance><vpn-instances><vpn-instance><peers><peer><config><enabled>true</enabled></config><timers/></peer></peers></vpn-instance></vpn-instances></instance></instances></bgp>`,
		`<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>_public_</name></vpn-instance></vpn-instances>`,
		`<vpn-instances ` + vpnXMLNS + `><vpn-instance><ipv4-family><config><import-route-target>1:1</import-route-target></config></ipv4-family></vpn-instance></vpn-instances>`,
		`<bgp ` + bgpXMLNS + `><instances a="b"/></bgp>`, `<bgp ` + bgpXMLNS + `><instances><instance><name>x</name></instance></instances></bgp>`,
	}
	for i, text := range filters {
		f := parseFilter(t, "<filter>"+text+"</filter>")
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 8))
			from, to := randomStore(r), randomStore(r)
			told := false
			compare(from, to, f, ConfigOnly, func(k Key, a *Alteration) {
				told = true
				if a.Op == OpDelete {
					return
				}
				// What is told of the new state is in what the filter selects of it, before
				// the records below.
				value := string(a.Value)
				inner := value[strings.IndexByte(value, '>'):strings.LastIndex(value, "</")]
				if !strings.Contains(to.text(t, f, ConfigOnly), inner) {
					t.Errorf("filter %d, seed %d: %s of %s is not selected: %s", i, seed, a.Op, a.Path, a.Value)
				}
			})
			if before, after := from.text(t, f, ConfigOnly), to.text(t, f, ConfigOnly); told != (before != after) {
				t.Errorf("filter %d, seed %d: told %v\nbefore %s\nafter  %s", i, seed, told, before, after)
			}
		}
		if want := f.root.sub != nil && i != 7; f.Takes(ConfigOnly) != want {
			t.Errorf("filter %d can select something: %v, want %v", i, !want, want)
		}
	}
}

// State and configuration of a peer, of one operation each.
func TestAlterationsOfPeer(t *testing.T) {
	k, _, _ := path(t, peerPath).Record()
	parse := func(json string) *memory {
		return newMemory().must(t, "/", sampleRoot, OpReplace).must(t, peerPath, json, OpMerge)
	}
	session := func(value string) ygot.GoStruct {
		rec := New(k)
		rest := path(t, peerPath+"/state/session-state")[len(k.Path()):]
		v, err := rest.Node().Type.Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		SetLeaf(rec, rest, v)
		return rec
	}
	from, to := parse(`{}`), parse(`{"config":{"local-as":7},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`)
	from.states, to.states = map[Key]ygot.GoStruct{k: session("idle")}, map[Key]ygot.GoStruct{k: session("established")}
	for _, tt := range []struct {
		content Content
		want    []string
	}{
		{All, []string{
			"replace /config/local-as <local-as " + bgpXMLNS + ">7</local-as>",
			"replace /state/session-state <session-state " + bgpXMLNS + ">established</session-state>",
			"create /afi-safis/afi-safi[name=ipv4-unicast] <afi-safi " + bgpXMLNS + "><name>ipv4-unicast</name><config><name>ipv4-unicast</name></config></afi-safi>",
		}},
		{StateOnly, []string{"replace /state/session-state <session-state " + bgpXMLNS + ">established</session-state>"}},
	} {
		var got []string
		compare(from, to, nil, tt.content, func(_ Key, a *Alteration) {
			got = append(got, fmt.Sprintf("%s %s %s", a.Op, strings.TrimPrefix(a.Path.String(), peerPath), a.Value))
		})
		slices.Sort(got)
		want := slices.Sorted(slices.Values(tt.want))
		if !slices.Equal(got, want) {
			t.Errorf("content %d:\ngot  %s\nwant %s", tt.content, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What Alterations relies on: a list entry that is a record has no leaf of its
// own but its key, so a filter cannot ask for anything else there.
func TestRecordsHaveOnlyKeys(t *testing.T) {
	for _, kind := range Kinds() {
		for _, c := range kind.Node.Children {
			if c.IsLeaf() && !c.IsKey() && !kind.Singleton {
				t.Errorf("%s is a leaf beside the key", c.Path())
			}
		}
	}
}
