package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
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
	certPath, keyPath string
	log               *slog.Logger

	current atomic.Pointer[pair]

	mu           sync.Mutex // one reload at a time; guards what follows
	refusedFiles stamps     // files whose refusal is in the log
	refusedWhy   string     // and its reason; empty: none
}

// pair is a loaded certificate and what its files were then.
type pair struct {
	cert  *tls.Certificate
	files stamps
}

// stamps tells versions of the two files apart: identity, mtime and size.
type stamps [2]os.FileInfo

func (s stamps) equal(o stamps) bool {
	for i, a := range s {
		b := o[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() {
			return false
		}
	}
	return true
}

// NewCertificateSource loads the pair, and fails when that fails.
func NewCertificateSource(certPath, keyPath string, log *slog.Logger) (*CertificateSource, error) {
	s := &CertificateSource{certPath: certPath, keyPath: keyPath, log: log}
	files, err := s.stat()
	if err != nil {
		return nil, err
	}
	cert, err := loadPair(certPath, keyPath)
	if err != nil {
		return nil, err
	}
	s.serve(&cert, files)
	return s, nil
}

// GetCertificate is for tls.Config.
func (s *CertificateSource) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	files, err := s.stat()
	if err != nil || !files.equal(s.current.Load().files) {
		s.reload()
	}
	return s.current.Load().cert, nil
}

// stat is taken before the files are read, so that a change in between is
// seen by the next look.
func (s *CertificateSource) stat() (files stamps, err error) {
	for i, path := range []string{s.certPath, s.keyPath} {
		if files[i], err = os.Stat(path); err != nil {
			return stamps{}, err
		}
	}
	return files, nil
}

func (s *CertificateSource) reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.stat()
	if err == nil && files.equal(s.current.Load().files) {
		return // another handshake was first
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = loadPair(s.certPath, s.keyPath)
	}
	if err != nil {
		if err.Error() != s.refusedWhy || !files.equal(s.refusedFiles) {
			s.log.Error("new certificate refused, the old one stays", "error", err)
		}
		s.refusedFiles, s.refusedWhy = files, err.Error()
		return
	}
	s.refusedFiles, s.refusedWhy = stamps{}, ""
	// The second file of a rotation may arrive between our look and our read:
	// then the next look differs though the pair is already served.
	if cert.Leaf.Equal(s.current.Load().cert.Leaf) {
		s.current.Store(&pair{cert: &cert, files: files})
		return
	}
	s.serve(&cert, files)
	s.log.Info("certificate replaced", "file", s.certPath, "fingerprint", Fingerprint(cert.Leaf))
}

func (s *CertificateSource) serve(cert *tls.Certificate, files stamps) {
	s.current.Store(&pair{cert: cert, files: files})
	if left := time.Until(cert.Leaf.NotAfter); left < expiryNotice {
		s.log.Warn("certificate ends soon or has ended, replace it", "file", s.certPath, "not-after", cert.Leaf.NotAfter)
	}
}
