package datastore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

var (
	_ schema.Tx     = (*Txn)(nil)
	_ schema.Reader = (*Snapshot)(nil)
)

// model is what a Txn must be like: a plain map.
type model map[schema.Key]fields

type fields struct{ Description, Group string }

func (m model) members(g schema.Key) []schema.Key {
	var out []schema.Key
	for k, f := range m {
		if f.Group != "" && groupKey(f.Group) == g {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// compare says how r differs from the model.
func (m model) compare(r schema.Reader) string {
	got := model{}
	r.Scan(public+"\x00p", func(k schema.Key, rec ygot.GoStruct) bool {
		f := fields{Description: described(r, k)}
		if g := rec.(*peer).GetConfig().PeerGroup; g != nil {
			f.Group = *g
		}
		got[k] = f
		return true
	})
	diff := cmp.Diff(m, got)
	for _, name := range []string{"a", "b"} {
		diff += cmp.Diff(m.members(groupKey(name)), referrers(r, groupKey(name)))
	}
	return diff
}

// dirty returns the keys in which both differ.
func (m model) dirty(base model) []schema.Key {
	var out []schema.Key
	for k, f := range m {
		if old, ok := base[k]; !ok || old != f {
			out = append(out, k)
		}
	}
	for k := range base {
		if _, ok := m[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Random edits, commits, discards and restarts behave as a map does, and no
// published snapshot ever changes.
func TestTxnIsAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		txn.Mutable(groupKey("a"))
		txn.Mutable(groupKey("b"))
	})
	running := model{}
	type old struct {
		snap *Snapshot
		want model
	}
	var published []old
	restarts := 0
	for round := range 120 {
		txn, m := s.Begin(), maps.Clone(running)
		for range rng.IntN(12) {
			k := peerKey(rng.IntN(20))
			f := m[k]
			switch rng.IntN(5) {
			case 0:
				_, want := m[k]
				if got := txn.Delete(k); got != want {
					t.Fatalf("Delete(%s) = %v, want %v", k, got, want)
				}
				delete(m, k)
				continue
			case 1:
				f.Group = []string{"", "a", "b"}[rng.IntN(3)]
				join(txn, k, f.Group)
			default:
				f.Description = fmt.Sprint("text ", rng.IntN(3))
				describe(txn, k, f.Description)
			}
			m[k] = f
			if rng.IntN(4) == 0 { // reading between the edits changes nothing
				if diff := m.compare(txn); diff != "" {
					t.Fatalf("round %d, within (-want +got):\n%s", round, diff)
				}
			}
		}
		if diff := m.compare(txn); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
		var dirty []schema.Key
		for _, d := range txn.Dirty() {
			dirty = append(dirty, d.Key)
			if d.Old != txn.Base().Get(d.Key) || d.New != txn.Get(d.Key) {
				t.Fatalf("Dirty has other records of %s than the base and the transaction", d.Key)
			}
		}
		if diff := cmp.Diff(m.dirty(running), dirty); diff != "" {
			t.Fatalf("round %d, dirty (-want +got):\n%s", round, diff)
		}
		if rng.IntN(4) == 0 {
			txn.Discard()
		} else {
			published = append(published, old{finish(t, s, txn), m})
			running = m
		}
		if rng.IntN(20) == 0 && len(schema.Validate(s.Running(), Diff(Blank(), s.Running()))) == 0 {
			restarts++
			revision := s.Running().Revision()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			if got := s.Running().Revision(); got != revision {
				t.Fatalf("revision %d after a restart, want %d", got, revision)
			}
		}
		if diff := running.compare(s.Running()); diff != "" {
			t.Fatalf("round %d, running (-want +got):\n%s", round, diff)
		}
	}
	if restarts == 0 {
		t.Error("never restarted")
	}
	for _, p := range published {
		if diff := p.want.compare(p.snap); diff != "" {
			t.Errorf("snapshot %d has changed (-want +got):\n%s", p.snap.Revision(), diff)
		}
	}
}

func TestTxnKeepsWhatIsEqual(t *testing.T) {
	s := open(t, t.TempDir())
	k := peerKey(1)
	first := commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, k, "one") })
	txn := s.Begin()
	describe(txn, k, "two")
	describe(txn, k, "one")
	describe(txn, peerKey(2), "short-lived")
	txn.Delete(peerKey(2))
	if d := txn.Dirty(); len(d) != 0 {
		t.Errorf("dirty without a difference: %v", d)
	}
	want := map[schema.Key][]*schema.Node{k: {descriptionLeaf}, peerKey(2): {descriptionLeaf}}
	if got := maps.Collect(txn.Touched()); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("Touched() = %v, want %v: an equal value counts", got, want)
	}
	if second := finish(t, s, txn); second.Get(k) != first.Get(k) {
		t.Error("an equal record is another version")
	}
}

