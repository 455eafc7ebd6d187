package datastore

import "slices"

// revisionOf is that of the last commit.
func revisionOf(history []Commit) uint64 {
	if len(history) == 0 {
		return 0
	}
	return history[len(history)-1].Revision
}

// versionOf is the revision of the last commit that changed something. Where
// the history holds none, the oldest that it knows of stands for it.
func versionOf(history []Commit) uint64 {
	for i := len(history) - 1; i >= 0; i-- {
		if len(history[i].Changes) > 0 {
			return history[i].Revision
		}
	}
	if len(history) > 0 {
		return history[0].Revision
	}
	return 0
}

// loadIndex fills an empty index.
func (t tree) loadIndex(entries []string) {
	slices.Sort(entries)
	for _, e := range entries {
		t.index.Load(e)
	}
}
