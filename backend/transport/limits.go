package transport

import (
	"fmt"

	"mooring/bgp"
)

// Dialer says what the opener and acceptor of connections can do. Its
// methods are pure.
type Dialer interface {
	// Limits returns the settings that are not carried in full, by the leaf
	// as in bgp.PeerLeaves.
	Limits() map[string]Limit
	// CheckInstance refuses an instance whose sockets it cannot make: a *LimitError.
	CheckInstance(in *bgp.InstanceSpec) error
	// CheckPeer refuses a peer whose connection it cannot make as asked for:
	// a *LimitError.
	CheckPeer(in *bgp.InstanceSpec, p *bgp.PeerSpec) error
}

// Limit is what is missing of a setting.
type Limit struct {
	Refused bool   // no value but the default passes the check
	Note    string // what is missing and why
}

// LimitError refuses a setting.
type LimitError struct {
	Leaf   string // as in bgp.PeerLeaves or bgp.DiffInstances
	Reason string
}

// Error returns the leaf and the reason.
func (e *LimitError) Error() string { return e.Leaf + ": " + e.Reason }

// GoBGP is the dialer and listener that GoBGP v4.8 brings.
type GoBGP struct{}

var _ Dialer = GoBGP{}

const (
	leafMethod   = "transport/authentication/config/method"
	leafPassword = "transport/authentication/config/password"
	leafKeys     = "transport/authentication/keys"
	leafNetNS    = "config/network-namespace"
	leafPort     = "transport/config/local-port"
	leafMSS      = "transport/config/tcp-mss"
)

var gobgpLimits = map[string]Limit{
	leafMode: {Note: "connect-only needs an instance that does not listen (listen-port 0): " +
		"GoBGP accepts for every peer of a listening instance"},
	leafPort: {Note: "after a reset the kernel may keep the port of the old connection " +
		"for a minute (TIME_WAIT), in which the peer can only be dialled by the remote"},
	leafHops: {Note: "a connection that an IPv6 peer opens is answered with the kernel's hop limit, " +
		"so that peer must be dialled: listen-only is refused"},
	leafMSS: {Note: "has no effect on a connection that the remote opened: " +
		"GoBGP sets it after the handshake"},
	leafPMTU: {Refused: true, Note: "GoBGP has no socket option for it; the kernel's default is in force"},
	"transport/connect-interface/config/source-address": {Note: "in a VRF device the address that the remote dialled is checked " +
		"only after the session is up; a wrong one ends it"},
	leafMethod: {Note: "tcp-ao is refused: GoBGP v4.8 has no API for it"},
	leafKeys:   {Refused: true, Note: "GoBGP v4.8 has no API for TCP-AO"},
	"timers/config/connect-retry": {Note: "the first attempt is 1.5 to 2 s after a reset whatever the value, " +
		"later ones at 75 to 100 % of it and never below 1.5 s"},
}

// Limits implements Dialer.
func (GoBGP) Limits() map[string]Limit { return gobgpLimits }

// CheckInstance implements Dialer.
func (GoBGP) CheckInstance(in *bgp.InstanceSpec) error {
	if in.Namespace != "" {
		return &LimitError{leafNetNS, fmt.Sprintf(
			"GoBGP opens its sockets in the agent's own network namespace and cannot enter %q: run an agent there, or use a vrf-device",
			in.Namespace)}
	}
	return nil
}

// CheckPeer implements Dialer.
func (GoBGP) CheckPeer(in *bgp.InstanceSpec, p *bgp.PeerSpec) error {
	switch {
	case p.ConnectMode == bgp.ConnectOnly && in.Port != 0:
		return &LimitError{leafMode, "connect-only is not possible while the instance listens: set its listen-port to 0 or use both"}
	case p.ConnectMode == bgp.ListenOnly && p.MinTTL != 0 && !p.Key.Address.Unmap().Is4():
		return &LimitError{leafHops, "does not work with listen-only over IPv6: GoBGP answers with the kernel's hop limit, use connect-mode both"}
	case p.PathMTU != bgp.ToggleDefault:
		return &LimitError{leafPMTU, gobgpLimits[leafPMTU].Note + ": remove the setting"}
	case p.Auth == bgp.AuthTCPAO:
		return &LimitError{leafMethod, gobgpLimits[leafKeys].Note + ": use md5 or none"}
	case p.Auth == bgp.AuthMD5 && (len(p.Password) == 0 || len(p.Password) > maxMD5Bytes):
		return &LimitError{leafPassword, "an MD5 key has 1 to 80 octets"}
	}
	return nil
}

// Own is the Transport of this package.
type Own struct{}

var _ Dialer = Own{}

// Limits implements Dialer.
func (Own) Limits() map[string]Limit {
	limits := map[string]Limit{
		leafMSS:    {Note: "in the SYN-ACK too; the kernel has room for roughly 1,300 IPv4 and 440 IPv6 peers with a value at one listen address"},
		leafMaxHop: {Note: "the SYN-ACK to a remote that dials leaves with TTL 255, whatever the value: listening sockets are shared"},
		leafDSCP:   {Note: "the SYN-ACK to a remote that dials leaves with DSCP 48, whatever the value: listening sockets are shared"},
	}
	if !hasTCPAO() {
		limits[leafMethod] = Limit{Note: "tcp-ao is refused: " + ErrNoTCPAO.Error()}
		limits[leafKeys] = Limit{Refused: true, Note: ErrNoTCPAO.Error()}
	}
	return limits
}

// CheckInstance implements Dialer.
func (Own) CheckInstance(in *bgp.InstanceSpec) error {
	if in.Namespace != "" && in.Device != "" {
		return &LimitError{leafNetNS, "excludes vrf-device: set one of them"}
	}
	return nil
}

// CheckPeer implements Dialer.
func (Own) CheckPeer(_ *bgp.InstanceSpec, p *bgp.PeerSpec) error {
	switch {
	case p.Auth == bgp.AuthTCPAO && !hasTCPAO():
		return &LimitError{leafMethod, ErrNoTCPAO.Error() + ": use md5 or none"}
	case p.Auth == bgp.AuthMD5 && (len(p.Password) == 0 || len(p.Password) > maxMD5Bytes):
		return &LimitError{leafPassword, "an MD5 key has 1 to 80 octets"}
	}
	return nil
}
