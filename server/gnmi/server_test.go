package gnmi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	"mooring/server"
	"mooring/server/authority"
)

// callAll makes one RPC of each kind and returns their errors by name.
func callAll(ctx context.Context, conn *grpc.ClientConn) map[string]error {
	c := gpb.NewGNMIClient(conn)
	errs := map[string]error{}
	_, errs["Capabilities"] = c.Capabilities(ctx, &gpb.CapabilityRequest{})
	_, errs["Get"] = c.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{{}}})
	_, errs["Set"] = c.Set(ctx, &gpb.SetRequest{})
	health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "gnmi.gNMI"})
	if errs["Health"] = err; err == nil && health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		errs["Health"] = fmt.Errorf("gnmi.gNMI is %v", health.GetStatus())
	}
	if s, err := c.Subscribe(ctx); err == nil {
		_ = s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Mode: gpb.SubscriptionList_ONCE, Subscription: []*gpb.Subscription{{Path: path("/agent")}},
		}}})
		_, errs["Subscribe"] = (&stream{GNMI_SubscribeClient: s}).all()
	}
	if s, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx); err == nil { // gnmi.md 104
		_ = s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
		resp, err := s.Recv()
		if errs["Reflection"] = err; err == nil && !strings.Contains(resp.GetListServicesResponse().String(), `"gnmi.gNMI"`) {
			errs["Reflection"] = fmt.Errorf("gnmi.gNMI is not among %v", resp)
		}
	}
	return errs
}

// twoFaced knows one password without the work of a real hash.
type twoFaced struct{}

func (twoFaced) Authenticate(_ context.Context, name, word string, source netip.AddrPort) (*server.Identity, error) {
	if name != testUser || word != testPassword || !source.Addr().IsLoopback() {
		return nil, server.ErrThrottled // wraps ErrUnauthenticated
	}
	return &server.Identity{User: name, Source: source}, nil
}

func (twoFaced) AuthenticateCertificate([][]*x509.Certificate, netip.AddrPort) (*server.Identity, error) {
	return nil, server.ErrNoCertToName
}

func (twoFaced) Identify(user string, source netip.AddrPort) *server.Identity {
	return &server.Identity{User: user, Source: source}
}

// gnmi.md 43, 101, 104: every RPC of every service wants to know who calls.
func TestAuthentication(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	tests := []struct {
		name string
		md   []string
		want codes.Code
		text string
	}{
		{"right", []string{"username", testUser, "password", testPassword}, codes.OK, ""},
		{"basic", []string{"authorization", basic(testUser + ":" + testPassword)}, codes.OK, ""},
		{"nothing", nil, codes.Unauthenticated, "username and password"},
		{"wrong password", []string{"username", testUser, "password", "guess"}, codes.Unauthenticated, "authentication failed"},
		{"unknown user", []string{"username", "mallory", "password", testPassword}, codes.Unauthenticated, "authentication failed"},
		{"no password", []string{"username", testUser}, codes.Unauthenticated, "no password"},
		{"empty password", []string{"username", testUser, "password", ""}, codes.Unauthenticated, "authentication failed"},
		{"two passwords", []string{"username", testUser, "password", "guess", "password", testPassword}, codes.Unauthenticated, "authentication failed"},
		{"basic, wrong", []string{"authorization", basic(testUser + ":guess")}, codes.Unauthenticated, "authentication failed"},
		// As every client of google/gnxi sends them: for the connection and for the call.
		{"all twice", []string{"username", testUser, "username", testUser, "password", testPassword, "password", testPassword}, codes.OK, ""},
		{"the username twice", []string{"username", testUser, "username", testUser, "password", testPassword}, codes.OK, ""},
		{"the password three times", []string{"username", testUser, "password", testPassword, "password", testPassword, "password", testPassword}, codes.OK, ""},
		{"basic twice", []string{"authorization", basic(testUser + ":" + testPassword), "authorization", basic(testUser + ":" + testPassword)}, codes.OK, ""},
		{"all twice, wrong", []string{"username", testUser, "username", testUser, "password", "guess", "password", "guess"}, codes.Unauthenticated, "authentication failed"},
		{"two usernames", []string{"username", testUser, "username", "mallory", "password", testPassword}, codes.Unauthenticated, "authentication failed"},
		{"the right password around another", []string{"username", testUser, "password", testPassword, "password", "guess", "password", testPassword}, codes.Unauthenticated, "authentication failed"},
		{"an empty password beside the right one", []string{"username", testUser, "password", "", "password", testPassword}, codes.Unauthenticated, "authentication failed"},
		{"two different basics", []string{"authorization", basic(testUser + ":" + testPassword), "authorization", basic(testUser + ":guess")}, codes.Unauthenticated, "username and password"},
		{"the username twice, no password", []string{"username", testUser, "username", testUser}, codes.Unauthenticated, "no password"},
		{"another scheme", []string{"authorization", "Bearer x"}, codes.Unauthenticated, "username and password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Users = twoFaced{} })
			for rpc, err := range callAll(metadata.AppendToOutgoingContext(r.ctx(), tt.md...), r.dial()) {
				t.Run(rpc, func(t *testing.T) { wantStatus(t, err, tt.want, tt.text) })
				if strings.Contains(prototextOf(err), "guess") {
					t.Errorf("%s: the message has the password", rpc)
				}
			}
		})
	}
	t.Run("a message is not read before", func(t *testing.T) {
		r := newRig(t)
		// The caller is refused though its message never comes.
		s, err := r.dial().NewStream(r.ctx(), &grpc.StreamDesc{ClientStreams: true}, gpb.GNMI_Set_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, s.RecvMsg(&gpb.SetResponse{}), codes.Unauthenticated)
	})
}

