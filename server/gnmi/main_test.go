package gnmi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	gproto "google.golang.org/protobuf/proto"

	"mooring/backend/fake"
	"mooring/backend/srcaddr"
	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server"
	"mooring/server/authority"
)

func TestMain(m *testing.M) {
	// ygot brings glog, whose flusher lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

const (
	testUser     = "alice"
	testPassword = "correct horse"

	vpn1     = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"
	thePeer  = vpn1 + "/peers/peer[address=10.1.1.2]"
	peerJSON = `{"config":{"as":200},"transport":{"connect-interface":{"config":{"source-address":"10.1.1.1"}}}}`
)

// patience is how long a test waits for what should come at once, on a machine
// that has other things to do.
const patience = time.Minute

// network is a commit.Sources in which every address is on an interface.
type network struct{ changes chan srcaddr.Change }

func (n network) Changes() <-chan srcaddr.Change { return n.changes }

func (network) Route(srcaddr.Query) netip.Addr { return netip.Addr{} }

func (n network) Resolve(q srcaddr.Query) srcaddr.Answer {
	switch {
	case q.Source.IsValid():
		return srcaddr.Answer{Status: srcaddr.Resolved, Source: q.Source, Interface: "lo"}
	case q.Interface != "":
		return srcaddr.Answer{Status: srcaddr.InterfaceMissing, Detail: "no interface " + q.Interface}
	}
	return srcaddr.Answer{Status: srcaddr.Unbound}
}

// password is what gnmic puts into the metadata of every RPC.
type password struct{ user, word string }

func (p password) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"username": p.user, "password": p.word}, nil
}

func (password) RequireTransportSecurity() bool { return true }

// rig is an agent with the fake backend behind a real TLS socket.
type rig struct {
	testing.TB
	engine  *commit.Coordinator
	backend *fake.Backend
	server  *Server
	addr    string
	certs   string // folder of the server's certificate
	roots   *x509.CertPool
	client  gpb.GNMIClient
	conn    *grpc.ClientConn
	stop    func() // ends Serve and waits
}

func newRig(tb testing.TB, change ...func(*Config)) *rig {
	tb.Helper()
	r := &rig{TB: tb, backend: fake.New(fake.Options{})}
	r.engine = newEngine(tb, tempDir(tb), r.backend)
	certs := tb.TempDir()
	r.certs = certs
	if _, err := authority.Open(certs, slog.New(slog.DiscardHandler)); err != nil {
		tb.Fatal(err)
	}
	source, err := server.NewCertificateSource(filepath.Join(certs, authority.CertificateFile), filepath.Join(certs, authority.KeyFile), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(certs, authority.CAFile))
	if err != nil {
		tb.Fatal(err)
	}
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(pem)
	conf, err := server.TLSConfig(source, server.ClientCertNone, nil)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := Config{Engine: r.engine, Users: newUsers(tb), Log: slog.New(slog.DiscardHandler), TLS: conf}
	for _, f := range change {
		f(&cfg)
	}
	r.serve(cfg)
	r.conn = r.dial(grpc.WithPerRPCCredentials(password{testUser, testPassword}))
	r.client = gpb.NewGNMIClient(r.conn)
	return r
}

// newGuardedRig is a rig with access control. The user of the other tests may
// do everything.
func newGuardedRig(tb testing.TB) *rig {
	tb.Helper()
	var engine *commit.Coordinator
	r := newRig(tb, func(c *Config) {
		engine = newEngine(tb, tempDir(tb), fake.New(fake.Options{}), func(c *commit.Config) {
			store := c.Store
			c.Access = nacm.New(func() schema.Reader { return store.Running() }, "admin")
		})
		c.Engine = engine
	})
	r.engine = engine
	return r
}

// serve puts a Server on a socket of loopback.
func (r *rig) serve(cfg Config) {
	r.Helper()
	ln, err := server.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.addr = ln.Addr().String()
	s := New(cfg) // a rig may serve twice: the goroutine keeps its own
	r.server = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Serve: %v", err)
		}
	})
	r.Cleanup(r.stop)
}

func (r *rig) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	r.Helper()
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: r.roots})),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(512<<20), grpc.MaxCallSendMsgSize(512<<20)),
	}, opts...)
	conn, err := grpc.NewClient(r.addr, opts...)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = conn.Close() })
	return conn
}

