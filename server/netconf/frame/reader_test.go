package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll reads messages until an error; modes[i] is set before message i, the last one stays.
func readAll(r *Reader, modes []Mode) ([]string, error) {
	var got []string
	for i := 0; ; i++ {
		if i < len(modes) {
			r.SetMode(modes[i])
		}
		m, err := r.Next()
		if err != nil {
			return got, err
		}
		got = append(got, string(m))
	}
}

func TestReader(t *testing.T) {
	hello := []Mode{EOM, Chunked}
	chunked := []Mode{Chunked}
	eom := []Mode{EOM}
	tests := []struct {
		name   string
		item   int // of netconf.md
		in     string
		modes  []Mode
		opts   Options
		want   []string
		wanted error
	}{
		{"hello then chunked", 6, "<hello/>]]>]]>\n#4\n<rpc\n#2\n/>\n##\n", hello, Options{}, []string{"<hello/>", "<rpc/>"}, io.EOF},
		{"hello then chunked, strict", 6, "<hello/>]]>]]>\n#6\n<rpc/>\n##\n", hello, Options{Strict: true}, []string{"<hello/>", "<rpc/>"}, io.EOF},
		{"base:1.0 for the whole session", 6, "<hello/>]]>]]><rpc/>]]>]]>", eom, Options{Strict: true}, []string{"<hello/>", "<rpc/>"}, io.EOF},
		{"hello and two rpcs in one write", 7, "<h/>]]>]]>\n#1\na\n##\n\n#1\nb\n##\n", hello, Options{}, []string{"<h/>", "a", "b"}, io.EOF},
		{"white space before the first chunk", 8, "<h/>]]>]]>\r\n \t\n\n#1\na\n##\n", hello, Options{}, []string{"<h/>", "a"}, io.EOF},
		{"white space before the first chunk, strict", 8, "<h/>]]>]]>\n\n#1\na\n##\n", hello, Options{Strict: true}, []string{"<h/>"}, ErrFraming},
		{"LF before a later chunk", 8, "\n#1\na\n##\n\n\n#1\nb\n##\n\n", chunked, Options{}, []string{"a", "b"}, io.EOF},
		{"space is no LF", 8, "<h/>]]>]]>\n #1\na\n##\n", hello, Options{}, []string{"<h/>"}, ErrFraming},
		{"chunked hello", 8, "\n#3\n<h/\n#1\n>\n##\n\n#1\na\n##\n", hello, Options{}, []string{"<h/>", "a"}, io.EOF},
		{"chunked hello, strict", 8, "\n#4\n<h/>\n##\n", hello, Options{Strict: true}, nil, io.ErrUnexpectedEOF},
		{"only the first message may be chunked in EOM mode", 8, "<h/>]]>]]>\n#1\na\n##\n]]>]]>", eom, Options{}, []string{"<h/>", "#1\na\n##\n"}, io.EOF},
		{"no LF, no chunked hello", 8, "#1\na\n##\n]]>]]>", eom, Options{}, []string{"#1\na\n##\n"}, io.EOF},
		{"LF between EOM messages", 8, "<h/>]]>]]>\r\n\n<?xml?>]]>]]>\n", eom, Options{}, []string{"<h/>", "<?xml?>"}, io.EOF},
		{"LF between EOM messages, strict", 8, "<h/>]]>]]>\n<r/>]]>]]>", eom, Options{Strict: true}, []string{"<h/>", "\n<r/>"}, io.EOF},
		{"size 0", 9, "\n#0\n\n##\n", chunked, Options{}, nil, ErrFraming},
		{"leading zero", 9, "\n#01\na\n##\n", chunked, Options{}, nil, ErrFraming},
		{"no digit", 9, "\n#a\n", chunked, Options{}, nil, ErrFraming},
		{"sign", 9, "\n#+1\na\n##\n", chunked, Options{}, nil, ErrFraming},
		{"no digit later", 9, "\n#1x\na\n##\n", chunked, Options{}, nil, ErrFraming},
		{"CR in the header", 9, "\n#1\r\na\n##\n", chunked, Options{}, nil, ErrFraming},
		{"empty size", 9, "\n#\n", chunked, Options{}, nil, ErrFraming},
		{"size above 4294967295", 9, "\n#4294967296\n", chunked, Options{MaxMessage: 1 << 40}, nil, ErrFraming},
		{"eleven digits", 9, "\n#42949672950\n", chunked, Options{MaxMessage: 1 << 40}, nil, ErrFraming},
		{"largest size", 9, "\n#4294967295\n", chunked, Options{MaxMessage: 1 << 40}, nil, io.ErrUnexpectedEOF},
		{"no LF before the first chunk", 9, "#1\na\n##\n", chunked, Options{}, nil, ErrFraming},
		{"no LF before the second chunk", 9, "\n#1\na#1\nb\n##\n", chunked, Options{}, nil, ErrFraming},
		{"two LF before the second chunk", 9, "\n#1\na\n\n#1\nb\n##\n", chunked, Options{}, nil, ErrFraming},
		{"no LF after end-of-chunks", 9, "\n#1\na\n## \n", chunked, Options{}, nil, ErrFraming},
		{"data longer than announced", 9, "\n#1\nab\n##\n", chunked, Options{}, nil, ErrFraming},
		{"message without a chunk", 9, "\n##\n", chunked, Options{}, nil, ErrFraming},
		{"EOM framing in chunked mode", 9, "<rpc/>]]>]]>", chunked, Options{}, nil, ErrFraming},
		{"1-byte chunks", 10, "\n#1\na\n#1\nb\n#1\nc\n##\n", chunked, Options{Strict: true}, []string{"abc"}, io.EOF},
		{"chunk border inside a UTF-8 sequence", 10, "\n#2\na\xc3\n#2\n\xa9b\n##\n", chunked, Options{}, []string{"aéb"}, io.EOF},
		{"content that looks like framing", 10, "\n#15\n\n##\n]]>]]>\n#1\nx\n##\n", chunked, Options{}, []string{"\n##\n]]>]]>\n#1\nx"}, io.EOF},
		{"exactly the limit", 11, "\n#2\nab\n#2\ncd\n##\n", chunked, Options{MaxMessage: 4}, []string{"abcd"}, io.EOF},
		{"one chunk too many", 11, "\n#2\nab\n#3\ncde\n##\n", chunked, Options{MaxMessage: 4}, nil, ErrTooBig},
		{"huge announced chunk", 11, "\n#4294967295\nab", chunked, Options{}, nil, ErrTooBig},
		{"exactly the limit, EOM", 11, "abcd]]>]]>", eom, Options{MaxMessage: 4}, []string{"abcd"}, io.EOF},
		{"above the limit, EOM", 11, "abcde]]>]]>", eom, Options{MaxMessage: 4}, nil, ErrTooBig},
		{"above the limit, no end, EOM", 11, strings.Repeat("x", 20000), eom, Options{MaxMessage: 4}, nil, ErrTooBig},
		{"half a marker in the content", 6, "a]]>]]]>]]>b]]>]]>", eom, Options{}, []string{"a]]>]", "b"}, io.EOF},
		{"empty EOM message", 6, "]]>]]>", eom, Options{Strict: true}, []string{""}, io.EOF},
		{"nothing", 6, "", eom, Options{}, nil, io.EOF},
		{"nothing, strict chunked", 6, "", chunked, Options{Strict: true}, nil, io.EOF},
		{"only white space", 6, " \n", eom, Options{}, nil, io.EOF},
		{"cut in an EOM message", 6, "<rpc/>]]>]]", eom, Options{}, nil, io.ErrUnexpectedEOF},
		{"cut in a chunk header", 6, "\n#1", chunked, Options{}, nil, io.ErrUnexpectedEOF},
		{"cut in a chunk", 6, "\n#5\nab", chunked, Options{}, nil, io.ErrUnexpectedEOF},
		{"cut in a large chunk", 6, "\n#50000\nab", chunked, Options{}, nil, io.ErrUnexpectedEOF},
		{"cut before end-of-chunks", 6, "\n#2\nab\n#", chunked, Options{}, nil, io.ErrUnexpectedEOF},
	}
	sources := map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"half":          iotest.HalfReader,
		"error at once": iotest.DataErrReader,
	}
	for _, tc := range tests {
		for name, source := range sources {
			t.Run(fmt.Sprintf("%d %s/%s", tc.item, tc.name, name), func(t *testing.T) {
				r := NewReader(source(strings.NewReader(tc.in)), tc.opts)
				got, err := readAll(r, tc.modes)
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Errorf("messages (-want +got):\n%s", d)
				}
				if !errors.Is(err, tc.wanted) {
					t.Errorf("error %v, want %v", err, tc.wanted)
				}
				if _, again := r.Next(); again != err {
					t.Errorf("next call: error %v, want %v again", again, err)
				}
			})
		}
	}
}

