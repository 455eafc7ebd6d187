package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"mooring/server"
	"mooring/server/gnmi"
	"mooring/server/netconf"
)

// Config is what the agent was told, checked. Nothing below cmd/agent sees a
// flag, a file or the environment.
type Config struct {
	StateDir        string
	GNMI            string // "": not started
	GNMILeafLists   gnmi.LeafLists
	GNMIStrict      bool
	NETCONF         string // over SSH; "": not started
	NETCONFTLS      string // over TLS; "": not started
	NETCONFLimits   netconf.Limits
	NETCONFHostKeys []string // names that server.LoadOrCreateHostKeys knows
	Startup         bool     // a start begins with the startup datastore
	URLDir          string   // of NETCONF's files; "": none
	CallHome        []netconf.CallHome
	Backend         string
	FRRVty          string // directory of bgpd.vty
	FRRNamespace    string // network namespace of bgpd, "" for the agent's own
	Drift           string // a key of driftPolicies
	TLSCert         string // "": the agent's own pair
	TLSKey          string
	TLSClientCA     string
	TLSClientCRL    string
	TLSClientAuth   server.ClientAuth // of gNMI; NETCONF over TLS always requires one
	Plaintext       bool              // gNMI without TLS
	ConfirmLimit    time.Duration     // of confirmed commits; 0: the default of the engine
	RecoveryGroup   string            // "": none
	LogLevel        slog.Level
	LogFormat       string

	// AdminPassword is that of the admin of a first start; "": generate one.
	AdminPassword string
}

const fromDefault = "default"

// given is a value and where it was given, for messages: "--gnmi",
// "MOORING_GNMI", "agent.yaml:3", "default".
type given struct {
	value, origin string
}

// choices holds the value in force of each setting, by key.
type choices map[string]given

// choose lets a flag win over the environment, that over the file, and that
// over the default (12factor order). An empty environment variable is none.
func choose(flags, file choices, getenv func(string) string) choices {
	all := make(choices, len(settings))
	for i := range settings {
		s := &settings[i]
		if g, ok := flags[s.key]; ok {
			all[s.key] = g
		} else if v := getenv(s.env()); v != "" {
			all[s.key] = given{v, s.env()}
		} else if g, ok := file[s.key]; ok {
			all[s.key] = g
		} else {
			all[s.key] = given{s.def, fromDefault}
		}
	}
	return all
}

// config checks the choices, each and together, and tells all that is wrong.
func (c choices) config() (Config, error) {
	cfg, errs := c.each()
	if len(errs) == 0 {
		errs = c.together(&cfg)
	}
	return cfg, errors.Join(errs...)
}

// each checks each choice by itself.
func (c choices) each() (cfg Config, errs []error) {
	for i := range settings {
		s := &settings[i]
		if err := s.set(&cfg, c[s.key].value); err != nil {
			errs = append(errs, c.errorf(s.key, "%w", err))
		}
	}
	return cfg, errs
}

// configured reads the file at path ("": none) and returns what is in force
// beside flags and environment. It tells all that is wrong with any of them;
// what contradicts each other only where every line of the file was read, lest
// a mistyped key is blamed on another.
func (p *program) configured(path string, flags choices) (choices, Config, error) {
	var file choices
	if path != "" {
		var err error
		if file, err = readFile(path); err != nil && file == nil {
			return nil, Config{}, err
		} else if err != nil {
			_, errs := choose(flags, file, p.getenv).each()
			return nil, Config{}, errors.Join(append([]error{err}, errs...)...)
		}
	}
	chosen := choose(flags, file, p.getenv)
	cfg, err := chosen.config()
	return chosen, cfg, err
}

