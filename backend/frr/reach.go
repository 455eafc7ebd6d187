package frr

import (
	"context"
	"time"
)

// A neighbor that may be farther away, or no longer, is another next hop to bgpd.
// It asks zebra for the way there when it starts to connect, does not wait for
// the answer, and tries again when the timer of `timers connect` has run: 32 s as
// a rule. Told to start once more, it has the answer.

// reachTime is a little more than the second for which bgpd is idle first.
const reachTime = 1100 * time.Millisecond

// reaches notes that a neighbor goes from old to new.
func (p *peer) reaches(old, new conf) {
	if old.text("ebgp-multihop") != new.text("ebgp-multihop") || old.text("ttl-security") != new.text("ttl-security") {
		p.again = now().Add(reachTime)
	}
}

// connectAgain starts the neighbors whose time has come and that have no
// session. The caller holds mu and a connection.
func (b *Backend) connectAgain(ctx context.Context) error {
	for _, in := range b.instances {
		for addr, p := range in.peers {
			if p.again.IsZero() || now().Before(p.again) {
				continue
			}
			p.again = time.Time{}
			if p.given == nil {
				continue
			}
			if err := b.look(ctx, in, p, p.given.Key); err != nil {
				return err
			}
			if p.up() {
				continue
			}
			if _, err := b.shell.exec(ctx, clear(in, addr)); err != nil && !isRefusal(err) {
				return err
			}
		}
	}
	return nil
}
