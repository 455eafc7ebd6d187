package bgp

import (
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secret is a key or password. It prints as redacted; only a backend that
// hands it to the kernel converts it to a string.
type Secret string

// String returns a mark that tells only whether there is a secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString keeps %#v from printing the secret.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps slog from printing the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// InstanceSpec is a VPN instance of a BGP instance, fully resolved: no names
// to look up, no inheritance, no zero that means a default.
type InstanceSpec struct {
	Key      InstanceKey
	AS       uint32
	RouterID netip.Addr // IPv4, never zero
	// OwnRouterID says that the agent chose RouterID; it is no setting.
	OwnRouterID bool
	Device      string       // VRF device, "" for none
	Namespace   string       // network namespace, "" for the agent's own
	Listen      []netip.Addr // sorted; empty accepts on every address
	Port        uint16       // 0 accepts no connection

	// The VPN's own settings. They cost no session anything.
	RD4, RD6                           string
	Import4, Export4, Import6, Export6 []string
}

// Equal says whether both describe the same instance.
func (s *InstanceSpec) Equal(o *InstanceSpec) bool {
	if s == nil || o == nil {
		return s == o
	}
	return len(DiffInstances(s, o)) == 0
}

// TCPAOKey is a master key tuple (RFC 5925 3.1).
type TCPAOKey struct {
	SendID, ReceiveID uint8
	Algorithm         string // as the model names it
	Secret            Secret
}

// PeerSpec is a peer, fully resolved: the effective value of every setting
// after inheritance, defaults and source resolution. A published PeerSpec is
// never changed.
type PeerSpec struct {
	Key      PeerKey
	RemoteAS uint32
	LocalAS  uint32
	RouterID netip.Addr // of this side; that of the instance

	// Down holds the peer down, DownDetail says in a sentence why and what to
	// do. A backend keeps such a peer without a session and without a listener
	// that would accept one.
	Down       DownReason
	DownDetail string

	Source    netip.Addr // invalid: the kernel's route lookup chooses
	Chosen    netip.Addr // what that gives, as far as it is known; no setting
	Interface string     // device that has Source; "" where Source is invalid
	Zone      string     // device that a link-local peer is on (RFC 4007 11), where that is known
	// SourceWarning says what is wrong with Source although it is in force.
	SourceWarning string

	ConnectMode ConnectMode
	RemotePort  uint16
	LocalPort   uint16 // 0: the kernel chooses
	TTL         uint8  // of packets sent; 0: the kernel's default
	MinTTL      uint8  // GTSM: least TTL accepted (RFC 5082), 0: any
	MSS         uint16 // octets, 0: from the MTU
	PathMTU     Toggle
	DSCP        uint8

	Auth     AuthMethod
	Password Secret     // where Auth is AuthMD5
	Keys     []TCPAOKey // where Auth is AuthTCPAO, sorted by SendID

	HoldTime     time.Duration // whole seconds, 0: no keepalives
	Keepalive    time.Duration // whole seconds
	ConnectRetry time.Duration // whole seconds

	GracefulRestart bool
	RestartTime     time.Duration
	StaleTime       time.Duration
	ResetMode       ResetMode

	Families []Family // sorted, at least one
}

// LinkLocal says whether an address means nothing without an interface (RFC 4007 6).
func LinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Remote is the address to dial: a link-local one with the device that it is on.
func (p *PeerSpec) Remote() netip.Addr {
	if a := p.Key.Address; p.Zone != "" && LinkLocal(a) {
		return a.WithZone(p.Zone)
	}
	return p.Key.Address
}

// LeafChange is a setting whose effective value differs, with both values as
// text. Secrets show as redacted.
type LeafChange struct {
	Leaf     string // path below the peer, as in the model
	Old, New string
}

// String returns "leaf: old -> new".
func (c LeafChange) String() string {
	show := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	return c.Leaf + ": " + show(c.Old) + " -> " + show(c.New)
}

const leafSource = "transport/connect-interface/config/source-address"

// InForce says whether the change only names what is in force already: a source
// address that the route lookup gives as well.
func (c LeafChange) InForce() bool { return c.Leaf == leafSource && c.Old == c.New }

// sourceText is the address that a session has or would have.
func sourceText(p *PeerSpec) string {
	switch {
	case noSource(p) != DownNone:
		return p.Down.String()
	case p.Source.IsValid():
		return addr(p.Source)
	}
	return addr(p.Chosen)
}

// noSource is why the peer has no source address, DownNone where it has one.
func noSource(p *PeerSpec) DownReason {
	if p.Down == DownDisabled {
		return DownNone
	}
	return p.Down
}

// field is one effective setting: the leaf that the model names it by, its
// text, and where the text does not tell it (secrets), equality.
type field[T any] struct {
	leaf  string
	text  func(*T) string
	equal func(a, b *T) bool // nil: equal texts
}

func text[T any](leaf string, f func(*T) string) field[T] { return field[T]{leaf: leaf, text: f} }

// peerFields lists every setting of a PeerSpec. The order is that of the
// model. Down, Interface, Zone, Chosen and SourceWarning are consequences, not settings.
var peerFields = []field[PeerSpec]{
	text("config/enabled", func(p *PeerSpec) string { return strconv.FormatBool(p.Down != DownDisabled) }),
	text("config/as", func(p *PeerSpec) string { return u(p.RemoteAS) }),
	text("config/local-as", func(p *PeerSpec) string { return u(p.LocalAS) }),
	text("router-id", func(p *PeerSpec) string { return addr(p.RouterID) }),
	text("transport/config/connect-mode", func(p *PeerSpec) string { return p.ConnectMode.String() }),
	text("transport/config/remote-port", func(p *PeerSpec) string { return u(p.RemotePort) }),
	text("transport/config/local-port", func(p *PeerSpec) string { return zero(p.LocalPort) }),
	text("transport/config/ebgp-max-hop", func(p *PeerSpec) string {
		if p.MinTTL != 0 {
			return "" // GTSM displaces it
		}
		return zero(p.TTL)
	}),
	text("transport/config/valid-ttl-hops", func(p *PeerSpec) string {
		if p.MinTTL == 0 {
			return ""
		}
		return strconv.Itoa(256 - int(p.MinTTL))
	}),
	text("transport/config/tcp-mss", func(p *PeerSpec) string { return zero(p.MSS) }),
	text("transport/config/path-mtu-discovery", func(p *PeerSpec) string { return p.PathMTU.String() }),
	text("transport/config/dscp", func(p *PeerSpec) string { return u(p.DSCP) }),
	{leaf: leafSource, text: sourceText, equal: func(a, b *PeerSpec) bool { return a.Source == b.Source && noSource(a) == noSource(b) }},
	text("transport/authentication/config/method", func(p *PeerSpec) string { return p.Auth.String() }),
	{
		leaf:  "transport/authentication/config/password",
		text:  func(p *PeerSpec) string { return p.Password.String() },
		equal: func(a, b *PeerSpec) bool { return a.Password == b.Password },
	},
	{
		leaf:  "transport/authentication/keys",
		text:  func(p *PeerSpec) string { return keyIDs(p.Keys) },
		equal: func(a, b *PeerSpec) bool { return slices.Equal(a.Keys, b.Keys) },
	},
	text("timers/config/hold-time", func(p *PeerSpec) string { return seconds(p.HoldTime) }),
	text("timers/config/keepalive-interval", func(p *PeerSpec) string { return seconds(p.Keepalive) }),
	text("timers/config/connect-retry", func(p *PeerSpec) string { return seconds(p.ConnectRetry) }),
	text("graceful-restart/config/enabled", func(p *PeerSpec) string { return strconv.FormatBool(p.GracefulRestart) }),
	text("graceful-restart/config/restart-time", func(p *PeerSpec) string { return seconds(p.RestartTime) }),
	text("graceful-restart/config/stale-routes-time", func(p *PeerSpec) string { return seconds(p.StaleTime) }),
	text("graceful-restart/config/reset-mode", func(p *PeerSpec) string { return p.ResetMode.String() }),
	text("afi-safis", func(p *PeerSpec) string { return families(p.Families) }),
}

var instanceFields = []field[InstanceSpec]{
	text("config/as", func(s *InstanceSpec) string { return u(s.AS) }),
	text("config/router-id", func(s *InstanceSpec) string { return addr(s.RouterID) }),
	text("config/vrf-device", func(s *InstanceSpec) string { return s.Device }),
	text("config/network-namespace", func(s *InstanceSpec) string { return s.Namespace }),
	text("config/listen-address", func(s *InstanceSpec) string { return addrs(s.Listen) }),
	text("config/listen-port", func(s *InstanceSpec) string { return u(s.Port) }),
	text("ipv4-family/config/route-distinguisher", func(s *InstanceSpec) string { return s.RD4 }),
	text("ipv4-family/config/import-route-target", func(s *InstanceSpec) string { return strings.Join(s.Import4, " ") }),
	text("ipv4-family/config/export-route-target", func(s *InstanceSpec) string { return strings.Join(s.Export4, " ") }),
	text("ipv6-family/config/route-distinguisher", func(s *InstanceSpec) string { return s.RD6 }),
	text("ipv6-family/config/import-route-target", func(s *InstanceSpec) string { return strings.Join(s.Import6, " ") }),
	text("ipv6-family/config/export-route-target", func(s *InstanceSpec) string { return strings.Join(s.Export6, " ") }),
}

// DiffPeers returns the settings in which the two differ, in model order.
// Neither may be nil.
func DiffPeers(old, new *PeerSpec) []LeafChange { return diff(peerFields, old, new) }

// DiffInstances returns the settings in which the two differ. Neither may be
// nil.
func DiffInstances(old, new *InstanceSpec) []LeafChange { return diff(instanceFields, old, new) }

// peerLeaves is made once: it is asked for with every peer that is read.
var peerLeaves = func() []string {
	names := make([]string, len(peerFields))
	for i, f := range peerFields {
		names[i] = f.leaf
	}
	return names
}()

// PeerLeaves returns the names of all settings of a PeerSpec, in model order.
// The slice is shared and must not be changed.
func PeerLeaves() []string { return peerLeaves }

// Value returns the effective value of the setting PeerLeaves()[i] as text, ""
// where it is not set. Secrets show as redacted.
func (p *PeerSpec) Value(i int) string { return peerFields[i].text(p) }

func diff[T any](fields []field[T], old, new *T) []LeafChange {
	var out []LeafChange
	for _, f := range fields {
		a, b := f.text(old), f.text(new)
		if f.equal == nil && a == b || f.equal != nil && f.equal(old, new) {
			continue
		}
		out = append(out, LeafChange{Leaf: f.leaf, Old: a, New: b})
	}
	return out
}

func u[T uint8 | uint16 | uint32](v T) string { return strconv.FormatUint(uint64(v), 10) }

func zero[T uint8 | uint16 | uint32](v T) string {
	if v == 0 {
		return ""
	}
	return u(v)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrs(as []netip.Addr) string {
	s := make([]string, len(as))
	for i, a := range as {
		s[i] = a.String()
	}
	return strings.Join(s, " ")
}

func families(fs []Family) string {
	s := make([]string, len(fs))
	for i, f := range fs {
		s[i] = f.String()
	}
	return strings.Join(s, " ")
}

func keyIDs(ks []TCPAOKey) string {
	s := make([]string, len(ks))
	for i, k := range ks {
		s[i] = u(k.SendID) + "/" + u(k.ReceiveID)
	}
	return strings.Join(s, " ")
}
