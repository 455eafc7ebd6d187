package ocview

import (
	"strings"
	"testing"

	"mooring/engine/schema"
)

// ways are the cases of one row: OpenConfig written and read in the native
// model, and the reverse. A JSON value is given as it stands in plain JSON.
type ways struct {
	write  string // the OpenConfig value to write; empty for state and keys
	native string // what config then is, from the record on: leaf=value, separated by spaces; "-" is absent
	set    string // native leaves to start from, in the same form
	want   string // what is read then; empty: nothing
}

const (
	ci = "transport/connect-interface/config/"
	lr = "state/last-reset/"
)

// settingWays are those of a neighbor and of a peer group, without config/ and
// state/ in both.
var settingWays = map[string]ways{
	"/config/peer-as":       {`200`, "config/as=200", "config/as=300", `300`},
	"/config/local-as":      {`201`, "config/local-as=201", "config/local-as=301", `301`},
	"/config/description":   {`"a b"`, "config/description=a_b", "config/description=x", `"x"`},
	"/config/auth-password": {`"secret"`, "transport/authentication/config/method=md5 transport/authentication/config/password=secret", "transport/authentication/config/method=md5 transport/authentication/config/password=p", ``},
	"/state/peer-as":        {set: "state/as=200", want: `200`},
	"/state/local-as":       {set: "state/local-as=201", want: `201`},
	"/state/description":    {set: "state/description=x", want: `"x"`},

	"/timers/config/connect-retry":      {`10`, "timers/config/connect-retry=10", "timers/config/connect-retry=11", `11`},
	"/timers/config/hold-time":          {`90`, "timers/config/hold-time=90", "timers/config/hold-time=91", `91`},
	"/timers/config/keepalive-interval": {`30`, "timers/config/keepalive-interval=30", "timers/config/keepalive-interval=31", `31`},
	"/timers/state/connect-retry":       {set: "timers/state/connect-retry=32", want: `32`},
	"/timers/state/hold-time":           {set: "timers/state/hold-time=180", want: `180`},
	"/timers/state/keepalive-interval":  {set: "timers/state/keepalive-interval=60", want: `60`},

	"/transport/config/tcp-mss":       {`1400`, "transport/config/tcp-mss=1400", "transport/config/tcp-mss=1401", `1401`},
	"/transport/config/mtu-discovery": {`true`, "transport/config/path-mtu-discovery=true", "transport/config/path-mtu-discovery=false", `false`},
	"/transport/config/passive-mode":  {`true`, "transport/config/connect-mode=listen-only", "transport/config/connect-mode=connect-only", `false`},
	"/transport/config/local-address": {`"192.0.2.9"`, ci + "source-address=192.0.2.9 " + ci + "interface=-", ci + "interface-type=LoopBack " + ci + "interface-number=1", `"LoopBack1"`},
	"/transport/state/tcp-mss":        {set: "transport/state/tcp-mss=1400", want: `1400`},
	"/transport/state/mtu-discovery":  {set: "transport/state/path-mtu-discovery=true", want: `true`},
	"/transport/state/passive-mode":   {set: "transport/state/connect-mode=listen-only", want: `true`},

	"/ebgp-multihop/config/enabled":      {`true`, "transport/config/ebgp-max-hop=255", "transport/config/ebgp-max-hop=1", `false`},
	"/ebgp-multihop/config/multihop-ttl": {`5`, "transport/config/ebgp-max-hop=5", "transport/config/ebgp-max-hop=1", ``},
	"/ebgp-multihop/state/enabled":       {set: "transport/state/ebgp-max-hop=2", want: `true`},
	"/ebgp-multihop/state/multihop-ttl":  {set: "transport/state/ebgp-max-hop=2", want: `2`},

	"/graceful-restart/config/enabled":           {`true`, "graceful-restart/config/enabled=true", "graceful-restart/config/enabled=false", `false`},
	"/graceful-restart/config/restart-time":      {`100`, "graceful-restart/config/restart-time=100", "graceful-restart/config/restart-time=101", `101`},
	"/graceful-restart/config/stale-routes-time": {`300`, "graceful-restart/config/stale-routes-time=300", "graceful-restart/config/stale-routes-time=301", `301`},
	"/graceful-restart/state/enabled":            {set: "graceful-restart/state/enabled=true", want: `true`},
	"/graceful-restart/state/restart-time":       {set: "graceful-restart/state/restart-time=120", want: `120`},
	"/graceful-restart/state/stale-routes-time":  {set: "graceful-restart/state/stale-routes-time=360", want: `360`},

	"/afi-safis/afi-safi/afi-safi-name":        {set: "afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled=true", want: `"L3VPN_IPV4_UNICAST"`},
	"/afi-safis/afi-safi/config/afi-safi-name": {`"L3VPN_IPV4_UNICAST"`, "afi-safis/afi-safi[name=vpnv4-unicast]/config/name=vpnv4-unicast", "afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled=true", `"L3VPN_IPV4_UNICAST"`},
	"/afi-safis/afi-safi/config/enabled":       {`false`, "afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled=false", "afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled=true", `true`},
	"/afi-safis/afi-safi/state/afi-safi-name":  {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/name=vpnv4-unicast", want: `"L3VPN_IPV4_UNICAST"`},
	"/afi-safis/afi-safi/state/enabled":        {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/enabled=true", want: `true`},
}

// otherWays are those of all other rows, by schema path.
var otherWays = map[string]ways{
	atInstance + "/name":               {set: "config/name=vpn1", want: `"vpn1"`},
	atInstance + "/config/name":        {`"vpn1"`, "config/name=vpn1", "config/name=vpn1", `"vpn1"`},
	atInstance + "/config/type":        {`"L3VRF"`, "config/name=vpn1", "config/name=vpn1", `"L3VRF"`},
	atInstance + "/config/description": {`"d"`, "config/description=d", "config/description=e", `"e"`},
	atInstance + "/state/name":         {set: "state/name=vpn1", want: `"vpn1"`},
	atInstance + "/state/type":         {set: "state/name=vpn1", want: `"L3VRF"`},
	atInstance + "/state/description":  {set: "state/description=e", want: `"e"`},

	atProtocol + "/identifier":                  {set: "config/name=vpn1", want: `"BGP"`},
	atProtocol + "/name":                        {set: "config/name=default", want: `"default"`},
	atProtocol + "/config/identifier":           {`"BGP"`, "config/name=vpn1", "config/name=vpn1", `"BGP"`},
	atProtocol + "/config/name":                 {`"default"`, "config/name=default", "config/name=default", `"default"`},
	atProtocol + "/state/identifier":            {set: "state/name=vpn1", want: `"BGP"`},
	atProtocol + "/state/name":                  {set: "state/name=default", want: `"default"`},
	atProtocol + "/bgp/global/config/as":        {`101`, "config/as=101", "config/as=102", `102`},
	atProtocol + "/bgp/global/config/router-id": {`"192.0.2.1"`, "config/router-id=192.0.2.1", "config/router-id=192.0.2.2", `"192.0.2.2"`},
	atProtocol + "/bgp/global/state/as":         {set: "state/as=100", want: `100`},
	atProtocol + "/bgp/global/state/router-id":  {set: "state/router-id=192.0.2.2", want: `"192.0.2.2"`},

	atGroup + "/peer-group-name":        {set: "config/name=g1", want: `"g1"`},
	atGroup + "/config/peer-group-name": {`"g1"`, "config/name=g1", "config/name=g1", `"g1"`},
	atGroup + "/state/peer-group-name":  {set: "state/name=g1", want: `"g1"`},

	atNeighbor + "/neighbor-address":        {set: "config/address=10.1.1.2", want: `"10.1.1.2"`},
	atNeighbor + "/config/neighbor-address": {`"10.1.1.2"`, "config/address=10.1.1.2", "config/address=10.1.1.2", `"10.1.1.2"`},
	atNeighbor + "/state/neighbor-address":  {set: "state/address=10.1.1.2", want: `"10.1.1.2"`},
	atNeighbor + "/config/peer-group":       {`"g1"`, "config/peer-group=g1", "config/peer-group=g1", `"g1"`},
	atNeighbor + "/state/peer-group":        {set: "state/peer-group=g1", want: `"g1"`},
	atNeighbor + "/config/enabled":          {`false`, "config/enabled=false", "config/enabled=true", `true`},
	atNeighbor + "/state/enabled":           {set: "state/enabled=false", want: `false`},
	atNeighbor + "/config/neighbor-port":    {`1179`, "transport/config/remote-port=1179", "transport/config/remote-port=1180", `1180`},
	atNeighbor + "/state/neighbor-port":     {set: "transport/state/remote-port=179", want: `179`},

	atNeighbor + "/state/session-state":           {set: "state/session-state=open-confirm", want: `"OPENCONFIRM"`},
	atNeighbor + "/state/last-established":        {set: "state/last-established=1970-01-01T00:00:01.5Z", want: `1500000000`},
	atNeighbor + "/state/established-transitions": {set: "state/established-transitions=3", want: `3`},
	atNeighbor + "/state/supported-capabilities":  {set: "afi-safis/afi-safi[name=ipv6-unicast]/state/active=true", want: `["MPBGP"]`},

	atNeighbor + "/state/messages/sent/last-notification-time":              {set: lr + "time=1970-01-01T00:00:02Z " + lr + "notification-direction=sent", want: `2000000000`},
	atNeighbor + "/state/messages/sent/last-notification-error-code":        {set: lr + "notification-code=6 " + lr + "notification-direction=sent", want: `"CEASE"`},
	atNeighbor + "/state/messages/sent/last-notification-error-subcode":     {set: lr + "notification-code=6 " + lr + "notification-subcode=6 " + lr + "notification-direction=sent", want: `"OTHER_CONFIG_CHANGE"`},
	atNeighbor + "/state/messages/received/last-notification-time":          {set: lr + "time=1970-01-01T00:00:02Z " + lr + "notification-direction=received", want: `2000000000`},
	atNeighbor + "/state/messages/received/last-notification-error-code":    {set: lr + "notification-code=4 " + lr + "notification-direction=received", want: `"HOLD_TIMER_EXPIRED"`},
	atNeighbor + "/state/messages/received/last-notification-error-subcode": {set: lr + "notification-code=4 " + lr + "notification-subcode=0 " + lr + "notification-direction=received", want: `"UNSPECIFIC"`},
	atNeighbor + "/timers/state/negotiated-hold-time":                       {set: "timers/state/negotiated-hold-time=90", want: `90`},
	atNeighbor + "/transport/state/local-address":                           {set: "transport/connect-interface/state/resolved-source=10.1.1.1", want: `"10.1.1.1"`},
	atNeighbor + "/transport/state/local-port":                              {set: "transport/state/actual-local-port=40000", want: `40000`},
	atNeighbor + "/transport/state/remote-address":                          {set: "transport/state/remote-address=10.1.1.2", want: `"10.1.1.2"`},
	atNeighbor + "/transport/state/remote-port":                             {set: "transport/state/actual-remote-port=179", want: `179`},
	atNeighborFamily + "/state/active":                                      {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/active=true", want: `true`},
	atNeighborFamily + "/state/prefixes/received":                           {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/prefixes-received=7", want: `7`},
	atNeighborFamily + "/state/prefixes/received-pre-policy":                {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/prefixes-received=5000000000", want: `4294967295`},
	atNeighborFamily + "/state/prefixes/sent":                               {set: "afi-safis/afi-safi[name=vpnv4-unicast]/state/prefixes-sent=8", want: `8`},
}

// waysOf returns the cases of a row.
func waysOf(r *row) (ways, bool) {
	for _, at := range []string{atGroup, atNeighbor} {
		if rest, ok := strings.CutPrefix(r.path, at); ok {
			if w, ok := settingWays[rest]; ok {
				return w, true
			}
		}
	}
	w, ok := otherWays[r.path]
	return w, ok
}

// concrete is a schema path with the keys of the example.
func concrete(path string) string {
	return strings.NewReplacer(
		"/network-instance/", "/network-instance[name=vpn1]/", "/protocol/", "/protocol[identifier=BGP][name=default]/",
		"/peer-group/", "/peer-group[peer-group-name=g1]/", "/neighbor/", "/neighbor[neighbor-address=10.1.1.2]/",
		"/afi-safi/", "/afi-safi[afi-safi-name=L3VPN_IPV4_UNICAST]/",
	).Replace(path)
}

var recordPaths = map[byte]string{
	schema.KindVPNInstance: nativeVPN, schema.KindInstance: nativeInstance, schema.KindBGPVPNInstance: nativeBGPVPN,
	schema.KindPeerGroup: nativeGroup, schema.KindPeer: nativePeer,
}

// leafValue is the value of a native configuration leaf, "-" for none. Secrets
// are no secret here.
func (s *store) leafValue(t *testing.T, at string) string {
	t.Helper()
	p, err := schema.Resolve(elems(at))
	if err != nil {
		t.Fatal(err)
	}
	k, rest, _ := p.Record()
	if s.records[k] == nil {
		return "-"
	}
	v, ok := schema.GetLeaf(s.records[k], rest)
	if !ok {
		return "-"
	}
	return v.String()
}

// put sets native leaves, in configuration or state as they are.
func (s *store) put(t *testing.T, record, leaves string) {
	t.Helper()
	for _, kv := range strings.Fields(leaves) {
		i := strings.LastIndexByte(kv, '=')
		at := record + "/" + kv[:i]
		p, err := schema.Resolve(elems(at))
		if err != nil {
			t.Fatal(err)
		}
		if !p.Node().Config {
			s.state(t, at, kv[i+1:])
			continue
		}
		v, err := p.Node().Type.Parse(kv[i+1:])
		if err != nil {
			t.Fatal(err)
		}
		k, rest, _ := p.Record()
		schema.SetLeaf(s.Mutable(k), rest, v)
	}
}

// Each row works in both directions; a row without a case fails.
func TestTable(t *testing.T) {
	used := map[string]bool{}
	for _, r := range model.rows {
		t.Run(strings.TrimPrefix(r.path, "/network-instances/"), func(t *testing.T) {
			w, ok := waysOf(r)
			if !ok {
				t.Fatal("the row has no case")
			}
			used[r.path] = true
			record, path := recordPaths[r.record], concrete(r.path)
			if w.write != "" {
				s := example(t)
				s.write(t, schema.OpMerge, path, w.write)
				for _, kv := range strings.Fields(w.native) {
					i := strings.LastIndexByte(kv, '=')
					if got := s.leafValue(t, record+"/"+kv[:i]); got != strings.ReplaceAll(kv[i+1:], "_", " ") {
						t.Errorf("after the write %s is %s", kv[:i], got)
					}
				}
				if want := w.write; !r.node.Secret && s.read(t, path, schema.ConfigOnly) != want {
					t.Errorf("read back %s, written %s", s.read(t, path, schema.ConfigOnly), want)
				}
				s.remove(t, strings.TrimSuffix(path, "/"+r.node.Name))
				if r.key == noKey {
					for _, kv := range strings.Fields(w.native) {
						if i := strings.LastIndexByte(kv, '='); r.as != &instanceType && s.leafValue(t, record+"/"+kv[:i]) != "-" {
							t.Errorf("after the delete %s is still there", kv[:i])
						}
					}
				}
			} else if r.node.Config && r.node.Parent.Kind != schema.List {
				t.Error("a configuration leaf needs a case that writes")
			}
			s := example(t)
			s.put(t, record, w.set)
			got := s.read(t, path, schema.All)
			if w.want == "" && strings.Contains(got, "no such data") {
				got = ""
			}
			if got != w.want {
				t.Errorf("read %s, want %s", got, w.want)
			}
			if !r.node.Config {
				err := WriteJSON(s, oc(t, path), []byte(w.want), schema.OpMerge)
				if err == nil || !strings.Contains(err.Error(), "config false") {
					t.Errorf("state was written: %v", err)
				}
			}
		})
	}
	for path := range otherWays {
		if !used[path] {
			t.Errorf("there is a case for %s, but no row", path)
		}
	}
}

// The native names of each row exist; and no top-level name is in both trees
// (gnmi.md 9).
func TestTreesApart(t *testing.T) {
	for _, n := range schema.Root().Children {
		if child(model.root, n.Name) != nil {
			t.Errorf("%s is in both trees", n.Name)
		}
	}
	if !Owns(elems("/network-instances/x")) || !Owns(elems("/openconfig-network-instance:network-instances")) || Owns(elems("/bgp")) || Owns(nil) {
		t.Error("Owns tells the trees apart wrongly")
	}
}
