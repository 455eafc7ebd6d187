package schema

import (
	"testing"

	"github.com/openconfig/ygot/ygot"
)

func TestMerge(t *testing.T) {
	const p = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=10.1.1.2]"
	tests := []struct {
		name               string
		base, mine, theirs string
		want               string
		conflict           bool
	}{
		{"different leaves", `{"config":{"as":1}}`, `{"config":{"as":1,"description":"mine"}}`, `{"config":{"as":2}}`, `{"config":{"as":2,"description":"mine"}}`, false},
		{"mine deletes a leaf", `{"config":{"as":1,"description":"x"}}`, `{"config":{"as":1}}`, `{"config":{"as":2,"description":"x"}}`, `{"config":{"as":2}}`, false},
		{"the same change", `{"config":{"as":1}}`, `{"config":{"as":2}}`, `{"config":{"as":2}}`, `{"config":{"as":2}}`, false},
		{"the same leaf", `{"config":{"as":1}}`, `{"config":{"as":2}}`, `{"config":{"as":3}}`, `{"config":{"as":2}}`, true},
		{"mine deletes what they changed", `{"config":{"as":1,"description":"x"}}`, `{"config":{"as":1}}`, `{"config":{"as":1,"description":"y"}}`, `{"config":{"as":1}}`, true},
		{"a container of mine", `{}`, `{"timers":{"config":{"hold-time":30}}}`, `{"config":{"as":2}}`, `{"config":{"as":2},"timers":{"config":{"hold-time":30}}}`, false},
		{"mine empties a container", `{"timers":{"config":{"hold-time":30}}}`, `{}`, `{"config":{"as":2},"timers":{"config":{"hold-time":30}}}`, `{"config":{"as":2}}`, false},
		{
			"cases of a choice", `{}`, `{"transport":{"connect-interface":{"config":{"interface":"a"}}}}`,
			`{"transport":{"connect-interface":{"config":{"interface-type":"b","interface-number":"1"}}}}`,
			`{"transport":{"connect-interface":{"config":{"interface":"a"}}}}`, false,
		},
		{
			"list entries of both", `{}`, `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{"afi-safis":{"afi-safi":[{"name":"ipv6-unicast"}]}}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"},{"name":"ipv6-unicast"}]}}`, false,
		},
		{
			"an entry that both made, the same", `{}`, `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{"config":{"as":1},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`,
			`{"config":{"as":1},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, false,
		},
		{
			"an entry that both made, otherwise", `{}`, `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`, true,
		},
		{"mine deletes an entry", `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{}`, `{"config":{"as":1},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{"config":{"as":1}}`, false},
		{
			"mine deletes an entry that they changed", `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`, `{}`, true,
		},
		{
			"mine changes an entry that they deleted", `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`, `{"config":{"as":1}}`,
			`{"config":{"as":1},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`, true,
		},
		{
			"they deleted an entry that I left alone", `{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`,
			`{"config":{"as":1},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`, `{}`, `{"config":{"as":1}}`, false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, _, _ := path(t, p).Record()
			rec := func(text string) ygot.GoStruct { return newMemory().must(t, p, text, OpMerge).Get(k) }
			base, mine, theirs := rec(tt.base), rec(tt.mine), rec(tt.theirs)
			got, conflict := Merge(base, mine, theirs)
			if !Equal(got, rec(tt.want)) || conflict != tt.conflict {
				t.Errorf("conflict %v, %s", conflict, AppendRecord(nil, got, func(b []byte) []byte { return b }))
			}
			if !Equal(base, rec(tt.base)) || !Equal(mine, rec(tt.mine)) || !Equal(theirs, rec(tt.theirs)) {
				t.Error("an input was changed")
			}
		})
	}
}
