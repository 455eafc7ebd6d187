package server

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// expiryNotice is how long before its end a certificate is warned of.
const expiryNotice = 30 * 24 * time.Hour

// CertificateSource serves a certificate from files and follows their
// rotation without a restart (gnmi.md 103): each handshake looks whether a
// file changed. A new pair that does not load, half-written ones included, is
// logged once and tried again at the next handshake; until it loads, the old
// one is served. Its methods may be called by any goroutine.
type CertificateSource struct {
	followed[*tls.Certificate]
}

// NewCertificateSource loads the pair, and fails when that fails.
func NewCertificateSource(certPath, keyPath string, log *slog.Logger) (*CertificateSource, error) {
	s := &CertificateSource{followed[*tls.Certificate]{
		what: "certificate", paths: []string{certPath, keyPath}, log: log,
		load: func() (*tls.Certificate, error) {
			cert, err := loadPair(certPath, keyPath)
			return &cert, err
		},
	}}
	s.took = func(was, is *tls.Certificate) {
		// The second file of a rotation may arrive between our look and our read:
		// then the next look differs though the pair is already served.
		if is.Leaf.Equal(was.Leaf) {
			return
		}
		s.warnOfEnd(is)
		log.Info("certificate replaced", "file", certPath, "fingerprint", Fingerprint(is.Leaf))
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	s.warnOfEnd(s.current.Load().value)
	return s, nil
}

// GetCertificate is for tls.Config.
func (s *CertificateSource) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.get(), nil
}

func (s *CertificateSource) warnOfEnd(cert *tls.Certificate) {
	if left := time.Until(cert.Leaf.NotAfter); left < expiryNotice {
		s.log.Warn("certificate ends soon or has ended, replace it", "file", s.paths[0], "not-after", cert.Leaf.NotAfter)
	}
}
