package frr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/backend"
	"mooring/bgp"
)

func now() time.Time { return time.Now() }

// neighborJSON is what `show bgp neighbors A json` tells of a session.
type neighborJSON struct {
	State          string `json:"bgpState"`
	RemoteRouterID string `json:"remoteRouterId"`
	HoldMsecs      int64  `json:"bgpTimerHoldTimeMsecs"`
	UpEpoch        int64  `json:"bgpTimerUpEstablishedEpoch"`
	MSS            int    `json:"bgpTcpMssSynced"`
	HostLocal      string `json:"hostLocal"`
	PortLocal      int    `json:"portLocal"`
	HostForeign    string `json:"hostForeign"`
	PortForeign    int    `json:"portForeign"`
	Ups            uint64 `json:"connectionsEstablished"`
	Downs          uint64 `json:"connectionsDropped"`
	LastReset      string `json:"lastResetDueTo"`
	LastError      string `json:"lastErrorCodeSubcode"`
	ShutdownText   string `json:"lastShutdownDescription"`
	Messages       struct {
		Received uint64 `json:"notificationsRecv"`
		Sent     uint64 `json:"notificationsSent"`
	} `json:"messageStats"`
	Restart struct {
		NBit bool `json:"nBit"`
	} `json:"gracefulRestartInfo"`
	Families map[string]struct {
		Accepted uint64 `json:"acceptedPrefixCounter"`
		Sent     uint64 `json:"sentPrefixCounter"`
	} `json:"addressFamilyInfo"`
	Capabilities struct {
		Families map[string]struct {
			Both     bool `json:"advertisedAndReceived"`
			Received bool `json:"received"`
		} `json:"multiprotocolExtensions"`
	} `json:"neighborCapabilities"`
}

var jsonFamilies = [...]string{
	bgp.IPv4Unicast: "ipv4Unicast", bgp.IPv6Unicast: "ipv6Unicast",
	bgp.VPNv4Unicast: "ipv4Vpn", bgp.VPNv6Unicast: "ipv6Vpn",
}

var states = map[string]bgp.SessionState{
	"Connect": bgp.StateConnect, "Active": bgp.StateActive, "OpenSent": bgp.StateOpenSent,
	"OpenConfirm": bgp.StateOpenConfirm, "Established": bgp.StateEstablished,
} // Idle, Clearing, Deleted and what comes later: idle

// look asks bgpd about a session and publishes what is new. The caller holds mu and a
// connection.
func (b *Backend) look(ctx context.Context, in *instance, p *peer, key bgp.PeerKey) error {
	_, err := b.ask(ctx, in, p, key)
	return err
}

// ask is look, and returns bgpd's word for the state.
func (b *Backend) ask(ctx context.Context, in *instance, p *peer, key bgp.PeerKey) (state string, err error) {
	name := addrOf(key).String()
	raw, err := b.shell.exec(ctx, "show bgp "+within(in.place)+"neighbors "+name+" json")
	if no := (*refusal)(nil); errors.As(err, &no) && no.code == codeWarning {
		raw, err = no.text, nil // where there is no such router block it is {}
	}
	if err != nil {
		return "", err
	}
	n, err := decodeNeighbor([]byte(raw), name)
	if err != nil {
		return "", err
	}
	if n == nil { // removed by somebody else: the next look at the configuration shows it
		n = &neighborJSON{State: "Idle", LastReset: "the neighbor is not in bgpd"}
	}
	was := p.up()
	b.observe(p, n)
	if was && !p.up() {
		if err := b.mendEnded(ctx, key); err != nil {
			return "", err
		}
	}
	if !p.up() && p.want != nil && p.given != nil && p.want != p.given {
		err = b.release(ctx, in, p)
	}
	return n.State, err
}

