package schema

import (
	"testing"

	"github.com/openconfig/ygot/ygot"
)

// benchPeer returns the sample peer of 17 leaves and its key.
func benchPeer(b *testing.B) (*memory, Key, ygot.GoStruct) {
	b.Helper()
	m := sample(b)
	k, _, _ := path(b, peerPath).Record()
	b.ReportAllocs()
	b.ResetTimer()
	return m, k, m.records[k]
}

func BenchmarkEncodeJSON(b *testing.B) {
	m, k, rec := benchPeer(b)
	e := &jsonEncoder{dst: make([]byte, 0, 4096), view: m, ietf: true}
	for b.Loop() {
		e.dst = append(e.dst[:0], '{')
		e.members(k.Kind().Node, place{key: k, cfg: structOf(rec)}, unlimited(0), true)
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	_, _, rec := benchPeer(b)
	dst := make([]byte, 0, 4096)
	seal := func(p []byte) []byte { return p }
	for b.Loop() {
		dst = AppendRecord(dst[:0], rec, seal)
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	benchPeer(b)
	p, data := path(b, peerPath), []byte(samplePeer)
	for b.Loop() {
		if err := DecodeJSON(p, data, OpMerge, func(Path, *Edit) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	_, k, rec := benchPeer(b)
	same := func(p []byte) ([]byte, error) { return p, nil }
	data := AppendRecord(nil, rec, func(p []byte) []byte { return p })
	for b.Loop() {
		if _, err := DecodeRecord(k.Kind(), data, same); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	m, k, rec := benchPeer(b)
	changed := m.must(b, peerPath+"/config/description", `"other"`, OpMerge).records[k]
	changed = func() ygot.GoStruct { // no leaf is shared, as after a load
		out, err := DecodeRecord(k.Kind(), AppendRecord(nil, changed, func(p []byte) []byte { return p }), func(p []byte) ([]byte, error) { return p, nil })
		if err != nil {
			b.Fatal(err)
		}
		return out
	}()
	for b.Loop() {
		if len(Diff(k, rec, changed)) != 1 {
			b.Fatal("not one change")
		}
	}
}

func BenchmarkEqual(b *testing.B) {
	_, _, rec := benchPeer(b)
	other := Clone(rec)
	for b.Loop() {
		if !Equal(rec, other) {
			b.Fatal("not equal")
		}
	}
}

func BenchmarkClone(b *testing.B) {
	_, _, rec := benchPeer(b)
	for b.Loop() {
		Clone(rec)
	}
}

func BenchmarkApplyLeaf(b *testing.B) {
	m, k, rec := benchPeer(b)
	p := path(b, peerPath+"/transport/connect-interface/config/source-address")
	e := &Edit{Node: p.Node(), Value: StringValue("10.1.1.9"), HasValue: true}
	for b.Loop() {
		m.records[k] = rec
		clear(m.own)
		clear(m.touched)
		if err := Apply(m, p.Parent(), e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	es := elems(b, peerPath+"/transport/connect-interface/config/source-address")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Resolve(es); err != nil {
			b.Fatal(err)
		}
	}
}