// gnmi.md 101: a client certificate that the agent's authority has signed. Its
// SPIFFE ID goes before its common name.
func TestClientCertificate(t *testing.T) {
	ca, caKey := certificate(t, "ca", nil, nil)
	cas := x509.NewCertPool()
	cas.AddCert(ca)
	r := newRig(t, func(c *Config) {
		conf := c.TLS.Clone()
		conf.ClientAuth, conf.ClientCAs = tls.VerifyClientCertIfGiven, cas
		c.TLS = conf
	})
	dial := func(name string) *grpc.ClientConn {
		cert, key := certificate(t, name, ca, caKey)
		return r.dial(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: r.roots, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		})))
	}
	conn := dial("bob")
	for rpc, err := range callAll(r.ctx(), conn) {
		if err != nil {
			t.Errorf("%s: %v", rpc, err)
		}
	}
	const workload = "spiffe://example.net/collector"
	for i, name := range []string{"bob", workload} {
		size := jsonVal(fmt.Sprint(50 + i))
		if _, err := gpb.NewGNMIClient(dial(name)).Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update("/agent/history/config/size", size)}}); err != nil {
			t.Fatal(err)
		}
		history := r.engine.Store().History()
		if last := history[len(history)-1]; last.User != name || last.Protocol != "gnmi" {
			t.Errorf("of %s the history says %q over %q", name, last.User, last.Protocol)
		}
	}
	c := gpb.NewGNMIClient(conn)
	for user, want := range map[string]codes.Code{"bob": codes.OK, "alice": codes.Unauthenticated} {
		_, err := c.Capabilities(metadata.AppendToOutgoingContext(r.ctx(), "username", user), &gpb.CapabilityRequest{})
		wantStatus(t, err, want)
	}
	_, err := c.Capabilities(metadata.AppendToOutgoingContext(r.ctx(), "username", "bob", "password", "x"), &gpb.CapabilityRequest{})
	wantStatus(t, err, codes.Unauthenticated) // a password that is given counts
}

