package schema

import (
	"encoding/xml"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openconfig/ygot/ygot"
)

func decimal(r rune) string { return strconv.Itoa(int(r)) }

func escaped(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err)
	}
	return b.String()
}

// lintDoc is a random document in one encoding, and our verdict.
type lintDoc struct {
	seed   uint64
	format string // of yanglint: xml or json
	text   string
	change string // what was disturbed
	err    error
	again  []lintDoc // of what was taken and holds no secret, which is never shown: our XML and our JSON
}

func newLintDoc(t testing.TB, seed uint64) lintDoc {
	r := rand.New(rand.NewPCG(seed, 2))
	g := &randomDoc{Rand: r, risk: []int{1 << 30, 200, 40}[r.IntN(3)]}
	s := lintDoc{seed: seed, format: []string{"xml", "json"}[r.IntN(2)], change: "none"}
	doc := g.document()
	own := oddXML
	if s.format == "json" {
		own = oddJSON
	}
	if r.IntN(2) == 0 {
		s.change = g.disturb(&doc, own)
	}
	if len(doc) == 0 { // yanglint wants a document
		doc = []*element{g.container(Root().Child("agent"))}
	}
	whole(doc, s.format == "xml")
	var b strings.Builder
	var now *store
	if s.format == "xml" {
		asXML(&b, doc, "")
		s.text = b.String()
		now, s.err = newStore().commitXML(s.text, OpMerge)
	} else {
		asJSON(&b, doc, "")
		s.text = b.String()
		now, s.err = newStore().commitJSON(s.text)
	}
	if s.err == nil && !now.secret() {
		s.again = []lintDoc{{format: "xml", text: now.xml(t, "", XMLOptions{Content: ConfigOnly})}, {format: "json", text: now.json(t)}}
	}
	return s
}

// secret says whether there is a secret in s.
func (s *store) secret() (found bool) {
	s.Scan("", func(_ Key, rec ygot.GoStruct) bool {
		found = found || !Equal(rec, withoutSecrets(rec))
		return true
	})
	return found
}

// json encodes all configuration.
func (s *store) json(t testing.TB) string {
	t.Helper()
	text, err := AppendJSON(nil, s, nil, JSONOptions{IETF: true, Content: ConfigOnly})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commitJSON is commitXML for a document of RFC 7951.
func (s *store) commitJSON(text string) (*store, error) {
	tx := s.begin()
	if err := DecodeJSON(nil, []byte(text), OpMerge, func(base Path, e *Edit) error { return Apply(tx, base, e) }); err != nil {
		return nil, err
	}
	PruneWhen(tx, tx.dirty())
	if errs := Validate(tx, tx.dirty()); len(errs) > 0 {
		return nil, errs
	}
	return tx, nil
}

// Random documents of all the configuration, valid and nearly so, in XML and in
// JSON, are judged as libyang judges them. make fuzz-yanglint runs it for an
// hour, with other documents each time.
func TestFuzzAgainstYanglint(t *testing.T) {
	const batch = 1000
	seed, end := uint64(1), time.Time{}
	if span := os.Getenv("MOORING_FUZZ_YANGLINT"); span != "" {
		d, err := time.ParseDuration(span)
		if err != nil {
			t.Fatal(err)
		}
		seed, end = rand.Uint64(), time.Now().Add(d)
	}
	total, valid, wrong := 0, 0, 0
	for {
		samples := make([]lintDoc, batch)
		for i := range samples {
			samples[i] = newLintDoc(t, seed+uint64(total+i))
			if samples[i].err == nil {
				valid++
			}
		}
		wrong += differences(t, samples)
		if total += batch; wrong > 20 || !time.Now().Before(end) {
			break
		}
	}
	t.Logf("%d documents from seed %d, %d of them valid, %d differences", total, seed, valid, wrong)
	if valid < total/5 || valid > total*4/5 {
		t.Errorf("%d of %d random documents are valid: the mix proves little", valid, total)
	}
}

// differences reports where the verdicts differ, where libyang refuses what we
// write of a document that was taken, and where it reads another configuration
// from our XML than from our JSON.
func differences(t *testing.T, samples []lintDoc) (wrong int) {
	t.Helper()
	docs := samples
	for _, s := range samples {
		docs = append(docs, s.again...)
	}
	printed, _ := yanglint(t, docs)
	again := printed[len(samples):]
	for i, s := range samples {
		if (printed[i] != "") != (s.err == nil) {
			wrong++
			_, output := yanglint(t, samples[i:i+1])
			t.Errorf("seed %d (%s): ours %v, yanglint accepts = %v\n%s\n%s", s.seed, s.change, s.err, printed[i] != "", strings.TrimSpace(output), s.text)
		}
		if len(s.again) == 0 {
			continue
		}
		if again[0] == "" || again[0] != again[1] {
			wrong++
			_, output := yanglint(t, s.again)
			t.Errorf("seed %d: libyang reads our XML as\n%s\nand our JSON as\n%s\n%s", s.seed, again[0], again[1], strings.TrimSpace(output))
		}
		again = again[2:]
	}
	return wrong
}
