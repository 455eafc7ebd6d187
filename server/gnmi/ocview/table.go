package ocview

import (
	"mooring/engine/schema"
)

// row maps one OpenConfig leaf. Exactly one row stands for each leaf of the
// tree, so what has no row has no place.
type row struct {
	path   string    // of the OpenConfig leaf
	record byte      // the kind of native record
	native []string  // the native leaves below the record; the first is the one whose value is shown
	as     *rule     // how values turn into each other; nil: they are the same
	key    keySource // of a leaf that repeats a list key

	order    int
	node     *schema.Node
	leaf     *schema.Node    // the first native leaf
	paths    [][]schema.Path // of the native leaves, for each family; one where there is none
	inFamily bool
}

// keySource says which key of the entry a leaf repeats.
type keySource uint8

const (
	noKey keySource = iota
	instanceName
	protocolIdentifier
	protocolName
	entryName // of the group or neighbor
	familyName
)

// table is the mapping, in the order in which nodes are shown.
var table = func() []row {
	rows := []row{
		{path: atInstance + "/name", record: schema.KindVPNInstance, native: []string{"name"}, key: instanceName},
		{path: atInstance + "/config/name", record: schema.KindVPNInstance, native: []string{"config/name"}, key: instanceName},
		{path: atInstance + "/config/type", record: schema.KindVPNInstance, as: &instanceType},
		{path: atInstance + "/config/description", record: schema.KindVPNInstance, native: []string{"config/description"}},
		{path: atInstance + "/state/name", record: schema.KindVPNInstance, native: []string{"state/name"}, key: instanceName},
		{path: atInstance + "/state/type", record: schema.KindVPNInstance, as: &instanceType},
		{path: atInstance + "/state/description", record: schema.KindVPNInstance, native: []string{"state/description"}},

		{path: atProtocol + "/identifier", record: schema.KindBGPVPNInstance, key: protocolIdentifier},
		{path: atProtocol + "/name", record: schema.KindInstance, native: []string{"name"}, key: protocolName},
		{path: atProtocol + "/config/identifier", record: schema.KindBGPVPNInstance, key: protocolIdentifier},
		{path: atProtocol + "/config/name", record: schema.KindInstance, native: []string{"config/name"}, key: protocolName},
		{path: atProtocol + "/state/identifier", record: schema.KindBGPVPNInstance, key: protocolIdentifier},
		{path: atProtocol + "/state/name", record: schema.KindInstance, native: []string{"state/name"}, key: protocolName},
		{path: atProtocol + "/bgp/global/config/as", record: schema.KindInstance, native: []string{"config/as"}},
		{path: atProtocol + "/bgp/global/config/router-id", record: schema.KindBGPVPNInstance, native: []string{"config/router-id"}},
		{path: atProtocol + "/bgp/global/state/as", record: schema.KindInstance, native: []string{"state/as"}},
		{path: atProtocol + "/bgp/global/state/router-id", record: schema.KindBGPVPNInstance, native: []string{"state/router-id"}},
	}
	const g, p = schema.KindPeerGroup, schema.KindPeer
	rows = append(rows,
		row{path: atGroup + "/peer-group-name", record: g, native: []string{"name"}, key: entryName},
		row{path: atGroup + "/config/peer-group-name", record: g, native: []string{"config/name"}, key: entryName},
		row{path: atGroup + "/state/peer-group-name", record: g, native: []string{"state/name"}, key: entryName},
	)
	rows = append(rows, both(atGroup, g, settings)...)
	rows = append(rows,
		row{path: atNeighbor + "/neighbor-address", record: p, native: []string{"address"}, key: entryName},
		row{path: atNeighbor + "/config/neighbor-address", record: p, native: []string{"config/address"}, key: entryName},
		row{path: atNeighbor + "/state/neighbor-address", record: p, native: []string{"state/address"}, key: entryName},
	)
	rows = append(rows, both(atNeighbor, p, neighborSettings)...)
	rows = append(rows, both(atNeighbor, p, settings)...)
	for _, s := range neighborState {
		rows = append(rows, row{path: atNeighbor + s.oc, record: p, native: s.native, as: s.as})
	}
	return rows
}()

// setting is a pair of leaves, in config and in state. The asterisk stands for
// either.
type setting struct {
	oc     string
	native []string
	as     *rule
	only   string // "config" or "state" where there is only one; empty: both
	key    keySource
}

