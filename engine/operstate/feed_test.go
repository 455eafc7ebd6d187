package operstate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/operstate"
)

type (
	change = operstate.Change[string, int]
	feed   = operstate.Feed[string, int]
)

func next(t *testing.T, s *operstate.Subscription[string, int]) []change {
	t.Helper()
	got, err := s.Next(t.Context())
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return got
}

// A reader that wants to know of each change gets each, in their order, and is
// bounded where it does not read.
func TestFeedOfEachChange(t *testing.T) {
	f := &feed{}
	s := f.SubscribeEach()
	defer s.Close()
	for _, c := range []change{{Key: "b", New: 9}, {Key: "a", Old: 1, New: 2}, {Key: "a", Old: 2, New: 1}, {Key: "b", Old: 9}} {
		f.Publish([]change{c})
	}
	want := []change{{Key: "a", Old: 1, New: 2}, {Key: "a", Old: 2, New: 1}, {Key: "b", New: 9}, {Key: "b", Old: 9}}
	if diff := cmp.Diff(want, next(t, s)); diff != "" {
		t.Error(diff)
	}
	const many = 50_000
	for i := range many {
		f.Publish([]change{{Key: "a", Old: i, New: i + 1}})
	}
	got := next(t, s)
	if len(got) > many/10 {
		t.Errorf("%d changes are kept", len(got))
	}
	for i := range got {
		if i > 0 && got[i].Old != got[i-1].New || i == len(got)-1 && got[i].New != many {
			t.Fatalf("change %d is %+v after %+v", i, got[i], got[i-1])
		}
	}
}

