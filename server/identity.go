package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
)

// Identity says who makes a request. The package fills User, Groups and
// Source; the front end adds Protocol and Session. The commit engine records
// it in the history and authorization decides by it. It holds no secret.
type Identity struct {
	User     string
	Groups   []string
	Source   netip.AddrPort // zero for a unix socket
	Protocol string
	Session  uint32 // zero where the protocol has no sessions
}

// String returns the identity for people.
func (i *Identity) String() string {
	source := "a local socket"
	if i.Source.IsValid() {
		source = i.Source.String()
	}
	text := i.User + " from " + source
	if i.Protocol != "" {
		text += " over " + i.Protocol
	}
	if i.Session != 0 {
		text += fmt.Sprintf(" session %d", i.Session)
	}
	return text
}

// LogValue implements slog.LogValuer.
func (i *Identity) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("user", i.User), slog.Any("groups", i.Groups)}
	if i.Source.IsValid() {
		attrs = append(attrs, slog.String("source", i.Source.String()))
	}
	if i.Protocol != "" {
		attrs = append(attrs, slog.String("protocol", i.Protocol))
	}
	if i.Session != 0 {
		attrs = append(attrs, slog.Uint64("session", uint64(i.Session)))
	}
	return slog.GroupValue(attrs...)
}

// SourceOf returns the remote address of a connection as Identity and
// Authenticate want it: IPv4 unmapped, and zero for a unix socket.
func SourceOf(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
