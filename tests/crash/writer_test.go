package crash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/tests/runner"
)

const vpn = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"

// writer commits one number after the other to the descriptions of two peers.
type writer struct {
	name     string
	peers    [2]string
	sent     int // the last number that was sent
	answered int // the last number that was answered
	open     func(*writer, *runner.Agent) (session, error)
}

// session is a connection that a writer writes through.
type session struct {
	write func(n int) error
	close func()
}

// writers are all kinds of writers there are, each with peers of its own.
func writers() []*writer {
	ws := []*writer{
		{name: "gNMI 1", open: openGNMI},
		{name: "gNMI 2", open: openGNMI},
		{name: "NETCONF running", open: openRunning},
		{name: "NETCONF candidate", open: openCandidate},
	}
	for i, w := range ws {
		w.peers = [2]string{fmt.Sprintf("10.0.0.%d", 2*i+1), fmt.Sprintf("10.9.0.%d", 2*i+2)}
	}
	return ws
}

// run writes until the agent is killed. Any other end is an error.
func (w *writer) run(a *runner.Agent, killed *atomic.Bool) error {
	s, err := w.open(w, a)
	if err != nil {
		return unlessKilled(err, killed)
	}
	defer s.close()
	for {
		w.sent++
		if err := s.write(w.sent); err != nil {
			return unlessKilled(err, killed)
		}
		w.answered = w.sent
	}
}

// unlessKilled forgives what a kill explains: the end of a connection. A
// refusal is none.
func unlessKilled(err error, killed *atomic.Bool) error {
	_, refused := errors.AsType[*runner.RPCError](err)
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unavailable {
		refused = true
	}
	if killed.Load() && !refused {
		return nil
	}
	return err
}

func openGNMI(w *writer, a *runner.Agent) (session, error) {
	g, err := a.DialGNMI(runner.Password)
	if err != nil {
		return session{}, err
	}
	return session{
		close: func() { _ = g.Conn.Close() },
		write: func(n int) error {
			_, err := g.Change(context.Background(), w.update(0, n), w.update(1, n))
			return err
		},
	}, nil
}

func (w *writer) update(i, n int) runner.Op {
	return runner.Update(vpn+"/peers/peer[address="+w.peers[i]+"]/config/description", strconv.Itoa(n))
}

// openRunning writes both peers with one edit of running.
func openRunning(w *writer, a *runner.Agent) (session, error) {
	n, err := a.DialNETCONF(runner.Password)
	if err != nil {
		return session{}, err
	}
	return session{
		close: func() { _ = n.Close() },
		write: func(i int) error { return n.EditConfig("running", w.xml(i, w.peers[0], w.peers[1])) },
	}, nil
}

// openCandidate writes the peers one after the other, and commits them together.
func openCandidate(w *writer, a *runner.Agent) (session, error) {
	n, err := a.DialNETCONF(runner.Password)
	if err != nil {
		return session{}, err
	}
	return session{
		close: func() { _ = n.Close() },
		write: func(i int) error {
			for _, p := range w.peers {
				if err := n.EditConfig("candidate", w.xml(i, p)); err != nil {
					return err
				}
			}
			return n.Commit()
		},
	}, nil
}

func (w *writer) xml(n int, peers ...string) string {
	x := `<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers>`
	for _, p := range peers {
		x += fmt.Sprintf("<peer><address>%s</address><config><description>%d</description></config></peer>", p, n)
	}
	return x + `</peers></vpn-instance></vpn-instances></instance></instances></bgp>`
}
