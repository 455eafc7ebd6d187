package schema

import (
	"regexp/syntax"
	"unicode/utf8"
)

// classOf returns the ASCII characters of a pattern that is one class of
// characters, once or more often. It fails for all other patterns, and for
// classes that hold some but not all of the other characters.
func classOf(re string) (*[256]bool, bool) {
	parsed, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return nil, false
	}
	parsed = parsed.Simplify()
	if parsed.Op != syntax.OpConcat || len(parsed.Sub) != 3 ||
		parsed.Sub[0].Op != syntax.OpBeginText || parsed.Sub[2].Op != syntax.OpEndText {
		return nil, false
	}
	plus := parsed.Sub[1]
	if plus.Op != syntax.OpPlus || plus.Sub[0].Op != syntax.OpCharClass {
		return nil, false
	}
	var set [256]bool
	var above rune // how many characters above ASCII
	ranges := plus.Sub[0].Rune
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], utf8.RuneSelf-1); r++ {
			set[r] = true
		}
		above += max(0, ranges[i+1]-max(ranges[i], utf8.RuneSelf)+1)
	}
	if above != 0 && above != utf8.MaxRune-utf8.RuneSelf+1 {
		return nil, false
	}
	for b := utf8.RuneSelf; b < 256; b++ {
		set[b] = above != 0
	}
	return &set, true
}
