package authority

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"mooring/internal/fileio"
)

const (
	authorityYears = 10
	// certificateLifetime is that of server.crt. A third of it before its end
	// the certificate is renewed.
	certificateLifetime = 397 * 24 * time.Hour
	// clockSkew is how far the clock of a client may be behind.
	clockSkew = time.Hour
	// authorityNotice is how long before the end of the authority a start warns.
	authorityNotice = 365 * 24 * time.Hour

	// authorityName begins the common name of each authority of an agent. The
	// identifier of its key follows.
	authorityName = "Mooring authority "
	// selfSignedBy is the organization in the certificates of earlier versions.
	selfSignedBy = "Mooring self-signed"
)

// origin is who made a server.crt.
type origin uint8

const (
	originNone       origin = iota // there is no server.crt
	originAgent                    // an authority of an agent
	originSelfSigned               // the agent before it had an authority
	originUser
)

func originOf(cert *x509.Certificate) origin {
	switch {
	case cert == nil:
		return originNone
	case strings.HasPrefix(cert.Issuer.CommonName, authorityName):
		return originAgent
	case slices.Equal(cert.Issuer.Organization, []string{selfSignedBy}) && cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil:
		return originSelfSigned
	}
	return originUser
}

// issuer is an authority that can sign.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// createIssuer makes an authority for the key in keyPath, and the key if there
// is none. The certificate depends on nothing but the key and the time, so that
// one made again for the same key vouches for what the first one has signed.
func createIssuer(crtPath, keyPath string) error {
	key, err := readKey(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createKey(keyPath)
	}
	if err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	id := sha256.Sum256(spki)
	now := time.Now()
	template := &x509.Certificate{ // x509 draws the serial number
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s%x", authorityName, id[:4])},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SubjectKeyId:          id[:20],
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return fileio.WriteAtomic(crtPath, encodeCertificate(der), 0o644)
}

// loadIssuer reads an authority. Its errors name the file and what to do.
func loadIssuer(crtPath, keyPath string) (*issuer, error) {
	cert, err := readCertificate(crtPath)
	if err != nil {
		return nil, fmt.Errorf("the authority: %w", err)
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, fmt.Errorf("the key of the authority %s: %w: put it back", crtPath, err)
	}
	now := time.Now()
	switch public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); {
	case !ok || !public.Equal(cert.PublicKey):
		return nil, fmt.Errorf("%s is not the key of the authority %s: put the right one back", keyPath, crtPath)
	case !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, fmt.Errorf("%s is no certificate authority: put the authority back", crtPath)
	case now.Before(cert.NotBefore):
		return nil, fmt.Errorf("the authority %s is valid from %s on only: set the clock", crtPath, cert.NotBefore.UTC().Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return nil, fmt.Errorf("the authority %s ended at %s: remove it, %s and the %s of it, and restart for a new one, which clients must then trust",
			crtPath, cert.NotAfter.UTC().Format(time.RFC3339), keyPath, CertificateFile)
	}
	return &issuer{cert, key}, nil
}

// due returns why a certificate of the agent has to be issued again, "" if it
// does not. names is whether it must have all names that the host has now. A
// certificate of another authority is an error.
func (ca *issuer) due(cert *x509.Certificate, key crypto.PublicKey, names bool) (string, error) {
	if err := cert.CheckSignatureFrom(ca.cert); err != nil || !bytes.Equal(cert.RawIssuer, ca.cert.RawSubject) {
		return "", fmt.Errorf("%s is of another authority than %s, of %s: put that one back, or remove %s and restart for one of this authority",
			CertificateFile, CAFile, cert.Issuer.CommonName, CertificateFile)
	}
	now := time.Now()
	next := ca.template(now)
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !public.Equal(key):
		return "it was not for the key in " + KeyFile, nil
	case now.Before(cert.NotBefore):
		return "", nil // the clock is behind: what it is for is to come
	case now.After(cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore)/3)) && next.NotAfter.Sub(cert.NotAfter) > checkInterval:
		return "it ends at " + cert.NotAfter.UTC().Format(time.RFC3339), nil
	case names && !covers(cert, next):
		return "the host has other names or addresses now", nil
	}
	return "", nil
}

// covers reports whether a certificate has all names of another.
func covers(cert, other *x509.Certificate) bool {
	for _, name := range other.DNSNames {
		if !slices.Contains(cert.DNSNames, name) {
			return false
		}
	}
	for _, ip := range other.IPAddresses {
		if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

// issue signs a certificate of this host for a key.
func (ca *issuer) issue(key crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, ca.template(time.Now()), ca.cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// hostName is what may stand in a certificate as a DNS name.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// template is the certificate of this host. It never outlives the authority.
func (ca *issuer) template(now time.Time) *x509.Certificate {
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" && hostName.MatchString(host) {
		names = append([]string{host}, names...)
	}
	end := now.Add(certificateLifetime - clockSkew)
	if ca.cert.NotAfter.Before(end) {
		end = ca.cert.NotAfter
	}
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: names[0]},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              end,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              names,
		IPAddresses:           certifiedAddresses(net.InterfaceAddrs),
	}
}

// maxCertified keeps the certificate of a host with very many addresses small.
const maxCertified = 64

// certifiedAddresses are the addresses at which clients may find this host: the
// loopback ones, and what list returns but for what is good on one link only. A
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
