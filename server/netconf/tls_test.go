package netconf

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/server"
	"mooring/server/authority"
)

// pki is an authority, the server's certificate, and the files that the server
// reads.
type pki struct {
	testing.TB
	dir    string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

const (
	caFile  = "clients.crt"
	crlFile = "clients.crl"
)

func newPKI(tb testing.TB) *pki {
	tb.Helper()
	p := &pki{TB: tb, dir: tb.TempDir()}
	der := p.sign("ca", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign })
	p.ca, p.key = der.Leaf, der.PrivateKey.(*ecdsa.PrivateKey)
	p.put(caFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Raw})))
	p.revoke()
	if _, err := authority.Open(p.dir, quiet); err != nil {
		tb.Fatal(err)
	}
	return p
}

// sign makes a certificate of the authority, or the authority itself.
func (p *pki) sign(name string, change func(*x509.Certificate)) tls.Certificate {
	p.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	p.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	ca, caKey := p.ca, p.key
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		p.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		p.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// revoke writes the revocation list.
func (p *pki) revoke(certs ...tls.Certificate) {
	p.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, p.ca, p.key)
	if err != nil {
		p.Fatal(err)
	}
	p.put(crlFile, string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})))
}

func (p *pki) put(name, text string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// files writes a client's certificate and key for other programs.
func (p *pki) files(c tls.Certificate) (cert, key string) {
	p.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		p.Fatal(err)
	}
	name := fmt.Sprintf("client-%d", c.Leaf.SerialNumber)
	p.put(name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	p.put(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return filepath.Join(p.dir, name+".crt"), filepath.Join(p.dir, name+".key")
}

// byCommonName is a list cert-to-name.
const byCommonName = "cert-to-name: [{id: 1, map-type: common-name}]\n"

// secure is a rig that serves TLS too.
type secure struct {
	*listening
	pki   *pki
	users *server.Users
	file  string // of the users
}

func newSecure(tb testing.TB, l Limits, users string) *secure {
	tb.Helper()
	r := newRig(tb, l)
	s := &secure{pki: newPKI(tb), file: filepath.Join(tb.TempDir(), "users.yaml")}
	s.write(tb, users)
	var err error
	if s.users, err = server.OpenUsers(s.file); err != nil {
		tb.Fatal(err)
	}
	source, err := server.NewCertificateSource(filepath.Join(s.pki.dir, authority.CertificateFile), filepath.Join(s.pki.dir, authority.KeyFile), quiet)
	if err != nil {
		tb.Fatal(err)
	}
	trust, err := server.NewClientTrust(filepath.Join(s.pki.dir, caFile), filepath.Join(s.pki.dir, crlFile), quiet)
	if err != nil {
		tb.Fatal(err)
	}
	conf, err := server.TLSConfig(source, server.ClientCertRequired, trust)
	if err != nil {
		tb.Fatal(err)
	}
	if r.srv, err = New(Config{Engine: r.engine, Users: s.users, HostKeys: []ssh.Signer{hostKey(tb)}, TLS: conf, Log: r.log, Limits: l}); err != nil {
		tb.Fatal(err)
	}
	s.listening = r.listen()
	return s
}

func (s *secure) write(tb testing.TB, users string) {
	tb.Helper()
	if err := os.WriteFile(s.file, []byte(users), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// shake connects with a certificate, and gives the server time to judge it.
func (s *secure) shake(conf *tls.Config, certs ...tls.Certificate) (*tls.Conn, error) {
	conf = conf.Clone()
	conf.InsecureSkipVerify = true
	if len(certs) > 0 { // also where the server's list of authorities excludes it
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	raw, err := net.DialTimeout("tcp", s.tls, patience)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, conf)
	if err := errors.Join(conn.SetDeadline(time.Now().Add(patience)), conn.HandshakeContext(context.Background())); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// dial opens a session.
func (s *secure) dialTLS(conf *tls.Config, cert tls.Certificate) (*client, *tls.Conn) {
	s.Helper()
	conn, err := s.shake(conf, cert)
	if err != nil {
		s.Fatal(err)
	}
	c := newClient(s, conn)
	c.greet(base10, base11)
	return c, conn
}

// netconf.md 62 and 63: sessions over TLS 1.2 and 1.3 are what those over SSH
// are, of the user whom the certificate names.
func TestTLS(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := newSecure(t, Limits{}, byCommonName)
			c, conn := s.dialTLS(&tls.Config{MinVersion: version, MaxVersion: version}, s.pki.sign("ann", nil))
			c.setUp()
			c.ok(edit(manyPeers(1000)))
			if got := c.rpc("<get-config><source><running/></source></get-config>"); strings.Count(got, "<peer>") != 1001 {
				t.Errorf("%d peers in %d bytes", strings.Count(got, "<peer>"), len(got))
			}
			got := c.rpc(`<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><sessions/></netconf-state></filter></get>`)
			if !strings.Contains(got, "<transport>netconf-tls</transport><username>ann</username><source-host>127.0.0.1</source-host>") {
				t.Errorf("sessions: %s", got)
			}
			history := s.engine.Store().History()
			if h := history[len(history)-1]; h.User != "ann" || h.Protocol != "netconf" {
				t.Errorf("history: %+v", h)
			}
			c.ok("<close-session/>")
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF { // close_notify, no cut
				t.Errorf("after close-session: %v", err)
			}
		})
	}
}

// netconf.md 63: the end of the input is the end of the session, after what was
// asked before it.
func TestEndOfInputOverTLS(t *testing.T) {
	s := newSecure(t, Limits{}, byCommonName)
	conn, err := s.shake(&tls.Config{}, s.pki.sign("ann", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	msg := fmt.Sprintf(`<rpc xmlns="%s" message-id="1">%s</rpc>]]>]]>`, ncNS, edit(vpn1))
	if _, err := io.WriteString(conn, hello(base10)+"]]>]]>"+msg+msg); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || strings.Count(string(text), "<ok/>") != 2 {
		t.Errorf("%v\n%s", err, text)
	}
}

// netconf.md 62 and 63: who is not let in sees no hello.
func TestTLSRefuses(t *testing.T) {
	s := newSecure(t, Limits{AuthTimeout: 300 * time.Millisecond}, "cert-to-name: [{id: 1, map-type: san-dns-name}]\n")
	dns := func(c *x509.Certificate) { c.DNSNames = []string{"nms.example.com"} }
	good, revoked := s.pki.sign("x", dns), s.pki.sign("x", dns)
	s.pki.revoke(revoked)
	for _, tt := range []struct {
		name string
		conf *tls.Config
		cert []tls.Certificate
	}{
		{"no certificate", &tls.Config{}, nil},
		{"no certificate, 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, nil},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, []tls.Certificate{good}},
		{"another authority", &tls.Config{}, []tls.Certificate{newPKI(t).sign("x", dns)}},
		{"ended", &tls.Config{}, []tls.Certificate{s.pki.sign("x", func(c *x509.Certificate) { dns(c); c.NotAfter = time.Now().Add(-time.Minute) })}},
		{"not yet", &tls.Config{}, []tls.Certificate{s.pki.sign("x", func(c *x509.Certificate) { dns(c); c.NotBefore = time.Now().Add(time.Minute) })}},
		{"of a server", &tls.Config{}, []tls.Certificate{s.pki.sign("x", func(c *x509.Certificate) { dns(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}},
		{"revoked", &tls.Config{}, []tls.Certificate{revoked}},
		{"without a name", &tls.Config{}, []tls.Certificate{s.pki.sign("ann", nil)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := s.shake(tt.conf, tt.cert...)
			if err != nil {
				return
			}
			defer conn.Close()
			if text, err := io.ReadAll(conn); len(text) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %d bytes, %v", len(text), err)
			}
		})
	}
	for name, text := range map[string]string{"silence": "", "SSH": "SSH-2.0-x\r\n", "a record that does not end": "\x16\x03\x01\x40\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.tls)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is not closed")
			}
		})
	}
	c, _ := s.dialTLS(&tls.Config{}, good)
	c.ok("<commit/>")
}

// netconf.md 63: a session that was refused, mapped or revoked anew cannot be
// resumed, and the map is followed.
func TestTLSIsNotResumed(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := newSecure(t, Limits{}, byCommonName)
			cert := s.pki.sign("ann", nil)
			conf := &tls.Config{MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
			user := func() string {
				t.Helper()
				c, conn := s.dialTLS(conf, cert)
				if conn.ConnectionState().DidResume {
					t.Error("the connection was resumed")
				}
				id := c.id
				for _, peer := range s.srv.registry.All() {
					if peer.ID == id {
						return peer.Identity.User + " " + strings.Join(peer.Identity.Groups, ",")
					}
				}
				return ""
			}
			for range 2 {
				if got := user(); got != "ann " {
					t.Errorf("the user is %q", got)
				}
			}
			s.write(t, "users: [{name: ops, groups: [admin, lab]}]\ncert-to-name: [{id: 1, map-type: specified, name: ops}]\n")
			if err := s.users.Reload(); err != nil {
				t.Fatal(err)
			}
			if got := user(); got != "ops admin,lab" {
				t.Errorf("after the change of the map the user is %q", got)
			}
			s.pki.revoke(cert)
			if conn, err := s.shake(conf, cert); err == nil {
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("a revoked certificate came in")
				}
				_ = conn.Close()
			}
		})
	}
}

