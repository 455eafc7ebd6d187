package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"mooring/server"
)

// demoClient is an ordinary gNMI client, so that the demo shows nothing that
// another client would not see.
type demoClient struct {
	conn     *grpc.ClientConn
	gnmi     gpb.GNMIClient
	password string
}

// dialDemo trusts the agent's own authority and no other.
func dialDemo(addr, authority, password string) (*demoClient, error) {
	pool, err := server.LoadCertPool(authority)
	if err != nil {
		return nil, err
	}
	creds := credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		return nil, err
	}
	return &demoClient{conn: conn, gnmi: gpb.NewGNMIClient(conn), password: password}, nil
}

func (c *demoClient) close() { _ = c.conn.Close() } // nothing to lose

func (c *demoClient) login(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "username", "admin", "password", c.password)
}

// load sets the whole configuration.
func (c *demoClient) load(ctx context.Context, config string) error {
	return c.set(ctx, &gpb.Path{}, &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: []byte(config)}})
}

// setSource is the change that the demo is about.
func (c *demoClient) setSource(ctx context.Context, source string) error {
	path := peerPath("transport", "connect-interface", "config", "source-address")
	return c.set(ctx, path, &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: source}})
}

func (c *demoClient) set(ctx context.Context, path *gpb.Path, v *gpb.TypedValue) error {
	_, err := c.gnmi.Set(c.login(ctx), &gpb.SetRequest{Update: []*gpb.Update{{Path: path, Val: v}}})
	return err
}

// read returns the leaves below a node of the peer, by leafOf.
func (c *demoClient) read(ctx context.Context, below ...string) (map[string]string, error) {
	resp, err := c.gnmi.Get(c.login(ctx), &gpb.GetRequest{Path: []*gpb.Path{peerPath(below...)}, Encoding: gpb.Encoding_PROTO})
	if err != nil {
		return nil, err
	}
	leaves := map[string]string{}
	for _, n := range resp.GetNotification() {
		for _, u := range n.GetUpdate() {
			leaves[leafOf(n.GetPrefix(), u.GetPath())] = textOf(u.GetVal())
		}
	}
	return leaves, nil
}

// watch hands each notification about the peer to tell, until that says done
// or ctx ends.
func (c *demoClient) watch(ctx context.Context, tell func(*gpb.Notification) (done bool, err error)) error {
	ctx, cancel := context.WithCancel(c.login(ctx))
	defer cancel() // ends the stream
	stream, err := c.gnmi.Subscribe(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Mode: gpb.SubscriptionList_STREAM, Encoding: gpb.Encoding_PROTO,
		Subscription: []*gpb.Subscription{{Path: peerPath(), Mode: gpb.SubscriptionMode_ON_CHANGE}},
	}}})
	for err == nil {
		var m *gpb.SubscribeResponse
		if m, err = stream.Recv(); err != nil {
			break
		}
		if n := m.GetUpdate(); n != nil {
			done, err := tell(n)
			if done || err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("watch the peer: %w", err)
}

// peerPath is the path of the demo's peer and of what is below it.
func peerPath(below ...string) *gpb.Path {
	p := &gpb.Path{Elem: []*gpb.PathElem{
		{Name: "bgp"},
		{Name: "instances"},
		{Name: "instance", Key: map[string]string{"name": "default"}},
		{Name: "vpn-instances"},
		{Name: "vpn-instance", Key: map[string]string{"name": "vpn1"}},
		{Name: "peers"},
		{Name: "peer", Key: map[string]string{"address": demoPeer}},
	}}
	for _, name := range below {
		p.Elem = append(p.Elem, &gpb.PathElem{Name: name})
	}
	return p
}

// leafOf is the path of a leaf below the peer, such as state/session-state,
// and "" for the peer itself and what is above it.
func leafOf(prefix, path *gpb.Path) string {
	names := make([]string, 0, 12)
	for _, p := range []*gpb.Path{prefix, path} {
		for _, e := range p.GetElem() {
			names = append(names, e.GetName())
		}
	}
	if above := len(peerPath().Elem); len(names) > above {
		return strings.Join(names[above:], "/")
	}
	return ""
}

// textOf is a value for people.
func textOf(v *gpb.TypedValue) string {
	switch x := v.GetValue().(type) {
	case *gpb.TypedValue_StringVal:
		return x.StringVal
	case *gpb.TypedValue_UintVal:
		return fmt.Sprint(x.UintVal)
	case *gpb.TypedValue_IntVal:
		return fmt.Sprint(x.IntVal)
	case *gpb.TypedValue_BoolVal:
		return fmt.Sprint(x.BoolVal)
	case *gpb.TypedValue_LeaflistVal:
		var all []string
		for _, e := range x.LeaflistVal.GetElement() {
			all = append(all, textOf(e))
		}
		return strings.Join(all, ", ")
	}
	return v.String()
}
