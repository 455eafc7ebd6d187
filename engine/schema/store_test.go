package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"
	"github.com/tidwall/btree"

	"mooring/gen"
	"mooring/internal/xmltok"
)

// store is a Tx and a View with an index, for the tests that need speed or
// the index. Its copies are cheap.
type store struct {
	records *btree.Map[Key, ygot.GoStruct]
	index   *btree.Set[string]
	states  map[Key]ygot.GoStruct
	old     map[Key]ygot.GoStruct // what was written since begin, as it was
	indexed map[Key]ygot.GoStruct // of those, what the index holds
	gets    int
	visits  int
}

func newStore() *store {
	s := &store{
		records: new(btree.Map[Key, ygot.GoStruct]), index: new(btree.Set[string]), states: map[Key]ygot.GoStruct{},
		old: map[Key]ygot.GoStruct{}, indexed: map[Key]ygot.GoStruct{},
	}
	for _, k := range Permanent() {
		s.records.Set(k, New(k))
	}
	return s
}

func (s *store) begin() *store {
	s.reindex()
	return &store{
		records: s.records.Copy(), index: s.index.Copy(), states: s.states,
		old: map[Key]ygot.GoStruct{}, indexed: map[Key]ygot.GoStruct{},
	}
}

func (s *store) Get(k Key) ygot.GoStruct {
	s.gets++
	rec, _ := s.records.Get(k)
	return rec
}

func (s *store) State(k Key) ygot.GoStruct { return s.states[k] }

func (s *store) Scan(prefix Key, fn func(Key, ygot.GoStruct) bool) {
	s.records.Ascend(prefix, func(k Key, rec ygot.GoStruct) bool {
		if !strings.HasPrefix(string(k), string(prefix)) {
			return false
		}
		s.visits++
		return fn(k, rec)
	})
}

func (s *store) Referrers(k Key, fn func(Key) bool) { s.entries(ReferrerEntry(k), fn) }
func (s *store) Holders(index, value string, fn func(Key) bool) {
	s.entries(HolderEntry(index, value), fn)
}

func (s *store) entries(entry string, fn func(Key) bool) {
	s.reindex()
	s.index.Ascend(entry+"\x01", func(e string) bool {
		s.visits++
		k, ok := strings.CutPrefix(e, entry+"\x01")
		return ok && fn(Key(k))
	})
}

// reindex brings the index up to the records.
func (s *store) reindex() {
	for k := range s.old {
		now, _ := s.records.Get(k)
		was, done := s.indexed[k]
		if !done {
			was = s.old[k]
		}
		if was != nil {
			for _, e := range IndexEntries(k, was, nil) {
				s.index.Delete(e)
			}
		}
		if s.indexed[k] = nil; now != nil {
			for _, e := range IndexEntries(k, now, nil) {
				s.index.Insert(e)
			}
			s.indexed[k] = Clone(now)
		}
	}
}

func (s *store) write(k Key) (rec ygot.GoStruct, own bool) {
	rec, _ = s.records.Get(k)
	if _, own = s.old[k]; !own {
		s.old[k] = rec
	}
	return rec, own && rec != nil
}

func (s *store) Mutable(k Key) ygot.GoStruct {
	rec, own := s.write(k)
	switch {
	case rec == nil:
		rec = New(k)
	case !own:
		rec = Clone(rec)
	}
	s.records.Set(k, rec)
	return rec
}

func (s *store) Delete(k Key) bool {
	rec, _ := s.write(k)
	s.records.Delete(k)
	return rec != nil
}

func (s *store) Touch(Key, *Node) {}

// dirty returns what differs since begin.
func (s *store) dirty() []Dirty {
	var out []Dirty
	for k, old := range s.old {
		if now, _ := s.records.Get(k); !Equal(old, now) {
			out = append(out, Dirty{k, old, now})
		}
	}
	slices.SortFunc(out, func(a, b Dirty) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return out
}

// decodeXML reads the content of a <config> and hands over its edits.
func decodeXML(content string, op Op, emit func(Path, *Edit) error) error {
	dec := xmltok.NewDecoder([]byte("<config>"+content+"</config>"), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		return malformed(err)
	}
	return DecodeXML(dec, XMLDecodeOptions{DefaultOp: op}, emit)
}

// editXML applies an edit-config to a copy, without validation.
func (s *store) editXML(content string, op Op) (*store, error) {
	tx := s.begin()
	err := decodeXML(content, op, func(base Path, e *Edit) error { return Apply(tx, base, e) })
	return tx, err
}

// commitXML is editXML with what a commit does then.
func (s *store) commitXML(content string, op Op) (*store, error) {
	tx, err := s.editXML(content, op)
	if err != nil {
		return nil, err
	}
	PruneWhen(tx, tx.dirty())
	if errs := Validate(tx, tx.dirty()); len(errs) > 0 {
		return nil, errs
	}
	return tx, nil
}

// mustXML is commitXML that succeeds.
func (s *store) mustXML(t testing.TB, content string) *store {
	t.Helper()
	tx, err := s.commitXML(content, OpMerge)
	if err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	return tx
}

// xml encodes what a filter selects.
func (s *store) xml(t testing.TB, filter string, o XMLOptions) string {
	t.Helper()
	var f *Filter
	if filter != "" {
		f = parseFilter(t, filter)
	}
	var b strings.Builder
	if err := EncodeXML(&b, s, f, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func parseFilter(t testing.TB, content string) *Filter {
	t.Helper()
	dec := xmltok.NewDecoder([]byte(content), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		t.Fatal(err)
	}
	f, err := ParseSubtreeFilter(dec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Pieces of XML that most tests use.
const (
	vpnXMLNS = `xmlns="urn:mooring:yang:vpn-instance"`
	bgpXMLNS = `xmlns="urn:mooring:yang:bgp"`
	ncXMLNS  = `xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"`
)

// inVPN1 wraps content into the BGP VPN instance vpn1.
func inVPN1(content string) string {
	return `<bgp ` + bgpXMLNS + ` ` + ncXMLNS + `><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name>` +
		content + `</vpn-instance></vpn-instances></instance></instances></bgp>`
}

// peerXML is a peer of vpn1 with content beside its address.
func peerXML(address, content string) string {
	return inVPN1(`<peers><peer><address>` + address + `</address>` + content + `</peer></peers>`)
}

// baseStore has vpn1, a group with an AS, one without, and two peers.
func baseStore(t testing.TB) *store {
	t.Helper()
	return newStore().mustXML(t, `<vpn-instances `+vpnXMLNS+`><vpn-instance><name>vpn1</name>`+
		`<ipv4-family><config><route-distinguisher>100:1</route-distinguisher></config></ipv4-family></vpn-instance></vpn-instances>`+
		`<bgp `+bgpXMLNS+`><instances><instance><name>default</name><config><as>100</as></config></instance></instances></bgp>`).
		mustXML(t, inVPN1(`<peer-groups><peer-group><name>g1</name><config><as>65001</as></config></peer-group>`+
			`<peer-group><name>g2</name></peer-group></peer-groups>`+
			`<peers><peer><address>10.0.0.1</address><config><as>65002</as></config></peer>`+
			`<peer><address>10.0.0.2</address><config><peer-group>g1</peer-group></config></peer></peers>`))
}

type genAuthentication = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication
