package netlab

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameAddr = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreUnexported(Message{}),
}

func TestMessages(t *testing.T) {
	small := Open{AS: 100, HoldTime: 9 * time.Second, RouterID: addr("1.1.1.1")}
	big := Open{AS: 4200000000, HoldTime: 0, RouterID: addr("2.2.2.2"), Families: []Family{IPv4Unicast, IPv6Unicast}}
	// An OPEN of a speaker without capabilities, RFC 4271 4.2.
	bare := appendHeader(nil, TypeOpen, []byte{4, 0, 100, 0, 9, 1, 1, 1, 1, 0})
	open := func(body ...byte) []byte { return appendHeader(nil, TypeOpen, body) }
	for _, tc := range []struct {
		name    string
		in      []byte
		want    Message
		wantErr error
	}{
		{"open", marshalOpen(small), Message{Type: TypeOpen, Open: small}, nil},
		{"open of a 4-octet AS", marshalOpen(big), Message{Type: TypeOpen, Open: big}, nil},
		{"open without capabilities", bare, Message{Type: TypeOpen, Open: small}, nil},
		{"keepalive", marshalKeepalive(), Message{Type: TypeKeepalive}, nil},
		{"update", appendHeader(nil, TypeUpdate, make([]byte, 4)), Message{Type: TypeUpdate}, nil},
		{"notification", marshalNotification(Notification{6, 2, []byte("bye")}), Message{Type: TypeNotification, Notification: Notification{6, 2, []byte("bye")}}, nil},
		{"short notification", appendHeader(nil, TypeNotification, []byte{6}), Message{}, errMalformed},
		{"keepalive with a body", appendHeader(nil, TypeKeepalive, []byte{1}), Message{}, errMalformed},
		{"unknown type", appendHeader(nil, 9, nil), Message{}, errMalformed},
		{"bad marker", make([]byte, 19), Message{}, errMalformed},
		{"bad length", append(append([]byte{}, marker...), 0, 18, 4), Message{}, errMalformed},
		{"open of version 3", open(3, 0, 100, 0, 9, 1, 1, 1, 1, 0), Message{}, errMalformed},
		{"open with a short parameter", open(4, 0, 100, 0, 9, 1, 1, 1, 1, 1, 2), Message{}, errMalformed},
		{"open with a short capability", open(4, 0, 100, 0, 9, 1, 1, 1, 1, 4, 2, 2, 65, 4), Message{}, errMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, n, err := parseMessage(append(tc.in, marker[:3]...)) // the next one follows
			if !errors.Is(err, tc.wantErr) || err == nil && n != len(tc.in) {
				t.Fatalf("parseMessage = %d, %v; want %d, %v", n, err, len(tc.in), tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got, sameAddr); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			for i := range tc.in {
				if tc.wantErr != nil {
					break
				}
				if _, n, err := parseMessage(tc.in[:i]); n != 0 || err != nil {
					t.Errorf("first %d bytes: %d, %v; want more asked for", i, n, err)
				}
			}
		})
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(marshalOpen(Open{AS: 4200000000, RouterID: addr("2.2.2.2"), Families: []Family{IPv4Unicast}}))
	f.Add(marshalNotification(Notification{6, 2, []byte("bye")}))
	f.Add(marshalKeepalive())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := parseMessage(b)
		if n > len(b) || n != 0 && n < headerLen || err != nil && (n != 0 || !errors.Is(err, errMalformed)) {
			t.Errorf("parseMessage = %d, %v of %d bytes", n, err, len(b))
		}
		if m.Type != TypeOpen {
			return
		}
		// What it read, written and read again, is the same: where our encoder can write it.
		if len(m.Families) > 40 {
			return
		}
		again, _, err := parseMessage(marshalOpen(m.Open))
		if diff := cmp.Diff(m.Open, again.Open, sameAddr); err != nil || diff != "" {
			t.Errorf("again: %v\n%s", err, diff)
		}
	})
}
