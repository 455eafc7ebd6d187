package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring/server/authority"
)

func TestFingerprint(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing: the fingerprint is not compared")
	}
	dir := t.TempDir()
	cert := newPair(t, dir)
	out, err := exec.Command(openssl, "x509", "-noout", "-fingerprint", "-sha256", "-in", filepath.Join(dir, authority.CertificateFile)).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
	if got := Fingerprint(cert.Leaf); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// lockedBuffer is a log that handshakes write and the test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), s)
}

// newPair makes an authority in dir, and a pair of it.
func newPair(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	if _, err := authority.Open(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, authority.CertificateFile), filepath.Join(dir, authority.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newSource(t *testing.T, dir string) (*CertificateSource, *lockedBuffer) {
	t.Helper()
	newPair(t, dir)
	var log lockedBuffer
	s, err := NewCertificateSource(filepath.Join(dir, authority.CertificateFile), filepath.Join(dir, authority.KeyFile), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

func served(t *testing.T, s *CertificateSource) string {
	t.Helper()
	cert, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Fingerprint(cert.Leaf)
}

func replace(t *testing.T, from, to string, files ...string) {
	t.Helper()
	for _, name := range files {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// gnmi.md 103: rotation without a restart, and the old pair until the new one is whole.
func TestRotation(t *testing.T) {
	dir, next := t.TempDir(), t.TempDir()
	s, log := newSource(t, dir)
	old := served(t, s)
	if n := log.count("\n"); n != 0 {
		t.Errorf("%d log lines without a change", n)
	}
	cert := newPair(t, next)
	replace(t, next, dir, authority.CertificateFile) // the key is still the old one
	for range 3 {
		if got := served(t, s); got != old {
			t.Fatalf("half a rotation served %s", got)
		}
	}
	if n := log.count("refused"); n != 1 {
		t.Errorf("the refused pair is in the log %d times, want 1", n)
	}
	replace(t, next, dir, authority.KeyFile)
	if got := served(t, s); got != Fingerprint(cert.Leaf) {
		t.Errorf("serves %s after the rotation, want the new pair", got)
	}
	if n := log.count("certificate replaced"); n != 1 {
		t.Errorf("replaced %d times, want 1", n)
	}
	// Both files gone, and then an exposed key: the pair in memory stays.
	if err := os.Rename(filepath.Join(dir, authority.CertificateFile), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := served(t, s); got != Fingerprint(cert.Leaf) {
			t.Fatal("a missing file changed what is served")
		}
	}
	if n := log.count("refused"); n != 2 {
		t.Errorf("the missing file is in the log %d times, want once", n-1)
	}
	if strings.Contains(log.buf.String(), "PRIVATE") {
		t.Error("log holds a key")
	}
}

// TestTouchedFilesAreNotARotation: other stamps, same pair.
func TestTouchedFilesAreNotARotation(t *testing.T) {
	dir := t.TempDir()
	s, log := newSource(t, dir)
	old := served(t, s)
	before := s.current.Load()
	if err := os.Chtimes(filepath.Join(dir, authority.CertificateFile), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if got := served(t, s); got != old {
		t.Errorf("serves %s", got)
	}
	if n := log.count("\n"); n != 0 {
		t.Errorf("%d log lines for the same pair", n)
	}
	after := s.current.Load()
	if served(t, s); after == before || s.current.Load() != after {
		t.Error("the files are read again at each handshake")
	}
}

func TestExpiredCertificateIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // whose clock begins in the year 2000
		newPair(t, dir)
	})
	if _, log := newSource(t, dir); log.count("level=WARN") != 1 || log.count("not-after=2001-") != 1 {
		t.Errorf("log: %s", log.buf.String())
	}
}

func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	s, log := newSource(t, dir)
	next := t.TempDir()
	newPair(t, next)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if cert, err := s.GetCertificate(nil); err != nil || cert == nil {
						t.Errorf("certificate %v, error %v", cert, err)
						return
					}
				}
			}
		})
	}
	replace(t, next, dir, authority.KeyFile, authority.CertificateFile)
	served(t, s)
	close(stop)
	wg.Wait()
	if n := log.count("certificate replaced"); n != 1 {
		t.Errorf("replaced %d times, want 1", n)
	}
}

func TestNewCertificateSourceFails(t *testing.T) {
	dir := t.TempDir()
	crt, key := filepath.Join(dir, authority.CertificateFile), filepath.Join(dir, authority.KeyFile)
	if _, err := NewCertificateSource(crt, key, slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing files: %v", err)
	}
	write(t, crt, "x", 0o644)
	write(t, key, "x", 0o600)
	if _, err := NewCertificateSource(crt, key, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), crt) {
		t.Errorf("broken files: %v", err)
	}
}

