package schema

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// rounds is how many random configurations a property is tried on.
const rounds = 60

// each runs fn with seeded random numbers.
func each(t *testing.T, fn func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	for seed := range uint64(rounds) {
		if t.Failed() {
			t.Fatalf("seed %d", seed-1)
		}
		fn(t, rand.New(rand.NewPCG(seed, 7)))
	}
}

// hidden returns the store without secrets, as no encoding returns them.
func (m *memory) hidden() *memory {
	out := m.begin()
	for k, rec := range out.records {
		rec = Clone(rec)
		for _, c := range Diff(k, nil, rec) {
			if c.Node.Secret {
				_, rest, _ := c.Path.Record()
				c.Node.unset(locate(structOf(rec), rest))
			}
		}
		out.records[k] = rec
	}
	return out
}

// Replacing the root of A by the JSON of B gives B, in both forms, and updating
// A with itself changes nothing.
func TestReplaceRoot(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand) {
		a, b := randomStore(r), randomStore(r).hidden()
		for _, ietf := range []bool{true, false} {
			text := b.json(t, "/", JSONOptions{IETF: ietf})
			if got := a.must(t, "/", text, OpReplace); !got.equal(b) {
				t.Fatalf("ietf=%v: replaced to\n%s\nnot\n%s", ietf, got.json(t, "/", JSONOptions{}), text)
			}
		}
		text := a.json(t, "/", JSONOptions{})
		if got := a.must(t, "/", text, OpMerge); !got.equal(a) {
			t.Fatalf("an update with itself changed it:\n%s", cmp.Diff(text, got.json(t, "/", JSONOptions{})))
		}
	})
}

// A difference is empty exactly where records are equal, and writing the new
// values of a difference onto the old record gives the new one.
func TestDiffAndEqual(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand) {
		a, b := randomStore(r), randomStore(r)
		for k, old := range a.records {
			for other, rec := range b.records {
				if other.Kind() == k.Kind() && (Equal(old, rec) != (len(Diff(k, old, rec)) == 0) || Equal(old, rec) != Equal(rec, old)) {
					// Records of lists without config/<key> could differ in nothing else; the model has none.
					t.Fatalf("%s: equal %v, diff %v", k, Equal(old, rec), Diff(k, old, rec))
				}
			}
			if !Equal(old, Clone(old)) || len(Diff(k, old, old)) != 0 {
				t.Fatalf("%s is not equal to its clone", k)
			}
			if Equal(old, nil) || Equal(nil, old) || !Equal(nil, nil) {
				t.Fatal("nil is not handled")
			}
			set := 0
			Leaves(a, k.Path(), LeafOptions{}, func(l *LeafValue) bool {
				if l.Key == k && !(l.Node.IsKey() && l.Node.Twin() != nil) {
					set++
				}
				return true
			})
			shown := 0
			for _, c := range Diff(k, nil, old) {
				if !c.Node.Secret {
					shown++
				}
			}
			if shown != set {
				t.Fatalf("%s: %d leaves, a difference from nothing has %d", k, set, shown)
			}
		}
	})
}

// What is done to a clone is not seen in the original, and the reverse.
func TestCloneIndependence(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand) {
		for k, rec := range randomStore(r).records {
			before := string(AppendRecord(nil, rec, same))
			copied := Clone(rec)
			n := k.Kind().Node
			randomFill(r, n, structOf(copied))
			for _, c := range n.Children {
				switch {
				case r.IntN(2) == 0 || c.spine || c.kind != nil || c.isKey:
				case c.Kind == Container:
					c.clear(structOf(copied))
				default:
					c.unset(structOf(copied))
				}
			}
			if after := string(AppendRecord(nil, rec, same)); after != before {
				t.Fatalf("%s: the original changed:\n%s", k, cmp.Diff(before, after))
			}
			copied = Clone(rec)
			randomFill(r, n, structOf(rec))
			if after := string(AppendRecord(nil, copied, same)); after != before {
				t.Fatalf("%s: the clone changed:\n%s", k, cmp.Diff(before, after))
			}
		}
	})
}

