package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	m := sample(t)
	families := "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config"
	tests := []struct {
		name, path, json string
		op               Op
		record           string
		want             []string
	}{
		{"nothing", peerPath + "/config/as", `200`, OpMerge, peerPath, nil},
		{"reset", peerPath + "/config/as", `201`, OpMerge, peerPath, []string{"/config/as: 200 -> 201 reset"}},
		{"none", peerPath + "/config/description", `""`, OpMerge, peerPath, []string{"/config/description: a \"peer\" ->  none"}},
		{"next session", peerPath + "/timers/config/keepalive-interval", `7`, OpMerge, peerPath, []string{"/timers/config/keepalive-interval: 30 -> 7 next-session"}},
		{"case", peerPath + "/transport/connect-interface/config", `{"interface-type":"Eth","interface-number":1}`, OpMerge, peerPath, []string{
			"/transport/connect-interface/config/interface: LoopBack1 ->  reset", "/transport/connect-interface/config/interface-type:  -> Eth reset",
			"/transport/connect-interface/config/interface-number:  -> 1 reset",
		}},
		{"secret", peerPath + "/transport/authentication/config/password", `"other"`, OpMerge, peerPath, []string{"/transport/authentication/config/password: (secret) -> (secret) reset"}},
		{"inner entry", peerPath + "/afi-safis/afi-safi[name=ipv4-unicast]/config/enabled", `false`, OpMerge, peerPath, []string{
			"/afi-safis/afi-safi[name=ipv4-unicast]/config/name:  -> ipv4-unicast none", "/afi-safis/afi-safi[name=ipv4-unicast]/config/enabled:  -> false reset",
		}},
		{
			"leaf-list", families + "/import-route-target", `["100:2","9:9"]`, OpMerge, "/vpn-instances/vpn-instance[name=vpn1]",
			[]string{"/ipv4-family/config/import-route-target: 100:1 100:2 -> 100:2 9:9 none"},
		},
		{"leaf-list order", families + "/import-route-target", `["100:2","100:1"]`, OpMerge, "/vpn-instances/vpn-instance[name=vpn1]", nil},
		{"new record", vpnPath + "/peers/peer[address=::1]", `{}`, OpMerge, vpnPath + "/peers/peer[address=::1]", []string{"/config/address:  -> ::1 none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := keyOf(t, tt.record)
			tx := m.must(t, tt.path, tt.json, tt.op)
			var got, back []string
			for _, c := range Diff(k, m.records[k], tx.records[k]) {
				text := c.Path.String()[len(k.String()):]
				if c.Path.Node() != c.Node || c.Impact != c.Node.Impact {
					t.Errorf("%s: node or impact", c.Path)
				}
				got = append(got, text+": "+c.Old+" -> "+c.New+" "+c.Impact.String())
				back = append(back, text+": "+c.New+" -> "+c.Old)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			for i, c := range Diff(k, tx.records[k], m.records[k]) {
				if i >= len(back) || back[i] != c.Path.String()[len(k.String()):]+": "+c.Old+" -> "+c.New {
					t.Errorf("the reverse has %v", c)
				}
			}
		})
	}
}
