package server

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"mooring/internal/netspace"
)

// place is where an address is listened on: everywhere, on a VRF device, or in
// another network namespace. It stands behind the address: 192.0.2.1:9339@vrf:mgmt.
type place struct {
	device    string // SO_BINDTODEVICE
	namespace string
}

const placeForms = "@vrf:DEVICE or @netns:NAME"

// CheckPlace says what is wrong with the place of an address in the form that
// Listen takes, and returns the host:port before it.
func CheckPlace(addr string) (hostPort string, err error) {
	hostPort, _, err = splitPlace(addr)
	return hostPort, err
}

func splitPlace(addr string) (hostPort string, p place, err error) {
	hostPort, at, found := strings.Cut(addr, "@")
	if found {
		p, err = parsePlace(at)
	}
	return hostPort, p, err
}

func parsePlace(at string) (place, error) {
	kind, name, _ := strings.Cut(at, ":")
	var p place
	switch kind {
	case "vrf":
		p.device = name
	case "netns":
		p.namespace = name
	default:
		return p, fmt.Errorf("the place %q is not known: want %s", "@"+at, placeForms)
	}
	switch {
	case name == "":
		return p, fmt.Errorf("the place %q names nothing: want %s", "@"+at, placeForms)
	case p.device != "" && len(name) >= unix.IFNAMSIZ:
		return p, fmt.Errorf("the device name %q has more than %d characters", name, unix.IFNAMSIZ-1)
	case strings.ContainsAny(name, "/ ") || name == "." || name == "..":
		return p, fmt.Errorf("%q is no name of a device or network namespace", name)
	}
	return p, nil
}

// control is for net.ListenConfig: it binds the socket to the device.
func (p place) control(_, _ string, c syscall.RawConn) error {
	if p.device == "" {
		return nil
	}
	var bindErr error
	err := c.Control(func(fd uintptr) { bindErr = unix.BindToDevice(int(fd), p.device) })
	return errors.Join(err, bindErr)
}

// in calls listen where the socket is to be.
func (p place) in(listen func() (net.Listener, error)) (ln net.Listener, err error) {
	if p.namespace == "" {
		return listen()
	}
	err = netspace.In(p.namespace, func(netspace.ID) error {
		ln, err = listen()
		return err
	})
	return ln, err
}

// explain adds what a person can do about an error of the place.
func (p place) explain(err error) error {
	switch {
	case p.device != "" && errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: there is no device %s (ip link show type vrf lists the VRFs; a kernel without VRFs has none): make it before the agent starts, or %s", err, p.device, chooseAnother)
	case p.device != "" && errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: to bind to the device %s needs the capability CAP_NET_RAW: grant it or %s", err, p.device, chooseAnother)
	case errors.Is(err, netspace.ErrNotFound):
		return fmt.Errorf("%w (ip netns lists them): make it before the agent starts, or %s", err, chooseAnother)
	case p.namespace != "" && errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: to enter a network namespace needs the capability CAP_SYS_ADMIN: grant it or %s", err, chooseAnother)
	}
	return nil
}
