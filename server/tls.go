package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mooring/internal/fileio"
)

// Names of the generated pair in the state directory.
const (
	CertificateFile = "server.crt"
	KeyFile         = "server.key"
)

// certificateLifetime is the longest that strict clients accept for a server.
const certificateLifetime = 825 * 24 * time.Hour

// LoadOrCreateCertificate reads server.crt and server.key of dir, or makes a
// self-signed ECDSA P-256 pair for this host, localhost, the loopback addresses
// and those that the host has then. A key without a certificate, as a crash of the first start leaves
// it, gets one; a certificate without its key is an error. The key file must
// be closed to others (ErrExposedFile).
func LoadOrCreateCertificate(dir string) (cert tls.Certificate, created bool, err error) {
	certPath, keyPath := filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile)
	_, err = os.Stat(certPath)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createCertificate(certPath, keyPath); err != nil {
			return tls.Certificate{}, false, fmt.Errorf("create certificate: %w", err)
		}
		created = true
	}
	cert, err = loadPair(certPath, keyPath)
	if err != nil {
		return tls.Certificate{}, false, err
	}
	return cert, created, nil
}

// createCertificate writes the key first: see LoadOrCreateCertificate.
func createCertificate(certPath, keyPath string) error {
	keyPEM, err := fileio.ReadSecret(keyPath, ErrExposedFile)
	if errors.Is(err, fs.ErrNotExist) {
		keyPEM, err = newKeyPEM()
		if err == nil {
			err = fileio.WriteAtomic(keyPath, keyPEM, 0o600)
		}
	}
	if err != nil {
		return err
	}
	certPEM, err := selfSign(keyPEM, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return fmt.Errorf("sign with %s: %w", keyPath, err)
	}
	return fileio.WriteAtomic(certPath, certPEM, 0o644)
}

func newKeyPEM() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// hostName is what may stand in a certificate as a DNS name.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// selfSign returns a certificate of this host for the key, as PEM.
func selfSign(keyPEM []byte, usage x509.ExtKeyUsage) ([]byte, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" && hostName.MatchString(host) {
		names = append([]string{host}, names...)
	}
	now := time.Now()
	template := &x509.Certificate{ // x509 draws the serial number
		Subject:               pkix.Name{CommonName: names[0], Organization: []string{"Mooring self-signed"}},
		NotBefore:             now.Add(-time.Hour), // clients whose clock is behind
		NotAfter:              now.Add(certificateLifetime - time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{usage},
		BasicConstraintsValid: true,
		DNSNames:              names,
		IPAddresses:           certifiedAddresses(net.InterfaceAddrs),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// maxCertified keeps the certificate of a host with very many addresses small.
const maxCertified = 64

// certifiedAddresses are the addresses at which clients may find this host: the
// loopback ones, and what lists names but for what is good on one link only. A
// host that cannot list its addresses still has its name.
func certifiedAddresses(list func() ([]net.Addr, error)) []net.IP {
	certified := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	all, _ := list()
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if ok && n.IP.IsGlobalUnicast() && len(certified) < maxCertified {
			certified = append(certified, n.IP)
		}
	}
	return certified
}

// loadPair reads a certificate and its key.
func loadPair(certPath, keyPath string) (tls.Certificate, error) {
	keyPEM, err := fileio.ReadSecret(keyPath, ErrExposedFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of %s: %w", certPath, err)
	}
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s with key %s: %w", certPath, keyPath, err)
	}
	return cert, nil
}

// Fingerprint returns the SHA-256 of a certificate as `openssl x509
// -fingerprint -sha256` prints it.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// LoadCertPool reads the certificate authorities of a PEM file.
func LoadCertPool(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	return pool, nil
}

// ClientAuth says what a TLS listener wants of its client's certificate.
type ClientAuth int

// The modes of ClientAuth.
const (
	ClientCertNone     ClientAuth = iota // not asked for
	ClientCertIfGiven                    // may be absent, else must verify
	ClientCertRequired                   // must be there and verify
)

// String returns the name of the mode.
func (a ClientAuth) String() string {
	switch a {
	case ClientCertNone:
		return "none"
	case ClientCertIfGiven:
		return "if-given"
	case ClientCertRequired:
		return "required"
	}
	return fmt.Sprintf("ClientAuth(%d)", int(a))
}

// TLSConfig returns the configuration of a TLS listener: TLS 1.2 or later
// (gnmi.md 100), the certificate of source at each handshake, and client
// certificates against trust as auth says. trust must be given exactly when
// auth is not ClientCertNone, so that no certificate is silently left
// unchecked.
//
// Where certificates are asked for, no session is resumed: each connection
// shows its certificate and is mapped and checked anew, with the authorities
// and lists of that moment (netconf.md 63). Early data (0-RTT) is never taken:
// crypto/tls refuses it.
func TLSConfig(source *CertificateSource, auth ClientAuth, trust *ClientTrust) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: source.GetCertificate}
	switch auth {
	case ClientCertNone:
		cfg.ClientAuth = tls.NoClientCert
	case ClientCertIfGiven:
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	case ClientCertRequired:
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		return nil, fmt.Errorf("unknown client certificate mode %v", auth)
	}
	if (auth == ClientCertNone) != (trust == nil) {
		return nil, fmt.Errorf("client certificate mode %v does not fit: certificate authorities are needed for if-given and required, and only there", auth)
	}
	if trust == nil {
		return cfg, nil
	}
	cfg.SessionTicketsDisabled = true
	base := cfg.Clone()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := trust.get()
		c := base.Clone()
		c.ClientCAs = now.authorities
		c.VerifyConnection = func(s tls.ConnectionState) error { return now.check(s.VerifiedChains) }
		return c, nil
	}
	return cfg, nil
}
