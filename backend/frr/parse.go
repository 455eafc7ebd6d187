package frr

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/bgp"
)

// config is what of `show running-config` concerns us.
type config struct {
	dscp   uint8             // of all that bgpd sends
	blocks map[string]*block // by place
}

// block is one "router bgp".
type block struct {
	as        uint32
	place     string
	lines     []string // of the block itself and of peer groups
	neighbors map[netip.Addr]*neighbor
	af        map[string][]string // lines that are not a neighbor's activation
	bmp       map[string][]string
	dscp      uint8
	implicit  bool // neighbors have ipv4 unicast unless it is taken away
}

type neighbor struct {
	conf  conf     // what we would manage
	other []string // the rest
}

// parseConfig reads the text of `show running-config`. Lines that it does not
// know are somebody else's.
func parseConfig(text string) *config {
	c := &config{dscp: defaultDSCP, blocks: map[string]*block{}}
	var b *block
	var af, targets string
	datacenter := false
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\r\n")
		l := strings.TrimSpace(raw)
		top := l != "" && raw[0] != ' '
		switch {
		case l == "" || l[0] == '!':
		case top:
			af, targets, b = "", "", nil
			if rest, ok := strings.CutPrefix(l, "router bgp "); ok {
				b = c.block(rest)
			}
			if rest, ok := strings.CutPrefix(l, "bgp session-dscp "); ok {
				if n, err := strconv.ParseUint(rest, 10, 6); err == nil {
					c.dscp = uint8(n)
				}
			}
			datacenter = datacenter || l == "frr defaults datacenter"
		case b == nil || l == "exit" && targets == "":
		case l == "exit":
			targets = ""
		case l == "exit-address-family":
			af = ""
		case strings.HasPrefix(l, "address-family "):
			af = strings.TrimPrefix(l, "address-family ")
		case targets != "":
			b.bmp[targets] = append(b.bmp[targets], l)
		case af == "" && strings.HasPrefix(l, "bmp targets "):
			targets = strings.TrimPrefix(l, "bmp targets ")
			b.bmp[targets] = nil
		default:
			b.add(af, l)
		}
	}
	for _, b := range c.blocks {
		b.dscp = c.dscp
		b.finish(datacenter)
	}
	return c
}

func (c *config) block(rest string) *block {
	rest, _, _ = strings.Cut(rest, " as-notation ")
	number, place, _ := strings.Cut(rest, " ")
	as, err := parseAS(number)
	if err != nil {
		return nil
	}
	b := &block{
		as: as, place: place, neighbors: map[netip.Addr]*neighbor{},
		af: map[string][]string{}, bmp: map[string][]string{},
	}
	c.blocks[place] = b
	return b
}

// parseAS reads an AS number as asplain, asdot or asdot+ (RFC 5396).
func parseAS(s string) (uint32, error) {
	high, low, dotted := strings.Cut(s, ".")
	if !dotted {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	}
	h, err := strconv.ParseUint(high, 10, 16)
	l, lerr := strconv.ParseUint(low, 10, 16)
	return uint32(h<<16 | l), errors.Join(err, lerr)
}

// plain writes a line of a neighbor as it would be shown without `as-notation`, and
// with what 9.1 and later leave out.
func plain(key, text string) string {
	words := strings.Fields(text)
	switch {
	case (key == "remote-as" || key == "local-as") && len(words) > 1:
		if as, err := parseAS(words[1]); err == nil {
			words[1] = strconv.FormatUint(uint64(as), 10)
			return strings.Join(words, " ")
		}
	case text == "ebgp-multihop":
		return text + " 255"
	}
	return text
}

// add files a line of the block or of one of its address families.
func (b *block) add(af, l string) {
	if words, ok := strings.CutPrefix(l, "neighbor "); ok {
		name, text, _ := strings.Cut(words, " ")
		if addr, err := netip.ParseAddr(name); err == nil {
			b.neighborLine(addr, af, text)
			return
		}
	}
	if words, ok := strings.CutPrefix(l, "no neighbor "); ok && af == "ipv4 unicast" {
		name, text, _ := strings.Cut(words, " ")
		if addr, err := netip.ParseAddr(name); err == nil && text == "activate" {
			b.neighborLine(addr, af, "no activate")
			return
		}
	}
	if af == "" {
		b.lines = append(b.lines, l)
	} else {
		b.af[af] = append(b.af[af], l)
	}
}

