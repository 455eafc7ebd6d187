package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/server"
	"mooring/server/gnmi"
)

const (
	off       = "off" // instead of an address or a time: not started, never
	envPrefix = "MOORING_"
)

// setting is one thing that the agent can be told. The table of settings is
// all there is: flags, keys of the file, environment variables, help and
// examples/agent.yaml follow it.
type setting struct {
	key  string // of the file, and the name of the flag
	arg  string // what stands for the value in the help; "" for a switch
	def  string
	help string
	set  func(*Config, string) error
}

// listArg is the arg of a setting that is a YAML list in the file, and the
// same on one line as a flag.
const listArg = "LIST"

// env is the name of the setting's environment variable.
func (s *setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, "-", "_"))
}

var settings = []setting{
	{
		"state-dir", "DIR", "/var/lib/mooring",
		"where the agent keeps its configuration, users, certificate and host keys; made at the first start",
		func(c *Config, v string) (err error) { c.StateDir, err = nonEmptyPath(v); return err },
	},
	{
		"gnmi", "ADDR", "127.0.0.1:9339",
		"where gNMI listens: host:port, unix:PATH, or off; host:port@vrf:DEVICE in a VRF, host:port@netns:NAME in a network namespace",
		func(c *Config, v string) (err error) { c.GNMI, err = listenAddress(v); return err },
	},
	{
		"gnmi-leaf-list", "HOW", "replace",
		"what a gNMI update does to a leaf-list: replace its entries, or merge with them",
		func(c *Config, v string) error {
			how, err := oneOf(v, "replace", "merge")
			if how == "merge" {
				c.GNMILeafLists = gnmi.MergeLeafLists
			}
			return err
		},
	},
	{
		"gnmi-strict", "", "false",
		"refuse a gNMI sample_interval with the mode TARGET_DEFINED, as the specification recommends; gnmic sends both where it is not told a mode",
		func(c *Config, v string) (err error) { c.GNMIStrict, err = boolean(v); return err },
	},
	{
		"netconf", "ADDR", "127.0.0.1:1830",
		"where NETCONF over SSH listens, in the same forms",
		func(c *Config, v string) (err error) { c.NETCONF, err = listenAddress(v); return err },
	},
	{
		"netconf-tls", "ADDR", off,
		"where NETCONF over TLS listens (port 6513 by its standard), in the same forms; needs tls-client-ca, and the list cert-to-name in users.yaml",
		func(c *Config, v string) (err error) { c.NETCONFTLS, err = listenAddress(v); return err },
	},
	{
		"netconf-host-keys", listArg, strings.Join(server.HostKeyNames(), ","),
		"SSH host keys, each of which is generated in state-dir where it is missing: a list of " + choice(server.HostKeyNames()),
		func(c *Config, v string) (err error) { c.NETCONFHostKeys, err = hostKeys(v); return err },
	},
	{
		"call-home", listArg, "",
		"NETCONF clients that the agent connects to: a list in YAML, of which examples/agent.yaml has the keys",
		func(c *Config, v string) (err error) { c.CallHome, err = callHome(v); return err },
	},
	{
		"netconf-keepalive", "TIME", "1m",
		"how often a NETCONF client is asked for a sign of life; one that gives none three times is gone, and its locks are free; off",
		func(c *Config, v string) (err error) {
			c.NETCONFLimits.Keepalive.Interval, err = duration(v)
			return err
		},
	},
	{
		"netconf-idle-timeout", "TIME", off,
		"how long a NETCONF session without a subscription may ask nothing before it is ended; off: for ever",
		func(c *Config, v string) (err error) { c.NETCONFLimits.IdleTimeout, err = duration(v); return err },
	},
	{
		"netconf-startup", "", "false",
		"serve NETCONF's startup datastore: a start begins with what was last copied there, and not with running",
		func(c *Config, v string) (err error) { c.Startup, err = boolean(v); return err },
	},
	{
		"netconf-url-dir", "DIR", "",
		"directory of the files that NETCONF clients may read and write by file:///NAME; without it there are no URLs",
		func(c *Config, v string) error { c.URLDir = v; return nil },
	},
	{
		"backend", "NAME", backendGoBGP,
		"the BGP speaker: " + strings.Join(backendNames, ", ") + " (gobgp is built in; frr is the bgpd of this machine; fake speaks with nobody, it is for trying things out)",
		func(c *Config, v string) (err error) { c.Backend, err = oneOf(v, backendNames...); return err },
	},
	{
		"frr-vty", "DIR", "/run/frr",
		"directory of bgpd's socket bgpd.vty, for the backend frr; the agent's user must be in the group frrvty",
		func(c *Config, v string) (err error) { c.FRRVty, err = nonEmptyPath(v); return err },
	},
	{
		"frr-namespace", "NAME", "",
		"network namespace that bgpd runs in, as 'ip netns' lists it; without it the agent's own",
		func(c *Config, v string) error { c.FRRNamespace = v; return nil },
	},
	{
		"drift", "POLICY", "repair",
		"what to do about changes made in bgpd by hand: repair (what needs a reset waits for the next session), repair-reset, or report",
		func(c *Config, v string) (err error) {
			c.Drift, err = oneOf(v, "repair", "repair-reset", "report")
			return err
		},
	},
	{
		"tls-cert", "FILE", "",
		"certificate chain of gNMI and of NETCONF over TLS, PEM; without it the agent has a certificate authority of its own, and clients trust ca.crt of state-dir",
		func(c *Config, v string) error { c.TLSCert = v; return nil },
	},
	{
		"tls-key", "FILE", "",
		"key of tls-cert, PEM, readable by the agent's user only",
		func(c *Config, v string) error { c.TLSKey = v; return nil },
	},
	{
		"tls-client-ca", "FILE", "",
		"certificate authorities of TLS clients, PEM; needed by netconf-tls and tls-client-auth",
		func(c *Config, v string) error { c.TLSClientCA = v; return nil },
	},
	{
		"tls-client-crl", "FILE", "",
		"revocation lists of tls-client-ca and of each authority between it and a client, PEM; without it no certificate is taken for revoked",
		func(c *Config, v string) error { c.TLSClientCRL = v; return nil },
	},
	{
		"tls-client-auth", "MODE", server.ClientCertNone.String(),
		"certificate of gNMI clients: none (not asked for), if-given, required; a client without a password is the user that its certificate names, by the list cert-to-name in users.yaml if there is one",
		func(c *Config, v string) (err error) { c.TLSClientAuth, err = clientAuth(v); return err },
	},
	{
		"insecure-plaintext", "", "false",
		"gNMI without TLS; only on a loopback address or a unix socket",
		func(c *Config, v string) (err error) { c.Plaintext, err = boolean(v); return err },
	},
	{
		"nacm-recovery-group", "GROUP", "admin",
		"the group in users.yaml whose users may do everything, whatever the rules below /nacm say (RFC 8341, recovery session); off for none",
		func(c *Config, v string) (err error) { c.RecoveryGroup, err = recoveryGroup(v); return err },
	},
	{
		"confirm-limit", "TIME", "24h",
		"how long a confirmed commit may wait at most, over both protocols",
		func(c *Config, v string) (err error) { c.ConfirmLimit, err = limit(v); return err },
	},
	{
		"log-level", "LEVEL", "info",
		"least level that is logged: debug, info, warn, error",
		func(c *Config, v string) (err error) { c.LogLevel, err = logLevel(v); return err },
	},
	{
		"log-format", "FORMAT", "text",
		"form of the log on standard error: text or json",
		func(c *Config, v string) (err error) { c.LogFormat, err = oneOf(v, "text", "json"); return err },
	},
}

