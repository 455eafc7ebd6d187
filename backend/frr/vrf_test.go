package frr

import (
	"testing"
	"time"

	"mooring/bgp"
)

// A password that bgpd is told before zebra tells it of the VRF is not on the
// listening socket that is made then: it is said again, and the remote, which
// dials, has its session. Who has one already keeps it.
func TestPasswordBeforeVRF(t *testing.T) {
	l := parallelLab(t, daemonOptions{mute: true})
	b := run(t, New(l.options()))
	key := func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "hush" }
	p, q, open := with(l.peer(0, 0), key), with(l.peer(0, 1), key), l.peer(0, 2)
	dials, waits, plain := l.dialling(t, p), l.passive(t, q), l.dialling(t, open)
	b.apply(putInstance(l.instance(0)), createPeer(p), createPeer(q), createPeer(open))
	never(t, 300*time.Millisecond, "a session in a VRF that is not there", func() bool { return plain.Established() })
	l.speak()
	wait(t, 15*time.Second, "the sessions without a key and by bgpd's own connection", func() bool { return plain.Established() && waits.Established() })
	wait(t, 15*time.Second, "the session of the remote that dials with the key", dials.Established)
	if n := len(waits.Ceases()) + len(plain.Ceases()); n > 0 || waits.Sessions() != 1 || plain.Sessions() != 1 {
		t.Errorf("the others noticed: %d ceases", n)
	}
	// In a VRF that is there it is said once.
	late := with(l.peer(0, 3), key)
	remote := l.dialling(t, late)
	b.apply(createPeer(late))
	wait(t, 15*time.Second, "a session of a later peer", remote.Established)
	b.Backend.mu.Lock()
	defer b.Backend.mu.Unlock()
	if b.instances[p.Key.InstanceKey()].peers[addrOf(late.Key)].rekey {
		t.Error("its password is said again")
	}
}
