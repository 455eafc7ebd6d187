package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel chooses among sockets that listen at one address by a classic BPF
// program over the SYN (SO_ATTACH_REUSEPORT_CBPF): it returns the number of
// the socket. Ours chooses by the remote's address.
const (
	skfNetOff  = -0x100000 // SKF_NET_OFF: the offset is from the IP header
	maxProgram = 4096      // BPF_MAXINSNS

	hashFactor = 2654435761 // Knuth's, 2^32 divided by the golden ratio
	hashShift  = 16
)

// steering is the table behind a program: a lane for each remote that has one
// of its own, and lanes among which the hash of the address chooses.
type steering struct {
	v4     bool
	own    []ownLane // sorted, so that the program is the same for the same table
	shared []int     // not empty
}

type ownLane struct {
	remote netip.Addr
	lane   int
}

var errTooManyLanes = errors.New("the kernel's program for choosing a listening socket has no room for more")

// shard returns which of n shared lanes a remote's SYN goes to; the program
// calculates the same.
func shard(remote netip.Addr, n int) int {
	var sum uint32
	for _, w := range words(remote) {
		sum ^= w
	}
	return int((sum * hashFactor >> hashShift) % uint32(n))
}

// words returns the address as the program loads it.
func words(a netip.Addr) []uint32 {
	b := a.Unmap().AsSlice()
	var ws []uint32
	for i := 0; i < len(b); i += 4 {
		ws = append(ws, uint32(b[i])<<24|uint32(b[i+1])<<16|uint32(b[i+2])<<8|uint32(b[i+3]))
	}
	return ws
}

// program returns the table as BPF.
func (s steering) program() ([]unix.SockFilter, error) {
	source, n := 12, 1 // of the source address in the IPv4 header, in words
	if !s.v4 {
		source, n = 8, 4
	}
	load := func(i int) unix.SockFilter {
		at := skfNetOff + source + 4*i
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: uint32(at)}
	}
	op := func(code int, k uint32) unix.SockFilter { return unix.SockFilter{Code: uint16(code), K: k} }
	var p []unix.SockFilter
	for _, o := range s.own {
		ws := words(o.remote)
		for i, w := range ws {
			// Where it differs: past the remaining loads, jumps and the return.
			past := uint8(2*(n-1-i) + 1)
			p = append(p, load(i), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: past, K: w})
		}
		p = append(p, op(unix.BPF_RET|unix.BPF_K, uint32(o.lane)))
	}
	if len(s.shared) == 1 {
		p = append(p, op(unix.BPF_RET|unix.BPF_K, uint32(s.shared[0])))
	} else {
		for i := range n {
			p = append(p, load(i))
			if i > 0 {
				p = append(p, op(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0))
			}
			p = append(p, op(unix.BPF_MISC|unix.BPF_TAX, 0))
		}
		p = append(p,
			op(unix.BPF_ALU|unix.BPF_MUL|unix.BPF_K, hashFactor),
			op(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, hashShift),
			op(unix.BPF_ALU|unix.BPF_MOD|unix.BPF_K, uint32(len(s.shared))))
		for i, lane := range s.shared {
			p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(i)},
				op(unix.BPF_RET|unix.BPF_K, uint32(lane)))
		}
		p = append(p, op(unix.BPF_RET|unix.BPF_K, uint32(s.shared[0])))
	}
	if len(p) > maxProgram {
		return nil, errTooManyLanes
	}
	return p, nil
}

// attach gives the group of listening sockets that fd is in its program.
func (s steering) attach(fd int) error {
	p, err := s.program()
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(p)}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &prog); err != nil {
		return fmt.Errorf("choose a listening socket by the remote's address: %w", err)
	}
	return nil
}
