package gnmi

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/commit"
	"mooring/engine/nacm"
	"mooring/engine/schema"
)

// broken is an engine with a fault.
type broken struct {
	Engine
}

func (broken) View() schema.View                 { panic("a fault") }
func (broken) Instant() (schema.View, time.Time) { panic("a fault") }
func (broken) Subscribe() *commit.Subscription   { panic("a fault") }
func (broken) Access() *nacm.Control             { return nil }

// buffer is where a log is written to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A panic ends the RPC and not the agent, and the log has its stack.
func TestPanicEndsTheRPC(t *testing.T) {
	log := &buffer{}
	r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) }).example()
	whole := r.server.cfg.Engine
	r.server.cfg.Engine = broken{whole}
	_, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path("/")}})
	wantStatus(t, err, codes.Internal, "a fault of the agent")
	stream, err := r.client.Subscribe(r.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Mode: gpb.SubscriptionList_ONCE, Subscription: []*gpb.Subscription{{Path: path("/bgp")}},
	}}}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantStatus(t, err, codes.Internal, "a fault of the agent")
	if text := log.String(); strings.Count(text, "please report this") != 2 || !strings.Contains(text, "broken.") {
		t.Errorf("the log has %s", text)
	}
	r.server.cfg.Engine = whole
	if got := r.value(thePeer + "/config/as"); got != "200" {
		t.Errorf("afterwards as is %s", got)
	}
}
