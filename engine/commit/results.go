package commit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
)

// results is what became of each commit, as the history tells it: a rollback
// says why of the commits that it took back, and the one whose guard waits for
// what. The commits are without gaps.
func (c *Coordinator) results(history []datastore.Commit, g *Guarded) []string {
	out := make([]string, len(history))
	by := make([]*uint64, len(history)) // what the rollback of a commit led back to
	for i := range history {
		h := &history[i]
		out[i] = "ok"
		if g != nil && h.Revision == g.Base+1 {
			out[i] = c.waiting(g)
		}
		if h.Restores == nil {
			continue
		}
		text := "rolled back by commit " + h.CommitID
		if h.Comment != "" {
			text += ": " + h.Comment
		}
		for j := i - 1; j >= 0 && history[j].Revision > *h.Restores; j-- {
			if by[j] == nil {
				out[j], by[j] = text, h.Restores
				continue
			}
			j -= int(history[j].Revision - *by[j] - 1) // so are those down to there
		}
	}
	return out
}

// waiting is the result of a commit whose guard waits.
func (c *Coordinator) waiting(g *Guarded) string {
	_, missing := g.judge(c.cfg.Now(), func(key bgp.PeerKey) *bgp.PeerState { return c.oper.Get(key).State })
	return fmt.Sprintf("ok, guarded until %s: %s", g.Deadline.UTC().Format(time.RFC3339), strings.Join(missing, ", "))
}

// differing returns the commits that only the older or only the newer history
// has, or has with another result.
func (c *Coordinator) differing(old, new *facts) (gone, came history) {
	less, more := apart(old.history, new.history)
	if old.guarded == new.guarded && !slices.ContainsFunc(more, func(h datastore.Commit) bool { return h.Restores != nil }) {
		return history{less, c.results(less, nil)}, history{more, c.results(more, new.guarded)}
	}
	a, b := history{old.history, c.results(old.history, old.guarded)}, history{new.history, c.results(new.history, new.guarded)}
	j := 0
	for i := range a.commits {
		for j < len(b.commits) && b.commits[j].Revision < a.commits[i].Revision {
			j++
		}
		switch {
		case j == len(b.commits) || b.commits[j].Revision != a.commits[i].Revision:
			gone.add(&a, i)
		case a.results[i] != b.results[j]:
			gone.add(&a, i)
			came.add(&b, j)
		}
	}
	for k := len(b.commits) - len(more); k < len(b.commits); k++ {
		came.add(&b, k)
	}
	return gone, came
}

// apart returns the commits that only the older and only the newer history
// has. Revisions grow, and what goes are the oldest.
func apart(old, new []datastore.Commit) (gone, came []datastore.Commit) {
	first, last := uint64(0), uint64(0)
	if len(old) > 0 {
		last = old[len(old)-1].Revision
	}
	if len(new) > 0 {
		first = new[0].Revision
	}
	for len(old) > len(gone) && old[len(gone)].Revision < first {
		gone = old[:len(gone)+1]
	}
	from := len(new)
	for from > 0 && new[from-1].Revision > last {
		from--
	}
	return gone, new[from:]
}

// history is commits with their results.
type history struct {
	commits []datastore.Commit
	results []string
}

func (h *history) add(from *history, i int) {
	h.commits, h.results = append(h.commits, from.commits[i]), append(h.results, from.results[i])
}
