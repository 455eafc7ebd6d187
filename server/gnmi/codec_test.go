package gnmi

import (
	"bytes"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/protobuf/proto"
)

// An answer that is sent in two pieces is the same message, and its text is not
// copied. Others are left to the protobuf library.
func TestLongAnswerIsNotCopied(t *testing.T) {
	long := bytes.Repeat([]byte("x"), cutFrom)
	ietf := func(text []byte) *gpb.TypedValue {
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: text}}
	}
	answer := func(prefix *gpb.Path, atomic bool, updates ...*gpb.Update) *gpb.GetResponse {
		return &gpb.GetResponse{Notification: []*gpb.Notification{{Timestamp: 1795751127000000001, Prefix: prefix, Atomic: atomic, Update: updates}}}
	}
	at := path(vpn1)
	for _, tt := range []struct {
		name   string
		answer *gpb.GetResponse
		pieces int
	}{
		{"root", answer(nil, false, &gpb.Update{Path: &gpb.Path{}, Val: ietf(long)}), 2},
		{"path and prefix", answer(&gpb.Path{Origin: "mooring", Target: "t", Elem: at.GetElem()[:2]}, true, &gpb.Update{Path: at, Val: ietf(long)}), 2},
		{"JSON", answer(nil, false, &gpb.Update{Path: at, Val: &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: long}}}), 2},
		{"short", answer(nil, false, &gpb.Update{Path: at, Val: ietf(long[1:])}), 1},
		{"two updates", answer(nil, false, &gpb.Update{Path: at, Val: ietf(long)}, &gpb.Update{Path: at, Val: ietf(long)}), 1},
		{"what only notifications have", answer(nil, false, &gpb.Update{Path: at, Val: ietf(long), Duplicates: 1}), 1},
		{"no value", answer(nil, false), 1},
		{"empty", &gpb.GetResponse{}, 1},
	} {
		pieces, err := newCodec().Marshal(tt.answer)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got gpb.GetResponse
		if err := proto.Unmarshal(pieces.Materialize(), &got); err != nil || !proto.Equal(&got, tt.answer) {
			t.Errorf("%s: %v, %.300v", tt.name, err, &got)
		}
		if len(pieces) != tt.pieces || tt.pieces == 2 && &pieces[1].ReadOnlyData()[0] != &long[0] {
			t.Errorf("%s: %d pieces, want %d, the last of them the text itself", tt.name, len(pieces), tt.pieces)
		}
		pieces.Free()
	}
}
