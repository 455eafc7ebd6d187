package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// writes records each call of Write.
type writes struct {
	calls []string
	err   error
}

func (w *writes) Write(p []byte) (int, error) {
	w.calls = append(w.calls, string(p))
	return len(p), w.err
}

func TestWriterCalls(t *testing.T) {
	full := strings.Repeat("x", maxOutChunk)
	tests := []struct {
		name  string
		item  int // of netconf.md
		mode  Mode
		parts []string
		want  []string
	}{
		{"small message is one chunk and one write", 12, Chunked, []string{"<a", "", "/>"}, []string{"\n#4\n<a/>\n##\n"}},
		{"EOM", 6, EOM, []string{"<a", "/>"}, []string{"<a/>]]>]]>"}},
		{"64 KiB are one chunk", 12, Chunked, []string{full}, []string{"\n#65536\n" + full + "\n##\n"}},
		{"64 KiB in EOM mode", 6, EOM, []string{full}, []string{full + "]]>]]>"}},
		{"more than 64 KiB", 12, Chunked, []string{full + "y"}, []string{"\n#65536\n" + full, "\n#1\ny\n##\n"}},
		{"more than 64 KiB in EOM mode", 6, EOM, []string{full, "y"}, []string{full, "y]]>]]>"}},
		{"é on the border", 12, Chunked, []string{full[1:] + "é"}, []string{"\n#65535\n" + full[1:], "\n#2\né\n##\n"}},
		{"€ on the border", 12, Chunked, []string{full[2:], "\xe2", "\x82\xac"}, []string{"\n#65534\n" + full[2:], "\n#3\n€\n##\n"}},
		{"four bytes on the border", 12, Chunked, []string{full[3:] + "\U0001F600"}, []string{"\n#65533\n" + full[3:], "\n#4\n\U0001F600\n##\n"}},
		{"complete sequence before the border", 12, Chunked, []string{full[2:] + "éx"}, []string{"\n#65536\n" + full[2:] + "é", "\n#1\nx\n##\n"}},
		{"no UTF-8 at all", 12, Chunked, []string{full[4:] + "\x80\x80\x80\x80\x80"}, []string{"\n#65536\n" + full[4:] + "\x80\x80\x80\x80", "\n#1\n\x80\n##\n"}},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("%d %s", tc.item, tc.name), func(t *testing.T) {
			var got writes
			w := NewWriter(&got)
			w.SetMode(tc.mode)
			for range 2 { // a second message starts afresh
				got.calls = nil
				w.Begin()
				for _, p := range tc.parts {
					if n, err := io.WriteString(w, p); n != len(p) || err != nil {
						t.Fatalf("write: %d, %v", n, err)
					}
				}
				if err := w.End(); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tc.want, got.calls); d != "" {
					t.Errorf("writes (-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestWriterErrors(t *testing.T) {
	broken := errors.New("connection reset")
	write := func(w *Writer) error { _, err := w.Write([]byte("x")); return err }
	tests := []struct {
		name string
		dst  error
		do   func(*Writer) error
		want error
	}{
		{"write without begin", nil, write, ErrNotOpen},
		{"end without begin", nil, (*Writer).End, ErrNotOpen},
		{"two begins", nil, func(w *Writer) error { w.Begin(); w.Begin(); return write(w) }, ErrNotOpen},
		{"write after end", nil, func(w *Writer) error { w.Begin(); _ = write(w); _ = w.End(); return write(w) }, ErrNotOpen},
		{"empty", nil, func(w *Writer) error { w.Begin(); return w.End() }, ErrEmpty},
		{"empty, then a message", nil, func(w *Writer) error { w.Begin(); _ = w.End(); w.Begin(); _ = write(w); return w.End() }, nil},
		{"connection, at the end", broken, func(w *Writer) error { w.Begin(); _ = write(w); return w.End() }, broken},
		{"connection, inside", broken, func(w *Writer) error { w.Begin(); _, err := w.Write(make([]byte, maxOutChunk+1)); return err }, broken},
		{"connection, afterwards", broken, func(w *Writer) error { w.Begin(); _ = write(w); _ = w.End(); w.Begin(); return write(w) }, broken},
		{"short write", io.ErrShortWrite, func(w *Writer) error { w.w = shortWriter{}; w.Begin(); _ = write(w); return w.End() }, io.ErrShortWrite},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.do(NewWriter(&writes{err: tc.dst})); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

type shortWriter struct{}

func (shortWriter) Write([]byte) (int, error) { return 0, nil }

// netconf.md 12: a long message streams in flat memory, and no chunk of it is larger than 64 KiB or cut inside a UTF-8 sequence.
func TestWriterStreams(t *testing.T) {
	piece := []byte(strings.Repeat("<leaf>é€\U0001F600</leaf>", 7))
	const count = 100_000
	check := &chunkChecker{t: t}
	w := NewWriter(check)
	w.SetMode(Chunked)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.Begin()
	for range count {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if want := count * len(piece); check.content != want {
		t.Errorf("%d bytes of content, want %d", check.content, want)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for a message of %d", got, check.content)
	}
}

// chunkChecker takes one chunk a call, as the Writer sends them.
type chunkChecker struct {
	t       *testing.T
	content int
}

func (c *chunkChecker) Write(p []byte) (int, error) {
	all := len(p)
	p = bytes.TrimSuffix(p, []byte(endOfChunks))
	head := bytes.IndexByte(p[1:], '\n') + 2
	body := p[head:]
	if len(body) == 0 || len(body) > maxOutChunk || !utf8.Valid(body) {
		c.t.Errorf("chunk %q of %d bytes, valid UTF-8: %v", p[:head], len(body), utf8.Valid(body))
	}
	c.content += len(body)
	return all, nil
}

func BenchmarkWriter(b *testing.B) {
	for _, size := range []int{200, 1 << 20} {
		for _, mode := range []Mode{EOM, Chunked} {
			b.Run(fmt.Sprintf("%v/%d", mode, size), func(b *testing.B) {
				body := bytes.Repeat([]byte("x"), size)
				w := NewWriter(io.Discard)
				w.SetMode(mode)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w.Begin()
					_, _ = w.Write(body)
					if err := w.End(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
