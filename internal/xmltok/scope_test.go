package xmltok

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// until reads tokens up to the one rendered as want.
func until(t *testing.T, d *Decoder, want string) {
	t.Helper()
	for {
		tok, err := d.Next()
		if err != nil {
			t.Fatalf("%v before %s", err, want)
		}
		if line(tok) == want {
			return
		}
	}
}

// netconf.md 46: prefixes in values are resolved where the value stands.
func TestScope(t *testing.T) {
	const in = `<a xmlns="u" xmlns:p="v"><b xmlns="" xmlns:p="w" xmlns:q="x">p:t</b><c/></a>`
	xml := "xml"
	outer := map[string]string{xml: XMLNamespace, "": "u", "p": "v"}
	inner := map[string]string{xml: XMLNamespace, "p": "w", "q": "x"}
	tests := []struct {
		at   string
		want map[string]string
	}{
		{`+{u}a xmlns="u" xmlns:p="v"`, outer},
		{`+b xmlns="" xmlns:p="w" xmlns:q="x"`, inner},
		{`"p:t"`, inner},
		{"-b", inner}, // the value was complete only now
		{"+{u}c", outer},
		{"-{u}a", outer},
	}
	for _, tc := range tests {
		t.Run(tc.at, func(t *testing.T) {
			d := NewDecoder([]byte(in), Options{})
			until(t, d, tc.at)
			if diff := cmp.Diff(tc.want, d.Scope()); diff != "" {
				t.Errorf("scope (-want +got):\n%s", diff)
			}
			for _, prefix := range []string{"", "p", "q", xml, "none"} {
				ns, ok := d.LookupPrefix(prefix)
				if want, known := tc.want[prefix]; ns != want || ok != known {
					t.Errorf("prefix %q: %q, %v; want %q, %v", prefix, ns, ok, want, known)
				}
			}
		})
	}
}

// netconf.md 33: a list key need not come first, so the reader looks for it and comes back.
func TestSaveRestore(t *testing.T) {
	const in = `<l xmlns="u" xmlns:p="v"><e xmlns:p="w"><x>1</x><p:k xmlns:p="y"/><key>2</key></e><e/><f/></l>`
	tests := []struct{ name, save, read string }{
		{"inside the element", `+{u}e xmlns:p="w"`, `"2"`},
		{"its end", `+{u}e xmlns:p="w"`, "-{u}e"},
		{"nothing read", `+{u}e xmlns:p="w"`, ""},
		{"in the middle", "-{u}x", "-{u}e"},
		{"after text", `"1"`, "-{u}x"},
		{"empty element", `+{y}p:k xmlns:p="y"`, "-{y}p:k"},
		{"after an empty element", "-{y}p:k", "-{u}key"},
		{"root", `+{u}l xmlns="u" xmlns:p="v"`, "-{u}l"},
		{"before the root", "", "-{u}l"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			plain, ahead := NewDecoder([]byte(in), Options{}), NewDecoder([]byte(in), Options{})
			if tc.save != "" {
				until(t, plain, tc.save)
				until(t, ahead, tc.save)
			}
			m := ahead.Save()
			for range 2 { // a mark serves more than once
				if tc.read != "" {
					until(t, ahead, tc.read)
				}
				ahead.Restore(m)
			}
			if p, a := plain.Depth(), ahead.Depth(); p != a {
				t.Errorf("depth %d, want %d", a, p)
			}
			want, wantErr := render(plain)
			got, err := render(ahead)
			if d := cmp.Diff(want, got); d != "" || err != io.EOF || wantErr != io.EOF {
				t.Errorf("error %v, without looking ahead %v (-want +got):\n%s", err, wantErr, d)
			}
		})
	}
}

func TestRestoreTooLate(t *testing.T) {
	for _, read := range []string{"+f", "-l"} {
		d := NewDecoder([]byte("<l><e/><f/></l>"), Options{})
		until(t, d, "+e")
		m := d.Save()
		until(t, d, read)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", read)
				}
			}()
			d.Restore(m)
		}()
	}
}

func TestRestoreKeepsError(t *testing.T) {
	d := NewDecoder([]byte("<l><e/><f></l>"), Options{})
	until(t, d, "+l")
	m := d.Save()
	err := d.Skip()
	d.Restore(m)
	var syntax *SyntaxError
	if _, again := d.Next(); !errors.As(err, &syntax) || again != err {
		t.Errorf("error %v, after Restore %v", err, again)
	}
}
