package server

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// ErrRevoked is returned for a client certificate that a revocation list
// names, or that none could be asked about.
var ErrRevoked = errors.New("client certificate is revoked")

// ClientTrust says which client certificates are believed: those that an
// authority of a PEM file has issued and that no revocation list names. It
// follows both files without a restart, as CertificateSource does.
type ClientTrust struct {
	followed[*trust]
}

// trust is one version of the files.
type trust struct {
	authorities *x509.CertPool
	lists       []*x509.RevocationList // nil: nothing is ever revoked
	checked     bool                   // there is a file of lists
}

// NewClientTrust reads the authorities and, unless its path is "", the
// revocation lists (RFC 5280 5), and fails when that fails.
//
// With lists, every certificate between the client and the authority needs one
// of its issuer that has not ended: a missing or an old list refuses the
// client, so that keeping a list from the agent admits nobody.
func NewClientTrust(caPath, crlPath string, log *slog.Logger) (*ClientTrust, error) {
	paths := []string{caPath}
	if crlPath != "" {
		paths = append(paths, crlPath)
	}
	t := &ClientTrust{followed[*trust]{
		what: "set of client authorities", paths: paths, log: log,
		load: func() (*trust, error) { return loadTrust(caPath, crlPath) },
		took: func(_, _ *trust) { log.Info("client authorities replaced", "files", paths) },
	}}
	if err := t.start(); err != nil {
		return nil, err
	}
	return t, nil
}

func loadTrust(caPath, crlPath string) (*trust, error) {
	pool, err := LoadCertPool(caPath)
	if err != nil {
		return nil, err
	}
	t := &trust{authorities: pool}
	if crlPath == "" {
		return t, nil
	}
	t.checked = true
	t.lists, err = loadRevocationLists(crlPath)
	return t, err
}

// loadRevocationLists reads a PEM file with any number of lists.
func loadRevocationLists(path string) ([]*x509.RevocationList, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read revocation lists: %w", err)
	}
	var lists []*x509.RevocationList
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("%s holds a PEM block %q: want X509 CRL only", path, block.Type)
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, ext := range list.Extensions {
			if ext.Critical { // such as the scope of a partial list (RFC 5280 5.2.5)
				return nil, fmt.Errorf("%s: the list of %s has the critical extension %s, which is not supported", path, list.Issuer, ext.Id)
			}
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s holds no PEM revocation list (X509 CRL)", path)
	}
	return lists, nil
}

// check refuses a client none of whose verified chains is free of revoked
// certificates.
func (t *trust) check(chains [][]*x509.Certificate) error {
	if !t.checked {
		return nil
	}
	var err error
	for _, chain := range chains {
		if err = t.checkChain(chain); err == nil {
			return nil
		}
	}
	return err
}

// checkChain goes from the client to the authority, which is believed by being
// in the file.
func (t *trust) checkChain(chain []*x509.Certificate) error {
	for i, cert := range chain[:max(0, len(chain)-1)] {
		list, err := t.listOf(chain[i+1])
		if err != nil {
			return fmt.Errorf("%w, or not known not to be: %w", ErrRevoked, err)
		}
		for _, entry := range list.RevokedCertificateEntries {
			// A removeFromCRL entry (8) is for delta lists only (RFC 5280 5.3.1).
			if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				return fmt.Errorf("%w: serial number %x of %s", ErrRevoked, cert.SerialNumber, name(cert.Issuer))
			}
		}
	}
	return nil
}

// listOf returns the newest list that the issuer has signed.
func (t *trust) listOf(issuer *x509.Certificate) (*x509.RevocationList, error) {
	var newest *x509.RevocationList
	for _, list := range t.lists {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || list.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if newest == nil || list.ThisUpdate.After(newest.ThisUpdate) {
			newest = list
		}
	}
	switch {
	case newest == nil:
		return nil, fmt.Errorf("there is no revocation list of %s", name(issuer.Subject))
	case !newest.NextUpdate.IsZero() && time.Now().After(newest.NextUpdate):
		return nil, fmt.Errorf("the revocation list of %s has ended on %s", name(issuer.Subject), newest.NextUpdate.Format(time.RFC3339))
	}
	return newest, nil
}

// name is an X.509 name for a log line: what it says is quoted, a certificate
// of a stranger could say anything.
func name(n pkix.Name) string { return fmt.Sprintf("%.200q", n.String()) }