func same(p []byte) []byte { return p }

// A stored record comes back as it was, with its secrets, which do not stand
// in it in the clear.
func TestRecordRoundTrip(t *testing.T) {
	seal := func(p []byte) []byte {
		out := make([]byte, len(p))
		for i := range p {
			out[i] = p[i] ^ 0x5a
		}
		return out
	}
	open := func(p []byte) ([]byte, error) { return seal(p), nil }
	each(t, func(t *testing.T, r *rand.Rand) {
		for k, rec := range randomStore(r).records {
			data := AppendRecord(nil, rec, seal)
			back, err := DecodeRecord(k.Kind(), data, open)
			if err != nil || !Equal(rec, back) {
				t.Fatalf("%s: %s\n%v", k, data, err)
			}
		}
	})
	k := keyOf(t, peerPath)
	if data := string(AppendRecord(nil, sample(t).records[k], seal)); !containsAll(data, `"password":"KWk5KD8u"`) {
		t.Errorf("the secret is not sealed: %s", data)
	}
	for data, text := range map[string]string{
		`{"address":"10.1.1.2","config":{"as":0}}`: "AS number",
		`{"config":{"as":1}}`:                      "no key",
		`{"address":"10.1.1.2"} x`:                 "malformed",
		`{"address":"10.1.1.2","transport":{"authentication":{"config":{"password":"not base64"}}}}`: "opened",
	} {
		if _, err := DecodeRecord(k.Kind(), []byte(data), open); err == nil || !containsAll(err.Error(), text) {
			t.Errorf("%s: %v", data, err)
		}
	}
	locked := func([]byte) ([]byte, error) { return nil, fmt.Errorf("wrong key") }
	if _, err := DecodeRecord(k.Kind(), AppendRecord(nil, sample(t).records[k], seal), locked); err == nil || !containsAll(err.Error(), "wrong key") {
		t.Errorf("got %v", err)
	}
}

// A record that needs more than the decoder keeps leaves nothing behind for
// the next one, nor does one that is refused.
func TestDecodeRecordLeavesNothingBehind(t *testing.T) {
	big := New(keyOf(t, peerPath))
	for i := range 16 {
		entry := path(t, fmt.Sprintf("%s/transport/authentication/keys/key[key-id=%d]/config/secret", peerPath, i))
		_, rest, _ := entry.Record()
		SetLeaf(big, rest, StringValue("s"))
	}
	k := keyOf(t, peerPath)
	small, want := sample(t).records[k], New(k)
	keep := func(p []byte) ([]byte, error) { return p, nil }
	for range 3 {
		for _, rec := range []ygot.GoStruct{big, want, small, want} {
			back, err := DecodeRecord(k.Kind(), AppendRecord(nil, rec, same), keep)
			if err != nil || !Equal(rec, back) {
				t.Fatalf("%v\n%s", err, cmp.Diff(rec, back))
			}
		}
		if _, err := DecodeRecord(k.Kind(), []byte(`{"address":"10.1.1.2","config":{"as":1,"local-as":0}}`), keep); err == nil {
			t.Fatal("accepted")
		}
	}
}

// Reads do not change what is read.
func TestReadersDoNotWrite(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand) {
		m := randomStore(r)
		copies := map[Key]ygot.GoStruct{}
		for k, rec := range m.records {
			copies[k] = Clone(rec)
		}
		m.json(t, "/", JSONOptions{})
		Leaves(m, nil, LeafOptions{Defaults: true}, func(*LeafValue) bool { return true })
		Match(m, nil, LeafOptions{}, func(Path) bool { return true })
		for k, rec := range m.records {
			if diff := cmp.Diff(copies[k], rec, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Fatalf("%s: %s", k, diff)
			}
		}
	})
}
