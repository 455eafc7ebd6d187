package server

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"mooring/internal/fileio"
)

// loadPair reads a certificate and its key.
func loadPair(certPath, keyPath string) (tls.Certificate, error) {
	keyPEM, err := fileio.ReadSecret(keyPath, ErrExposedFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of %s: %w", certPath, err)
	}
	certPEM, err := fileio.Read(certPath)
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