func (b *block) neighborLine(addr netip.Addr, af, text string) {
	n := b.neighbors[addr]
	if n == nil {
		n = &neighbor{}
		b.neighbors[addr] = n
	}
	s, ok := settingOf(text)
	if s.key == "shutdown" {
		text = s.key // the message was for the remote and has been sent
	}
	text = plain(s.key, text)
	switch {
	case ok && (af == "") != (s.key == "activate"):
		n.conf = append(n.conf, line{af, s.key, text})
	case af == "":
		n.other = append(n.other, text)
	default:
		n.other = append(n.other, af+": "+text)
	}
}

// finish adds what FRR does not show because it is its default.
func (b *block) finish(datacenter bool) {
	b.implicit = !slices.Contains(b.lines, "no bgp default ipv4-unicast")
	if datacenter && !slices.Contains(b.lines, "bgp ebgp-requires-policy") {
		b.lines = append(b.lines, "no bgp ebgp-requires-policy")
	}
	const off = "ipv4 unicast: no activate"
	for _, n := range b.neighbors {
		i := slices.Index(n.other, off)
		if i >= 0 {
			n.other = slices.Delete(n.other, i, i+1)
		} else if _, ok := n.conf.find("ipv4 unicast", "activate"); b.implicit && !ok {
			n.conf = append(n.conf, line{"ipv4 unicast", "activate", "activate"})
		}
		slices.SortFunc(n.conf, compareLines)
	}
}

// value returns what follows a key in a line of the block, "" for none.
func (b *block) value(key string) string {
	for _, l := range b.lines {
		if rest, ok := strings.CutPrefix(l, key+" "); ok {
			return rest
		}
	}
	return ""
}

func (b *block) mark() string { return b.value("neighbor " + group + " description") }

// has says whether a command that sets or removes a line of the block, or sets one of a
// neighbor, is in force.
func (b *block) has(text string) bool {
	words, ok := strings.CutPrefix(text, "neighbor ")
	if name, setting, _ := strings.Cut(words, " "); ok {
		if addr, err := netip.ParseAddr(name); err == nil && b.neighbors[addr] != nil {
			s, _ := settingOf(setting)
			return b.neighbors[addr].conf.text(s.key) == setting
		}
	}
	if gone, ok := strings.CutPrefix(text, "no "); ok {
		return b.value(gone) == ""
	}
	return slices.Contains(b.lines, text)
}

// ours returns the lines of the block that Mooring manages: of a shared one only its
// mark.
func (b *block) ours(shared bool) []string {
	var out []string
	for _, l := range b.lines {
		if key := instanceKey(l); key != "" && (!shared || strings.HasPrefix(l, "neighbor "+group+" ")) {
			out = append(out, l)
		}
	}
	return out
}

// empty says whether the block has nothing in it.
func (b *block) empty() bool {
	return len(b.lines)+len(b.neighbors)+len(b.af)+len(b.bmp) == 0
}

// restart returns the graceful restart times of the block.
func (b *block) restart() restart {
	get := func(key string, def time.Duration) time.Duration {
		if n, err := strconv.ParseUint(b.value(key), 10, 32); err == nil {
			return time.Duration(n) * time.Second
		}
		return def
	}
	return restart{
		time:  get("bgp graceful-restart restart-time", defaultRestartTime),
		stale: get("bgp graceful-restart stalepath-time", defaultStaleTime),
	}
}

// foreign returns what of the block is not ours, for saying why it must stay.
// mine says which neighbors are ours.
func (b *block) foreign(mine func(netip.Addr) bool) []string {
	var out []string
	for _, l := range b.lines {
		if instanceKey(l) == "" {
			out = append(out, l)
		}
	}
	for af, ls := range b.af {
		for _, l := range ls {
			if !strings.HasPrefix(l, "rd vpn export ") && !strings.HasPrefix(l, "rt vpn ") {
				out = append(out, af+": "+l)
			}
		}
	}
	for addr := range b.neighbors {
		if !mine(addr) {
			out = append(out, "neighbor "+addr.String())
		}
	}
	for t := range b.bmp {
		if t != group {
			out = append(out, "bmp targets "+t)
		}
	}
	slices.Sort(out)
	return out
}

