package effective

import (
	"maps"
	"slices"

	"mooring/bgp"
	"mooring/gen"
)

// Short names for the generated structs of the records.
type (
	vpnRec      = gen.MooringVpnInstance_VpnInstances_VpnInstance
	instanceRec = gen.MooringBgp_Bgp_Instances_Instance
	bgpVPNRec   = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance
	groupRec    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup
	peerRec     = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer

	peerConfig      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Config
	transportConfig = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Config
	sourceConfig    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_ConnectInterface_Config
	authConfig      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication_Config
	keyConfig       = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication_Keys_Key_Config
	timersConfig    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Timers_Config
	restartConfig   = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_GracefulRestart_Config
)

// settings is what a peer and a peer group share, in one type: the generated
// structs of both differ in name only. No pointer to a struct is nil.
type settings struct {
	as, localAS *uint32
	transport   *transportConfig
	source      *sourceConfig
	auth        *authConfig
	keys        []*keyConfig // sorted by key-id
	timers      *timersConfig
	restart     *restartConfig
	families    map[bgp.Family]bool // configured families and whether they are enabled
}

func settingsOfPeer(p *peerRec) settings {
	t := p.GetTransport()
	s := settings{
		transport: orElse(t.GetConfig(), &nothing.transport),
		source:    orElse(t.GetConnectInterface().GetConfig(), &nothing.source),
		auth:      orElse(t.GetAuthentication().GetConfig(), &nothing.auth),
		timers:    orElse(p.GetTimers().GetConfig(), &nothing.timers),
		restart:   orElse(p.GetGracefulRestart().GetConfig(), &nothing.restart),
	}
	if c := p.GetConfig(); c != nil {
		s.as, s.localAS = c.As, c.LocalAs
	}
	if keys := t.GetAuthentication().GetKeys(); keys != nil {
		for _, id := range slices.Sorted(maps.Keys(keys.Key)) {
			s.keys = append(s.keys, orElse(keys.Key[id].GetConfig(), &nothing.key))
		}
	}
	if a := p.GetAfiSafis(); a != nil {
		s.families = make(map[bgp.Family]bool, len(a.AfiSafi))
		for n, f := range a.AfiSafi {
			s.families[familyOf(n)] = f.GetConfig() == nil || f.Config.Enabled == nil || *f.Config.Enabled
		}
	}
	return s
}

func settingsOfGroup(g *groupRec) settings {
	t := g.GetTransport()
	s := settings{
		transport: orElse((*transportConfig)(t.GetConfig()), &nothing.transport),
		source:    orElse((*sourceConfig)(t.GetConnectInterface().GetConfig()), &nothing.source),
		auth:      orElse((*authConfig)(t.GetAuthentication().GetConfig()), &nothing.auth),
		timers:    orElse((*timersConfig)(g.GetTimers().GetConfig()), &nothing.timers),
		restart:   orElse((*restartConfig)(g.GetGracefulRestart().GetConfig()), &nothing.restart),
	}
	if c := g.GetConfig(); c != nil {
		s.as, s.localAS = c.As, c.LocalAs
	}
	if keys := t.GetAuthentication().GetKeys(); keys != nil {
		for _, id := range slices.Sorted(maps.Keys(keys.Key)) {
			s.keys = append(s.keys, orElse((*keyConfig)(keys.Key[id].GetConfig()), &nothing.key))
		}
	}
	if a := g.GetAfiSafis(); a != nil {
		s.families = make(map[bgp.Family]bool, len(a.AfiSafi))
		for n, f := range a.AfiSafi {
			s.families[familyOf(n)] = f.GetConfig() == nil || f.Config.Enabled == nil || *f.Config.Enabled
		}
	}
	return s
}

func orElse[T any](p, def *T) *T {
	if p == nil {
		return def
	}
	return p
}

// nothing stands for the containers that a record has not. It is only read.
var nothing struct {
	transport transportConfig
	source    sourceConfig
	auth      authConfig
	timers    timersConfig
	restart   restartConfig
	key       keyConfig
}

// familyOf relies on the enums of the model and those of package bgp standing in
// the same order; ygot numbers from 1 and keeps 0 for unset. A test in package
// commit compares the names.
func familyOf(e gen.E_MooringTypes_AfiSafiName) bgp.Family { return bgp.Family(e - 1) }