// What Dirty handed out, later writes do not change.
func TestTxnDirtyIsStable(t *testing.T) {
	s := open(t, t.TempDir())
	txn := s.Begin()
	addBase(txn)
	describe(txn, peerKey(1), "one")
	dirty := txn.Dirty()
	describe(txn, peerKey(1), "two")
	last := dirty[len(dirty)-1].New.(*peer)
	if got := *last.Config.Description; got != "one" {
		t.Errorf("the record from Dirty says %q, want one", got)
	}
	if got := described(txn, peerKey(1)); got != "two" {
		t.Errorf("the transaction says %q, want two", got)
	}
}

func TestTxnRefusesWrites(t *testing.T) {
	s := open(t, t.TempDir())
	k := peerKey(1)
	commit(t, s, func(txn *Txn) { addBase(txn); join(txn, k, "a") })
	tests := []struct {
		name  string
		write func(*Txn)
	}{
		{"after Discard", func(txn *Txn) { txn.Discard(); txn.Mutable(k) }},
		{"delete after Discard", func(txn *Txn) { txn.Discard(); txn.Delete(k) }},
		{"after Persist", func(txn *Txn) { finish(t, s, txn); txn.Mutable(k) }},
		{"within Scan", func(txn *Txn) {
			txn.Scan(k, func(schema.Key, ygot.GoStruct) bool { txn.Mutable(k); return true })
		}},
		{"within Referrers", func(txn *Txn) {
			txn.Referrers(groupKey("a"), func(schema.Key) bool { txn.Delete(k); return true })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "datastore: write") {
					t.Errorf("recovered %v, want the panic of datastore", p)
				}
			}()
			tt.write(s.Begin())
		})
	}
}

func TestScanStopsAndKeepsToThePrefix(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		txn.Mutable(groupKey("a"))
		for i := range 5 {
			describe(txn, peerKey(i), "")
		}
	})
	snap := s.Running()
	if got, want := keysOf(snap, public+"\x00p"), []schema.Key{peerKey(0), peerKey(1), peerKey(2), peerKey(3), peerKey(4)}; !slices.Equal(got, want) {
		t.Errorf("peers: %q, want %q", got, want)
	}
	if got := len(keysOf(snap, "")); got != snap.Len() || got != 11 {
		t.Errorf("a scan of everything finds %d, Len says %d, want 11", got, snap.Len())
	}
	for prefix, want := range map[schema.Key]int{"\x00i": 1, instance + "\x00v": 1, public + "\x00p": 5, public + "\x00g": 1, "\x00V": 1, "\x00x": 0} {
		n := 0
		snap.ScanEntries(prefix, func(k schema.Key, rec ygot.GoStruct) bool {
			if n++; rec == nil || strings.Count(string(k), "\x00") != strings.Count(string(prefix), "\x00") {
				t.Errorf("entries of %q: %q", prefix, k)
			}
			return true
		})
		if n != want {
			t.Errorf("%d entries of %q, want %d", n, prefix, want)
		}
	}
	n := 0
	snap.ScanEntries(public+"\x00p", func(schema.Key, ygot.GoStruct) bool { n++; return n < 2 })
	snap.Scan(public+"\x00p", func(schema.Key, ygot.GoStruct) bool { n++; return n < 4 })
	if n != 4 {
		t.Errorf("two scans that are told to stop after 2 call %d times", n)
	}
}

// Readers scan and transactions begin on every goroutine while commits are
// published; each snapshot is a whole one.
func TestReadersBesideAWriter(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		for i := range 200 {
			describe(txn, peerKey(i), "0")
		}
	})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				snap := s.Running()
				first := described(snap, peerKey(0))
				for i := range 200 {
					if got := described(snap, peerKey(i)); got != first {
						t.Errorf("revision %d is half of one: %s and %s", snap.Revision(), first, got)
						return
					}
				}
				txn := snap.begin()
				describe(txn, peerKey(0), "private")
				txn.Discard()
			}
		})
	}
	for round := range 30 {
		commit(t, s, func(txn *Txn) {
			for i := range 200 {
				describe(txn, peerKey(i), fmt.Sprint(round))
			}
		})
	}
	close(done)
	wg.Wait()
}
