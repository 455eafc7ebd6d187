// Package nearest finds the word that was meant. It owns how many slips still
// make the same word, and must not know what the words are.
package nearest

import (
	"iter"
	"strings"
)

// longWord is the length in octets from which on words are not compared.
const longWord = 64

// Word returns the one of words that comes closest to s, "" if none is close.
// Case does not count, and of equals the first wins.
func Word(s string, words iter.Seq[string]) string {
	if len(s) >= longWord {
		return ""
	}
	s = strings.ToLower(s)
	best, least := "", len(s)/3+2 // more slips than that are another word
	for w := range words {
		if d := slips(s, strings.ToLower(w), least); d < least {
			best, least = w, d
		}
	}
	return best
}

// Hint is ": did you mean X?" for the Word, or "".
func Hint(s string, words iter.Seq[string]) string {
	if w := Word(s, words); w != "" {
		return ": did you mean " + w + "?"
	}
	return ""
}

// slips counts the octets that must be added, left out or replaced to get from a
// to b (Levenshtein), or returns limit if their lengths alone differ as much.
func slips(a, b string, limit int) int {
	if len(b) >= longWord || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
