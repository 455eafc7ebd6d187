package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// ErrNoTCPAO is returned where a peer wants TCP-AO and the kernel has none.
var ErrNoTCPAO = errors.New("this kernel has no TCP-AO: it needs Linux 6.7 or later built with CONFIG_TCP_AO")

// Socket options of linux/tcp.h that x/sys does not know.
const (
	tcpAOAddKey = 38
	tcpAODelKey = 39

	maxMD5Bytes = 80 // TCP_MD5SIG_MAXKEYLEN
	maxAOBytes  = 80 // TCP_AO_MAXKEYLEN

	sizeAOAdd = 288 // struct tcp_ao_add
	sizeAODel = 144 // struct tcp_ao_del
)

// auth is what a socket must know to authenticate the segments of one remote.
type auth struct {
	method   bgp.AuthMethod
	password bgp.Secret
	keys     []bgp.TCPAOKey
}

func authOf(p *bgp.PeerSpec) auth {
	switch p.Auth {
	case bgp.AuthMD5:
		return auth{method: p.Auth, password: p.Password}
	case bgp.AuthTCPAO:
		return auth{method: p.Auth, keys: p.Keys}
	}
	return auth{}
}

// authSockets is the seam to the kernel.
type authSockets interface {
	setMD5(fd int, remote netip.Addr, password string) error // "" deletes
	addAO(fd int, remote netip.Addr, k bgp.TCPAOKey) error
	delAO(fd int, remote netip.Addr, k bgp.TCPAOKey) error
}

// set gives a socket the keys of a remote.
func (a auth) set(s authSockets, fd int, remote netip.Addr) error {
	switch a.method {
	case bgp.AuthMD5:
		if err := s.setMD5(fd, remote, string(a.password)); err != nil {
			return fmt.Errorf("set the MD5 key: %w", err)
		}
	case bgp.AuthTCPAO:
		for i, k := range a.keys {
			if err := s.addAO(fd, remote, k); err != nil {
				auth{method: a.method, keys: a.keys[:i]}.clear(s, fd, remote)
				return fmt.Errorf("set the TCP-AO key %d/%d: %w", k.SendID, k.ReceiveID, err)
			}
		}
	}
	return nil
}

// clear takes the keys of a remote from a listening socket. It fails only
// where they are not there.
func (a auth) clear(s authSockets, fd int, remote netip.Addr) {
	switch a.method {
	case bgp.AuthMD5:
		_ = s.setMD5(fd, remote, "")
	case bgp.AuthTCPAO:
		for _, k := range a.keys {
			_ = s.delAO(fd, remote, k)
		}
	}
}

// kernelAuth is the kernel.
type kernelAuth struct{}

// setMD5 sets or deletes the key of one remote (RFC 2385). A key without an
// interface index holds for every device that the socket may hear.
func (kernelAuth) setMD5(fd int, remote netip.Addr, password string) error {
	sig := unix.TCPMD5Sig{Keylen: uint16(len(password))}
	sa := storage(remote)
	sig.Addr.Family = binary.NativeEndian.Uint16(sa[:])
	copy(sig.Addr.Data[:], sa[2:])
	copy(sig.Key[:], password)
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG_EXT, &sig)
}

// storage returns a struct sockaddr_storage of the address with port 0.
func storage(a netip.Addr) (sa [128]byte) {
	a = a.Unmap()
	if a.Is4() {
		binary.NativeEndian.PutUint16(sa[:], unix.AF_INET)
		v4 := a.As4()
		copy(sa[4:], v4[:])
		return sa
	}
	binary.NativeEndian.PutUint16(sa[:], unix.AF_INET6)
	v6 := a.As16()
	copy(sa[8:], v6[:])
	return sa
}

// aoAlgorithms are the algorithms of RFC 5926 as the kernel's crypto layer
// names them.
var aoAlgorithms = map[string]string{
	"hmac-sha-1-96":   "hmac(sha1)",
	"aes-128-cmac-96": "cmac(aes128)",
}

// addAO and delAO encode struct tcp_ao_add and struct tcp_ao_del.
func (kernelAuth) addAO(fd int, remote netip.Addr, k bgp.TCPAOKey) error {
	b, err := encodeAOAdd(remote, k)
	if err != nil {
		return err
	}
	return noAO(unix.SetsockoptString(fd, unix.IPPROTO_TCP, tcpAOAddKey, string(b)))
}

func (kernelAuth) delAO(fd int, remote netip.Addr, k bgp.TCPAOKey) error {
	return noAO(unix.SetsockoptString(fd, unix.IPPROTO_TCP, tcpAODelKey, string(encodeAODel(remote, k))))
}

func encodeAOAdd(remote netip.Addr, k bgp.TCPAOKey) ([]byte, error) {
	algorithm, ok := aoAlgorithms[k.Algorithm]
	if !ok {
		return nil, fmt.Errorf("unknown algorithm %q", k.Algorithm)
	}
	if len(k.Secret) == 0 || len(k.Secret) > maxAOBytes {
		return nil, errors.New("a TCP-AO key has 1 to 80 octets")
	}
	b := make([]byte, sizeAOAdd)
	sa := storage(remote)
	copy(b, sa[:])
	copy(b[128:], algorithm)
	b[202], b[203], b[204] = uint8(remote.Unmap().BitLen()), k.SendID, k.ReceiveID
	b[207] = uint8(len(k.Secret)) // 205 is the length of the MAC, 0 for the usual 96 bits; 206 flags
	copy(b[208:], k.Secret)
	return b, nil
}

func encodeAODel(remote netip.Addr, k bgp.TCPAOKey) []byte {
	b := make([]byte, sizeAODel)
	sa := storage(remote)
	copy(b, sa[:])
	b[138], b[139], b[140] = uint8(remote.Unmap().BitLen()), k.SendID, k.ReceiveID
	return b
}

func noAO(err error) error {
	if errors.Is(err, unix.ENOPROTOOPT) {
		return ErrNoTCPAO
	}
	return err
}

// hasTCPAO asks the kernel once, with a key that it refuses for its length.
var hasTCPAO = sync.OnceValue(func() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return !errors.Is(unix.SetsockoptString(fd, unix.IPPROTO_TCP, tcpAOAddKey, string(make([]byte, sizeAOAdd))), unix.ENOPROTOOPT)
})

func (a auth) equal(b auth) bool {
	return a.method == b.method && a.password == b.password && slices.Equal(a.keys, b.keys)
}
