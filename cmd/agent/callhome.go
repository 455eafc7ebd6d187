package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mooring/server/netconf"
)

// Ports of call home (RFC 8071 6).
const (
	callHomeSSH = "4334"
	callHomeTLS = "4335"
)

// homeEntry is a client of the setting call-home as YAML has it.
type homeEntry struct {
	Name              string         `yaml:"name"`
	Endpoints         []homeEndpoint `yaml:"endpoints"`
	Period            string         `yaml:"period"`
	AnchorTime        string         `yaml:"anchor-time"`
	IdleTimeout       string         `yaml:"idle-timeout"`
	StartWith         string         `yaml:"start-with"`
	MaxWait           string         `yaml:"max-wait"`
	MaxAttempts       *int           `yaml:"max-attempts"`
	Keepalive         string         `yaml:"keepalive"`
	KeepaliveAttempts *int           `yaml:"keepalive-attempts"`
}

type homeEndpoint struct {
	Name      string `yaml:"name"`
	Transport string `yaml:"transport"`
	Address   string `yaml:"address"`
}

// callHome reads the value of the setting call-home: a YAML list.
func callHome(v string) ([]netconf.CallHome, error) {
	if v == "" {
		return nil, nil
	}
	dec := yaml.NewDecoder(strings.NewReader(v))
	dec.KnownFields(true)
	var entries []homeEntry
	if err := dec.Decode(&entries); err != nil {
		return nil, fmt.Errorf("is not a list of clients: %s", explainYAML(err))
	}
	clients := make([]netconf.CallHome, 0, len(entries))
	names := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		if e.Name == "" || names[e.Name] {
			return nil, fmt.Errorf("names its client number %d %q: every client needs a name of its own", i+1, e.Name)
		}
		names[e.Name] = true
		c, err := e.client()
		if err != nil {
			return nil, fmt.Errorf("of client %s: %w", e.Name, err)
		}
		clients = append(clients, c)
	}
	return clients, nil
}

var (
	unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)
	goType       = regexp.MustCompile(` into (\[\])?\*?main\.\S+`)
	yamlLine     = regexp.MustCompile(`line \d+: `)
)

// explainYAML puts the words of the YAML package into ours.
func explainYAML(err error) string {
	var words []string
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, text := range te.Errors {
			text = unknownField.ReplaceAllString(yamlLine.ReplaceAllString(text, ""), "unknown key $1")
			text = goType.ReplaceAllString(text, "")
			words = append(words, text)
		}
		return strings.Join(words, ", ") + ": the keys of a client are name, endpoints (name, transport, address), period, anchor-time, idle-timeout, " +
			"start-with, max-wait, max-attempts, keepalive and keepalive-attempts"
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

func (e *homeEntry) client() (c netconf.CallHome, err error) {
	c.Name = e.Name
	if len(e.Endpoints) == 0 {
		return c, errors.New("there is no endpoint: give the list endpoints one with an address")
	}
	for i := range e.Endpoints {
		end, err := e.Endpoints[i].endpoint()
		if err != nil {
			return c, fmt.Errorf("endpoint %d: %w", i+1, err)
		}
		c.Endpoints = append(c.Endpoints, end)
	}
	c.Keepalive.Interval = 30 * time.Second
	for _, d := range []struct {
		key, value string
		to         *time.Duration
	}{
		{"period", e.Period, &c.Period},
		{"idle-timeout", e.IdleTimeout, &c.IdleTimeout},
		{"max-wait", e.MaxWait, &c.MaxWait},
		{"keepalive", e.Keepalive, &c.Keepalive.Interval},
	} {
		if d.value == "" {
			continue
		}
		if *d.to, err = duration(d.value); err != nil {
			return c, fmt.Errorf("%s %q %w", d.key, d.value, err)
		}
	}
	for _, n := range []struct {
		key   string
		value *int
		to    *int
	}{{"max-attempts", e.MaxAttempts, &c.MaxAttempts}, {"keepalive-attempts", e.KeepaliveAttempts, &c.Keepalive.Attempts}} {
		if n.value == nil {
			continue
		}
		if *n.value < 1 || *n.value > 255 {
			return c, fmt.Errorf("%s %d is not from 1 to 255", n.key, *n.value)
		}
		*n.to = *n.value
	}
	if e.AnchorTime != "" {
		if c.Anchor, err = time.Parse(time.RFC3339, e.AnchorTime); err != nil {
			return c, fmt.Errorf("anchor-time %q is no time: want one such as 2026-01-01T00:00:00Z", e.AnchorTime)
		}
		if c.Period == 0 {
			return c, errors.New("anchor-time is for a client with a period")
		}
	}
	c.StartWith, err = startWith(e.StartWith)
	return c, err
}

func startWith(v string) (netconf.StartWith, error) {
	all := []netconf.StartWith{netconf.FirstListed, netconf.LastConnected, netconf.RandomSelection}
	var names []string
	for _, s := range all {
		if v == s.String() {
			return s, nil
		}
		names = append(names, s.String())
	}
	if v == "" {
		return netconf.FirstListed, nil
	}
	return 0, fmt.Errorf("start-with %q is not known: want %s", v, choice(names))
}

func (e *homeEndpoint) endpoint() (out netconf.Endpoint, err error) {
	port := callHomeSSH
	switch e.Transport {
	case "", "ssh":
	case "tls":
		out.TLS, port = true, callHomeTLS
	default:
		return out, fmt.Errorf("transport %q is not known: want ssh or tls", e.Transport)
	}
	out.Address, err = withPort(e.Address, port)
	out.Name = e.Name
	if out.Name == "" {
		out.Name = out.Address
	}
	return out, err
}

// withPort adds a port to an address that has none.
func withPort(addr, port string) (string, error) {
	if ip, err := netip.ParseAddr(addr); err == nil {
		return net.JoinHostPort(ip.String(), port), nil
	}
	host, given, err := net.SplitHostPort(addr)
	if err != nil {
		host, given = addr, port
	}
	if n, err := strconv.ParseUint(given, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, " /:") && !strings.Contains(addr, "[") {
		return "", fmt.Errorf("address %q is none: want host, host:port or [ipv6]:port", addr)
	}
	return net.JoinHostPort(host, given), nil
}
