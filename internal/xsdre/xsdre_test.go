package xsdre

import (
	"regexp"
	"strings"
	"testing"
)

func TestTranslate(t *testing.T) {
	tests := []struct {
		name, xsd string
		match     []string
		reject    []string
	}{
		{"anchored", "a|b", []string{"a", "b"}, []string{"ab", "xa", "bx", "a\n", ""}},
		{"caret and dollar are ordinary", "^a$", []string{"^a$"}, []string{"a"}},
		{"dot is no line end", "a.", []string{"ab", "aé"}, []string{"a\n", "a\r"}},
		{"class", `[!-.0-~]+`, []string{"eth0", "a]"}, []string{"a/b", "a b"}},
		{"negated class", `[^/]+`, []string{"^"}, []string{"/"}},
		{"class with escapes", `[\[\]\-\s]`, []string{"[", "]", "-", " ", "\t"}, []string{"s", `\`}},
		{"digits", `\d{2}`, []string{"12", "٣٤"}, []string{"1", "ab"}},
		{"not digits", `\D`, []string{"a"}, []string{"1"}},
		{"space", `a\sb`, []string{"a b", "a\nb"}, []string{"asb"}},
		{"property", `\p{Lu}\P{Lu}`, []string{"Aa"}, []string{"aA"}},
		{"escapes", `\.\*\\\(`, []string{`.*\(`}, []string{`a*\(`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := Translate(tt.xsd)
			if err != nil {
				t.Fatal(err)
			}
			re := regexp.MustCompile(out)
			if re.NumSubexp() != 0 {
				t.Errorf("%s captures", out)
			}
			for _, s := range tt.match {
				if !re.MatchString(s) {
					t.Errorf("%s does not match %q", out, s)
				}
			}
			for _, s := range tt.reject {
				if re.MatchString(s) {
					t.Errorf("%s matches %q", out, s)
				}
			}
		})
	}
}

func TestTranslateRefuses(t *testing.T) {
	tests := []struct{ name, xsd, want string }{
		{"subtraction", `[a-z-[aeiou]]`, "class subtraction"},
		{"name characters", `\i\c*`, `escape \i`},
		{"Go group", `(?i)a`, "(? is not supported"},
		{"lone backslash", `a\`, "ends in a backslash"},
		{"block", `\p{IsGreek}`, "IsGreek"},
		{"unbalanced", `(a`, "missing closing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := Translate(tt.xsd)
			if err == nil {
				t.Fatalf("accepted as %s", out)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want it to contain %q", err, tt.want)
			}
		})
	}
}