// gnmi.md 101 and netconf.md 62: the list cert-to-name of the user file, where
// there is one, says whom a certificate names.
func TestClientCertificateIsMapped(t *testing.T) {
	ca, caKey := certificate(t, "ca", nil, nil)
	cas := x509.NewCertPool()
	cas.AddCert(ca)
	bob, bobKey := certificate(t, "bob", ca, caKey)
	eve, eveKey := certificate(t, "eve", ca, caKey)
	path := filepath.Join(t.TempDir(), "users.yaml")
	print := "04:" + server.Fingerprint(bob)
	if err := os.WriteFile(path, []byte("users: [{name: ops, groups: [admin]}]\ncert-to-name: [{id: 1, fingerprint: '"+print+"', map-type: specified, name: ops}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	users, err := server.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) {
		conf := c.TLS.Clone()
		conf.ClientAuth, conf.ClientCAs = tls.VerifyClientCertIfGiven, cas
		c.TLS, c.Users = conf, users
	})
	dial := func(cert *x509.Certificate, key *ecdsa.PrivateKey) gpb.GNMIClient {
		return gpb.NewGNMIClient(r.dial(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: r.roots, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		}))))
	}
	if _, err := dial(bob, bobKey).Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update("/agent/history/config/size", jsonVal("50"))}}); err != nil {
		t.Fatal(err)
	}
	history := r.engine.Store().History()
	if got := history[len(history)-1].User; got != "ops" {
		t.Errorf("the history says %q", got)
	}
	_, err = dial(eve, eveKey).Capabilities(r.ctx(), &gpb.CapabilityRequest{})
	wantStatus(t, err, codes.Unauthenticated, "no entry of cert-to-name", server.Fingerprint(eve))
}

// certificate makes one, signed by ca or by itself. A name that is a URI stands
// beside the common name of somebody else.
func certificate(t *testing.T, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true, IsCA: ca == nil,
	}
	if uri, err := url.Parse(name); err == nil && uri.Scheme != "" {
		template.URIs, template.Subject.CommonName = []*url.URL{uri}, "somebody else"
	}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// gnmi.md 105, 106
func TestMessages(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxMessage = 8 << 10 }).example()
	if _, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{{}}}, grpc.UseCompressor(gzip.Name)); err != nil {
		t.Errorf("gzip: %v", err)
	}
	big := update(thePeer+"/config/description", jsonVal(`"`+strings.Repeat("x", 9<<10)+`"`))
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{big}})
	wantStatus(t, err, codes.ResourceExhausted, "larger than max")
	_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{big}}, grpc.UseCompressor(gzip.Name))
	wantStatus(t, err, codes.ResourceExhausted)
	// More than gRPC takes by itself: 4 MiB.
	large := newRig(t).example()
	large.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(strings.Repeat(" ", 6<<20)+`"large"`))}})
	// No message at all, and one that is no message.
	raw, err := r.conn.NewStream(r.ctx(), &grpc.StreamDesc{}, gpb.GNMI_Get_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.CloseSend()
	wantStatus(t, raw.RecvMsg(&gpb.GetResponse{}), codes.Internal)
	if err := r.conn.Invoke(r.ctx(), "/gnmi.gNMI/Nonsense", &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
		t.Error("an unknown method was answered")
	}
}

// gnmi.md 100: nothing in the clear off loopback.
func TestPlaintext(t *testing.T) {
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	err = New(Config{Engine: r.engine, Users: newUsers(t), Log: r.server.log}).Serve(t.Context(), ln)
	if err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("Serve on %s: %v", ln.Addr(), err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}

	r.serve(Config{Engine: r.engine, Users: newUsers(t), Log: r.server.log})
	conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(r.ctx(), "username", testUser, "password", testPassword)
	if _, err := gpb.NewGNMIClient(conn).Capabilities(ctx, &gpb.CapabilityRequest{}); err != nil {
		t.Errorf("on loopback: %v", err)
	}
}

// gnmi.md 61, 83: 1,000 subscribers that vanish leave nothing behind, and those
// that do not read slow nobody down. goleak sees what stays.
func TestVanishedSubscribers(t *testing.T) {
	r := newRig(t).example()
	var wg sync.WaitGroup
	for range 100 { // connections
		wg.Go(func() {
			var raw net.Conn
			conn := r.dial(grpc.WithPerRPCCredentials(password{testUser, testPassword}),
				grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
					var err error
					raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
					return raw, err
				}))
			for range 10 {
				s, err := gpb.NewGNMIClient(conn).Subscribe(t.Context()) // none ends because it takes long
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
					Subscription: []*gpb.Subscription{{Mode: gpb.SubscriptionMode_ON_CHANGE}},
				}}})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Recv(); err != nil { // it is subscribed, and reads no more
					t.Error(err)
					return
				}
			}
			_ = raw.(*net.TCPConn).SetLinger(0)
			_ = raw.Close() // gone without a word of HTTP/2
			_ = conn.Close()
		})
	}
	wg.Wait()
	for i := range 5 {
		r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(strings.Repeat("1", i+1)))}})
	}
	eventually(t, "all subscriptions are gone", func() bool { return r.server.Subscriptions() == 0 })
}

