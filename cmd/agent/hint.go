package main

import (
	"slices"

	"mooring/internal/nearest"
)

// didYouMean returns ", did you mean X?" for the word that comes closest to s,
// or "" if none is close.
func didYouMean(s string, words []string) string {
	if w := nearest.Word(s, slices.Values(words)); w != "" {
		return ", did you mean " + w + "?"
	}
	return ""
}
