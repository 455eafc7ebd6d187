package main

import "fmt"

// longWord is the length from which on words are not compared.
const longWord = 64

// didYouMean returns ", did you mean X?" for the word that comes closest to s,
// or "" where none is close.
func didYouMean(s string, words []string) string {
	best, least := "", min(len(s)/3+2, longWord) // more slips than that are another word
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
// from a to b (Levenshtein).
func slips(a, b string) int {
	if len(a) > longWord || len(b) > longWord {
		return longWord
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
