package push

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/gen"
)

func path(t testing.TB, elems ...schema.Elem) schema.Path {
	t.Helper()
	p, err := schema.Resolve(elems)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func named(name, key, value string) schema.Elem {
	return schema.Elem{Name: name, Keys: map[string]string{key: value}}
}

// netconf.md 75: targets are paths as RFC 8040 3.5.3 has them.
func TestTarget(t *testing.T) {
	vpn := path(t, schema.Elem{Name: "vpn-instances"}, named("vpn-instance", "name", "x"))
	vpn[1].Keys = []string{`a/b,c=100% "ü"`}
	for _, tt := range []struct {
		path     schema.Path
		leafList bool
		entry    string
		want     string
	}{
		{vpn, false, "", "/mooring-vpn-instance:vpn-instances/vpn-instance=a%2Fb%2Cc%3D100%25%20%22%C3%BC%22"},
		{vpn[:1], false, "", "/mooring-vpn-instance:vpn-instances"},
		{vpn[:1], true, "1:2", "/mooring-vpn-instance:vpn-instances=1%3A2"},
		{
			path(t, schema.Elem{Name: "bgp"}, schema.Elem{Name: "instances"}, named("instance", "name", "x_-.~Z9")), false, "",
			"/mooring-bgp:bgp/instances/instance=x_-.~Z9",
		},
	} {
		if got := string(appendTarget(nil, tt.path, tt.leafList, tt.entry)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

// changed is a change of the description of a VPN instance, empty for one that
// is not there.
func changed(name, old, now string) commit.Change {
	k := schema.MakeKey("", schema.KindOf(schema.KindVPNInstance), name)
	entry := func(description string) (e commit.Entry) {
		if description != "" {
			rec := schema.New(k).(*gen.MooringVpnInstance_VpnInstances_VpnInstance)
			rec.Config.Description = &description
			e.Config = rec
		}
		return e
	}
	return commit.Change{Key: k, Old: entry(old), New: entry(now)}
}

// netconf.md 75: subscribers of the same selection share the edits of a batch,
// others do not, and what is left out is not counted.
func TestCache(t *testing.T) {
	changes := []commit.Change{changed("a", "1", "2"), changed("b", "", "3"), changed("c", "4", ""), changed("d", "5", "5")}
	all, excluding := &Selection{Content: schema.ConfigOnly, Key: "all"}, &Selection{Content: schema.ConfigOnly, Key: "some", Exclude: []schema.Op{schema.OpReplace}}
	var c Cache
	text := func(changes []commit.Change, sel *Selection) string {
		t.Helper()
		var b strings.Builder
		if err := Write(&b, changes, c.Reader(sel, len(changes))); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const ns = ` xmlns="urn:mooring:yang:vpn-instance"`
	edit := func(id, op, rest string) string {
		return "<edit><edit-id>" + id + "</edit-id><operation>" + op + "</operation><target>/mooring-vpn-instance:vpn-instances/vpn-instance=" + rest + "</edit>"
	}
	b := "b</target><value><vpn-instance" + ns + "><name>b</name><config><name>b</name><description>3</description></config></vpn-instance></value>"
	want := edit("1", "replace", "a/config/description</target><value><description"+ns+">2</description></value>") + edit("2", "create", b) + edit("3", "delete", "c</target>")
	for range 2 {
		if got := text(changes, all); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got, want := text(changes, excluding), edit("1", "create", b)+edit("2", "delete", "c</target>"); got != want {
		t.Errorf("excluding:\ngot  %s\nwant %s", got, want)
	}
	if len(c.known) != 2*len(changes) {
		t.Errorf("the edits of %d changes are kept, want those of %d for each selection", len(c.known), len(changes))
	}
	if got := text(changes[3:], all) + text(nil, all); got != "" {
		t.Errorf("of no change: %s", got)
	}
	many := slices.Repeat(changes[:1], maxShared+1)
	if got := text(many, all); strings.Count(got, "<edit>") != len(many) || len(c.known) != 2*len(changes) {
		t.Errorf("a large batch: %d edits, those of %d changes are kept", strings.Count(got, "<edit>"), len(c.known))
	}
	for i := range 2 * recentChanges {
		text([]commit.Change{changed("e", "1", fmt.Sprint(i))}, all)
	}
	if len(c.known) != recentChanges {
		t.Errorf("the edits of %d changes are kept", len(c.known))
	}
	c.Forget()
	if got := text(changes, all); got != want {
		t.Errorf("after Forget: %s", got)
	}
	failing := errors.New("full")
	if err := Write(writer{failing}, changes, c.Reader(all, len(changes))); !errors.Is(err, failing) {
		t.Errorf("error of the writer: %v", err)
	}
	if err := Write(writer{failing}, many, c.Reader(all, len(many))); !errors.Is(err, failing) {
		t.Errorf("error of the writer: %v", err)
	}
}

type writer struct{ err error }

func (w writer) Write([]byte) (int, error) { return 0, w.err }

// netconf.md 75: with a record all below it goes.
func TestGone(t *testing.T) {
	in := schema.MakeKey("", schema.KindOf(schema.KindInstance), "default")
	vpn := schema.MakeKey(in, schema.KindOf(schema.KindBGPVPNInstance), "v")
	gone := func(k schema.Key) commit.Change {
		return commit.Change{Key: k, Old: commit.Entry{Config: schema.New(k)}}
	}
	var b strings.Builder
	if err := Write(&b, []commit.Change{gone(in), gone(vpn), gone(schema.MakeKey("", schema.KindOf(schema.KindInstance), "default2"))}, (&Selection{Content: schema.ConfigOnly}).Reader(nil)); err != nil {
		t.Fatal(err)
	}
	const want = "<edit><edit-id>1</edit-id><operation>delete</operation><target>/mooring-bgp:bgp/instances/instance=default</target></edit>" +
		"<edit><edit-id>2</edit-id><operation>delete</operation><target>/mooring-bgp:bgp/instances/instance=default2</target></edit>"
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
}

// FuzzTarget: whatever a key holds, the path needs no escape in XML, and has as
// many separators as steps.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"a", "a/b=c,d", "\x00<&>\"'", "%41", "ü]", ""} {
		f.Add(seed)
	}
	steps := path(f, schema.Elem{Name: "vpn-instances"}, named("vpn-instance", "name", "x"))
	f.Fuzz(func(t *testing.T, key string) {
		p := schema.Path{steps[0], {Node: steps[1].Node, Keys: []string{key}}}
		got := string(appendTarget(nil, p, false, ""))
		if strings.ContainsAny(got, "<>&\"'#\n ") || strings.Count(got, "/") != 2 || strings.Count(got, "=") != 1 {
			t.Errorf("%q: %s", key, got)
		}
	})
}

// steps are changes of the description of x, one after the other, empty where
// the VPN instance is not there.
func steps(values ...string) (out []commit.Change) {
	for i := range values[1:] {
		out = append(out, changed("x", values[i], values[i+1]))
	}
	return out
}

// netconf.md 75, RFC 8641 3.3 step 4: what changed and is as before is sent with the last
// change, and each node once.
func TestDampened(t *testing.T) {
	const at = "/mooring-vpn-instance:vpn-instances/vpn-instance=x"
	const leaf = at + "/config/description"
	tests := []struct {
		name    string
		values  []string
		exclude []schema.Op
		want    string
	}{
		{"one change", []string{"a", "b"}, nil, "replace " + leaf + " b"},
		{"two", []string{"a", "b", "c"}, nil, "replace " + leaf + " c"},
		{"and back", []string{"a", "b", "a"}, nil, "replace " + leaf + " a"},
		{"there and back often", []string{"a", "b", "a", "c", "a"}, nil, "replace " + leaf + " a"},
		{"came", []string{"", "a"}, nil, "create " + at + " a"},
		{"came and changed", []string{"", "a", "b"}, nil, "create " + at + " b"},
		{"came and went", []string{"", "a", ""}, nil, "delete " + at},
		{"came, changed and went", []string{"", "a", "b", ""}, nil, "delete " + at},
		{"came, went and came", []string{"", "a", "", "b"}, nil, "create " + at + " b"},
		{"changed and went", []string{"a", "b", ""}, nil, "delete " + at},
		{"went and came", []string{"a", "", "a"}, nil, "create " + at + " a"},
		{"went and came as another", []string{"a", "", "b"}, nil, "create " + at + " b"},
		{"went, came and changed", []string{"a", "", "b", "c"}, nil, "create " + at + " b, replace " + leaf + " c"},
		{"went, came and went", []string{"a", "", "b", ""}, nil, "delete " + at},
		{"and back, where a replace is left out", []string{"a", "b", "a"}, []schema.Op{schema.OpReplace}, ""},
		{"came and went, where a delete is left out", []string{"", "a", ""}, []schema.Op{schema.OpDelete}, ""},
		{"went and came as another, where a create is left out", []string{"a", "", "b"}, []schema.Op{schema.OpCreate}, "replace " + leaf + " b"},
		{"went and came, where a create is left out", []string{"a", "", "a"}, []schema.Op{schema.OpCreate}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := steps(tt.values...)
			for split := range len(all) + 1 { // in two batches
				var d Dampened
				sel := &Selection{Content: schema.ConfigOnly, Exclude: tt.exclude}
				r := sel.Reader(nil)
				d.Add(all[:split], r)
				d.Add(all[split:], r)
				var b strings.Builder
				if err := d.Write(&b, r); err != nil || !d.Empty() {
					t.Fatal(err, d.Len())
				}
				if got := brief(b.String()); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			}
		})
	}
}

var editForm = regexp.MustCompile(`<edit><edit-id>\d+</edit-id><operation>(\w+)</operation><target>([^<]*)</target>(?:<value>.*?<description[^>]*>(\w+)</description>.*?</value>)?</edit>`)

// brief names the edits of a patch with the description that each leads to.
func brief(patch string) string {
	var out []string
	for _, m := range editForm.FindAllStringSubmatch(patch, -1) {
		out = append(out, strings.TrimSpace(m[1]+" "+m[2]+" "+m[3]))
	}
	return strings.Join(out, ", ")
}

// What is remembered is bounded, and forgotten when the rights change; the
// difference is sent all the same.
func TestDampenedForgets(t *testing.T) {
	sel := &Selection{Content: schema.ConfigOnly}
	r := sel.Reader(nil)
	for name, forget := range map[string]func(*Dampened){
		"another reader": (*Dampened).Forget,
		"too many":       func(d *Dampened) { d.churned = maxChurned },
	} {
		var d Dampened
		d.Add(steps("a", "b"), r)
		forget(&d)
		d.Add(steps("b", "a", "c"), r)
		d.Add([]commit.Change{changed("y", "a", "b"), changed("y", "b", "a")}, r)
		if name == "another reader" {
			d.Forget()
		}
		var b strings.Builder
		if err := d.Write(&b, r); err != nil {
			t.Fatal(err)
		}
		if got, want := brief(b.String()), "replace /mooring-vpn-instance:vpn-instances/vpn-instance=x/config/description c"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
