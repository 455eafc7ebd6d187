package schema

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// forks is a View that several goroutines may read.
type forks struct{ *memory }

func (f forks) Fork() View { return f }

// A long list is the same text whether one goroutine writes it or several, with
// entries that turn out to be empty at any place.
func TestParallelIsSerial(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newMemory()
		n := []int{0, 1, chunkSize, chunkSize + 1, 5*chunkSize - 1, 20 * chunkSize}[seed]
		kind := KindOf(KindPeer)
		vpn := MakeKey(MakeKey("", KindOf(KindInstance), "default"), KindOf(KindBGPVPNInstance), "vpn1")
		for i := range n {
			k := MakeKey(vpn, kind, fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
			s.records[k] = New(k)
			if r.IntN(3) > 0 {
				s.states[k] = New(k)
				randomFill(r, kind.Node, structOf(s.states[k]))
			}
		}
		for k := vpn; k != ""; k = k.Parent() {
			s.records[k] = New(k)
		}
		for _, content := range []Content{All, ConfigOnly, StateOnly, Operational} {
			var want, got []byte
			var err error
			o := JSONOptions{IETF: seed%2 == 0, Content: content}
			if want, err = AppendJSON(nil, s, nil, o); err != nil {
				t.Fatal(err)
			}
			if got, err = AppendJSON(nil, forks{s}, nil, o); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%d peers, content %d: JSON differs at octet %d", n, content, differAt(want, got))
			}
			var one, many bytes.Buffer
			for _, f := range []*Filter{nil, parseFilter(t, `<filter><bgp `+bgpXMLNS+`/></filter>`)} {
				if err := EncodeXML(&one, s, f, XMLOptions{Content: content}); err != nil {
					t.Fatal(err)
				}
				if err := EncodeXML(&many, forks{s}, f, XMLOptions{Content: content}); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(one.Bytes(), many.Bytes()) {
				t.Errorf("%d peers, content %d: XML differs at octet %d", n, content, differAt(one.Bytes(), many.Bytes()))
			}
		}
	}
}

func differAt(a, b []byte) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// A reader that goes away ends the work, and nothing is left running.
func TestParallelEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	s := newMemory()
	for i := range 50 * chunkSize {
		k := MakeKey("", KindOf(KindVPNInstance), fmt.Sprint(i))
		s.records[k] = New(k)
	}
	w := &failing{after: 3}
	if err := EncodeXML(w, forks{s}, nil, XMLOptions{}); err == nil {
		t.Error("no error of the writer")
	}
	if w.after < -1 {
		t.Errorf("written to %d times after it failed", -w.after-1)
	}
}

// failing is a writer that fails after some calls.
type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, fmt.Errorf("scripted")
	}
	return len(p), nil
}