// netconf.md 6: the marker is found wherever the reads cut it, also at the border of the input buffer.
func TestReaderMarkerSplit(t *testing.T) {
	for n := inputSize - 8; n <= inputSize+8; n++ {
		body := strings.Repeat("x", n)
		r := NewReader(strings.NewReader(body+eomMarker+"<rpc/>"+eomMarker), Options{})
		got, err := readAll(r, nil)
		if d := cmp.Diff([]string{body, "<rpc/>"}, got); d != "" || err != io.EOF {
			t.Fatalf("body of %d bytes: error %v (-want +got):\n%s", n, err, d)
		}
	}
}

// netconf.md 11: what had arrived of a message that is too big is there, so that the answer can carry its message-id.
func TestReaderTooBigPrefix(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		mode           Mode
	}{
		{"announced", "\n#4294967295\n<rpc message-id=\"1\">and more", "<rpc message-id=\"1\">", Chunked},
		{"several chunks", "\n#5\n<rpc \n#100\nmessage-id=\"1\">and more", "<rpc message-id=\"1\">", Chunked},
		{"EOM", "<rpc message-id=\"1\">and more]]>]]>", "<rpc message-id=\"1\">", EOM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tc.in), Options{MaxMessage: 20})
			r.SetMode(tc.mode)
			got, err := r.Next()
			if !errors.Is(err, ErrTooBig) || errors.Is(err, ErrFraming) || string(got) != tc.want {
				t.Errorf("got %q, %v; want %q, ErrTooBig", got, err, tc.want)
			}
		})
	}
}

