package runner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/ygot/ygot"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// maxMessage is the largest answer that GNMI takes.
const maxMessage = 1 << 30

// GNMI is a gNMI client of an agent.
type GNMI struct {
	gpb.GNMIClient
	Conn *grpc.ClientConn
}

// login puts user name and password into the metadata of each RPC.
type login struct{ user, password string }

func (l login) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"username": l.user, "password": l.password}, nil
}

func (login) RequireTransportSecurity() bool { return true }

// GNMI connects over TLS, which must show the certificate in the agent's state
// directory. The connection ends in the Cleanup of the test.
func (a *Agent) GNMI(t testing.TB) *GNMI {
	t.Helper()
	g, err := a.DialGNMI(Password)
	if err != nil {
		t.Fatalf("runner: %v", err)
	}
	t.Cleanup(func() { _ = g.Conn.Close() })
	return g
}

// DialGNMI is GNMI with a password of the caller's, who closes the connection.
func (a *Agent) DialGNMI(password string) (*GNMI, error) {
	pem, err := os.ReadFile(filepath.Join(a.StateDir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", a.StateDir)
	}
	conn, err := grpc.NewClient("passthrough:///"+a.gnmi,
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return a.dial(a.gnmi) }),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})),
		grpc.WithPerRPCCredentials(login{a.user, password}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, err
	}
	return &GNMI{GNMIClient: gpb.NewGNMIClient(conn), Conn: conn}, nil
}

// Op is an operation of a Set.
type Op func(*gpb.SetRequest) error

// Update merges a value, given as anything that encoding/json takes, at a path.
func Update(path string, value any) Op {
	return func(r *gpb.SetRequest) error {
		u, err := update(path, value)
		r.Update = append(r.Update, u)
		return err
	}
}

// Replace puts a value in the place of what is at a path.
func Replace(path string, value any) Op {
	return func(r *gpb.SetRequest) error {
		u, err := update(path, value)
		r.Replace = append(r.Replace, u)
		return err
	}
}

// Delete deletes what is at a path.
func Delete(path string) Op {
	return func(r *gpb.SetRequest) error {
		p, err := ygot.StringToStructuredPath(path)
		r.Delete = append(r.Delete, p)
		return err
	}
}

func update(path string, value any) (*gpb.Update, error) {
	p, err := ygot.StringToStructuredPath(path)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &gpb.Update{Path: p, Val: &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: data}}}, nil
}

// Request builds a SetRequest of the operations.
func Request(ops ...Op) (*gpb.SetRequest, error) {
	r := &gpb.SetRequest{}
	for _, op := range ops {
		if err := op(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Change performs the operations in one Set.
func (g *GNMI) Change(ctx context.Context, ops ...Op) (*gpb.SetResponse, error) {
	r, err := Request(ops...)
	if err != nil {
		return nil, err
	}
	return g.Set(ctx, r)
}

// Read gets what is at a path, configuration and state, as JSON_IETF into v.
// The module names before members are dropped.
func (g *GNMI) Read(ctx context.Context, path string, v any) error {
	p, err := ygot.StringToStructuredPath(path)
	if err != nil {
		return err
	}
	r, err := g.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{p}, Encoding: gpb.Encoding_JSON_IETF})
	if err != nil {
		return err
	}
	if len(r.GetNotification()) != 1 || len(r.Notification[0].GetUpdate()) != 1 {
		return fmt.Errorf("get %s: want one notification with one update, got %v", path, r)
	}
	var tree any
	if err := json.Unmarshal(r.Notification[0].Update[0].GetVal().GetJsonIetfVal(), &tree); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	plain, err := json.Marshal(unqualified(tree))
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// unqualified drops the module names of RFC 7951 4 from member names.
func unqualified(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(tree))
		for name, value := range tree {
			_, local, found := strings.Cut(name, ":")
			if !found {
				local = name
			}
			out[local] = unqualified(value)
		}
		return out
	case []any:
		for i := range tree {
			tree[i] = unqualified(tree[i])
		}
	}
	return tree
}

// Event is a leaf that a subscription reported: its path and value, or its
// deletion (Value is nil then).
type Event struct {
	Path    string
	Value   any
	Deleted bool
	Time    time.Time
}

// Watch subscribes ON_CHANGE to the paths with JSON_IETF. The first answer has
// come when it returns: initial holds the values before sync_response. It ends
// with ctx; next blocks for the events of the next notification.
func (g *GNMI) Watch(ctx context.Context, paths ...string) (initial []Event, next func() ([]Event, error), err error) {
	list := &gpb.SubscriptionList{Mode: gpb.SubscriptionList_STREAM, Encoding: gpb.Encoding_JSON_IETF}
	for _, path := range paths {
		p, err := ygot.StringToStructuredPath(path)
		if err != nil {
			return nil, nil, err
		}
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	stream, err := g.Subscribe(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}); err != nil {
		return nil, nil, err
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return nil, nil, err
		}
		if r.GetSyncResponse() {
			break
		}
		events, err := eventsOf(r.GetUpdate())
		if err != nil {
			return nil, nil, err
		}
		initial = append(initial, events...)
	}
	return initial, func() ([]Event, error) {
		r, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		return eventsOf(r.GetUpdate())
	}, nil
}

func eventsOf(n *gpb.Notification) ([]Event, error) {
	var events []Event
	when := time.Unix(0, n.GetTimestamp())
	add := func(p *gpb.Path, v *gpb.TypedValue) error {
		path, err := ygot.PathToString(&gpb.Path{Elem: append(append([]*gpb.PathElem{}, n.GetPrefix().GetElem()...), p.GetElem()...)})
		if err != nil {
			return err
		}
		e := Event{Path: path, Deleted: v == nil, Time: when}
		if v != nil {
			if err := json.Unmarshal(v.GetJsonIetfVal(), &e.Value); err != nil {
				return fmt.Errorf("value of %s: %w", path, err)
			}
		}
		events = append(events, e)
		return nil
	}
	for _, p := range n.GetDelete() {
		if err := add(p, nil); err != nil {
			return nil, err
		}
	}
	for _, u := range n.GetUpdate() {
		if err := add(u.GetPath(), u.GetVal()); err != nil {
			return nil, err
		}
	}
	return events, nil
}
