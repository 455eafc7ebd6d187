package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mooring/internal/fileio"
)

// Names of the files in the state directory.
const (
	CAFile          = "ca.crt"
	CAKeyFile       = "ca.key"
	CertificateFile = "server.crt"
	KeyFile         = "server.key"
)

// checkInterval is how often a running agent looks whether its certificate is
// to be renewed.
const checkInterval = 12 * time.Hour

// errMissing is wrapped if there is no authority where there has been one.
var errMissing = errors.New("the authority is missing")

// Keeper keeps server.crt of a state directory valid. Its methods are for one
// goroutine at a time.
type Keeper struct {
	dir   string
	log   *slog.Logger
	fault string // the last one in the log
}

// Open makes the authority and the pair of dir if they are missing, replaces
// the self-signed server.crt of earlier versions, and renews a server.crt that
// ends soon or lacks a name or address of this host. A server.crt that another
// authority signed is the user's, and stays.
//
// A broken authority is an error only if there is no server.crt; otherwise it
// is logged, and server.crt is served until its end.
func Open(dir string, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{dir: dir, log: log}
	if err := k.keep(true); err != nil {
		return nil, err
	}
	return k, nil
}

// Run renews server.crt in good time until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := k.keep(false); err != nil {
				k.report(err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *Keeper) file(name string) string { return filepath.Join(k.dir, name) }

// keep brings the files in order. Its error means that no server.crt is there.
func (k *Keeper) keep(start bool) error {
	cert, err := readCertificate(k.file(CertificateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read certificate: %w", err)
	}
	origin := originOf(cert)
	if origin == originUser {
		if start {
			k.log.Info("the certificate is not of the agent's authority: it is never replaced", "file", k.file(CertificateFile))
		}
		return nil
	}
	ca, err := k.authority(origin)
	if err == nil {
		if start && time.Until(ca.cert.NotAfter) < authorityNotice {
			k.log.Warn("the authority ends, and with it the trust of the clients: plan its replacement", "file", k.file(CAFile), "not-after", ca.cert.NotAfter)
		}
		err = k.renew(ca, cert, origin, start)
	}
	switch {
	case err == nil:
		k.fault = ""
	case origin == originNone:
		return fmt.Errorf("create certificate: %w", err)
	default:
		k.report(fmt.Errorf("%w; %s is served as it is until %s", err, k.file(CertificateFile), cert.NotAfter.UTC().Format(time.RFC3339)))
	}
	return nil
}

// report logs a fault, once until it changes.
func (k *Keeper) report(err error) {
	if text := err.Error(); text != k.fault {
		k.log.Error("the server certificate cannot be renewed", "err", err)
		k.fault = text
	}
}

// authority opens the authority of the directory. It makes a new one if there
// is neither an authority nor a certificate that needs one, and completes one
// that a crash has left without its certificate.
func (k *Keeper) authority(origin origin) (*issuer, error) {
	crt, key := k.file(CAFile), k.file(CAKeyFile)
	haveCrt, err := exists(crt)
	if err != nil {
		return nil, err
	}
	haveKey, err := exists(key)
	if err != nil {
		return nil, err
	}
	switch {
	case haveCrt:
		return loadIssuer(crt, key)
	case !haveKey && origin == originAgent:
		return nil, fmt.Errorf("%w: put %s and %s back, or remove %s and restart for a new authority, which clients must then trust",
			errMissing, crt, key, k.file(CertificateFile))
	}
	if err := createIssuer(crt, key); err != nil {
		return nil, err
	}
	ca, err := loadIssuer(crt, key)
	if err != nil {
		return nil, err
	}
	k.log.Info("certificate authority created, give it to the clients", "file", crt, "not-after", ca.cert.NotAfter)
	return ca, nil
}

// renew issues a new server.crt if cert, which is nil if there is none, has to
// be replaced.
func (k *Keeper) renew(ca *issuer, cert *x509.Certificate, origin origin, start bool) error {
	why := "created"
	switch origin {
	case originAgent:
		key, err := readKey(k.file(KeyFile))
		if err != nil {
			return err
		}
		if why, err = ca.due(cert, key.Public(), start); err != nil || why == "" {
			return err
		}
	case originSelfSigned:
		why = "the self-signed certificate of an earlier version is replaced: clients must trust " + CAFile + " instead"
	case originNone, originUser:
	}
	next, err := k.issue(ca)
	if err != nil {
		return err
	}
	k.log.Info("server certificate issued", "why", why, "file", k.file(CertificateFile), "not-after", next.NotAfter)
	return nil
}

// issue writes a new server.crt, and server.key if there is none. A key that
// is there stays, so that at no instant the two do not belong together.
func (k *Keeper) issue(ca *issuer) (*x509.Certificate, error) {
	key, err := readKey(k.file(KeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createKey(k.file(KeyFile))
	}
	if err != nil {
		return nil, err
	}
	cert, err := ca.issue(key.Public())
	if err != nil {
		return nil, err
	}
	return cert, fileio.WriteAtomic(k.file(CertificateFile), encodeCertificate(cert.Raw), 0o644)
}

func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}
