package schema

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// parsed reads JSON for comparison without order.
func parsed(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return v
}

// gnmi.md 22: JSON_IETF is that of ygot.
func TestAppendJSONAgainstYgot(t *testing.T) {
	m := sample(t)
	for k, rec := range m.records {
		clear := Clone(rec)
		if p, ok := clear.(*genPeer); ok && p.Transport != nil && p.Transport.Authentication != nil {
			p.Transport.Authentication.Config.Password = nil // never returned
			if keys := p.Transport.Authentication.Keys; keys != nil {
				for _, key := range keys.Key {
					key.Config.Secret = nil
				}
			}
		}
		if _, ok := clear.(*genInstance); ok {
			continue // ygot's would lack the nested records
		}
		for _, ietf := range []bool{true, false} {
			var want []byte
			var err error
			if ietf {
				want, err = ygot.Marshal7951(clear, &ygot.RFC7951JSONConfig{AppendModuleName: true})
			} else {
				var text string
				text, err = ygot.EmitJSON(clear, &ygot.EmitJSONConfig{Format: ygot.Internal, SkipValidation: true})
				want = []byte(text)
			}
			if err != nil {
				t.Fatal(err)
			}
			single := newMemory()
			single.records = map[Key]ygot.GoStruct{k: rec}
			got := single.json(t, k.String(), JSONOptions{IETF: ietf, Content: ConfigOnly})
			if diff := cmp.Diff(parsed(t, want), parsed(t, []byte(got))); diff != "" {
				t.Errorf("%s ietf=%v:\n%s", k, ietf, diff)
			}
		}
	}
}