// countingReader tells how much was taken from the source.
type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// netconf.md 11: memory follows the bytes that arrive, not the size announced, and nothing is read after the refusal.
func TestReaderBoundedMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := NewReader(strings.NewReader("\n#4000000000\n"+strings.Repeat("x", 100_000)), Options{MaxMessage: 1 << 40})
	r.SetMode(Chunked)
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Fatalf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("%d bytes allocated for 100,000 received", got)
	}

	src := &countingReader{r: strings.NewReader("\n#4000000000\n" + strings.Repeat("x", 1<<20))}
	r = NewReader(src, Options{})
	r.SetMode(Chunked)
	if _, err := r.Next(); !errors.Is(err, ErrTooBig) {
		t.Fatalf("error %v, want ErrTooBig", err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrTooBig) {
		t.Fatalf("second error %v, want ErrTooBig", err)
	}
	if src.n > inputSize {
		t.Errorf("%d bytes taken from the source, want at most %d", src.n, inputSize)
	}
}

// A large message must not stay in memory while the session is idle.
func TestReaderReleasesLargeMessage(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x", 1<<20)+eomMarker+"<rpc/>"+eomMarker), Options{})
	for _, want := range []int{1 << 20, 6} {
		m, err := r.Next()
		if err != nil || len(m) != want {
			t.Fatalf("got %d bytes, %v; want %d", len(m), err, want)
		}
	}
	if c := cap(r.msg); c > keepSize {
		t.Errorf("buffer of %d bytes kept, want at most %d", c, keepSize)
	}
}

func TestReaderSourceErrors(t *testing.T) {
	broken := errors.New("connection reset")
	r := NewReader(io.MultiReader(strings.NewReader("<h/>]]>]]><r"), iotest.ErrReader(broken)), Options{})
	if got, err := readAll(r, nil); !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("got %q, %v; want one message, then %v", got, err, broken)
	}
	if _, err := NewReader(emptyReader{}, Options{}).Next(); err != io.ErrNoProgress {
		t.Errorf("source without progress: error %v, want %v", err, io.ErrNoProgress)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{200, 1 << 20} {
		for _, mode := range []Mode{EOM, Chunked} {
			b.Run(fmt.Sprintf("%v/%d", mode, size), func(b *testing.B) {
				var wire bytes.Buffer
				w := NewWriter(&wire)
				w.SetMode(mode)
				for wire.Len() < 4<<20 {
					w.Begin()
					_, _ = w.Write(bytes.Repeat([]byte("<peer><as>1</as></peer>\n"), size/24+1))
					if err := w.End(); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(wire.Len()))
				b.ReportAllocs()
				for b.Loop() {
					r := NewReader(bytes.NewReader(wire.Bytes()), Options{})
					r.SetMode(mode)
					for {
						if _, err := r.Next(); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
