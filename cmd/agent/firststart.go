package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"mooring/engine/datastore"
	"mooring/server"
	"mooring/server/authority"
)

const usersFile = "users.yaml"

// identity is who the agent is towards its clients.
type identity struct {
	hostKeys  []ssh.Signer
	authority *authority.Keeper // nil if the certificate is not of the state directory
	file      string            // of the users
	password  string            // of admin, where this start generated it
}

// openState makes the state directory, or takes an existing one, and locks it.
func openState(dir string, log *slog.Logger) (*datastore.Store, error) {
	if err := makeStateDir(dir, log); err != nil {
		return nil, fmt.Errorf("state-dir: %w", err)
	}
	return datastore.Open(datastore.Options{Dir: dir, Log: log.With("part", "datastore")})
}

// makeStateDir leaves an existing directory as it is, but refuses one that
// others may write: they could put a file of theirs in the place of ours. Of one
// that they may enter it warns: the files in it are closed by their own modes,
// but those of a careless backup are not.
func makeStateDir(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%w: make it as root for the agent's user (install -d -m 700 -o USER %s), or choose another with --state-dir", err, dir)
		}
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return fmt.Errorf("%s may be written by others: run chmod 700 %s", dir, dir)
	case mode&0o077 != 0:
		log.Warn("the state directory, which has secrets in it, is open to others: run chmod 700", "dir", dir, "mode", fmt.Sprintf("%04o", mode))
	}
	probe, err := os.CreateTemp(dir, ".writable.*")
	if err != nil {
		return fmt.Errorf("%w: the agent's user must be able to write there: chown the directory, or choose another with --state-dir", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// openIdentity opens the users and the keys, and makes the keys that are missing.
func openIdentity(cfg Config, log *slog.Logger) (*server.Users, identity, error) {
	id := identity{file: filepath.Join(cfg.StateDir, usersFile)}
	users, err := server.OpenUsers(id.file)
	if err != nil {
		return nil, id, err
	}
	if cfg.netconfSSH() {
		keys, err := server.LoadOrCreateHostKeys(cfg.StateDir, cfg.NETCONFHostKeys)
		if err != nil {
			return nil, id, err
		}
		for _, key := range keys {
			id.hostKeys = append(id.hostKeys, key.Signer)
			log.Info("ssh host key", "name", key.Name, "created", key.Created, "fingerprint", server.HostKeyFingerprint(key))
		}
	}
	if (cfg.gnmiTLS() || cfg.netconfTLS()) && cfg.TLSCert == "" {
		if id.authority, err = authority.Open(cfg.StateDir, log.With("part", "tls")); err != nil {
			return nil, id, err
		}
	}
	return users, id, nil
}

// ensureAdmin makes the user of a first start and keeps the password that it
// generates for printPassword. It is the last thing that can fail: nobody would
// be shown the password of a start that ends with an error.
func (a *agent) ensureAdmin(cfg Config) error {
	password, created, err := a.users.EnsureAdmin(cfg.AdminPassword)
	switch {
	case err != nil:
		return err
	case created:
		a.log.Info("user admin created", "file", a.secrets.file)
	case cfg.AdminPassword != "":
		a.log.Warn("MOORING_ADMIN_PASSWORD is for the first start only and was not used: the users are in the file", "file", a.secrets.file)
	}
	a.secrets.password = password
	return nil
}

// printPassword shows the generated password, the only time that it is seen.
func printPassword(w io.Writer, id identity) {
	trust := ""
	if id.authority != nil {
		trust = fmt.Sprintf("\n\n  Clients of gNMI trust it by %s.", filepath.Join(filepath.Dir(id.file), authority.CAFile))
	}
	fmt.Fprintf(w, `
========================================================================
  First start: the user admin was created.

      user      admin
      password  %s

  This is the only time that the password is shown. For another one put
  its hash into %s (agent hash-password),
  and send the agent SIGHUP.%s
========================================================================

`, id.password, id.file, trust)
}

// tlsFiles are the agent's certificate, and whom it believes to be a client.
// Both follow their files.
type tlsFiles struct {
	source *server.CertificateSource // nil where TLS is not served
	trust  *server.ClientTrust       // nil where no client certificate is asked for
}

func openTLS(cfg Config, log *slog.Logger) (f tlsFiles, err error) {
	if !cfg.gnmiTLS() && !cfg.netconfTLS() {
		return f, nil
	}
	certPath, keyPath := certificateFiles(cfg)
	if f.source, err = server.NewCertificateSource(certPath, keyPath, log); err != nil {
		return f, fmt.Errorf("tls-cert: %w", err)
	}
	if cert, err := f.source.GetCertificate(nil); err == nil {
		log.Info("certificate", "file", certPath, "fingerprint", server.Fingerprint(cert.Leaf), "not-after", cert.Leaf.NotAfter)
	}
	if cfg.TLSClientCA == "" {
		return f, nil
	}
	if f.trust, err = server.NewClientTrust(cfg.TLSClientCA, cfg.TLSClientCRL, log); err != nil {
		return f, fmt.Errorf("%s: %w", trustKeys(&cfg), err)
	}
	return f, nil
}

// gnmi returns the TLS configuration of gNMI, nil for plaintext.
func (f tlsFiles) gnmi(cfg Config) (*tls.Config, error) {
	switch {
	case cfg.Plaintext:
		return nil, nil
	case cfg.TLSClientAuth == server.ClientCertNone:
		return server.TLSConfig(f.source, cfg.TLSClientAuth, nil)
	}
	return server.TLSConfig(f.source, cfg.TLSClientAuth, f.trust)
}

// netconf returns the TLS configuration of NETCONF, nil where it is not served
// over TLS.
func (f tlsFiles) netconf(cfg Config) (*tls.Config, error) {
	if !cfg.netconfTLS() {
		return nil, nil
	}
	return server.TLSConfig(f.source, server.ClientCertRequired, f.trust)
}

func certificateFiles(cfg Config) (certPath, keyPath string) {
	if cfg.TLSCert != "" {
		return cfg.TLSCert, cfg.TLSKey
	}
	return filepath.Join(cfg.StateDir, authority.CertificateFile), filepath.Join(cfg.StateDir, authority.KeyFile)
}

// trustKeys names the settings whose files are the client authorities.
func trustKeys(cfg *Config) string {
	if cfg.TLSClientCRL == "" {
		return "tls-client-ca"
	}
	return "tls-client-ca and tls-client-crl"
}

// checkTLSFiles reads the TLS files that the configuration names. The agent's
// own pair is made by its first start.
func (c choices) checkTLSFiles(cfg *Config) error {
	if !cfg.gnmiTLS() && !cfg.netconfTLS() {
		return nil
	}
	var errs []error
	log := slog.New(slog.DiscardHandler)
	if cfg.TLSCert != "" {
		if _, err := server.NewCertificateSource(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c["tls-cert"].name("tls-cert"), err))
		}
	}
	if cfg.TLSClientCA != "" {
		if _, err := server.NewClientTrust(cfg.TLSClientCA, cfg.TLSClientCRL, log); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c["tls-client-ca"].name(trustKeys(cfg)), err))
		}
	}
	return errors.Join(errs...)
}
