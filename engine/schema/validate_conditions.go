package schema

import "strings"

// conditions is each must and when of the model in Go. The key has the text as
// the model has it, so a changed text has no condition, and a test compares
// this table with the model. Where an XPath expression sees a default value,
// none of these looks.
var conditions = func() map[statement]condition {
	const (
		vpn   = "/vpn-instances/vpn-instance"
		in    = "/bgp/instances/instance/vpn-instances/vpn-instance"
		peer  = in + "/peers/peer"
		group = in + "/peer-groups/peer-group"
	)
	m := map[statement]condition{
		{vpn + "/config", "not(name = '_public_') or not(vrf-device or network-namespace)"}:                                                                                  publicIsPlain,
		{peer, "not(transport/connect-interface/config/source-address) or contains(transport/connect-interface/config/source-address, ':') = contains(config/address, ':')"}: sourceFamily,
		{peer + "/config", "as or ../../../peer-groups/peer-group[name = current()/peer-group]/config/as"}:                                                                   hasAS,
	}
	for _, n := range []string{peer, group} {
		m[statement{n + "/transport/config", "not(valid-ttl-hops and ebgp-max-hop > 1)"}] = ttlExclusive
		m[statement{n + "/transport/connect-interface/config", "boolean(interface-type) = boolean(interface-number)"}] = typeWithNumber
		m[statement{n + "/transport/authentication/config", "not(method = 'md5') or password"}] = md5HasPassword
		m[statement{n + "/transport/authentication/config", "not(method = 'tcp-ao') or ../keys/key"}] = aoHasKey
		m[statement{n + "/transport/authentication/config/password", "../method = 'md5'"}] = methodMD5
		m[statement{n + "/transport/authentication/keys/key", "../../config/method = 'tcp-ao'"}] = methodAO
		m[statement{n + "/timers/config", "not(hold-time) or not(keepalive-interval) or hold-time = 0 or keepalive-interval * 3 <= hold-time"}] = keepaliveFits
	}
	return m
}()

func publicIsPlain(v *validator) bool {
	name, _ := v.find(0, "name")
	return name.s != "_public_" || !v.has("vrf-device") && !v.has("network-namespace")
}

func sourceFamily(v *validator) bool {
	source, ok := v.find(0, "transport", "connect-interface", "config", "source-address")
	address, _ := v.find(0, "config", "address")
	return !ok || strings.Contains(source.s, ":") == strings.Contains(address.s, ":")
}

// hasAS looks into the peer's group, so dependents has to know of it.
func hasAS(v *validator) bool {
	if v.has("as") {
		return true
	}
	name, ok := v.find(0, "peer-group")
	return ok && groupHasAS(v.r.Get(MakeKey(v.k.Parent(), KindOf(KindPeerGroup), name.s)))
}

func ttlExclusive(v *validator) bool {
	hops, ok := v.find(0, "ebgp-max-hop")
	return !ok || hops.Uint() <= 1 || !v.has("valid-ttl-hops")
}

func typeWithNumber(v *validator) bool {
	return v.has("interface-type") == v.has("interface-number")
}

func md5HasPassword(v *validator) bool {
	method, _ := v.find(0, "method")
	return method.s != "md5" || v.has("password")
}

func aoHasKey(v *validator) bool {
	method, _ := v.find(0, "method")
	if method.s != "tcp-ao" {
		return true
	}
	authentication := v.stack[len(v.stack)-2]
	keys := authentication.n.Child("keys")
	return keys.Child("key").isSet(keys.sub(authentication.sv))
}

func methodMD5(v *validator) bool {
	method, _ := v.find(1, "method")
	return method.s == "md5"
}

func methodAO(v *validator) bool {
	method, _ := v.find(2, "config", "method")
	return method.s == "tcp-ao"
}

func keepaliveFits(v *validator) bool {
	hold, ok := v.find(0, "hold-time")
	keepalive, both := v.find(0, "keepalive-interval")
	return !ok || !both || hold.Uint() == 0 || keepalive.Uint()*3 <= hold.Uint()
}

// has says whether a leaf of the context node is set.
func (v *validator) has(leaf string) bool {
	f := v.stack[len(v.stack)-1]
	return f.n.Child(leaf).isSet(f.sv)
}
