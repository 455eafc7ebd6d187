package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// netconf.md 40: what a URL may name.
func TestName(t *testing.T) {
	for text, want := range map[string]string{
		"file:///backup.xml":      "backup.xml",
		"FILE:///backup-1_2.xml":  "backup-1_2.xml",
		"file:/a":                 "a",
		"file://localhost/a":      "a",
		"file:///a%2exml":         "a.xml",
		"file:///" + long(128):    long(128),
		"file:///" + long(129):    "",
		"file:///":                "",
		"file://":                 "",
		"file:":                   "",
		"file:a":                  "",
		"file:///.a":              "",
		"file:///..":              "",
		"file:///../a":            "",
		"file:///%2e%2e%2fa":      "",
		"file:///a/../b":          "",
		"file:///a/b":             "",
		"file:////etc/passwd":     "",
		"file:///a%2fb":           "",
		"file:///a%00":            "",
		"file:///a\\b":            "",
		"file:///ä":               "",
		"file:///a b":             "",
		"file://host/a":           "",
		"file://user@localhost/a": "",
		"file:///a?b":             "",
		"file:///a?":              "",
		"file:///a#b":             "",
		"file:///a#":              "",
		"file:///%zz":             "",
		"":                        "",
		"a":                       "",
		"/etc/passwd":             "",
		"http://localhost/a":      "",
		"ftp://localhost/a":       "",
		"file:///a\nb":            "",
	} {
		got, err := Name(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if err != nil && !errors.Is(err, ErrURL) && !errors.Is(err, ErrScheme) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Name("http://localhost/a"); !errors.Is(err, ErrScheme) {
		t.Errorf("another scheme: %v", err)
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func openDir(t *testing.T, max int64) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := Open(path, max)
	if err != nil {
		t.Fatal(err)
	}
	return d, path
}

func names(t *testing.T, path string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWriteReadRemove(t *testing.T) {
	d, path := openDir(t, 10)
	if _, err := d.Read("f"); !errors.Is(err, ErrNotExist) {
		t.Errorf("read of nothing: %v", err)
	}
	if err := d.Remove("f"); !errors.Is(err, ErrNotExist) {
		t.Errorf("remove of nothing: %v", err)
	}
	for _, text := range []string{"one", "", "0123456789"} {
		if err := d.Write("f", writes(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Read("f"); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	info, err := os.Stat(filepath.Join(path, "f"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What fails leaves the file as it was, and nothing else.
	bad := errors.New("bad")
	for _, fail := range []struct {
		fn   func(io.Writer) error
		want error
	}{
		{writes("01234567890"), ErrTooBig},
		{func(w io.Writer) error { return errors.Join(writes("half")(w), bad) }, bad},
	} {
		if err := d.Write("f", fail.fn); !errors.Is(err, fail.want) {
			t.Errorf("want %v: %v", fail.want, err)
		}
	}
	if got, err := d.Read("f"); err != nil || string(got) != "0123456789" {
		t.Errorf("after failures: %q, %v", got, err)
	}
	if got := names(t, path); len(got) != 1 {
		t.Errorf("the directory has %v", got)
	}
	if err := os.WriteFile(filepath.Join(path, "big"), []byte("01234567890"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read("big"); !errors.Is(err, ErrTooBig) {
		t.Errorf("too big: %v", err)
	}
	if err := d.Remove("f"); err != nil {
		t.Error(err)
	}
	if got := names(t, path); len(got) != 1 || got[0] != "big" {
		t.Errorf("the directory has %v", got)
	}
}

// netconf.md 40: nothing leads out of the directory, and links stay.
func TestOnlyRegularFiles(t *testing.T) {
	d, path := openDir(t, 100)
	outside := filepath.Join(t.TempDir(), "outside")
	inside := filepath.Join(path, "inside")
	for _, f := range []string{outside, inside} {
		if err := os.WriteFile(f, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, make := range map[string]func(string) error{
		"link-out":  func(p string) error { return os.Symlink(outside, p) },
		"link-in":   func(p string) error { return os.Symlink("inside", p) },
		"link-none": func(p string) error { return os.Symlink("nowhere", p) },
		"folder":    func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		if err := make(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
		_, err := d.Read(name)
		for what, err := range map[string]error{"read": err, "write": d.Write(name, writes("x")), "remove": d.Remove(name)} {
			if !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	for _, f := range []string{outside, inside} {
		if got, err := os.ReadFile(f); err != nil || string(got) != "kept" {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
	if got := names(t, path); len(got) != 5 {
		t.Errorf("the directory has %v", got)
	}
}

func TestTooManyFiles(t *testing.T) {
	d, path := openDir(t, 100)
	for i := range maxFiles {
		if err := os.WriteFile(filepath.Join(path, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Write("one-more", writes("x")); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if err := d.Write("7", writes("x")); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

// FuzzName: whatever a URL says, its name stays in the directory.
func FuzzName(f *testing.F) {
	for _, text := range []string{"file:///a", "file:///..%2f", "file://localhost/a.b", "http://a/b", "file:///.%00", "file:a?b#c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := Name(text)
		if err != nil {
			return
		}
		if !filepath.IsLocal(name) || filepath.Base(name) != name || strings.HasPrefix(name, ".") {
			t.Errorf("%q names %q", text, name)
		}
	})
}
