package datastore

import (
	"bytes"
	"testing"
)

func TestSealer(t *testing.T) {
	one, err := newSealer(bytes.Repeat([]byte{1}, 32))
	must(t, err)
	two, err := newSealer(bytes.Repeat([]byte{2}, 32))
	must(t, err)
	plain, context := []byte("password"), []byte("record")
	sealed := one.seal(plain, context)
	if bytes.Contains(sealed, plain) {
		t.Error("sealed text holds the plain text")
	}
	if bytes.Equal(sealed, one.seal(plain, context)) {
		t.Error("sealing twice gives the same text: the nonce is not new")
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)/2] ^= 1
	tests := []struct {
		name    string
		sealer  *sealer
		sealed  []byte
		context string
		ok      bool
	}{
		{"the same", one, sealed, "record", true},
		{"another key", two, sealed, "record", false},
		{"another record", one, sealed, "other", false},
		{"one bit", one, changed, "record", false},
		{"cut", one, sealed[:len(sealed)-1], "record", false},
		{"shorter than a nonce", one, sealed[:5], "record", false},
		{"empty", one, nil, "record", false},
	}
	for _, tt := range tests {
		got, err := tt.sealer.open(tt.sealed, []byte(tt.context))
		if ok := err == nil; ok != tt.ok || ok && !bytes.Equal(got, plain) {
			t.Errorf("%s: opened %q, %v", tt.name, got, err)
		}
	}
}
