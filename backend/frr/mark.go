package frr

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mooring/bgp"
)

// A mark is a description that says whose a neighbor or router block is, and
// carries what FRR has no room for:
//
//	mooring:default/vpn1?down=interface-missing&detail=...
//
// Names and values are escaped as in a URL, so a mark has no spaces. Values
// that are FRR's own defaults are left out.
const markPrefix = "mooring:"

func mark(key bgp.InstanceKey, v url.Values) string {
	s := markPrefix + url.QueryEscape(key.Instance) + "/" + url.QueryEscape(key.VPN)
	if q := v.Encode(); q != "" {
		s += "?" + q
	}
	return s
}

// parseMark reads a mark; ok is false for any other description.
func parseMark(s string) (key bgp.InstanceKey, v url.Values, ok bool) {
	rest, ok := strings.CutPrefix(s, markPrefix)
	if !ok {
		return key, nil, false
	}
	names, query, _ := strings.Cut(rest, "?")
	instance, vpn, ok := strings.Cut(names, "/")
	if !ok {
		return key, nil, false
	}
	var err [3]error
	key.Instance, err[0] = url.QueryUnescape(instance)
	key.VPN, err[1] = url.QueryUnescape(vpn)
	v, err[2] = url.ParseQuery(query)
	for _, e := range err {
		if e != nil {
			return bgp.InstanceKey{}, nil, false
		}
	}
	return key, v, key.Instance != "" && key.VPN != ""
}

// detailMax keeps a command well below what a vty takes.
const detailMax = 500

func peerMark(p *bgp.PeerSpec) string {
	v := url.Values{}
	if p.Interface != "" {
		v.Set("if", p.Interface)
	}
	if p.Remote() != p.Key.Address { // bgpd has the interface, not how the peer is called
		v.Set("zone", p.Key.Address.Zone())
	}
	if p.Down != bgp.DownNone {
		v.Set("down", p.Down.String())
		if p.DownDetail != "" {
			v.Set("detail", p.DownDetail[:min(len(p.DownDetail), detailMax)])
		}
	}
	setSeconds(v, "keepalive", p.Keepalive, keepalive(p))
	if p.ResetMode == bgp.ResetHard {
		v.Set("reset", p.ResetMode.String())
	}
	if !p.GracefulRestart { // else the router block has them
		setSeconds(v, "restart", p.RestartTime, defaultRestartTime)
		setSeconds(v, "stale", p.StaleTime, defaultStaleTime)
	}
	return mark(p.Key.InstanceKey(), v)
}

func setSeconds(v url.Values, name string, d, def time.Duration) {
	if d != def {
		v.Set(name, strconv.Itoa(int(d/time.Second)))
	}
}

func seconds(v url.Values, name string, def time.Duration) (time.Duration, error) {
	s := v.Get(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("mark: %s: %w", name, err)
	}
	return time.Duration(n) * time.Second, nil
}

func parseDown(s string) (bgp.DownReason, error) {
	for d := bgp.DownNone; d <= bgp.DownBackend; d++ {
		if d.String() == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("mark: unknown reason %q", s)
}

func instanceMark(in *bgp.InstanceSpec, shared bool) string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("device", in.Device)
	set("netns", in.Namespace)
	if in.Port != defaultPort {
		v.Set("port", strconv.Itoa(int(in.Port)))
	}
	if shared {
		v.Set("shared", in.RouterID.String())
	}
	set("rd4", in.RD4)
	set("rd6", in.RD6)
	set("in4", strings.Join(in.Import4, ","))
	set("out4", strings.Join(in.Export4, ","))
	set("in6", strings.Join(in.Import6, ","))
	set("out6", strings.Join(in.Export6, ","))
	return mark(in.Key, v)
}

// parseInstance reads the specification of a router block that bears our mark.
func parseInstance(b *block) (in *bgp.InstanceSpec, shared, ok bool) {
	key, v, ok := parseMark(b.mark())
	if !ok {
		return nil, false, false
	}
	list := func(name string) []string {
		if v.Get(name) == "" {
			return nil
		}
		return strings.Split(v.Get(name), ",")
	}
	in = &bgp.InstanceSpec{
		Key: key, AS: b.as, Device: v.Get("device"), Namespace: v.Get("netns"), Port: defaultPort,
		RD4: v.Get("rd4"), RD6: v.Get("rd6"),
		Import4: list("in4"), Export4: list("out4"), Import6: list("in6"), Export6: list("out6"),
	}
	if s := v.Get("port"); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return nil, false, false
		}
		in.Port = uint16(n)
	}
	id := b.value("bgp router-id")
	if s := v.Get("shared"); s != "" {
		id, shared = s, true
	}
	in.RouterID, _ = netip.ParseAddr(id) // none: differs from every one that is wanted
	return in, shared, true
}
