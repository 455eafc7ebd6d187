package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxShared bounds the lanes among which remotes are spread by their hash:
// with the usual net.core.optmem_max they hold 60,000 MD5 keys.
const maxShared = 64

// group is what listens at one address and port: one socket as a rule, more
// where one cannot do for all remotes. Such sockets, here called lanes, share
// the address by SO_REUSEPORT, and a program that looks at the remote's
// address chooses among them (steer.go). A lane can
//
//   - answer with an MSS in its SYN-ACK: TCP_MAXSEG is read from the listening
//     socket, so the remotes of each value have a lane of their own;
//   - hold some 960 MD5 keys: net.core.optmem_max bounds them per socket, so
//     where one is full, twice as many share the remotes.
//
// Sockets of several groups may overlap (one address and all of them, a device
// and none), which the kernel allows only while all share by SO_REUSEPORT. The
// most specific gets the connection.
//
// A group is guarded by the Transport's lock.
type group struct {
	at     netip.AddrPort
	device string
	make   func(f func() error) error // calls f in the network namespace
	accept func(*net.TCPListener)     // starts to accept
	auth   authSockets
	beside func() []*group // those whose sockets may overlap with this one's

	lanes  []*lane // in the order in which the kernel numbers them
	shared []int   // those for remotes without an MSS
	slots  map[netip.Addr]*slot
}

type lane struct {
	l   *net.TCPListener
	raw syscall.RawConn
	mss uint16
}

// slot is what a group knows of a remote.
type slot struct {
	auth auth
	mss  uint16
	lane int // where mss is set; the others are where their hash says
	uses int // peers of several instances may stand behind it
}

var errSlot = errors.New("another instance that listens at the same address has the same neighbour with another authentication or tcp-mss: " +
	"give each instance its own listen-address")

// listen opens the first lane. It does not share the address, so it fails
// where anybody else listens.
func (g *group) listen() error {
	g.slots = map[netip.Addr]*slot{}
	if err := g.open(0); err != nil {
		return err
	}
	g.shared = []int{0}
	return nil
}

// open adds a lane. The program that is in force sends nobody there yet.
func (g *group) open(mss uint16) error {
	share := append(g.beside(), g)
	sockets := 0
	for _, o := range share {
		sockets += len(o.lanes)
		o.share(1)
		defer o.share(0)
	}
	ln := &lane{mss: mss}
	err := g.make(func() error {
		fd, err := newSocket(familyOf(g.at.Addr()), g.device)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), "listener") // FileListener makes a copy
		defer file.Close()
		if err := g.bind(fd, mss, sockets > 0); err != nil {
			return err
		}
		l, err := net.FileListener(file)
		if err != nil {
			return err
		}
		ln.l = l.(*net.TCPListener)
		return nil
	})
	if err != nil {
		return err
	}
	if ln.raw, err = ln.l.SyscallConn(); err != nil {
		ln.l.Close()
		return err
	}
	g.lanes = append(g.lanes, ln)
	g.accept(ln.l)
	if len(g.lanes) == 2 { // before, there is nothing that takes a program
		return g.steer()
	}
	return nil
}

func (g *group) bind(fd int, mss uint16, shared bool) error {
	f := familyOf(g.at.Addr())
	sa, err := sockaddr(g.at, zoneIndex)
	if err != nil {
		return err
	}
	// The SYN-ACK leaves with these (RFC 5082 3: a TTL of 255).
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		option("TTL", gtsmTTL, unix.SetsockoptInt(fd, f.level, f.ttl, gtsmTTL)),
		option("DSCP", networkControl, unix.SetsockoptInt(fd, f.level, f.dscp, networkControl<<2)),
	)
	if mss != 0 {
		err = errors.Join(err, option("MSS", int(mss), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int(mss))))
	}
	if shared {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}
	if err != nil {
		return err
	}
	err = unix.Bind(fd, sa)
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", g.at, err)
	}
	return nil
}

func zoneIndex(zone string) (uint32, error) {
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", zone, err)
	}
	return uint32(i.Index), nil
}

// share lets sockets of ours be opened beside those of the group. A socket
// that has always been alone is never shared with anybody else's; several
// lanes must share for good.
func (g *group) share(v int) {
	if len(g.lanes) > 1 {
		v = 1
	}
	for i := range g.lanes {
		// An option that can only fail on a closed socket.
		_ = g.on(i, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, v) })
	}
}

func (g *group) close() {
	for _, ln := range g.lanes {
		ln.l.Close()
	}
}

