package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader feeds in as a stream: no panic, no message above the limit, and the same result however the stream is cut into reads. Then in
// is the content of a message that is written and read back, in both modes, and in chunks of step bytes.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"<hello/>]]>]]>\n#4\n<rpc\n#2\n/>\n##\n", "\n#4294967295\nx", "\n#01\na\n##\n", "a]]>]]]>]]>b", "\n#3\n\xc3\xa9\xe2\n##\n", "]]>]]>\r\n \n##\n",
	} {
		f.Add([]byte(s), byte(1), true)
		f.Add([]byte(s), byte(3), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, step byte, strict bool) {
		opts := Options{MaxMessage: 1 << 12, Strict: strict}
		for _, modes := range [][]Mode{{EOM}, {Chunked}, {EOM, Chunked}} {
			got, err := readAll(NewReader(bytes.NewReader(in), opts), modes)
			cut, cutErr := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(in)), opts), modes)
			if d := cmp.Diff(got, cut); d != "" || fmt.Sprint(err) != fmt.Sprint(cutErr) {
				t.Errorf("%v: whole: %v, byte by byte: %v (-whole +cut):\n%s", modes, err, cutErr, d)
			}
			if err == nil || errors.Is(err, io.ErrNoProgress) {
				t.Errorf("%v: ended with %v", modes, err)
			}
			for _, m := range got {
				if int64(len(m)) > opts.MaxMessage {
					t.Errorf("message of %d bytes", len(m))
				}
			}
		}
		if len(in) > 0 {
			roundTrip(t, in, int(step)+1)
		}
	})
}

func roundTrip(t *testing.T, in []byte, step int) {
	t.Helper()
	var eom, chunked, ours bytes.Buffer
	for _, out := range []struct {
		to   *bytes.Buffer
		mode Mode
	}{{&eom, EOM}, {&ours, Chunked}} {
		w := NewWriter(out.to)
		w.SetMode(out.mode)
		for range 2 {
			w.Begin()
			for p := in; len(p) > 0; p = p[min(step, len(p)):] {
				_, _ = w.Write(p[:min(step, len(p))])
			}
			if err := w.End(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for p := in; len(p) > 0; p = p[min(step, len(p)):] {
			k := min(step, len(p))
			fmt.Fprintf(&chunked, "\n#%d\n%s", k, p[:k])
		}
		chunked.WriteString(endOfChunks)
	}
	want := []string{string(in), string(in)}
	for _, stream := range []*bytes.Buffer{&ours, &chunked} {
		got, err := readAll(NewReader(stream, Options{Strict: true}), []Mode{Chunked})
		if d := cmp.Diff(want, got); d != "" || err != io.EOF {
			t.Errorf("chunked: %v (-want +got):\n%s", err, d)
		}
	}
	if strings.Index(string(in)+eomMarker, eomMarker) != len(in) {
		return // the encoder's duty: such content never reaches the Writer in EOM mode
	}
	got, err := readAll(NewReader(&eom, Options{Strict: true}), []Mode{EOM})
	if d := cmp.Diff(want, got); d != "" || err != io.EOF {
		t.Errorf("EOM: %v (-want +got):\n%s", err, d)
	}
}