// gnmi.md 61: while a subscriber does not read, changes merge and are counted.
func TestSlowReader(t *testing.T) {
	r := newRig(t).example()
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer+"/config")
	s.untilSync()
	// Each change is larger than what any buffer on the way would hide.
	text := func(i int) string { return fmt.Sprintf("%0255d", i) }
	const rounds = 3000
	start := time.Now()
	for i := range rounds {
		_, err := r.server.Set(t.Context(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal(text(i)))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d Sets beside a reader that does not read: %v", rounds, time.Since(start))
	updates, duplicates := 0, 0
	for updates+duplicates < rounds {
		for _, u := range s.next().GetUpdate().GetUpdate() {
			updates, duplicates = updates+1, duplicates+int(u.Duplicates)
			if last := updates+duplicates == rounds; last && valueText(u.Val) != `json "`+text(rounds-1)+`"` {
				t.Errorf("the last value is %s", valueText(u.Val))
			}
		}
	}
	if duplicates == 0 {
		t.Error("nothing was merged")
	}
}

// gnmi.md 103: a new certificate counts from the next connection on, and ends
// no other. A client that trusts the authority does not notice that the agent
// renewed its certificate; one of another authority is refused.
func TestCertificateRotation(t *testing.T) {
	r := newRig(t).example()
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer+"/config/description")
	s.untilSync()
	remake := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.Remove(filepath.Join(r.certs, name)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := authority.Open(r.certs, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	creds := grpc.WithPerRPCCredentials(password{testUser, testPassword})
	var shown [2]peer.Peer
	capabilities := func(p *peer.Peer) error {
		_, err := gpb.NewGNMIClient(r.dial(creds)).Capabilities(r.ctx(), &gpb.CapabilityRequest{}, grpc.Peer(p))
		return err
	}
	certificate := func(p peer.Peer) *x509.Certificate {
		return p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0]
	}
	if err := capabilities(&shown[0]); err != nil {
		t.Fatal(err)
	}
	remake(authority.CertificateFile)
	if err := capabilities(&shown[1]); err != nil {
		t.Fatalf("with another certificate of the authority: %v", err)
	}
	if certificate(shown[0]).Equal(certificate(shown[1])) {
		t.Error("the old certificate is shown")
	}
	remake(authority.CertificateFile, authority.KeyFile, authority.CAFile, authority.CAKeyFile)
	wantStatus(t, capabilities(&shown[1]), codes.Unavailable, "certificate")
	pem, err := os.ReadFile(filepath.Join(r.certs, authority.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(pem)
	if err := capabilities(&shown[1]); err != nil {
		t.Errorf("with the new authority: %v", err)
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal("still here"))}})
	s.until("still here")
}

// gnmi.md 100: a unix socket, in the clear, wants a password too.
func TestUnixSocket(t *testing.T) {
	r := newRig(t).example()
	at := filepath.Join(t.TempDir(), "gnmi.sock")
	ln, err := server.Listen(t.Context(), "unix:"+at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := New(Config{Engine: r.engine, Users: newUsers(t), Log: r.server.log})
	go func() { done <- s.Serve(ctx, ln) }()
	conn, err := grpc.NewClient("unix:"+at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	calls, end := context.WithCancel(r.ctx()) // ends the stream that callAll leaves
	for rpc, err := range callAll(metadata.AppendToOutgoingContext(calls, "username", testUser, "password", testPassword), conn) {
		if err != nil {
			t.Errorf("%s: %v", rpc, err)
		}
	}
	end()
	_, err = gpb.NewGNMIClient(conn).Capabilities(r.ctx(), &gpb.CapabilityRequest{})
	wantStatus(t, err, codes.Unauthenticated)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
