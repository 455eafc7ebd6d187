package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/tests/runner"
)

const (
	rounds      = 300
	shortRounds = 20
	bystanders  = 50 // peers that nobody changes
	// longest is how long the load of a round lasts at most; many rounds end
	// while their sessions are still being set up.
	longest = 100 * time.Millisecond
	// every so many rounds the agent is killed while it starts.
	killAtStart = 7
	seed        = 1
)

func TestMain(m *testing.M) { os.Exit(runner.Main(m)) }

// TestKill9 restarts one state directory again and again. Each writer counts
// upwards in the descriptions of two peers of its own, one number a commit, so
// that what is found after a crash tells which commits are there.
func TestKill9(t *testing.T) {
	n := rounds
	if testing.Short() {
		n = shortRounds
	}
	dir := runner.StateDir(t)
	c := &chain{writers: writers(), random: rand.New(rand.NewPCG(seed, seed))}
	c.load(t, dir)
	for i := range n {
		ok := t.Run(strconv.Itoa(i), func(t *testing.T) { c.round(t, dir, i) })
		if !ok {
			t.Fatalf("stopped after round %d", i)
		}
	}
	t.Run("end", func(t *testing.T) {
		a := c.start(t, dir)
		c.compare(t, a)
		a.Stop(t)
	})
	t.Logf("%d rounds: %d commits, %d of them found without an answer; %d more were sent and are not there", n, c.commits(), c.unanswered, c.lost)
	if c.commits() < n {
		t.Errorf("%d commits in %d rounds: the load is too light to prove anything", c.commits(), n)
	}
	if c.unanswered+c.lost == 0 {
		t.Error("no kill hit a commit on its way: the test proves nothing")
	}
}

// chain is what is known from round to round.
type chain struct {
	writers    []*writer
	base       uint64 // revision before the first commit of a writer
	random     *rand.Rand
	unanswered int // commits that are there though the kill came before the answer
	lost       int // commits that were sent, not answered, and are not there
}

func (c *chain) commits() (n int) {
	for _, w := range c.writers {
		n += w.answered
	}
	return n
}

func (c *chain) start(t *testing.T, dir string) *runner.Agent {
	t.Helper()
	return runner.Start(t, runner.Options{StateDir: dir, Backend: "fake", Args: []string{"--log-level", "warn"}})
}

// load makes the configuration that the rounds start from.
func (c *chain) load(t *testing.T, dir string) {
	t.Helper()
	t.Run("load", func(t *testing.T) {
		a := c.start(t, dir)
		g := a.GNMI(t)
		var peers []any
		add := func(address string) {
			peers = append(peers, map[string]any{"address": address, "config": map[string]any{"address": address, "as": 200, "description": "0"}})
		}
		for _, w := range c.writers {
			add(w.peers[0])
			add(w.peers[1])
		}
		for i := range bystanders {
			add(fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250))
		}
		_, err := g.Change(t.Context(),
			runner.Update("/vpn-instances/vpn-instance[name=vpn1]/config/name", "vpn1"),
			runner.Update("/bgp/instances/instance[name=default]/config", map[string]any{"name": "default", "as": 100, "router-id": "1.1.1.1"}),
			runner.Update(vpn+"/config/name", "vpn1"),
			runner.Update(vpn+"/peers", map[string]any{"peer": peers}))
		if err != nil {
			t.Fatal(err)
		}
		c.base = look(t, g).revision
	})
}

// round starts the agent, compares, puts load on it and kills it.
func (c *chain) round(t *testing.T, dir string, i int) {
	if i%killAtStart == killAtStart-1 {
		c.killAtStart(t, dir)
	}
	a := c.start(t, dir)
	c.compare(t, a)
	var killed atomic.Bool
	var all sync.WaitGroup
	errs := make([]error, len(c.writers))
	for i, w := range c.writers {
		all.Go(func() { errs[i] = w.run(a, &killed) })
	}
	timer := time.NewTimer(time.Duration(c.random.Int64N(int64(longest))))
	<-timer.C
	killed.Store(true)
	a.Kill()
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", c.writers[i].name, err)
		}
	}
}

// killAtStart kills an agent at some moment of its start.
func (c *chain) killAtStart(t *testing.T, dir string) {
	t.Helper()
	moment := time.Duration(c.random.Int64N(int64(40 * time.Millisecond)))
	if err := runner.KillAtStart(t, runner.Options{StateDir: dir, Backend: "fake"}, moment); err != nil {
		t.Fatal(err)
	}
}

// compare holds what the agent has against what it has answered.
func (c *chain) compare(t *testing.T, a *runner.Agent) {
	t.Helper()
	found := look(t, a.GNMI(t))
	revision := c.base
	for _, w := range c.writers {
		one, two := found.descriptions[w.peers[0]], found.descriptions[w.peers[1]]
		n, err := strconv.Atoi(one)
		switch {
		case err != nil || one != two:
			t.Fatalf("%s: half a commit: descriptions %q and %q, answered %d, sent %d", w.name, one, two, w.answered, w.sent)
		case n < w.answered:
			t.Fatalf("%s: lost: %d is there, %d was answered", w.name, n, w.answered)
		case n > w.sent:
			t.Fatalf("%s: %d is there, but only %d was sent", w.name, n, w.sent)
		}
		c.unanswered += n - w.answered
		c.lost += w.sent - n
		w.answered, w.sent = n, n
		revision += uint64(n)
	}
	if found.revision != revision {
		t.Fatalf("revision %d, want %d: one for each commit", found.revision, revision)
	}
	if found.newest != revision {
		t.Fatalf("the newest commit of the history made revision %d, want %d", found.newest, revision)
	}
	if want := 2*len(c.writers) + bystanders; len(found.descriptions) != want {
		t.Fatalf("%d peers, want %d", len(found.descriptions), want)
	}
}

// found is what an agent has after its start.
type found struct {
	descriptions map[string]string
	revision     uint64
	newest       uint64 // revision of the newest commit
}

func look(t *testing.T, g *runner.GNMI) found {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var vpnState struct {
		Peer []struct {
			Address string
			Config  struct{ Description string }
		}
	}
	var agent struct {
		State struct {
			Revision uint64 `json:"revision,string"`
		}
		Commits struct {
			Commit []struct {
				Revision uint64 `json:"revision,string"`
			}
		}
	}
	if err := errors.Join(g.Read(ctx, vpn+"/peers", &vpnState), g.Read(ctx, "/agent", &agent)); err != nil {
		t.Fatal(err)
	}
	f := found{descriptions: map[string]string{}, revision: agent.State.Revision}
	for _, p := range vpnState.Peer {
		f.descriptions[p.Address] = p.Config.Description
	}
	for _, commit := range agent.Commits.Commit {
		f.newest = max(f.newest, commit.Revision)
	}
	return f
}
