package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issued is a certificate with its key, and the way to the authority.
type issued struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	issuer *issued // nil: itself
}

var nextSerial = int64(100)

// issue makes a certificate; change may fill in the template.
func (by *issued) issue(t *testing.T, name string, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	nextSerial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(nextSerial), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key, by}
}

func asAuthority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

// chain is the verified one.
func (i *issued) chain() []*x509.Certificate {
	if i.issuer == nil {
		return []*x509.Certificate{i.cert}
	}
	return append([]*x509.Certificate{i.cert}, i.issuer.chain()...)
}

// tls is what the client shows: all but the authority.
func (i *issued) tls() tls.Certificate {
	c := tls.Certificate{PrivateKey: i.key, Leaf: i.cert}
	for _, cert := range i.chain() {
		if !bytes.Equal(cert.RawIssuer, cert.RawSubject) || len(c.Certificate) == 0 {
			c.Certificate = append(c.Certificate, cert.Raw)
		}
	}
	return c
}

// list is a revocation list, as PEM.
func (i *issued) list(t *testing.T, change func(*x509.RevocationList), revoked ...*issued) string {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, r := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: time.Now()})
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, i.cert, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func certPEM(certs ...*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certs {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return text.String()
}

// newTrust believes cas, with the revocation lists in crls unless that is "".
func newTrust(t *testing.T, crls string, cas ...*x509.Certificate) *ClientTrust {
	t.Helper()
	trust, _ := newTrustIn(t, t.TempDir(), crls, cas...)
	return trust
}

func newTrustIn(t *testing.T, dir, crls string, cas ...*x509.Certificate) (*ClientTrust, *lockedBuffer) {
	t.Helper()
	ca, crl := filepath.Join(dir, "ca.pem"), ""
	write(t, ca, certPEM(cas...), 0o644)
	if crls != "" {
		crl = filepath.Join(dir, "crl.pem")
		write(t, crl, crls, 0o644)
	}
	var log lockedBuffer
	trust, err := NewClientTrust(ca, crl, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return trust, &log
}

// netconf.md 63: chains, ends and revocation of client certificates.
func TestRevocation(t *testing.T) {
	root := (*issued)(nil).issue(t, "root", asAuthority)
	middle := root.issue(t, "middle", asAuthority)
	stolen := root.issue(t, "stolen authority", asAuthority)
	ann, bob, eve := middle.issue(t, "ann", nil), middle.issue(t, "bob", nil), stolen.issue(t, "eve", nil)
	old := middle.issue(t, "old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	otherRoot := (*issued)(nil).issue(t, "root", asAuthority) // of the same name
	pinned := (*issued)(nil).issue(t, "pinned", nil)
	ended := func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) }
	older := func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(-48 * time.Hour) }
	good := root.list(t, nil, stolen) + middle.list(t, nil, bob) + stolen.list(t, nil)

	tests := []struct {
		name, lists string
		client      *issued
		wantErr     string
	}{
		{"no lists", "", bob, ""},
		{"no lists, ended", "", old, "expired"},
		{"good", good, ann, ""},
		{"revoked", good, bob, `serial number`},
		{"authority revoked", good, eve, `serial number`},
		{"ended", good, old, "expired"},
		{"pinned, which no authority can revoke", good, pinned, ""},
		{"no list of an issuer", root.list(t, nil), ann, `there is no revocation list of \"CN=middle\"`},
		{"list of another issuer of that name", otherRoot.list(t, nil) + middle.list(t, nil), ann, `there is no revocation list of \"CN=root\"`},
		{"list has ended", root.list(t, nil) + middle.list(t, ended), ann, `the revocation list of \"CN=middle\" has ended`},
		{"the newest list counts", root.list(t, nil) + middle.list(t, older) + middle.list(t, nil, ann), ann, "serial number"},
		{"the newest list counts, first", root.list(t, nil) + middle.list(t, nil, ann) + middle.list(t, older), ann, "serial number"},
	}
	source, _ := newSource(t, t.TempDir())
	for _, tt := range tests {
		for version, max := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				cfg, err := TLSConfig(source, ClientCertRequired, newTrust(t, tt.lists, root.cert, pinned.cert))
				if err != nil {
					t.Fatal(err)
				}
				client := withCertificate(tt.client.tls())
				client.MaxVersion, client.InsecureSkipVerify = max, true
				_, err = handshake(t, cfg, client)
				if tt.wantErr == "" && err != nil {
					t.Fatal(err)
				}
				if tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tt.wantErr, `\"`, `"`))) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
			})
		}
	}
}

// netconf.md 63: authorities and lists are followed without a restart, and a
// connection is never resumed past them.
func TestTrustIsFollowed(t *testing.T) {
	root := (*issued)(nil).issue(t, "root", asAuthority)
	ann := root.issue(t, "ann", nil)
	dir := t.TempDir()
	trust, log := newTrustIn(t, dir, root.list(t, nil), root.cert)
	source, _ := newSource(t, t.TempDir())
	cfg, err := TLSConfig(source, ClientCertRequired, trust)
	if err != nil {
		t.Fatal(err)
	}
	client := withCertificate(ann.tls())
	client.InsecureSkipVerify, client.ClientSessionCache = true, tls.NewLRUClientSessionCache(10)
	try := func() error {
		t.Helper()
		_, err := handshake(t, cfg, client)
		return err
	}
	for range 2 {
		if err := try(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "crl.pem"), root.list(t, nil, ann), 0o644)
	if err := try(); !errors.Is(err, ErrRevoked) {
		t.Errorf("after the revocation: %v", err)
	}
	write(t, filepath.Join(dir, "crl.pem"), "half a li", 0o644)
	for range 2 {
		if err := try(); !errors.Is(err, ErrRevoked) {
			t.Errorf("with a broken list the old one must stay: %v", err)
		}
	}
	if n := log.count("refused"); n != 1 {
		t.Errorf("the broken list is in the log %d times", n)
	}
	write(t, filepath.Join(dir, "crl.pem"), root.list(t, nil), 0o644)
	if err := try(); err != nil {
		t.Errorf("after the pardon: %v", err)
	}
	other := (*issued)(nil).issue(t, "other", asAuthority)
	write(t, filepath.Join(dir, "ca.pem"), certPEM(other.cert), 0o644)
	if err := try(); err == nil {
		t.Error("the authority is gone and its client still comes in")
	}
	if n := log.count("client authorities replaced"); n != 3 {
		t.Errorf("%d replacements in the log, want 3", n)
	}
}

func TestNewClientTrustFails(t *testing.T) {
	root := (*issued)(nil).issue(t, "root", asAuthority)
	partial := root.list(t, func(l *x509.RevocationList) { // issuing distribution point
		l.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}
	})
	tests := []struct{ name, ca, crl, want string }{
		{"no authority", "", root.list(t, nil), "holds no PEM certificate"},
		{"no list", certPEM(root.cert), "nothing", "holds no PEM revocation list"},
		{"a certificate for a list", certPEM(root.cert), certPEM(root.cert), `holds a PEM block "CERTIFICATE"`},
		{"broken list", certPEM(root.cert), "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "crl.pem: x509"},
		{"partial list", certPEM(root.cert), partial, "critical extension 2.5.29.28"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ca, crl := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "crl.pem")
			write(t, ca, tt.ca, 0o644)
			write(t, crl, tt.crl, 0o644)
			if _, err := NewClientTrust(ca, crl, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := NewClientTrust("nowhere", "", slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
