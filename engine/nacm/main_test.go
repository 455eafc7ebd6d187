package nacm

import (
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/bgp"
	"mooring/engine/schema"
)

// config is a configuration in memory.
type config map[schema.Key]ygot.GoStruct

// Get implements schema.Reader.
func (c config) Get(k schema.Key) ygot.GoStruct { return c[k] }

// State implements schema.View.
func (c config) State(schema.Key) ygot.GoStruct { return nil }

// Scan implements schema.Reader.
func (c config) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	for _, k := range sorted(c) {
		if strings.HasPrefix(string(k), string(prefix)) && !fn(k, c[k]) {
			return
		}
	}
}

// Referrers implements schema.Reader.
func (c config) Referrers(schema.Key, func(schema.Key) bool) {}

// Holders implements schema.Reader.
func (c config) Holders(string, string, func(schema.Key) bool) {}

func sorted(c config) []schema.Key {
	var keys []schema.Key
	for k := range c {
		i := 0
		for i < len(keys) && keys[i] < k {
			i++
		}
		keys = append(keys[:i], append([]schema.Key{k}, keys[i:]...)...)
	}
	return keys
}

// stored reads a record from JSON.
func stored(tb testing.TB, k schema.Key, text string) ygot.GoStruct {
	tb.Helper()
	rec, err := schema.DecodeRecord(k.Kind(), []byte(text), func(b []byte) ([]byte, error) { return b, nil })
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return rec
}

func vpnKey(vpn string) schema.Key {
	return schema.BGPVPNInstanceKey(bgp.InstanceKey{Instance: "default", VPN: vpn})
}

func peerKey(vpn, address string) schema.Key {
	return schema.MakeKey(vpnKey(vpn), schema.KindOf(schema.KindPeer), address)
}

// sample has two VPN instances with a peer each, and rules.
func sample(tb testing.TB, rules string) config {
	tb.Helper()
	c := config{
		key:                              stored(tb, key, rules),
		schema.BGPInstanceKey("default"): stored(tb, schema.BGPInstanceKey("default"), `{"name":"default","config":{"name":"default","as":100}}`),
	}
	for _, vpn := range []string{"vpn1", "vpn2"} {
		c[vpnKey(vpn)] = stored(tb, vpnKey(vpn), `{"name":"`+vpn+`","config":{"name":"`+vpn+`"}}`)
		k := peerKey(vpn, "10.1.1.2")
		c[k] = stored(tb, k, `{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":200,"description":"secret plans"},"transport":{"config":{"tcp-mss":1000}}}`)
	}
	return c
}

// control is over a configuration that the test changes.
func control(c *config) *Control {
	return New(func() schema.Reader { return *c }, "admin")
}

// oneList is /nacm with one rule-list for the group g, in which the user u is.
func oneList(rules string) string {
	return `{"groups":{"group":[{"name":"g","user-name":["u"]}]},"rule-list":[{"name":"l","group":["g"],"rule":[` + rules + `]}]}`
}

const inVPN = "/mooring-bgp:bgp/instances/instance/vpn-instances/vpn-instance"