// observe compares what bgpd tells with what was told and makes events of the
// difference. The counter of establishments tells of a session that ended and
// came back between two looks.
func (b *Backend) observe(p *peer, n *neighborJSON) {
	state := states[n.State]
	if !p.looked || n.Ups < p.ups { // the first look, or bgpd forgot
		p.looked, p.ups = true, n.Ups
		if state == bgp.StateEstablished && p.ups > 0 {
			p.ups--
		}
		if p.up() && n.Ups == 0 {
			b.ended(p, p.explain(n))
		}
	}
	again := n.Ups > p.ups
	if p.up() && (again || state != bgp.StateEstablished) {
		b.ended(p, p.explain(n))
	}
	switch {
	case state == bgp.StateEstablished && (again || p.up()):
		e := b.established(p, n)
		if again || !slices.Equal(e.Families, p.shown.Families) {
			b.tell(p, e)
		}
	case state == bgp.StateEstablished:
		// The end of the session that Apply or Reset asked for is under way.
	default:
		if again { // it came and went
			e := b.blank(p)
			e.Session = bgp.StateEstablished
			b.tell(p, e)
			b.ended(p, p.explain(n))
		}
		e := b.blank(p)
		e.Session, e.ConnectError = state, connectError(n)
		if e.ConnectError != "" && e.ConnectError != p.shown.ConnectError {
			e.Failed = bgp.FailedNoRoute // bgpd tells of no others
			if !unreachable(e.ConnectError) {
				e.Failed = bgp.FailedOther
			}
		}
		if e.Session != p.shown.Session || e.ConnectError != p.shown.ConnectError {
			b.tell(p, e)
		}
	}
	p.ups, p.nBit = n.Ups, n.Restart.NBit
	p.received, p.sent = n.Messages.Received, n.Messages.Sent
}

// blank is a peer without a session.
func (b *Backend) blank(p *peer) backend.Event {
	return backend.Event{Kind: backend.PeerChanged, Time: now(), Peer: p.key, ConnectError: p.shown.ConnectError}
}

func (b *Backend) tell(p *peer, e backend.Event) {
	p.shown = e
	p.shown.Ended, p.shown.Failed = nil, bgp.FailedNone
	b.emit(e)
}

// ended tells the end of the session.
func (b *Backend) ended(p *peer, why *backend.Ended) {
	if !p.up() {
		return
	}
	e := backend.Event{Kind: backend.PeerChanged, Time: now(), Peer: p.shown.Peer, Ended: why}
	p.shown = e
	p.shown.Ended = nil
	b.emit(e)
}

func (b *Backend) emit(e backend.Event) {
	b.events = append(b.events, e)
	b.poke()
}

func (b *Backend) established(p *peer, n *neighborJSON) backend.Event {
	e := b.blank(p)
	e.Session, e.ConnectError = bgp.StateEstablished, ""
	if at := time.Unix(n.UpEpoch, 0); n.UpEpoch > 0 && e.Time.Sub(at) > 2*time.Second {
		e.Time = at // it was up before we looked
	}
	if p.up() {
		e.Time = now() // a counter changed
	}
	e.RemoteRouterID, _ = netip.ParseAddr(n.RemoteRouterID)
	e.HoldTime = time.Duration(n.HoldMsecs) * time.Millisecond
	e.Socket = bgp.Socket{
		Local: addrPort(n.HostLocal, n.PortLocal), Remote: addrPort(n.HostForeign, n.PortForeign),
		MSS: uint16(n.MSS),
	}
	if p.given.Source.IsValid() && e.Socket.Local.Addr() == p.given.Source.WithZone("") {
		e.Socket.Interface = p.given.Interface
	}
	if src := p.given.Source.WithZone(""); src.IsValid() && e.Socket.Local.IsValid() && e.Socket.Local.Addr() != src {
		// Ending it would only make it flap: FRR has no means to refuse it.
		e.ConnectError = fmt.Sprintf("the remote opened the session at %s, not at the source %s, and bgpd accepts that: configure the remote for %s",
			e.Socket.Local.Addr(), src, src)
	}
	for f, name := range jsonFamilies {
		counters, ok := n.Families[name]
		if !ok || !slices.Contains(p.given.Families, bgp.Family(f)) {
			continue
		}
		// A remote without any multiprotocol capability speaks IPv4 unicast (RFC 4760 8).
		active := n.Capabilities.Families[name].Both
		if bgp.Family(f) == bgp.IPv4Unicast && !active {
			active = !slices.ContainsFunc(jsonFamilies[:], func(other string) bool {
				c := n.Capabilities.Families[other]
				return c.Both || c.Received
			})
		}
		e.Families = append(e.Families, bgp.FamilyState{
			Family: bgp.Family(f), Active: active, Received: counters.Accepted, Sent: counters.Sent,
		})
	}
	return e
}

func addrPort(host string, port int) netip.AddrPort {
	a, err := netip.ParseAddr(host)
	if err != nil || port < 0 || port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port))
}

// connectError says why there is no session, "" where bgpd tells nothing that
// is worth reading.
func connectError(n *neighborJSON) string {
	for _, s := range []string{"VRF", "not in bgpd", "No AFI/SAFI", "Interface"} {
		if strings.Contains(n.LastReset, s) {
			return n.LastReset
		}
	}
	if unreachable(n.LastReset) {
		return n.LastReset
	}
	return ""
}