// check refuses flags whose value is wrong by itself, which is a mistake in
// the command line.
func (c choices) check() error {
	var wrong []string
	for i := range settings {
		s := &settings[i]
		if g, ok := c[s.key]; ok {
			if err := s.set(new(Config), g.value); err != nil {
				wrong = append(wrong, c.errorf(s.key, "%w", err).Error())
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &usageError{strings.Join(wrong, "\n")}
}

// together checks what no setting can check alone.
func (c choices) together(cfg *Config) (errs []error) {
	fail := func(key, format string, args ...any) { errs = append(errs, c.errorf(key, format, args...)) }
	if len(cfg.listeners()) == 0 && len(cfg.CallHome) == 0 {
		fail("gnmi", "and netconf are both off, and netconf-tls too, so nobody could reach the agent: give one of them an address, or call-home a client")
	}
	taken := map[string]string{}
	for _, l := range cfg.listeners() {
		if other := taken[l.addr]; other != "" && !anyPort(l.addr) {
			fail(l.key, "is the address of %s too: choose another", other)
		}
		taken[l.addr] = l.key
	}
	if cfg.Startup && !cfg.netconfSSH() && !cfg.netconfTLS() {
		fail("netconf-startup", "needs netconf or netconf-tls, by which alone startup can be written: give one of them an address")
	}
	if cfg.Plaintext && cfg.GNMI != "" && !server.IsLoopback(cfg.GNMI) {
		fail("insecure-plaintext", "would send passwords in the clear, because gnmi listens on %s: "+
			"set gnmi to a loopback address or unix:PATH, or leave TLS on", cfg.GNMI)
	}
	if cfg.Plaintext && !cfg.netconfTLS() && (cfg.TLSCert != "" || cfg.TLSKey != "" || cfg.TLSClientAuth != server.ClientCertNone) {
		fail("insecure-plaintext", "contradicts the settings tls-...: remove one or the other")
	}
	switch {
	case cfg.TLSCert != "" && cfg.TLSKey == "":
		fail("tls-cert", "has no key: set tls-key too")
	case cfg.TLSCert == "" && cfg.TLSKey != "":
		fail("tls-key", "has no certificate: set tls-cert too")
	}
	switch {
	case cfg.TLSClientAuth != server.ClientCertNone && cfg.TLSClientCA == "":
		fail("tls-client-auth", "needs certificate authorities: set tls-client-ca to a PEM file")
	case cfg.netconfTLS() && cfg.TLSClientCA == "":
		key := "netconf-tls"
		if cfg.NETCONFTLS == "" {
			key = "call-home"
		}
		fail(key, "needs the certificate authorities of its clients: set tls-client-ca to a PEM file")
	case cfg.TLSClientAuth == server.ClientCertNone && !cfg.netconfTLS() && cfg.TLSClientCA != "":
		fail("tls-client-ca", "has no effect while tls-client-auth is none and netconf-tls is off: set tls-client-auth to if-given or required")
	}
	if cfg.TLSClientCRL != "" && cfg.TLSClientCA == "" {
		fail("tls-client-crl", "has no effect without certificate authorities: set tls-client-ca too")
	}
	return errs
}

// listener is an address to listen on, and the setting that names it.
type listener struct{ key, addr string }

// listeners returns what is not off.
func (c *Config) listeners() []listener {
	return slices.DeleteFunc([]listener{{"gnmi", c.GNMI}, {"netconf", c.NETCONF}, {"netconf-tls", c.NETCONFTLS}},
		func(l listener) bool { return l.addr == "" })
}

// netconfSSH and netconfTLS say how NETCONF is served; gnmiTLS whether gNMI is
// served under TLS.
func (c *Config) netconfSSH() bool {
	return c.NETCONF != "" || slices.ContainsFunc(c.endpoints(), func(e netconf.Endpoint) bool { return !e.TLS })
}

func (c *Config) netconfTLS() bool {
	return c.NETCONFTLS != "" || slices.ContainsFunc(c.endpoints(), func(e netconf.Endpoint) bool { return e.TLS })
}

func (c *Config) gnmiTLS() bool { return c.GNMI != "" && !c.Plaintext }

// home is the network namespace of the BGP speaker, "" for the agent's own: the
// VPN instances that name none are there.
func (c *Config) home() string {
	if c.Backend == backendFRR {
		return c.FRRNamespace
	}
	return ""
}

// endpoints are all that the agent calls home.
func (c *Config) endpoints() (all []netconf.Endpoint) {
	for _, client := range c.CallHome {
		all = append(all, client.Endpoints...)
	}
	return all
}

// anyPort says whether the kernel chooses the port, so that two listeners on
// one address do not meet.
func anyPort(addr string) bool {
	hostPort, _ := server.CheckPlace(addr)
	return strings.HasSuffix(hostPort, ":0")
}

// errorf names the setting, its value and where it was given.
func (c choices) errorf(key, format string, args ...any) error {
	return fmt.Errorf("%s %q %w", c[key].name(key), c[key].value, fmt.Errorf(format, args...))
}

// name is what the user called the setting.
func (g given) name(key string) string {
	switch {
	case g.origin == fromDefault:
		return key
	case strings.HasPrefix(g.origin, "--"), strings.HasPrefix(g.origin, envPrefix):
		return g.origin
	}
	return g.origin + ": " + key
}
