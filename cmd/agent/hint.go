package main

import "fmt"

// didYouMean returns ", did you mean X?" for the word that comes closest to s,
// or "" where none is close.
func didYouMean(s string, words []string) string {
	best, least := "", len(s)/3+2 // more slips than that are another word
	for _, w := range words {
		if d := slips(s, w); d < least {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

// slips counts the characters that must be added, left out or replaced to get
// from a to b (Levenshtein). Long words are not compared.
func slips(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
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