func settingOf(key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

func settingKeys() []string {
	keys := make([]string, len(settings))
	for i := range settings {
		keys[i] = settings[i].key
	}
	return keys
}

func nonEmptyPath(v string) (string, error) {
	if v == "" {
		return "", errors.New("is empty: give the path of a directory")
	}
	return filepath.Clean(v), nil
}

// listenAddress checks the form of an address; whether it can be listened on
// is seen when it is. It returns "" for off.
func listenAddress(v string) (string, error) {
	if v == off {
		return "", nil
	}
	if path, ok := strings.CutPrefix(v, "unix:"); ok {
		if path == "" {
			return "", errors.New("names no file: want unix:PATH")
		}
		return v, nil
	}
	hostPort, err := server.CheckPlace(v)
	if err != nil {
		return "", fmt.Errorf("is no address: %w", err)
	}
	_, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", errors.New("is no address: want host:port, [ipv6]:port, unix:PATH or off")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("has no port number: want host:port with a port from 0 (any free one) to 65535")
	}
	return v, nil
}

// hostKeys reads a list of names: in YAML, or with commas between them.
func hostKeys(v string) ([]string, error) {
	known := server.HostKeyNames()
	names := strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("[],\"' ", r) })
	for i, name := range names {
		if _, err := oneOf(name, known...); err != nil {
			return nil, fmt.Errorf("names %q, which %w", name, err)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("names %s twice: name it once", name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("names no key: want one or more of " + strings.Join(known, ", "))
	}
	return names, nil
}

// recoveryGroup returns "" for off.
func recoveryGroup(v string) (string, error) {
	switch v {
	case off:
		return "", nil
	case "":
		return "", errors.New("is empty: give a group of users.yaml, or off")
	}
	return v, nil
}

func oneOf(v string, known ...string) (string, error) {
	for _, k := range known {
		if v == k {
			return v, nil
		}
	}
	return "", fmt.Errorf("is not known%s: want %s", didYouMean(v, known), choice(known))
}

// choice joins words as a sentence does: a, b or c.
func choice(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func clientAuth(v string) (server.ClientAuth, error) {
	modes := []server.ClientAuth{server.ClientCertNone, server.ClientCertIfGiven, server.ClientCertRequired}
	for _, m := range modes {
		if v == m.String() {
			return m, nil
		}
	}
	return 0, errors.New("is not known: want none, if-given or required")
}

// duration returns 0 for off.
func duration(v string) (time.Duration, error) {
	if v == off {
		return 0, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, errors.New("is no time: want a number with a unit from 1s to 24h, such as 30s or 5m, or off")
	}
	return d, nil
}

// limit is a duration that cannot be off.
func limit(v string) (time.Duration, error) {
	if v == off {
		return 0, errors.New("cannot be off: want a time from 1s to 24h")
	}
	return duration(v)
}

func boolean(v string) (bool, error) {
	switch v {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("is neither true nor false")
}

func logLevel(v string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if v == strings.ToLower(l.String()) {
			return l, nil
		}
	}
	return 0, errors.New("is not known: want debug, info, warn or error")
}
