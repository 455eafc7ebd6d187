package schema

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"
)

// peerStore has n peers of 17 leaves, keys not counted, in one group.
func peerStore(tb testing.TB, n int) *store {
	tb.Helper()
	s := baseStore(tb).mustXML(tb, `<vpn-instances `+vpnXMLNS+`><vpn-instance><name>_public_</name></vpn-instance></vpn-instances>`)
	group, _, _ := path(tb, vpn1Path).Record()
	tx := s.begin()
	tx = tx.mustXML(tb, xmlPeer(0))
	first, _, _ := path(tb, vpn1Path+"/peers/peer[address=10.0.0.0]").Record()
	model := tx.Get(first)
	tx = tx.begin()
	for i := 1; i < n; i++ {
		address := benchAddress(i)
		k := MakeKey(group, KindOf(KindPeer), address)
		rec := Clone(model).(*genPeer)
		rec.Address, rec.Config.Address = &address, &address
		tx.old[k] = nil
		tx.records.Set(k, ygot.GoStruct(rec))
	}
	return tx.begin()
}

func benchAddress(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }

// benchPeer is an edit of one peer with 17 leaves.
func xmlPeer(i int) string {
	return peerXML(benchAddress(i), `<config><address>`+benchAddress(i)+`</address><description>a peer</description><enabled>true</enabled>`+
		`<peer-group>g1</peer-group><as>65001</as><local-as>65002</local-as></config>`+
		`<transport><config><connect-mode>both</connect-mode><remote-port>179</remote-port><ebgp-max-hop>4</ebgp-max-hop>`+
		`<tcp-mss>1400</tcp-mss><path-mtu-discovery>true</path-mtu-discovery><dscp>48</dscp></config>`+
		`<connect-interface><config><interface>LoopBack1</interface><source-address>10.9.9.9</source-address></config></connect-interface></transport>`+
		`<timers><config><hold-time>90</hold-time><keepalive-interval>30</keepalive-interval><connect-retry>10</connect-retry></config></timers>`)
}

// One changed leaf costs the same whatever the number of peers: at most 10 us.
func BenchmarkValidateOneLeaf(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		s := peerStore(b, n)
		tx, err := s.editXML(peerXML(benchAddress(7), `<transport><config><tcp-mss>1300</tcp-mss></config></transport>`), OpMerge)
		if err != nil {
			b.Fatal(err)
		}
		tx.reindex()
		tx.indexed, tx.old = nil, map[Key]ygot.GoStruct{}
		k := MakeKey(KindOf(KindPeer).Node.Parent.Record.keyOf("default", "vpn1"), KindOf(KindPeer), benchAddress(7))
		dirty := []Dirty{{k, s.Get(k), tx.Get(k)}}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if errs := Validate(tx, dirty); len(errs) > 0 {
					b.Fatal(errs)
				}
			}
		})
	}
}

// keyOf returns the key of the record of a BGP VPN instance.
func (k *RecordKind) keyOf(instance, vpn string) Key {
	return MakeKey(MakeKey("", k.Parent, instance), k, vpn)
}

// Full get-config at 100,000 peers: at most 0.5 s, that is 5 us a peer.
func BenchmarkEncodeXML(b *testing.B) {
	const n = 100_000
	s := peerStore(b, n)
	b.ReportAllocs()
	for b.Loop() {
		if err := EncodeXML(io.Discard, s, nil, XMLOptions{Content: ConfigOnly}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/peer")
}

// A keyed filter costs the same whatever the number of peers.
func BenchmarkEncodeXMLOnePeer(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		s := peerStore(b, n)
		f := parseFilter(b, `<filter>`+peerXML(benchAddress(7), "")+`</filter>`)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := EncodeXML(io.Discard, s, f, XMLOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeXML(b *testing.B) {
	const n = 1_000
	var doc strings.Builder
	for i := range n {
		p := xmlPeer(i)
		from, to := strings.Index(p, "<peer>"), strings.Index(p, "</peers>")
		doc.WriteString(p[from:to])
	}
	content := inVPN1("<peers>" + doc.String() + "</peers>")
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeXML(content, OpMerge, func(Path, *Edit) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/peer")
}
