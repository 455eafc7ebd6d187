package main

import "testing"

func TestMemoryKeeper(t *testing.T) {
	const mb = 1 << 20
	var k memoryKeeper
	for i, look := range []struct {
		allocated uint64
		want      bool
	}{
		{10 * mb, false},  // a start
		{500 * mb, false}, // a load is on its way
		{501 * mb, true},  // it is over
		{502 * mb, false}, // nothing new to give back
		{540 * mb, false}, // a little work
		{541 * mb, false},
		{566 * mb, false}, // and more, 65 MB in all
		{567 * mb, true},
	} {
		if got := k.due(look.allocated); got != look.want {
			t.Errorf("look %d at %d MB: %v, want %v", i, look.allocated/mb, got, look.want)
		}
	}
}
