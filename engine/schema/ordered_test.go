package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

var nacmKey = MakeKey("", KindOf(KindNACM))

// nacm is /nacm with rules of these names, in one list.
func nacm(t *testing.T, rules string) ygot.GoStruct {
	t.Helper()
	var entries []string
	for name := range strings.FieldsSeq(rules) {
		entries = append(entries, `{"name":"`+name+`","action":"deny"}`)
	}
	rec, err := DecodeRecord(nacmKey.Kind(), []byte(`{"rule-list":[{"name":"l","rule":[`+strings.Join(entries, ",")+`]}]}`), func(b []byte) ([]byte, error) { return b, nil })
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// rulesOf lists the names of the rules.
func rulesOf(rec ygot.GoStruct) string {
	text := string(AppendRecord(nil, rec, nil))
	var names []string
	for _, part := range strings.Split(text, `{"name":"`)[2:] {
		name, _, _ := strings.Cut(part, `"`)
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// A list that the user orders keeps its order: in a clone, on disk, in a
// difference, in a comparison and in a merge.
func TestOrderedLists(t *testing.T) {
	rec := nacm(t, "c a b")
	if got := rulesOf(Clone(rec)); got != "c a b" {
		t.Errorf("clone: %s", got)
	}
	if Equal(rec, nacm(t, "a b c")) || !Equal(rec, nacm(t, "c a b")) {
		t.Error("the order does not count")
	}
	var changes []string
	for _, c := range Diff(nacmKey, nacm(t, "a b c"), nacm(t, "b c a")) {
		changes = append(changes, c.Path.String()+": "+c.Old+" -> "+c.New)
	}
	if diff := cmp.Diff([]string{
		"/nacm/rule-list[name=l]/rule[name=b]: position 2 -> position 1", "/nacm/rule-list[name=l]/rule[name=c]: position 3 -> position 2",
		"/nacm/rule-list[name=l]/rule[name=a]: position 1 -> position 3",
	}, changes); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		base, mine, theirs, want string
		conflict                 bool
	}{
		{"a b", "a b", "b a", "b a", false},             // only they moved
		{"a b", "b a", "a b", "b a", false},             // only I moved
		{"a b", "b a", "b a", "b a", false},             // both the same
		{"a b", "x a b", "a b", "x a b", false},         // I put one first
		{"a b c", "x a b c", "b a c", "x b a c", false}, // and they moved: nothing of either is lost
		{"a b c", "c a b", "x a b c", "x c a b", false},
		{"a b", "b a", "a b z", "b a z", false},    // they added one, last
		{"a b", "b a", "a z b", "b a z", false},    // behind a
		{"a b c", "a c", "c b a", "c a", false},    // I deleted one, they moved
		{"a b c", "c a b", "b a c", "c a b", true}, // field.md F10
		{"a b c", "c a b", "b c", "c b", false},    // they deleted one
		{"a b", "x y a b", "z a b", "x y z a b", false},
	} {
		base, mine, theirs := nacm(t, tt.base), nacm(t, tt.mine), nacm(t, tt.theirs)
		merged, conflict := Merge(base, mine, theirs)
		if got := rulesOf(merged); got != tt.want || conflict != tt.conflict {
			t.Errorf("%+v: %s, conflict %v", tt, got, conflict)
		}
		if rulesOf(base) != tt.base || rulesOf(mine) != tt.mine || rulesOf(theirs) != tt.theirs {
			t.Errorf("%+v: an input was changed", tt)
		}
	}
}

// access is an Access by schema path, for the test of Readable.
type access struct{ hidden, shown map[string]bool }

func (a access) Here() bool { return false }

func (a access) Child(n *Node) Access {
	switch p := n.Path(); {
	case a.hidden[p]:
		return Nothing
	case a.shown[p]:
		return nil
	}
	return a
}

func (a access) Entries() []string { return []string{"gone"} }

func (a access) Entry(key string) Access {
	if key == "gone" {
		return Nothing
	}
	return a
}

// What may not be read is not in the copy; what is read is not changed.
func TestReadable(t *testing.T) {
	rec := nacm(t, "a gone b")
	before := string(AppendRecord(nil, rec, nil))
	a := access{hidden: map[string]bool{"/nacm/rule-list/rule/action": true}, shown: map[string]bool{}}
	if got := rulesOf(Readable(rec, a)); got != "a b" {
		t.Errorf("left: %s", got)
	}
	if got := string(AppendRecord(nil, Readable(rec, a), nil)); strings.Contains(got, "action") {
		t.Errorf("left: %s", got)
	}
	if after := string(AppendRecord(nil, rec, nil)); after != before {
		t.Errorf("the original is %s", after)
	}
	if Readable(rec, nil) != rec || Readable(rec, Nothing) != nil || Readable(nil, a) != nil {
		t.Error("all, nothing, no record")
	}
	all := access{hidden: map[string]bool{}, shown: map[string]bool{"/nacm/rule-list": true}}
	if Readable(rec, all) != rec {
		t.Error("a copy was made although nothing is hidden")
	}
	b := newMemory()
	k := MakeKey("", KindOf(KindInstance), "x")
	b.Mutable(k)
	if got := Readable(b.records[k], access{hidden: map[string]bool{"/bgp/instances/instance/config": true}}); got == nil || string(AppendRecord(nil, got, nil)) != `{"name":"x"}` {
		t.Errorf("an entry without its config: %v", got)
	}
}
