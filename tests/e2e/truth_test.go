package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/tests/runner"
)

// naming are ways to name the address that a session has by the kernel's choice,
// and to leave it to the kernel again; only says that the device has no other address.
// None may cost a session.
func naming(b *bed, path, device, source string, only bool) {
	b.t.Helper()
	connect := path + "/transport/connect-interface"
	before := b.look(path)
	mark := b.wire.Mark()
	type naming struct {
		name string
		op   runner.Op
	}
	ways := []naming{
		{"the address", runner.Replace(connect, object{"config": from(source)})},
		{"both", runner.Replace(connect, object{"config": object{"interface": device, "source-address": source}})},
		{"undo", runner.Delete(connect)},
	}
	if only {
		ways = append(ways, naming{"the interface", runner.Replace(connect, object{"config": name(device)})}, naming{"undo", runner.Delete(connect)})
	}
	for _, c := range ways {
		b.set(c.op)
		if h := b.history(); len(h[len(h)-1].Reset) != 0 {
			b.t.Errorf("%s resets %v", c.name, h[len(h)-1].Reset)
		}
	}
	p := b.look(path)
	if v := b.wire.Since(mark); len(v.Notifications()) != 0 || len(v.SYNs(nil)) != 0 || p.State.Transitions != before.State.Transitions || p.State.Resets.Commit != before.State.Resets.Commit {
		b.t.Errorf("naming what is in force: state was %+v, is %+v\n%s", before.State, p.State, v)
	}
}

// Effective values decide, and are what the words tell.
func TestNamingWhatIsInForce(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(nil)...)
	b.cameUp(b.begin, b.waitUp(peer1, 1), direct)
	naming(b, peer1, "vd", direct, true)
	_, p := b.resetOnce(peer1, loopBack1, func() { b.set(runner.Replace(source1, object{"config": from(loopBack1)})) })
	if want := sourceChange(direct, loopBack1); !slices.Contains(p.State.LastReset.Leaf, want) {
		t.Errorf("last-reset/leaf = %q, want %q", p.State.LastReset.Leaf, want)
	}
	// What is named and withheld is that of the session to come.
	b.set(runner.Replace(source1, object{"config": from(loopBack1)}))
	_, p = b.resetOnce(peer1, direct, func() { b.set(runner.Delete(source1)) })
	if want := sourceChange(loopBack1, direct); !slices.Contains(p.State.LastReset.Leaf, want) {
		t.Errorf("last-reset/leaf = %q, want %q", p.State.LastReset.Leaf, want)
	}
	b.set(runner.Replace(source1, object{"config": from(direct)}))
	b.resetOnce(peer1, direct, func() { b.set(runner.Update(peer1+"/timers/config/hold-time", 60)) })
}

func sourceChange(old, new string) string {
	return fmt.Sprintf("transport/connect-interface/config/source-address: %s -> %s", old, new)
}

// The same beside FRR.
func TestFRRNamingWhatIsInForce(t *testing.T) {
	b := newFRRBed(t, 1)
	path := publicVPN + "/peers/peer[address=" + b.peers[0] + "]"
	group := frrGroup + "/transport/connect-interface"
	before := b.look(path).State.Transitions
	b.set(runner.Delete(group)) // the first address of the interface is the one that the route gives
	p := b.look(path)
	if p.State.Transitions != before || p.State.Resets.Commit != 0 {
		t.Errorf("undo costs a session: %+v", p.State)
	}
	naming(b.bed, path, "vd", frrSource1, false)
}

// facts are what the remote and the sockets of the host say of the session: the
// local address on both sides, "" for none.
func (b *bed) facts() (remote, socket string) {
	b.t.Helper()
	peers, err := b.bird.Peers()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range peers {
		if p.BGPState == "Established" {
			remote += p.NeighborAddress
		}
	}
	out, err := b.dut.Command("ss", "-Htn", "state", "established", "dport", "=", ":179").Output()
	if err != nil {
		b.t.Fatalf("ss: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) >= 4 {
			at := f[2]
			socket += at[:strings.LastIndex(at, ":")]
		}
	}
	return remote, socket
}

// agrees waits until the state says what the remote and the socket say, and a
// session is up or not as it should be.
func (b *bed) agrees(what string, up bool) peer {
	b.t.Helper()
	var p peer
	var remote, socket, local string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(poll) {
		p = b.look(peer1)
		remote, socket = b.facts()
		local = p.Transport.State.LocalAddress
		established := p.State.SessionState == "established"
		if established == up && (remote != "") == up && remote == socket && (!up || local == remote) &&
			b.look(peer1).State.Transitions == p.State.Transitions {
			return p
		}
	}
	b.t.Fatalf("%s: the session should be up: %v; state says %s from %q, the remote %q, the socket %q\n%+v\n%s",
		what, up, p.State.SessionState, local, remote, socket, p.State, b.wire.View())
	return p
}

// After each of random changes the state says what the remote and the socket say,
// and counts as many resets as the wire has Ceases of ours.
func TestStateIsWhatIs(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 10))
			b := newBed(t, runner.Options{})
			b.set(example(nil)...)
			b.agrees("first", true)
			enabled := true
			pick := func(values ...any) any { return values[rng.IntN(len(values))] }
			for n := range 25 {
				var op runner.Op
				var what string
				update := func(leaf string, v any) {
					op, what = runner.Update(peer1+leaf, v), fmt.Sprint(leaf, "=", v)
				}
				switch rng.IntN(8) {
				case 0:
					enabled = !enabled
					update("/config/enabled", enabled)
				case 1:
					update("/timers/config/hold-time", pick(30, 60, 90))
				case 2:
					update("/config/description", pick("a", "b"))
				case 3:
					op, what = runner.Delete(source1), "no source"
				default:
					c := pick(name("LoopBack1"), name("LoopBack2"), name("vd"), from(direct), from(loopBack1), from(loopBack2)).(object)
					op, what = runner.Replace(source1, object{"config": c}), fmt.Sprint(c)
				}
				b.set(op)
				p := b.agrees(fmt.Sprintf("change %d, %s", n, what), enabled)
				ceases := 0
				for _, m := range b.wire.Since(b.begin).Notifications() {
					if m.To.Port() == 179 && m.Code == 6 {
						ceases++
					}
				}
				if r := p.State.Resets; r.Commit != uint64(ceases) || r.Source+r.Remote+r.Backend+r.Operator != 0 {
					t.Fatalf("change %d, %s: resets %+v, the wire has %d Ceases\n%s", n, what, r, ceases, b.wire.View())
				}
			}
		})
	}
}
