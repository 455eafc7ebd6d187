package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mooring/gen"
)

// Parse reads the lexical form of a value (RFC 7950 9) and checks it against
// the type. White space around it is not removed: that is for the XML decoder.
// The error says what is wrong without repeating the value, which may be
// secret.
func (t *Type) Parse(lexical string) (Value, error) {
	switch t.Kind {
	case ValueString:
		s, err := t.parseString(lexical)
		return Value{kind: ValueString, s: s}, err
	case ValueUint:
		return t.parseUint(lexical)
	case ValueInt:
		return t.parseInt(lexical)
	case ValueBool:
		switch lexical {
		case "true", "false":
			return BoolValue(lexical == "true"), nil
		}
		return Value{}, errors.New("must be true or false")
	}
	n, ok := t.enumOf[lexical]
	if !ok {
		return Value{}, fmt.Errorf("must be one of %s", strings.Join(t.Enums, ", "))
	}
	return Value{kind: ValueEnum, s: t.nameOf[n], n: uint64(n)}, nil
}

func (t *Type) parseString(s string) (string, error) {
	if t.custom != nil {
		return t.custom(s)
	}
	if t.members != nil {
		var first error
		for _, m := range t.members {
			c, err := m.parseString(s)
			if err == nil {
				return c, nil
			}
			if first == nil {
				first = err
			}
		}
		return "", first
	}
	n, ok := countChars(s)
	if !ok {
		return "", errors.New("must be UTF-8 text without control characters")
	}
	if len(t.meta.Lengths) > 0 && !inRanges(t.meta.Lengths, int64(n)) {
		return "", withMessage(t.meta.LengthMessage, "must have a length of "+rangeText(t.meta.Lengths)+" characters")
	}
	for i := range t.patterns {
		if !t.patterns[i].match(s) {
			return "", withMessage(t.patterns[i].message, "must match the pattern "+t.meta.Patterns[i].Regexp)
		}
	}
	return s, nil
}

// countChars counts the characters of s and says whether YANG allows all of
// them in a string (RFC 7950 14, yang-char).
func countChars(s string) (n int, ok bool) {
	for i := 0; i < len(s); n++ {
		b := s[i]
		if b < utf8.RuneSelf {
			if b < 0x20 && b != '\t' && b != '\n' && b != '\r' {
				return 0, false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef {
			return 0, false
		}
		i += size
	}
	return n, true
}

func (t *Type) parseUint(s string) (Value, error) {
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	n, err := strconv.ParseUint(digits, 10, t.Bits)
	if err == nil && negative && n > 0 {
		err = strconv.ErrRange
	}
	if err != nil {
		return Value{}, t.numberError(err, fmt.Sprintf("0..%d", ^uint64(0)>>(64-t.Bits)))
	}
	return t.checkUint(n)
}

// checkUint checks a number that the base type can hold.
func (t *Type) checkUint(n uint64) (Value, error) {
	if len(t.meta.Ranges) > 0 && !inRanges(t.meta.Ranges, int64(min(n, 1<<63-1))) {
		return Value{}, withMessage(t.meta.RangeMessage, "must be in the range "+rangeText(t.meta.Ranges))
	}
	return UintValue(n), nil
}

func (t *Type) parseInt(s string) (Value, error) {
	n, err := strconv.ParseInt(s, 10, t.Bits)
	if err != nil {
		return Value{}, t.numberError(err, fmt.Sprintf("%d..%d", -1<<(t.Bits-1), 1<<(t.Bits-1)-1))
	}
	if len(t.meta.Ranges) > 0 && !inRanges(t.meta.Ranges, n) {
		return Value{}, withMessage(t.meta.RangeMessage, "must be in the range "+rangeText(t.meta.Ranges))
	}
	return IntValue(n), nil
}

func (t *Type) numberError(err error, all string) error {
	if !errors.Is(err, strconv.ErrRange) {
		return errors.New("must be an integer")
	}
	if len(t.meta.Ranges) > 0 {
		all = rangeText(t.meta.Ranges)
	}
	return withMessage(t.meta.RangeMessage, "must be in the range "+all)
}

func withMessage(message, otherwise string) error {
	if message != "" {
		return errors.New(message)
	}
	return errors.New(otherwise)
}

func inRanges(ranges []gen.Range, n int64) bool {
	for _, r := range ranges {
		if n >= r.Min && n <= r.Max {
			return true
		}
	}
	return false
}

func rangeText(ranges []gen.Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = strconv.FormatInt(r.Min, 10)
		if r.Max != r.Min {
			parts[i] += ".." + strconv.FormatInt(r.Max, 10)
		}
	}
	return strings.Join(parts, " | ")
}