// newEngine boots a coordinator.
func newEngine(tb testing.TB, dir string, b *fake.Backend, change ...func(*commit.Config)) *commit.Coordinator {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	cfg := commit.Config{
		Store: store, Backend: b, Sources: network{make(chan srcaddr.Change)},
		RouterID: netip.MustParseAddr("192.0.2.1"), Version: "test", Log: log,
	}
	for _, f := range change {
		f(&cfg)
	}
	c := commit.New(cfg)
	if err := c.Boot(context.Background()); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("Run: %v", err)
		}
		if err := store.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return c
}

// tempDir is on a file system in memory where there is one: no test here is
// about the disk.
func tempDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "mooring-gnmi-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newUsers(tb testing.TB) *server.Users {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(testPassword), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "users.yaml")
	text := "users:\n"
	for user, groups := range map[string]string{testUser: "[admin]", "operator": "[operators]", "guest": "[]"} {
		text += fmt.Sprintf("  - {name: %s, password-hash: %q, groups: %s}\n", user, hash, groups)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	users, err := server.OpenUsers(path)
	if err != nil {
		tb.Fatal(err)
	}
	return users
}

// path reads /a/b[k=v]/c, "" and "/" being the root. It knows no model.
func path(text string) *gpb.Path {
	p := &gpb.Path{}
	for len(text) > 1 {
		text = strings.TrimPrefix(text, "/")
		end := len(text)
		depth := 0
		for i, c := range text {
			if c == '[' {
				depth++
			}
			if c == ']' {
				depth--
			}
			if c == '/' && depth == 0 {
				end = i
				break
			}
		}
		name, keys, _ := strings.Cut(text[:end], "[")
		e := &gpb.PathElem{Name: name}
		for _, kv := range strings.Split(strings.TrimSuffix(keys, "]"), "][") {
			if k, v, ok := strings.Cut(kv, "="); ok {
				if e.Key == nil {
					e.Key = map[string]string{}
				}
				e.Key[k] = v
			}
		}
		p.Elem = append(p.Elem, e)
		text = text[end:]
	}
	return p
}

func jsonVal(text string) *gpb.TypedValue {
	return &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: []byte(text)}}
}

func ietfVal(text string) *gpb.TypedValue {
	return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: []byte(text)}}
}

func stringVal(s string) *gpb.TypedValue {
	return &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: s}}
}

func update(at string, v *gpb.TypedValue) *gpb.Update { return &gpb.Update{Path: path(at), Val: v} }

// example loads the configuration that most tests start from.
func (r *rig) example() *rig {
	r.Helper()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update("/vpn-instances/vpn-instance[name=vpn1]", jsonVal(`{"ipv4-family":{"config":{"route-distinguisher":"100:1"}}}`)),
		update("/bgp/instances/instance[name=default]/config/as", jsonVal("100")),
		update(vpn1, jsonVal(`{"name":"vpn1"}`)),
		update(thePeer, jsonVal(peerJSON)),
	}})
	eventually(r, "the session", func() bool { return r.value(thePeer+"/state/session-state") == `"established"` })
	return r
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	return ctx
}

func (r *rig) set(req *gpb.SetRequest) *gpb.SetResponse {
	r.Helper()
	resp, err := r.client.Set(r.ctx(), req)
	if err != nil {
		r.Fatalf("Set: %v", err)
	}
	return resp
}

func (r *rig) get(req *gpb.GetRequest) *gpb.GetResponse {
	r.Helper()
	resp, err := r.client.Get(r.ctx(), req)
	if err != nil {
		r.Fatalf("Get: %v", err)
	}
	return resp
}

// value is the JSON_IETF value at a path, "" where there is none.
func (r *rig) value(at string) string {
	r.Helper()
	resp, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(at)}, Encoding: gpb.Encoding_JSON_IETF})
	if status.Code(err) == codes.NotFound {
		return ""
	}
	if err != nil {
		r.Fatalf("Get %s: %v", at, err)
	}
	return string(resp.Notification[0].Update[0].Val.GetJsonIetfVal())
}

// wantStatus checks the code, that the message names everything in contains,
// and that the details name the field.
func wantStatus(t testing.TB, err error, code codes.Code, contains ...string) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code {
		t.Fatalf("code %v, want %v: %s", st.Code(), code, st.Message())
	}
	for _, c := range contains {
		if !strings.Contains(st.Message(), c) {
			t.Errorf("message %q does not name %q", st.Message(), c)
		}
	}
}

// violations are the fields that the details of an error blame.
func violations(err error) []string {
	var out []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				out = append(out, v.Field)
			}
		}
	}
	return out
}

// textOf reads a message in text form.
func textOf[M any, P interface {
	*M
	gproto.Message
}](t testing.TB, text string) P {
	t.Helper()
	m := P(new(M))
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// eventually waits for what only another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