// on calls f with the descriptor of a lane.
func (g *group) on(lane int, f func(fd int) error) error {
	var err error
	if cerr := g.lanes[lane].raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func (g *group) setKeys(lane int, remote netip.Addr, a auth) error {
	return g.on(lane, func(fd int) error { return a.set(g.auth, fd, remote) })
}

func (g *group) clearKeys(lane int, remote netip.Addr, a auth) {
	_ = g.on(lane, func(fd int) error { a.clear(g.auth, fd, remote); return nil }) // fails where the lane is closed
}

// steer attaches the table as it is.
func (g *group) steer() error {
	s := steering{v4: g.at.Addr().Unmap().Is4(), shared: g.shared}
	for _, remote := range slices.SortedFunc(maps.Keys(g.slots), netip.Addr.Compare) {
		if sl := g.slots[remote]; sl.mss != 0 {
			s.own = append(s.own, ownLane{remote, sl.lane})
		}
	}
	return g.on(0, s.attach)
}

// add makes room for a remote: its keys, its lane. On an error nothing has
// changed for any other remote.
func (g *group) add(remote netip.Addr, a auth, mss uint16) error {
	remote = remote.WithZone("")
	if sl := g.slots[remote]; sl != nil {
		if sl.mss != mss || !sl.auth.equal(a) {
			return errSlot
		}
		sl.uses++
		return nil
	}
	sl := &slot{auth: a, mss: mss, uses: 1}
	if err := g.place(remote, sl); err != nil {
		return err
	}
	g.slots[remote] = sl
	if mss != 0 {
		if err := g.steer(); err != nil {
			delete(g.slots, remote)
			g.clearKeys(sl.lane, remote, a)
			return err
		}
	}
	return nil
}

// place finds a lane with room for the keys of a new remote and sets them.
func (g *group) place(remote netip.Addr, sl *slot) error {
	if sl.mss == 0 {
		for {
			lane := g.shared[shard(remote, len(g.shared))]
			err := g.setKeys(lane, remote, sl.auth)
			if !errors.Is(err, unix.ENOMEM) {
				return err
			}
			if serr := g.split(); serr != nil {
				return fmt.Errorf("%w: %w", err, serr)
			}
		}
	}
	for i, ln := range g.lanes {
		if ln.mss != sl.mss {
			continue
		}
		sl.lane = i
		if err := g.setKeys(i, remote, sl.auth); !errors.Is(err, unix.ENOMEM) {
			return err
		}
	}
	if err := g.open(sl.mss); err != nil {
		return err
	}
	sl.lane = len(g.lanes) - 1
	return g.setKeys(sl.lane, remote, sl.auth)
}

// split doubles the shared lanes. Keys are set where they go before the
// program sends anybody there, and taken away from where they were after.
func (g *group) split() error {
	old := g.shared
	if 2*len(old) > maxShared {
		return fmt.Errorf("%d listening sockets at %s are full: raise net.core.optmem_max", len(old), g.at)
	}
	shared := slices.Clone(old)
	for range old {
		if err := g.open(0); err != nil {
			return err
		}
		shared = append(shared, len(g.lanes)-1)
	}
	type move struct {
		remote   netip.Addr
		auth     auth
		from, to int
	}
	var moves []move
	for _, remote := range slices.SortedFunc(maps.Keys(g.slots), netip.Addr.Compare) {
		sl := g.slots[remote]
		from, to := old[shard(remote, len(old))], shared[shard(remote, len(shared))]
		if sl.mss != 0 || from == to {
			continue
		}
		if err := g.setKeys(to, remote, sl.auth); err != nil {
			return fmt.Errorf("move the keys of %s: %w", remote, err)
		}
		moves = append(moves, move{remote, sl.auth, from, to})
	}
	g.shared = shared
	if err := g.steer(); err != nil {
		g.shared = old
		return err
	}
	for _, m := range moves {
		g.clearKeys(m.from, m.remote, m.auth)
	}
	return nil
}

// remove forgets one use of a remote.
func (g *group) remove(remote netip.Addr) {
	remote = remote.WithZone("")
	sl := g.slots[remote]
	if sl == nil {
		return
	}
	if sl.uses--; sl.uses > 0 {
		return
	}
	lane := sl.lane
	if sl.mss == 0 {
		lane = g.shared[shard(remote, len(g.shared))]
	}
	delete(g.slots, remote)
	if sl.mss != 0 {
		_ = g.steer() // a smaller table than the one in force: it fits
	}
	g.clearKeys(lane, remote, sl.auth)
}
