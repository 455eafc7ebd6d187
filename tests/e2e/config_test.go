package e2e

import (
	"fmt"

	"google.golang.org/grpc/status"

	"mooring/tests/runner"
)

// object is a JSON object.
type object = map[string]any

// Paths.
const (
	vpn1    = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"
	peer1   = vpn1 + "/peers/peer[address=" + remote + "]"
	source1 = peer1 + "/transport/connect-interface"
)

// peerPath is the path of a peer of the VPN instance vpn of the BGP instance.
func peerPath(instance, vpn, address string) string {
	return fmt.Sprintf("/bgp/instances/instance[name=%s]/vpn-instances/vpn-instance[name=%s]/peers/peer[address=%s]", instance, vpn, address)
}

// peerIn is the entry of a peer with the given connect-interface, nil for none.
func peerIn(address string, connectInterface object) object {
	p := object{"address": address, "config": object{"address": address, "as": remoteAS}}
	if connectInterface != nil {
		p["transport"] = object{"connect-interface": object{"config": connectInterface}}
	}
	return p
}

// vpnIn is the entry of a VPN instance below a BGP instance.
func vpnIn(name string, config object, peers ...object) object {
	config["name"] = name
	return object{"name": name, "config": config, "peers": object{"peer": peers}}
}

// instanceIn is the entry of a BGP instance.
func instanceIn(name string, as int, routerID string, vpns ...object) object {
	return object{
		"name":          name,
		"config":        object{"name": name, "as": as, "router-id": routerID},
		"vpn-instances": object{"vpn-instance": vpns},
	}
}

// vpnInstance is the entry of a VPN instance with its route distinguisher.
func vpnInstance(name, rd string) object {
	return object{
		"name": name, "config": object{"name": name},
		"ipv4-family": object{"config": object{"route-distinguisher": rd}},
	}
}

// whole is the operation that makes the instances the configuration.
func whole(vpns []object, instances ...object) []runner.Op {
	return []runner.Op{
		runner.Replace("/vpn-instances", object{"mooring-vpn-instance:vpn-instance": vpns}),
		runner.Replace("/bgp", object{"mooring-bgp:instances": object{"instance": instances}}),
	}
}

// example is the configuration of the command's own example: BGP 100, vpn1 with
// the route distinguisher 100:1, and a peer 10.1.1.2 of AS 200.
func example(connectInterface object) []runner.Op {
	return whole([]object{vpnInstance("vpn1", "100:1")},
		instanceIn("default", 100, "1.1.1.1", vpnIn("vpn1", object{}, peerIn(remote, connectInterface))))
}

// name is the connect-interface of an interface name.
func name(interfaceName string) object { return object{"interface": interfaceName} }

// from is the connect-interface of a source address.
func from(address string) object { return object{"source-address": address} }

func statusOf(err error) string { return status.Code(err).String() }