// gnmi.md 100 and netconf.md 62: TLS 1.2 and later, client certificates by mode.
func TestTLSConfig(t *testing.T) {
	s, _ := newSource(t, t.TempDir())
	roots := x509.NewCertPool()
	roots.AddCert(s.current.Load().value.Leaf)
	clientCert := clientCertificate(t)
	clientCAs := newTrust(t, "", clientCert.Leaf)
	stranger := clientCertificate(t)

	tests := []struct {
		name   string
		auth   ClientAuth
		trust  *ClientTrust
		client *tls.Config
		peers  int // client certificates that the server sees
		ok     bool
	}{
		{"tls 1.1", ClientCertNone, nil, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0, false},
		{"tls 1.2", ClientCertNone, nil, &tls.Config{MaxVersion: tls.VersionTLS12}, 0, true},
		{"tls 1.3", ClientCertNone, nil, &tls.Config{MinVersion: tls.VersionTLS13}, 0, true},
		{"none: not asked", ClientCertNone, nil, &tls.Config{Certificates: []tls.Certificate{clientCert}}, 0, true},
		{"if given: absent", ClientCertIfGiven, clientCAs, &tls.Config{}, 0, true},
		{"if given: good", ClientCertIfGiven, clientCAs, &tls.Config{Certificates: []tls.Certificate{clientCert}}, 1, true},
		{"if given: stranger", ClientCertIfGiven, clientCAs, withCertificate(stranger), 0, false},
		{"required: absent", ClientCertRequired, clientCAs, &tls.Config{}, 0, false},
		{"required: good", ClientCertRequired, clientCAs, &tls.Config{Certificates: []tls.Certificate{clientCert}}, 1, true},
		{"required: good, tls 1.2", ClientCertRequired, clientCAs, &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{clientCert}}, 1, true},
		{"required: tls 1.1", ClientCertRequired, clientCAs, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, Certificates: []tls.Certificate{clientCert}}, 0, false},
		{"required: stranger", ClientCertRequired, clientCAs, withCertificate(stranger), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := TLSConfig(s, tt.auth, tt.trust)
			if err != nil {
				t.Fatal(err)
			}
			tt.client.RootCAs, tt.client.ServerName = roots, "localhost"
			peers, err := handshake(t, cfg, tt.client)
			if (err == nil) != tt.ok {
				t.Fatalf("handshake: %v, want success %v", err, tt.ok)
			}
			if peers != tt.peers {
				t.Errorf("server saw %d client certificates, want %d", peers, tt.peers)
			}
		})
	}
}

// withCertificate sends cert though the server's list of authorities excludes it.
func withCertificate(cert tls.Certificate) *tls.Config {
	return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
}

func TestTLSConfigRefuses(t *testing.T) {
	s, _ := newSource(t, t.TempDir())
	tests := []struct {
		name string
		auth ClientAuth
		cas  *ClientTrust
		want string
	}{
		{"required without authorities", ClientCertRequired, nil, "required does not fit"},
		{"if given without authorities", ClientCertIfGiven, nil, "if-given does not fit"},
		{"authorities that nobody uses", ClientCertNone, new(ClientTrust), "none does not fit"},
		{"unknown", ClientAuth(7), nil, "ClientAuth(7)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if cfg, err := TLSConfig(s, tt.auth, tt.cas); cfg != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// clientCertificate is its own authority.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// handshake returns how many client certificates the server saw and its error.
func handshake(t *testing.T, serverCfg, clientCfg *tls.Config) (peers int, err error) {
	t.Helper()
	a, b := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer b.Close()
		c := tls.Client(b, clientCfg)
		if c.Handshake() == nil {
			_, _ = c.Read(make([]byte, 1)) // lets a TLS 1.3 server judge our certificate
		}
	})
	defer wg.Wait()
	defer a.Close()
	conn := tls.Server(a, serverCfg)
	err = conn.HandshakeContext(t.Context())
	return len(conn.ConnectionState().PeerCertificates), err
}

func TestLoadCertPool(t *testing.T) {
	dir := t.TempDir()
	cert := newPair(t, dir)
	pool, err := LoadCertPool(filepath.Join(dir, authority.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
		t.Error(err)
	}
	if _, err := LoadCertPool(filepath.Join(dir, authority.KeyFile)); err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
		t.Errorf("a key: %v", err)
	}
	if _, err := LoadCertPool(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
