package gnmi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"mooring/engine/commit"
	"mooring/server"
)

const protocol = "gnmi"

type identityKey struct{}

// guard registers services so that no RPC of theirs is answered before its
// caller has proved who it is (gnmi.md 43, 101). It is no interceptor, for two
// reasons. gRPC reads the message of a unary method, up to MaxMessage, before
// an interceptor could refuse the caller; so a unary method is registered as a
// stream of one message each way, which is the same on the wire, and reads its
// message itself. And gRPC calls no interceptor for such a stream.
type guard struct {
	*grpc.Server
	authenticate func(ctx context.Context, method string) (context.Context, error)
	recovered    func(method string, err *error) // deferred
}

// RegisterService implements grpc.ServiceRegistrar.
func (g guard) RegisterService(desc *grpc.ServiceDesc, impl any) {
	d := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: desc.HandlerType, Metadata: desc.Metadata}
	for _, m := range desc.Methods {
		d.Streams = append(d.Streams, grpc.StreamDesc{StreamName: m.MethodName, Handler: func(srv any, stream grpc.ServerStream) (err error) {
			method := desc.ServiceName + "/" + m.MethodName
			defer g.recovered(method, &err)
			ctx, err := g.authenticate(stream.Context(), method)
			if err != nil {
				return err
			}
			resp, err := m.Handler(srv, ctx, func(m any) error { return receive(stream, m) }, nil)
			if err != nil {
				return err
			}
			return stream.SendMsg(resp)
		}})
	}
	for _, m := range desc.Streams {
		handle := m.Handler
		m.Handler = func(srv any, stream grpc.ServerStream) (err error) {
			method := desc.ServiceName + "/" + m.StreamName
			defer g.recovered(method, &err)
			ctx, err := g.authenticate(stream.Context(), method)
			if err != nil {
				return err
			}
			return handle(srv, &identifiedStream{ServerStream: stream, ctx: ctx})
		}
		d.Streams = append(d.Streams, m)
	}
	g.Server.RegisterService(d, impl)
}

// authenticate returns a context that carries the caller.
func (s *Server) authenticate(ctx context.Context, method string) (context.Context, error) {
	id, err := s.identify(ctx)
	if err != nil {
		s.log.Info("request refused", "method", method, "err", err)
		return nil, err
	}
	return context.WithValue(ctx, identityKey{}, id), nil
}

// identifiedStream is a stream whose context carries the caller.
type identifiedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *identifiedStream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *identifiedStream) RecvMsg(m any) error { return receive(s.ServerStream, m) }

// identify finds out who calls: a name and its password, else the client
// certificate that TLS has verified. A name without a password is believed
// only when the certificate says the same.
func (s *Server) identify(ctx context.Context) (*server.Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "the connection has no address")
	}
	source := server.SourceOf(p.Addr)
	name, password, given := credentialsOf(ctx)
	if given {
		id, err := s.cfg.Users.Authenticate(ctx, name, password, source)
		if err != nil {
			return nil, authError(err)
		}
		id.Protocol = protocol
		return id, nil
	}
	id, err := s.certified(p, source)
	switch {
	case err != nil:
		return nil, authError(err)
	case id == nil && name == "":
		return nil, status.Error(codes.Unauthenticated, "authentication failed: send the metadata username and password, or a client certificate")
	case id == nil:
		return nil, status.Error(codes.Unauthenticated, "authentication failed: the metadata has a username but no password")
	case name != "" && name != id.User:
		return nil, status.Error(codes.Unauthenticated, "authentication failed: the username is not that of the client certificate, and there is no password")
	}
	id.Protocol = protocol
	return id, nil
}

func authError(err error) error {
	if errors.Is(err, server.ErrUnauthenticated) {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	return statusOf(err)
}

// credentialsOf returns what the metadata says: username and password, or the
// header of HTTP basic authentication (RFC 7617). given tells that there is a
// password to check.
func credentialsOf(ctx context.Context) (name, password string, given bool) {
	md, _ := metadata.FromIncomingContext(ctx)
	if scheme, encoded, ok := strings.Cut(one(md, "authorization"), " "); ok && strings.EqualFold(scheme, "basic") {
		text, err := base64.StdEncoding.DecodeString(encoded)
		name, password, found := strings.Cut(string(text), ":")
		if err == nil && found {
			return name, password, true
		}
	}
	return one(md, "username"), one(md, "password"), len(md.Get("password")) > 0
}

// one returns the value of a key. It may be there several times, as clients do
// that set it for the connection and for the call; two different values are none.
func one(md metadata.MD, key string) string {
	if v := slices.Compact(md.Get(key)); len(v) == 1 {
		return v[0]
	}
	return ""
}

// certified returns whom a verified client certificate names, nil without one:
// by the list cert-to-name, or where there is none its SPIFFE ID, else its
// common name.
func (s *Server) certified(p *peer.Peer, source netip.AddrPort) (*server.Identity, error) {
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil, nil
	}
	id, err := s.cfg.Users.AuthenticateCertificate(info.State.VerifiedChains, source)
	if !errors.Is(err, server.ErrNoCertToName) {
		return id, err
	}
	name := info.State.PeerCertificates[0].Subject.CommonName
	if info.SPIFFEID != nil {
		name = info.SPIFFEID.String()
	}
	if name == "" {
		return nil, nil
	}
	return s.cfg.Users.Identify(name, source), nil
}

// actor is the caller as the commit engine records it.
func actor(ctx context.Context) commit.Actor {
	id, ok := ctx.Value(identityKey{}).(*server.Identity)
	if !ok {
		return commit.Actor{Protocol: protocol}
	}
	a := commit.Actor{User: id.User, Groups: id.Groups, Protocol: id.Protocol}
	if id.Source.IsValid() {
		a.Source = id.Source.Addr().String()
	}
	return a
}
