package schema

import (
	"testing"

	"mooring/gen"
)

// The paths that most tests use.
const (
	vpnPath  = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"
	peerPath = vpnPath + "/peers/peer[address=10.1.1.2]"
)

// samplePeer has 17 leaves, keys not counted.
const samplePeer = `{"address":"10.1.1.2",
	"config":{"description":"a \"peer\"","enabled":true,"peer-group":"g1","as":200,"local-as":4200000000},
	"transport":{
		"config":{"connect-mode":"connect-only","remote-port":1790,"ebgp-max-hop":4,"tcp-mss":1400,"path-mtu-discovery":false,"dscp":48},
		"connect-interface":{"config":{"interface":"LoopBack1","source-address":"10.1.1.1"}},
		"authentication":{"config":{"method":"md5","password":"s3cret"}}},
	"timers":{"config":{"hold-time":90,"keepalive-interval":30}}}`

const sampleRoot = `{
	"vpn-instances":{"vpn-instance":[
		{"name":"vpn1","config":{"name":"vpn1","vrf-device":"red"},
			"ipv4-family":{"config":{"route-distinguisher":"100:1","import-route-target":["100:1","100:2"]}}},
		{"name":"_public_"}]},
	"agent":{"history":{"config":{"size":50}}},
	"bgp":{"instances":{"instance":[{"name":"default","config":{"as":100,"router-id":"1.1.1.1"},
		"vpn-instances":{"vpn-instance":[{"name":"vpn1","config":{"listen-port":1179},
			"peer-groups":{"peer-group":[{"name":"g1","config":{"as":200}}]},
			"peers":{"peer":[` + samplePeer + `,
				{"address":"2001:DB8::1","config":{"as":65001},
				 "transport":{"authentication":{"config":{"method":"tcp-ao"},"keys":{"key":[
					{"key-id":10,"config":{"send-id":1,"receive-id":2,"secret":"k"}},{"key-id":9,"config":{"secret":"l"}}]}}},
				 "afi-safis":{"afi-safi":[{"name":"vpnv4-unicast","config":{"enabled":false}},{"name":"ipv4-unicast"}]}}]}}]}}]}}}`

// sample is a store with the sample configuration.
func sample(t testing.TB) *memory { return newMemory().must(t, "/", sampleRoot, OpReplace) }

// Short names for generated types.
type (
	genPeer     = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer
	genInstance = gen.MooringBgp_Bgp_Instances_Instance
)