func TestFeedCoalescesForASlowReader(t *testing.T) {
	tests := []struct {
		name    string
		publish [][]change
		want    []change
	}{
		{
			"one call stays together and in order",
			[][]change{{{Key: "b", New: 1}, {Key: "a", New: 2}, {Key: "c", Old: 3}}},
			[]change{{Key: "b", New: 1}, {Key: "a", New: 2}, {Key: "c", Old: 3}},
		},
		{
			"first old, last new, counted, in the order of the keys",
			[][]change{{{Key: "b", New: 9}}, {{Key: "a", Old: 1, New: 2}}, {{Key: "a", Old: 2, New: 3}}, {{Key: "a", Old: 3, New: 4}}},
			[]change{{Key: "a", Old: 1, New: 4, Duplicates: 2}, {Key: "b", New: 9}},
		},
		{
			"different keys do not merge",
			[][]change{{{Key: "a", New: 1}}, {{Key: "b", New: 2}}},
			[]change{{Key: "a", New: 1}, {Key: "b", New: 2}},
		},
		{
			"counts of the publisher are added",
			[][]change{{{Key: "a", Old: 1, New: 2, Duplicates: 3}}, {{Key: "a", Old: 2, New: 5, Duplicates: 1}}},
			[]change{{Key: "a", Old: 1, New: 5, Duplicates: 5}},
		},
		{
			"an empty call is nothing",
			[][]change{{}, {{Key: "a", New: 1}}, nil},
			[]change{{Key: "a", New: 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f feed
			s, other := f.Subscribe(), f.Subscribe()
			defer s.Close()
			defer other.Close()
			for _, c := range tt.publish {
				f.Publish(c)
			}
			for _, sub := range []*operstate.Subscription[string, int]{s, other} {
				if diff := cmp.Diff(tt.want, next(t, sub)); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A reader that keeps up gets each call as one batch of its own.
func TestFeedKeepsCallsApart(t *testing.T) {
	var f feed
	s := f.Subscribe()
	defer s.Close()
	for i := range 3 {
		want := []change{{Key: "a", Old: i, New: i + 1}, {Key: "b", New: i}}
		f.Publish([]change{{Key: "a", Old: i, New: i + 1}, {Key: "b", New: i}})
		if diff := cmp.Diff(want, next(t, s)); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFeedNextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f feed
		s := f.Subscribe()
		ctx, cancel := context.WithCancel(t.Context())
		var got error
		var wg sync.WaitGroup
		wg.Go(func() { _, got = s.Next(ctx) })
		synctest.Wait()
		cancel()
		wg.Wait()
		if !errors.Is(got, context.Canceled) {
			t.Errorf("after cancel: %v, want context.Canceled", got)
		}

		wg.Go(func() { _, got = s.Next(t.Context()) })
		synctest.Wait()
		s.Close()
		wg.Wait()
		if !errors.Is(got, operstate.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", got)
		}
		s.Close() // again is no error
		f.Publish([]change{{Key: "a"}})
		if _, err := s.Next(t.Context()); !errors.Is(err, operstate.ErrClosed) {
			t.Errorf("Next after Close: %v, want ErrClosed", err)
		}
	})
}

func TestFeedIdle(t *testing.T) {
	var f feed
	if !f.Idle() {
		t.Error("a feed without subscriptions is not idle")
	}
	s := f.Subscribe()
	if f.Idle() {
		t.Error("a feed with a subscription is idle")
	}
	s.Close()
	if !f.Idle() {
		t.Error("a feed whose subscription is closed is not idle")
	}
}

// Whatever the pace of a reader, the changes of a key form a chain without a
// gap, and the counts add up to what was published.
func TestFeedConcurrent(t *testing.T) {
	const writers, rounds, keys, readers = 4, 500, 5, 8
	var f feed
	var mu sync.Mutex // guards value, and the order of publishing
	value := map[string]int{}
	var read sync.WaitGroup
	results := make([]map[string]int, readers)
	counts := make([]int, readers)
	errs := make([]error, readers)
	for r := range readers {
		s := f.Subscribe()
		results[r] = map[string]int{}
		read.Go(func() {
			defer s.Close()
			for {
				batch, err := s.Next(t.Context())
				if err != nil {
					errs[r] = err
					return
				}
				for _, c := range batch {
					if c.Key == "end" {
						return
					}
					if c.Old != results[r][c.Key] {
						errs[r] = fmt.Errorf("key %s jumps from %d to %d", c.Key, results[r][c.Key], c.Old)
					}
					results[r][c.Key] = c.New
					counts[r] += 1 + int(c.Duplicates)
				}
			}
		})
	}
	var write sync.WaitGroup
	for range writers {
		write.Go(func() {
			for range rounds {
				k := fmt.Sprint(rand.IntN(keys))
				mu.Lock()
				value[k]++
				f.Publish([]change{{Key: k, Old: value[k] - 1, New: value[k]}})
				mu.Unlock()
			}
		})
	}
	write.Wait()
	f.Publish([]change{{Key: "end"}})
	read.Wait()
	for r := range readers {
		if errs[r] != nil {
			t.Errorf("reader %d: %v", r, errs[r])
		}
		if diff := cmp.Diff(value, results[r]); diff != "" {
			t.Errorf("reader %d (-want +got):\n%s", r, diff)
		}
		if counts[r] != writers*rounds {
			t.Errorf("reader %d counted %d changes, want %d", r, counts[r], writers*rounds)
		}
	}
}

func BenchmarkFeedPublish(b *testing.B) {
	batch := make([]change, 10)
	for i := range batch {
		batch[i].Key = fmt.Sprint(i)
	}
	for _, n := range []int{0, 1, 100} {
		for _, pace := range []string{"reading", "stuck"} {
			b.Run(fmt.Sprintf("subscribers=%d/%s", n, pace), func(b *testing.B) {
				var f feed
				subs := make([]*operstate.Subscription[string, int], n)
				for i := range subs {
					subs[i] = f.Subscribe()
					defer subs[i].Close()
				}
				b.ReportAllocs()
				for b.Loop() {
					f.Publish(batch)
					if pace == "stuck" {
						continue
					}
					for _, s := range subs {
						if _, err := s.Next(b.Context()); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
