package schema

import (
	"errors"
	"io"
	"strings"
	"testing"

	"mooring/internal/xmltok"
)

// Whatever comes, the decoder answers with an *Error or with edits; what can
// be applied comes back the same.
func FuzzDecodeXML(f *testing.F) {
	base := baseStore(f)
	f.Add(peerXML("10.0.0.9", "<config><as>1</as></config>"), byte(OpMerge))
	f.Fuzz(func(t *testing.T, content string, op byte) {
		tx, err := base.editXML(content, []Op{OpMerge, OpReplace, OpNone}[op%3])
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		PruneWhen(tx, tx.dirty())
		Validate(tx, tx.dirty())
		text := tx.xml(t, "", XMLOptions{Content: ConfigOnly})
		again, err := newStore().editXML(text, OpReplace)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if second := again.xml(t, "", XMLOptions{Content: ConfigOnly}); second != text {
			t.Fatalf("first  %s\nsecond %s", text, second)
		}
	})
}

// Whatever a filter selects is well-formed and a part of the configuration:
// merging it changes nothing.
func FuzzFilter(f *testing.F) {
	s := filterStore(f)
	f.Add(peerXML("10.0.0.1", "<config/>"))
	f.Fuzz(func(t *testing.T, filter string) {
		dec := xmltok.NewDecoder([]byte("<filter>"+filter+"</filter>"), xmltok.Options{})
		if _, err := dec.Next(); err != nil {
			return
		}
		parsed, err := ParseSubtreeFilter(dec)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if err := EncodeXML(io.Discard, s, parsed, XMLOptions{Defaults: ReportAllTagged}); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := EncodeXML(&b, s, parsed, XMLOptions{Content: ConfigOnly}); err != nil {
			t.Fatal(err)
		}
		tx, err := s.editXML(b.String(), OpMerge)
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if dirty := tx.dirty(); len(dirty) > 0 {
			t.Fatalf("%s differs\n%s", dirty[0].Key, b.String())
		}
	})
}