// settings are those of a neighbor and of a peer group.
var settings = []setting{
	{oc: "/*/peer-as", native: []string{"*/as"}},
	{oc: "/*/local-as", native: []string{"*/local-as"}},
	{oc: "/*/description", native: []string{"*/description"}},
	{oc: "/*/auth-password", only: "config", as: &password, native: []string{
		"transport/authentication/config/password", "transport/authentication/config/method",
	}},
	{oc: "/timers/*/connect-retry", native: []string{"timers/*/connect-retry"}},
	{oc: "/timers/*/hold-time", native: []string{"timers/*/hold-time"}},
	{oc: "/timers/*/keepalive-interval", native: []string{"timers/*/keepalive-interval"}},
	{oc: "/transport/*/tcp-mss", native: []string{"transport/*/tcp-mss"}},
	{oc: "/transport/*/mtu-discovery", native: []string{"transport/*/path-mtu-discovery"}},
	{oc: "/transport/*/passive-mode", as: &passive, native: []string{"transport/*/connect-mode"}},
	{oc: "/transport/*/local-address", only: "config", as: &localAddress, native: []string{
		"transport/connect-interface/config/source-address", "transport/connect-interface/config/interface",
		"transport/connect-interface/config/interface-type", "transport/connect-interface/config/interface-number",
	}},
	{oc: "/ebgp-multihop/*/enabled", as: &multihopEnabled, native: []string{"transport/*/ebgp-max-hop"}},
	{oc: "/ebgp-multihop/*/multihop-ttl", as: &multihopTTL, native: []string{"transport/*/ebgp-max-hop"}},
	{oc: "/graceful-restart/*/enabled", native: []string{"graceful-restart/*/enabled"}},
	{oc: "/graceful-restart/*/restart-time", native: []string{"graceful-restart/*/restart-time"}},
	{oc: "/graceful-restart/*/stale-routes-time", native: []string{"graceful-restart/*/stale-routes-time"}},
	{oc: "/afi-safis/afi-safi/afi-safi-name", only: "config", native: []string{"afi-safis/afi-safi/name"}, key: familyName},
	{oc: "/afi-safis/afi-safi/*/afi-safi-name", native: []string{"afi-safis/afi-safi/*/name"}, key: familyName},
	{oc: "/afi-safis/afi-safi/*/enabled", native: []string{"afi-safis/afi-safi/*/enabled"}},
}

// neighborSettings are those that a peer group has not.
var neighborSettings = []setting{
	{oc: "/*/peer-group", native: []string{"*/peer-group"}},
	{oc: "/*/enabled", native: []string{"*/enabled"}},
	{oc: "/*/neighbor-port", native: []string{"transport/*/remote-port"}},
}

// neighborState are the leaves of a neighbor that are only state.
var neighborState = []setting{
	{oc: "/state/session-state", as: &sessionState, native: []string{"state/session-state"}},
	{oc: "/state/last-established", as: &timestamp, native: []string{"state/last-established"}},
	{oc: "/state/established-transitions", native: []string{"state/established-transitions"}},
	{oc: "/state/supported-capabilities", as: &capabilities, native: []string{"afi-safis/afi-safi/state/active"}},
	{oc: "/state/messages/sent/last-notification-time", as: &sentTime, native: lastNotification("time")},
	{oc: "/state/messages/sent/last-notification-error-code", as: &sentCode, native: lastNotification("notification-code")},
	{oc: "/state/messages/sent/last-notification-error-subcode", as: &sentSubcode, native: lastNotification("notification-subcode")},
	{oc: "/state/messages/received/last-notification-time", as: &receivedTime, native: lastNotification("time")},
	{oc: "/state/messages/received/last-notification-error-code", as: &receivedCode, native: lastNotification("notification-code")},
	{oc: "/state/messages/received/last-notification-error-subcode", as: &receivedSubcode, native: lastNotification("notification-subcode")},
	{oc: "/timers/state/negotiated-hold-time", native: []string{"timers/state/negotiated-hold-time"}},
	{oc: "/transport/state/local-address", as: &firstOf, native: []string{
		"transport/state/local-address", "transport/connect-interface/state/resolved-source",
	}},
	{oc: "/transport/state/local-port", native: []string{"transport/state/actual-local-port"}},
	{oc: "/transport/state/remote-address", native: []string{"transport/state/remote-address"}},
	{oc: "/transport/state/remote-port", native: []string{"transport/state/actual-remote-port"}},
	{oc: "/afi-safis/afi-safi/state/active", native: []string{"afi-safis/afi-safi/state/active"}},
	{oc: "/afi-safis/afi-safi/state/prefixes/received", as: &narrow, native: []string{"afi-safis/afi-safi/state/prefixes-received"}},
	{oc: "/afi-safis/afi-safi/state/prefixes/received-pre-policy", as: &narrow, native: []string{"afi-safis/afi-safi/state/prefixes-received"}},
	{oc: "/afi-safis/afi-safi/state/prefixes/sent", as: &narrow, native: []string{"afi-safis/afi-safi/state/prefixes-sent"}},
}

func lastNotification(leaf string) []string {
	const at = "state/last-reset/"
	return []string{at + leaf, at + "notification-direction", at + "notification-code"}
}
