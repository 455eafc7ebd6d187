package ocview

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/schema"
)

// texts shows changes: "path = value", "- path".
func changeTexts(cs []EntryChange) []string {
	var out []string
	for _, c := range cs {
		if c.Gone {
			out = append(out, "- "+c.Entry.String())
			continue
		}
		for _, u := range c.Updates {
			out = append(out, u.Path().String()+" = "+u.Value.String())
		}
		for _, d := range c.Deletes {
			out = append(out, "- "+append(append(schema.Path{}, c.Entry...), d...).String())
		}
	}
	return out
}

// gnmi.md 69, 77, 78, 82: only what differs, new entries with their keys,
// entries that go as a whole, and defaults where a leaf falls back to them.
func TestChanges(t *testing.T) {
	peer := schema.MakeKey(bgpVPNKey("default", "vpn1"), schema.KindOf(schema.KindPeer), "10.1.1.2")
	tests := []struct {
		name     string
		key      schema.Key
		old, now func(*store) // what the record is given; nil: it is absent
		want     []string
	}{
		{
			"a leaf", peer,
			func(s *store) {
				s.native(t, nativePeer, `{"config":{"as":200,"description":"d","enabled":false},"transport":{"config":{"dscp":1}}}`)
			},
			func(s *store) { s.native(t, nativePeer, `{"config":{"as":300},"transport":{"config":{"dscp":2}}}`) },
			[]string{
				theNeighbor + "/config/enabled = true", theNeighbor + "/config/peer-as = 300",
				"- " + theNeighbor + "/config/description",
			},
		},
		{
			"only what OpenConfig has no node for", peer,
			func(s *store) { s.native(t, nativePeer, `{"transport":{"config":{"dscp":1}}}`) },
			func(s *store) { s.native(t, nativePeer, `{"transport":{"config":{"dscp":2}}}`) },
			nil,
		},
		{"an entry that goes", peer, func(s *store) { s.native(t, nativePeer, `{}`) }, nil, []string{"- " + theNeighbor}},
		{
			"an entry that comes", peer, nil, func(s *store) { s.native(t, nativePeer, `{"config":{"as":1}}`) },
			[]string{
				theNeighbor + "/neighbor-address = 10.1.1.2", theNeighbor + "/config/neighbor-address = 10.1.1.2",
				theNeighbor + "/config/enabled = true", theNeighbor + "/config/peer-as = 1",
			},
		},
		{
			"a family goes", peer,
			func(s *store) { s.native(t, nativePeer, `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`) },
			func(s *store) { s.native(t, nativePeer, `{}`) },
			[]string{
				"- " + theNeighbor + "/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/afi-safi-name",
				"- " + theNeighbor + "/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/config/afi-safi-name",
				"- " + theNeighbor + "/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/config/enabled",
			},
		},
		{
			"a protocol comes with its AS", bgpVPNKey("default", "vpn1"), nil,
			func(s *store) { s.native(t, nativeBGPVPN, `{"config":{"router-id":"192.0.2.1"}}`) },
			[]string{
				theProtocol + "/identifier = BGP", theProtocol + "/name = default",
				theProtocol + "/config/identifier = BGP", theProtocol + "/config/name = default",
				theProtocol + "/bgp/global/config/as = 100", theProtocol + "/bgp/global/config/router-id = 192.0.2.1",
			},
		},
		{
			"the router ID alone", bgpVPNKey("default", "vpn1"),
			func(s *store) { s.native(t, nativeBGPVPN, `{}`) },
			func(s *store) { s.native(t, nativeBGPVPN, `{"config":{"router-id":"192.0.2.1"}}`) },
			[]string{theProtocol + "/bgp/global/config/router-id = 192.0.2.1"},
		},
		{
			"the AS in all protocols of the name", schema.BGPInstanceKey("default"),
			func(s *store) { s.native(t, nativeInstance, `{"config":{"as":100}}`) },
			func(s *store) { s.native(t, nativeInstance, `{"config":{"as":101}}`) },
			[]string{theProtocol + "/bgp/global/config/as = 101"},
		},
		{"a BGP instance that goes", schema.BGPInstanceKey("default"), func(s *store) { s.native(t, nativeInstance, `{}`) }, nil, nil},
		{"a network instance", schema.VPNInstanceKey("vpn1"), func(s *store) { s.native(t, nativeVPN, `{}`) }, nil, []string{"- " + theInstance}},
		{"one whose name is another's", schema.VPNInstanceKey("DEFAULT"), func(s *store) { s.native(t, "/vpn-instances/vpn-instance[name=DEFAULT]", `{}`) }, nil, nil},
		{
			"state", peer,
			func(s *store) {
				s.native(t, nativePeer, `{}`)
				s.state(t, nativePeer+"/state/session-state", "established")
			},
			func(s *store) {
				s.native(t, nativePeer, `{}`)
				s.state(t, nativePeer+"/state/session-state", "idle")
				s.state(t, nativePeer+"/state/last-reset/notification-direction", "sent")
				s.state(t, nativePeer+"/state/last-reset/notification-code", "6")
			},
			[]string{theNeighbor + "/state/session-state = IDLE", theNeighbor + "/state/messages/sent/last-notification-error-code = CEASE"},
		},
		{"the agent", schema.MakeKey("", schema.KindOf(schema.KindAgent)), nil, func(s *store) {}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			record := func(fill func(*store)) Record {
				if fill == nil {
					return Record{}
				}
				s := newStore()
				fill(s)
				return Record{Config: s.records[tt.key], State: s.states[tt.key]}
			}
			changes := Changes(example(t), tt.key, record(tt.old), record(tt.now))
			for _, c := range changes {
				if c.Gone && (len(c.Deletes) < 3 || len(c.Updates) > 0) {
					t.Errorf("%s is gone with %d deletes and %d updates", c.Entry, len(c.Deletes), len(c.Updates))
				}
			}
			got := changeTexts(changes)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
