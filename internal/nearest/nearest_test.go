package nearest

import (
	"slices"
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	words := []string{"source-address", "interface", "interface-type", "hold-time", "as", "name"}
	for s, want := range map[string]string{
		"sourceadr-ess": "source-address", "sourceaddress": "source-address", "Source-Address": "source-address", "holdtime": "hold-time", "hold_time": "hold-time",
		"interfaec": "interface", "interface_type": "interface-type", "naem": "name", "": "", "x": "", "frobnicate": "", strings.Repeat("x", 1000): "", "\xff\xfe\xfd\xfc": "",
	} {
		if got := Word(s, slices.Values(words)); got != want {
			t.Errorf("%.20q: got %q, want %q", s, got, want)
		}
	}
	if got := Hint("naem", slices.Values(words)); got != ": did you mean name?" {
		t.Errorf("got %q", got)
	}
	if got := Hint("frobnicate", slices.Values(words)); got != "" {
		t.Errorf("got %q", got)
	}
	if got := Word("x", slices.Values([]string{strings.Repeat("x", 1000)})); got != "" {
		t.Errorf("a long word: %q", got)
	}
}