// parsePeer reads the specification of a neighbor. It is the inverse of
// render; ok is false for a neighbor that does not bear our mark.
func parsePeer(in *bgp.InstanceSpec, b *block, addr netip.Addr, c conf) (p *bgp.PeerSpec, ok bool, err error) {
	key, v, ok := parseMark(strings.TrimPrefix(c.text("description"), "description "))
	if !ok || key != in.Key {
		return nil, false, nil
	}
	if zone := strings.TrimPrefix(c.text("interface"), "interface "); zone != "" {
		addr = addr.WithZone(zone)
	}
	on := addr.Zone()
	if v.Has("zone") {
		addr = addr.WithZone(v.Get("zone"))
	}
	gr := b.restart()
	p = &bgp.PeerSpec{
		Zone:     on,
		Key:      bgp.PeerKey{Instance: key.Instance, VPN: key.VPN, Address: addr},
		LocalAS:  in.AS,
		RouterID: in.RouterID, Interface: v.Get("if"), DownDetail: v.Get("detail"),
		RemotePort: defaultPort, DSCP: b.dscp,
	}
	if p.Down, err = parseDown(v.Get("down")); err != nil {
		return nil, true, err
	}
	if p.RestartTime, err = seconds(v, "restart", gr.time); err != nil {
		return nil, true, err
	}
	if p.StaleTime, err = seconds(v, "stale", gr.stale); err != nil {
		return nil, true, err
	}
	if !c.has("graceful-restart") || c.text("graceful-restart") != "graceful-restart" {
		p.RestartTime, _ = seconds(v, "restart", defaultRestartTime)
		p.StaleTime, _ = seconds(v, "stale", defaultStaleTime)
	}
	if v.Get("reset") == bgp.ResetHard.String() {
		p.ResetMode = bgp.ResetHard
	}
	for _, l := range c {
		if err := readLine(p, l); err != nil {
			return nil, true, fmt.Errorf("%q: %w", redact(" "+l.text), err)
		}
	}
	if p.Keepalive, err = seconds(v, "keepalive", p.Keepalive); err != nil {
		return nil, true, err
	}
	switch {
	case p.MinTTL != 0:
		p.TTL = 255
	case p.RemoteAS == p.LocalAS:
		p.TTL = 0 // ebgp-multihop means nothing to an internal peer
	case p.TTL == 0:
		p.TTL = 1
	}
	return p, true, nil
}

// readLine takes one line of a neighbor into p.
func readLine(p *bgp.PeerSpec, l line) (err error) {
	words := strings.Fields(l.text)
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	number := func(i, bits int) uint64 {
		n, e := strconv.ParseUint(arg(i), 10, bits)
		if e != nil {
			err = e
		}
		return n
	}
	second := func(i int) time.Duration { return time.Duration(number(i, 16)) * time.Second }
	switch l.key {
	case "remote-as":
		p.RemoteAS = uint32(number(1, 32))
	case "local-as":
		p.LocalAS = uint32(number(1, 32))
	case "passive":
		p.ConnectMode = bgp.ListenOnly
	case "port":
		p.RemotePort = uint16(number(1, 16))
	case "ebgp-multihop":
		p.TTL = 255
		if len(words) > 1 {
			p.TTL = uint8(number(1, 8))
		}
	case "ttl-security":
		n := number(2, 8)
		p.MinTTL = uint8(256 - max(1, n))
	case "update-source":
		p.Source, err = netip.ParseAddr(arg(1))
	case "password":
		p.Auth, p.Password = bgp.AuthMD5, bgp.Secret(arg(1))
	case "tcp-mss":
		p.MSS = uint16(number(1, 16))
	case "timers":
		p.Keepalive, p.HoldTime = second(1), second(2)
	case "timers connect":
		p.ConnectRetry = second(2)
	case "graceful-restart":
		p.GracefulRestart = l.text == "graceful-restart"
	case "activate":
		i := slices.Index(afNames[:], l.af)
		if i >= 0 {
			p.Families = append(p.Families, bgp.Family(i))
			slices.Sort(p.Families)
		}
	case "shutdown":
		if p.Down == bgp.DownNone { // by somebody else
			p.Down, p.DownDetail = bgp.DownDisabled, "shut down in bgpd"
		}
	}
	return err
}
