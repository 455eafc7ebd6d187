package ocview

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// sorted is a View of many records without state.
type sorted struct {
	keys    []schema.Key
	records map[schema.Key]ygot.GoStruct
}

func (s *sorted) Get(k schema.Key) ygot.GoStruct { return s.records[k] }
func (s *sorted) State(schema.Key) ygot.GoStruct { return nil }

func (s *sorted) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	i, _ := slices.BinarySearch(s.keys, prefix)
	for ; i < len(s.keys) && strings.HasPrefix(string(s.keys[i]), string(prefix)); i++ {
		if !fn(s.keys[i], s.records[s.keys[i]]) {
			return
		}
	}
}

const manyPeers = 10000

func many(b *testing.B) (*sorted, []byte) {
	var text strings.Builder
	text.WriteString(`{"neighbor":[`)
	for i := range manyPeers {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"config":{"neighbor-address":"10.0.%d.%d","peer-as":65000,"description":"d"},"neighbor-address":"10.0.%d.%d","timers":{"config":{"hold-time":90}},"transport":{"config":{"local-address":"10.1.1.1","tcp-mss":1400}}}`, i/256, i%256, i/256, i%256)
	}
	text.WriteString(`]}`)
	s := newStore()
	data := []byte(text.String())
	if err := WriteJSON(s, oc(b, theProtocol+"/bgp/neighbors"), data, schema.OpMerge); err != nil {
		b.Fatal(err)
	}
	out := &sorted{records: s.records}
	for k := range s.records {
		out.keys = append(out.keys, k)
	}
	slices.Sort(out.keys)
	return out, data
}

func BenchmarkLeaves(b *testing.B) {
	s, _ := many(b)
	root := oc(b, "/")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = 0
		Leaves(s, root, schema.LeafOptions{Defaults: true}, func(*schema.LeafValue) bool {
			n++
			return true
		})
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

func BenchmarkAppendJSON(b *testing.B) {
	s, _ := many(b)
	root := oc(b, "/")
	for b.Loop() {
		text, err := AppendJSON(nil, s, root, schema.JSONOptions{IETF: true})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
	}
	b.ReportMetric(manyPeers*float64(b.N)/b.Elapsed().Seconds(), "peers/s")
}

func BenchmarkWriteJSON(b *testing.B) {
	_, data := many(b)
	at := oc(b, theProtocol+"/bgp/neighbors")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := WriteJSON(newStore(), at, data, schema.OpMerge); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(manyPeers*float64(b.N)/b.Elapsed().Seconds(), "peers/s")
}

func BenchmarkWriteLeaf(b *testing.B) {
	s := example(b)
	at := oc(b, theNeighbor+"/transport/config/local-address")
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteScalar(s, at, "10.1.1.1", schema.OpMerge); err != nil {
			b.Fatal(err)
		}
	}
}