// unreachable says whether bgpd means that nothing leads to the peer.
func unreachable(reason string) bool {
	return strings.Contains(reason, "Waiting for NHT") || strings.Contains(reason, "No path to")
}

func sent(subcode uint8) *backend.Ended {
	return &backend.Ended{Notification: &bgp.Notification{Code: bgp.CodeCease, Subcode: subcode, Sent: true}}
}

// explain says why a session ended that was not ended by a command of ours. Where the
// remote connected again before we looked, bgpd has taken over the reason of the new
// connection, and only its counters tell.
func (p *peer) explain(n *neighborJSON) *backend.Ended {
	if n.State != "Established" || final(n.LastReset) {
		return explain(n)
	}
	switch {
	case n.Messages.Received > p.received:
		return &backend.Ended{Cause: bgp.CauseRemote, Text: "the remote sent a NOTIFICATION, and connected again before bgpd was asked which"}
	case n.Messages.Sent > p.sent:
		return &backend.Ended{Cause: bgp.CauseBackend, Text: "bgpd sent a NOTIFICATION, not for a command of Mooring's, and the remote connected again before bgpd was asked which"}
	}
	return &backend.Ended{Cause: bgp.CauseRemote, Text: "the connection was lost"}
}

// ceases are the Ceases that 10.6 and later have words for, without their code.
var ceases = map[string]uint8{
	"Cease: peer de-configured":   bgp.CeasePeerDeconfigured,
	"Cease: other config change":  bgp.CeaseOtherConfiguration,
	"Cease: connection collision": bgp.CeaseConnectionCollision,
	"Cease: hard reset":           bgp.CeaseHardReset,
}

// finals are the reasons that are not those of a connection being made.
var finals = map[string]bool{
	"BGP Notification received": true, "BGP Notification send": true, "Peer closed the session": true,
	"Admin. shutdown": true, "User reset": true, "Update source change": true, "Remote AS change": true,
	"Interface down": true, "Neighbor deleted": true, "Passive config change": true, "Password config change": true,
	"Capability changed": true, "Address family activated": true, "Router ID changed": true, "Remote AS changed": true,
	"RS client config change": true, "RR client config change": true,
}

func final(reason string) bool { return finals[reason] || strings.HasPrefix(reason, "Cease: ") }

// explain gives bgpd's word for it (peer_down_str of FRR).
func explain(n *neighborJSON) *backend.Ended {
	note := parseNotification(n.LastError)
	switch n.LastReset {
	case "BGP Notification received":
		if note == nil {
			note = &bgp.Notification{}
		}
		note.Text = n.ShutdownText
		return &backend.Ended{Cause: bgp.CauseRemote, Notification: note}
	case "Peer closed the session", "Peer reset the session", "TCP connection lost":
		return &backend.Ended{Cause: bgp.CauseRemote, Text: "the connection was lost: " + n.LastReset}
	case "BGP Notification send":
		if note != nil {
			note.Sent = true
		}
		if note != nil && note.Code == bgp.CodeHoldTimerExpired {
			return &backend.Ended{Cause: bgp.CauseRemote, Notification: note, Text: "nothing was received for the hold time"}
		}
		return &backend.Ended{Cause: bgp.CauseBackend, Notification: note}
	}
	why := &backend.Ended{Cause: bgp.CauseBackend, Text: "bgpd says: " + n.LastReset}
	if subcode, ok := ceases[n.LastReset]; ok {
		why.Notification = sent(subcode).Notification
	}
	return why
}

// parseNotification reads code and subcode as bgpd shows them, "0602".
func parseNotification(s string) *bgp.Notification {
	if len(s) != 4 {
		return nil
	}
	v, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return nil
	}
	return &bgp.Notification{Code: uint8(v >> 8), Subcode: uint8(v)}
}

// release hands over what waited for the end of the session.
func (b *Backend) release(ctx context.Context, in *instance, p *peer) error {
	conf := render(in.spec, p.want)
	addr := addrOf(p.want.Key)
	commands := whole(addr, p.nBit, commands(change(addr, p.conf, conf)))
	if err := b.shell.configure(ctx, in.router(), commands); err != nil {
		b.log.Error("settings that waited for the next session are not in force", "peer", p.want.Key.String(), "err", err)
		if isRefusal(err) {
			return b.takeBack(in, &peer{conf: p.conf}, p.want.Key)
		}
		return err
	}
	if farther(p.conf, conf) {
		b.later(in, addr, reachTime, reach)
	}
	p.given, p.conf = p.want, conf
	return nil
}