// netconf.md 63: the server's certificate is replaced without a restart, and
// sessions stay.
func TestTLSRotation(t *testing.T) {
	s := newSecure(t, Limits{}, byCommonName)
	cert := s.pki.sign("ann", nil)
	old, conn := s.dialTLS(&tls.Config{}, cert)
	before := conn.ConnectionState().PeerCertificates[0]
	next := t.TempDir()
	if _, err := authority.Open(next, quiet); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{authority.KeyFile, authority.CertificateFile} {
		if err := os.Rename(filepath.Join(next, name), filepath.Join(s.pki.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, conn = s.dialTLS(&tls.Config{}, cert)
	if conn.ConnectionState().PeerCertificates[0].Equal(before) {
		t.Error("the old certificate is shown")
	}
	old.ok("<commit/>")
}

// netconf.md 54 and 53 over TLS.
func TestKillAndAbortOverTLS(t *testing.T) {
	s := newSecure(t, Limits{}, byCommonName)
	cert := s.pki.sign("ann", nil)
	a, _ := s.dialTLS(&tls.Config{}, cert)
	b, conn := s.dialTLS(&tls.Config{}, cert)
	c, _ := s.dialTLS(&tls.Config{}, cert)
	a.ok(lock("running"))
	b.ok(kill(a.id), lock("running"))
	a.wantNoMessage()
	_ = conn.NetConn().Close()
	within(t, patience, "the lock is free", func() bool { return c.rpc(lock("running")) == "<ok/>" })
}

// A client that does not read loses its session and its locks, and its
// connection.
func TestClientThatDoesNotReadOverTLS(t *testing.T) {
	s := newSecure(t, Limits{WriteTimeout: 100 * time.Millisecond}, byCommonName)
	cert := s.pki.sign("ann", nil)
	c, _ := s.dialTLS(&tls.Config{}, cert)
	c.ok(edit(vpn1+manyPeers(9000)), lock("running"))
	other, _ := s.dialTLS(&tls.Config{}, cert)
	getAll := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get/></rpc>`)
	for range 8 { // more than the buffers of both sides
		c.send(getAll)
	}
	within(t, patience, "the lock is free", func() bool { return other.rpc(lock("running")) == "<ok/>" })
	within(t, patience, "the connection is closed", func() bool { return s.srv.connections.Load() == 1 })
}

// netconf.md 5 over TLS.
func TestTLSLimits(t *testing.T) {
	s := newSecure(t, Limits{MaxSessions: 1, MaxPreAuth: 1}, byCommonName)
	cert := s.pki.sign("ann", nil)
	c, _ := s.dialTLS(&tls.Config{}, cert)
	second, err := s.shake(&tls.Config{}, cert)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(second); err != nil || len(text) > 0 {
		t.Errorf("a session too many: %q, %v", text, err)
	}
	_ = second.Close()
	within(t, patience, "its connection is gone", func() bool { return s.srv.connections.Load() == 1 })
	silent, err := net.Dial("tcp", s.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	within(t, patience, "the silent one is counted", func() bool { return s.srv.preAuth.Load() == 1 })
	refused, err := net.Dial("tcp", s.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_ = refused.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(refused); err != nil || len(text) > 0 { // an end, no reset
		t.Errorf("refused with %q, %v", text, err)
	}
	c.ok("<commit/>")
}

// Serve ends with TLS sessions that are idle, busy reading nothing, and not yet
// one.
func TestServerStopsOverTLS(t *testing.T) {
	s := newSecure(t, Limits{}, byCommonName)
	cert := s.pki.sign("ann", nil)
	idle, conn := s.dialTLS(&tls.Config{}, cert)
	silent, err := net.Dial("tcp", s.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	idle.ok("<commit/>")
	start := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// netconf.md 62: openssl is a client too, and its early data (0-RTT) is refused
// (netconf.md 63).
func TestOpenSSLClient(t *testing.T) {
	openssl := need(t, "/usr/bin/openssl", "openssl")
	s := newSecure(t, Limits{}, byCommonName)
	cert, key := s.pki.files(s.pki.sign("ann", nil))
	run := func(input string, more ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, openssl, append([]string{"s_client", "-cert", cert, "-key", key}, more...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	input := hello(base10) + "]]>]]>" + `<rpc xmlns="` + ncNS + `" message-id="1"><close-session/></rpc>]]>]]>`
	out, err := run(input, "-connect", s.tls, "-quiet", "-CAfile", filepath.Join(s.pki.dir, authority.CAFile), "-verify_return_error")
	if err != nil || !strings.Contains(out, "<ok/></rpc-reply>]]>]]>") {
		t.Errorf("%v\n%s", err, out)
	}

	// A session that allows early data comes from another server.
	elsewhere := filepath.Join(s.pki.dir, "session.pem")
	early := filepath.Join(s.pki.dir, "early")
	s.pki.put("early", input)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	other := exec.CommandContext(ctx, openssl, "s_server", "-accept", addr, "-early_data", "-quiet",
		"-cert", filepath.Join(s.pki.dir, authority.CertificateFile), "-key", filepath.Join(s.pki.dir, authority.KeyFile))
	var log bytes.Buffer
	other.Stdout, other.Stderr = &log, &log
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, patience, "a session that allows early data", func() bool {
		ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond) // it waits for more
		defer cancel()
		_ = exec.CommandContext(ctx, openssl, "s_client", "-connect", addr, "-sess_out", elsewhere, "-ign_eof").Run()
		_, err := os.Stat(elsewhere)
		return err == nil
	})
	_ = stdin.Close()
	cancel()
	_ = other.Wait()
	out, err = run("", "-connect", s.tls, "-sess_in", elsewhere, "-early_data", early)
	if err == nil || strings.Contains(out, "<hello") || !strings.Contains(out, "SSL alert number 110") { // unsupported_extension
		t.Errorf("early data: %v\n%s\n%s", err, out, log.String())
	}
}

func TestTLSNeedsCertificates(t *testing.T) {
	r := newRig(t, Limits{})
	_, err := New(Config{Engine: r.engine, Users: r.users(), TLS: &tls.Config{}, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "must require client certificates") {
		t.Errorf("error %v", err)
	}
}
