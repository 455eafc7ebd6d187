package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestHashPassword(t *testing.T) {
	var out strings.Builder
	p := &program{in: strings.NewReader("correct horse\r\nsecond line\n"), out: &out, errOut: io.Discard}
	if err := hashPassword(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(out.String())), []byte("correct horse")); err != nil {
		t.Errorf("%q: %v", out.String(), err)
	}
}

func TestAskPassword(t *testing.T) {
	broken := errors.New("no terminal any more")
	tests := []struct {
		name  string
		typed []string // "": the terminal fails
		want  string
		err   string
	}{
		{"twice the same", []string{"secret", "secret"}, "secret", ""},
		{"a slip", []string{"secret", "secert"}, "", "are different"},
		{"terminal gone", []string{"secret", ""}, "", broken.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var shown strings.Builder
			next := 0
			got, err := askPassword(&shown, func() ([]byte, error) {
				text := tt.typed[next]
				next++
				if text == "" {
					return nil, broken
				}
				return []byte(text), nil
			})
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q, %v", got, err)
			}
			if shown.String() != "Password: \nAgain: \n" {
				t.Errorf("shown: %q", shown.String())
			}
		})
	}
}
