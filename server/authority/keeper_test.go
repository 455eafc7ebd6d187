package authority

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// files are the four of a directory, "" for one that is not there.
type files struct{ ca, caKey, crt, key string }

func readFiles(t *testing.T, dir string) files {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
	return files{read(CAFile), read(CAKeyFile), read(CertificateFile), read(KeyFile)}
}

func put(t *testing.T, dir, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func drop(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// open returns what Open has logged too.
func open(t *testing.T, dir string) (*Keeper, *bytes.Buffer, error) {
	t.Helper()
	var log bytes.Buffer
	k, err := Open(dir, slog.New(slog.NewTextHandler(&log, nil)))
	return k, &log, err
}

func made(t *testing.T, dir string) files {
	t.Helper()
	if _, log, err := open(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	return readFiles(t, dir)
}

func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// verify asks for a name as a client does that trusts ca.crt.
func verify(t *testing.T, f files, name string) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, f.ca))
	_, err := parse(t, f.crt).Verify(x509.VerifyOptions{DNSName: name, Roots: roots})
	return err
}

func TestFirstStart(t *testing.T) {
	dir := t.TempDir()
	f := made(t, dir)
	for name, mode := range map[string]os.FileMode{CAFile: 0o644, CAKeyFile: 0o600, CertificateFile: 0o644, KeyFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("%v (%v) are there, want four files", left, err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", host} {
		if err := verify(t, f, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if verify(t, f, "other.example") == nil {
		t.Error("valid for any name")
	}
	ca, crt := parse(t, f.ca), parse(t, f.crt)
	if !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("authority: CA %v, path length %d, usage %b", ca.IsCA, ca.MaxPathLen, ca.KeyUsage)
	}
	if want := time.Now().AddDate(10, 0, 0); want.Sub(ca.NotAfter).Abs() > time.Hour {
		t.Errorf("the authority ends at %v, want %v", ca.NotAfter, want)
	}
	key, ok := crt.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || crt.IsCA || !slices.Equal(crt.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("certificate: key %T, CA %v, usage %v", crt.PublicKey, crt.IsCA, crt.ExtKeyUsage)
	}
	if got := crt.NotAfter.Sub(crt.NotBefore); got != certificateLifetime {
		t.Errorf("lifetime %v", got)
	}
	if again := made(t, dir); again != f {
		t.Error("a second start has changed something")
	}
}

// OpenSSL has its own opinion on what an authority must have.
func TestOpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	made(t, dir)
	out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "127.0.0.1",
		"-CAfile", filepath.Join(dir, CAFile), filepath.Join(dir, CertificateFile)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// selfSigned is a certificate as the agent made it before it had an authority,
// or, with another organization, one of the user.
func selfSigned(t *testing.T, dir, organization string, ends time.Time) {
	t.Helper()
	key, err := createKey(filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "host", Organization: []string{organization}}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, CertificateFile, string(encodeCertificate(der)), 0o644)
}

func TestSelfSignedIsReplaced(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, dir, selfSignedBy, time.Now().Add(time.Hour))
	before := readFiles(t, dir)
	_, log, err := open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	after := readFiles(t, dir)
	if after.crt == before.crt || after.key != before.key {
		t.Error("the certificate is the old one, or its key is not")
	}
	if err := verify(t, after, "localhost"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "clients must trust ca.crt instead") {
		t.Errorf("log: %s", log)
	}
}

func TestUsersCertificateStays(t *testing.T) {
	for _, ends := range []time.Duration{time.Hour, -time.Minute} { // good, and ended
		dir := t.TempDir()
		selfSigned(t, dir, "Example", time.Now().Add(ends))
		before := readFiles(t, dir)
		k, _, err := open(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.keep(false); err != nil {
			t.Error(err)
		}
		if readFiles(t, dir) != before {
			t.Error("a file was changed or made")
		}
	}
}

// What a crash leaves between two writes is completed, and signs for what the
// same authority has signed before.
func TestCrashBetweenWrites(t *testing.T) {
	dir := t.TempDir()
	first := made(t, dir)
	drop(t, dir, CAFile)
	again := made(t, dir)
	if again.ca == first.ca || again.caKey != first.caKey || again.crt != first.crt {
		t.Error("only ca.crt was to be made")
	}
	if err := verify(t, again, "localhost"); err != nil {
		t.Errorf("what was signed before: %v", err)
	}
	if err := verify(t, files{ca: first.ca, crt: again.crt}, "localhost"); err != nil {
		t.Errorf("a client that has the first ca.crt: %v", err)
	}
	drop(t, dir, CertificateFile)
	if last := made(t, dir); last.crt == again.crt || last.key != first.key || last.ca != again.ca {
		t.Error("only server.crt was to be made")
	}
	drop(t, dir, KeyFile)
	if _, err := createKey(filepath.Join(dir, KeyFile)); err != nil { // of a new pair whose certificate is to come
		t.Fatal(err)
	}
	made(t, dir)
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile)); err != nil {
		t.Error(err)
	}
}

// A broken authority is one clear line, and nothing is overwritten. With a
// server.crt the agent starts, without one it does not.
func TestBrokenAuthority(t *testing.T) {
	other := made(t, t.TempDir())
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []string
		starts bool // without server.crt too
	}{
		{"missing", func(t *testing.T, dir string) { drop(t, dir, CAFile, CAKeyFile) }, []string{"the authority is missing", "ca.key", "put"}, true},
		{"without its key", func(t *testing.T, dir string) { drop(t, dir, CAKeyFile) }, []string{"ca.key: no such file", "put it back"}, false},
		{"open to others", func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, CAKeyFile), 0o640); err != nil {
				t.Fatal(err)
			}
		}, []string{"key file is open to others", "chmod 600"}, false},
		{"unreadable", func(t *testing.T, dir string) {
			drop(t, dir, CAFile)
			if err := os.Mkdir(filepath.Join(dir, CAFile), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"ca.crt", "not a regular file"}, false},
		{"broken certificate", func(t *testing.T, dir string) { put(t, dir, CAFile, "x", 0o644) }, []string{"ca.crt holds no PEM certificate"}, false},
		{"broken key", func(t *testing.T, dir string) { put(t, dir, CAKeyFile, "x", 0o600) }, []string{"ca.key", "no PEM block"}, false},
		{"of another key", func(t *testing.T, dir string) { put(t, dir, CAKeyFile, other.caKey, 0o600) }, []string{"is not the key of the authority"}, false},
		{"another one", func(t *testing.T, dir string) {
			put(t, dir, CAFile, other.ca, 0o644)
			put(t, dir, CAKeyFile, other.caKey, 0o600)
		}, []string{"server.crt is of another authority"}, true},
		{"no authority", func(t *testing.T, dir string) {
			put(t, dir, CAFile, other.crt, 0o644)
			put(t, dir, CAKeyFile, other.key, 0o600)
		}, []string{"is no certificate authority"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			made(t, dir)
			tt.damage(t, dir)
			entries := func() (names []string) {
				all, err := os.ReadDir(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range all {
					info, err := e.Info()
					if err != nil {
						t.Fatal(err)
					}
					names = append(names, e.Name()+info.ModTime().String()+info.Mode().String())
				}
				return names
			}
			before := entries()
			k, log, err := open(t, dir)
			if err != nil {
				t.Fatalf("does not start: %v", err)
			}
			if err := k.keep(false); err != nil {
				t.Error(err)
			}
			if strings.Count(log.String(), "\n") != 1 || !containsAll(log.String(), tt.want) || !strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("log: %s", log)
			}
			if after := entries(); !slices.Equal(before, after) {
				t.Errorf("changed:\n%v\n%v", before, after)
			}

			drop(t, dir, CertificateFile)
			before = entries()
			_, _, err = open(t, dir)
			if tt.starts {
				if err != nil {
					t.Errorf("without server.crt: %v", err)
				}
				return
			}
			if err == nil || !containsAll(err.Error(), tt.want) {
				t.Errorf("without server.crt: %v", err)
			}
			if after := entries(); !slices.Equal(before, after) {
				t.Errorf("changed:\n%v\n%v", before, after)
			}
		})
	}
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// A running agent renews its certificate in time, and the authority vouches for
// it until its own end and no longer.
func TestRenewal(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k, log, err := open(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		first := readFiles(t, dir)
		last := parse(t, first.ca).NotAfter
		renewals, shown := 0, first.crt
		for time.Now().Before(last) {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			now := readFiles(t, dir)
			if now.crt != shown {
				renewals, shown = renewals+1, now.crt
			}
			if now.ca != first.ca || now.key != first.key {
				t.Fatal("more than server.crt has changed")
			}
			crt := parse(t, now.crt)
			if crt.NotAfter.After(last) {
				t.Fatalf("server.crt ends at %v, its authority at %v", crt.NotAfter, last)
			}
			if left := time.Until(crt.NotAfter); crt.NotAfter.Before(last) && left < certificateLifetime/3-24*time.Hour {
				t.Fatalf("at %v only %v are left", time.Now(), left)
			}
			if err := verify(t, now, "localhost"); err != nil && time.Now().Before(last) {
				t.Fatalf("at %v: %v", time.Now(), err)
			}
		}
		if renewals < 10 || renewals > 20 {
			t.Errorf("%d renewals in ten years", renewals)
		}
		time.Sleep(2 * checkInterval)
		synctest.Wait()
		if n := strings.Count(log.String(), "ended at"); n != 1 {
			t.Errorf("the end of the authority is in the log %d times: %s", n, log)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The end of the authority is announced at the starts of its last year, and
// with its end a start without a certificate fails.
func TestAuthorityEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first := made(t, dir)
		time.Sleep(time.Until(parse(t, first.ca).NotAfter) - authorityNotice/2)
		if _, log, err := open(t, dir); err != nil || !strings.Contains(log.String(), "the authority ends") {
			t.Errorf("error %v, log: %s", err, log)
		}
		time.Sleep(authorityNotice)
		before := readFiles(t, dir)
		if _, log, err := open(t, dir); err != nil || !containsAll(log.String(), []string{"level=ERROR", "ended at", "remove"}) {
			t.Errorf("error %v, log: %s", err, log)
		}
		drop(t, dir, CertificateFile)
		if _, _, err := open(t, dir); err == nil || !containsAll(err.Error(), []string{"ended at", "remove"}) {
			t.Errorf("without a certificate: %v", err)
		}
		if after := readFiles(t, dir); after.ca != before.ca || after.caKey != before.caKey || after.key != before.key || after.crt != "" {
			t.Error("something was changed")
		}
		drop(t, dir, CAFile, CAKeyFile)
		if err := verify(t, made(t, dir), "localhost"); err != nil {
			t.Errorf("after what the text says to do: %v", err)
		}
	})
}

// A machine that starts without a clock keeps what it has.
func TestClockBehind(t *testing.T) {
	dir := t.TempDir()
	before := made(t, dir)
	synctest.Test(t, func(t *testing.T) { // whose clock begins in the year 2000
		if _, log, err := open(t, dir); err != nil || !strings.Contains(log.String(), "set the clock") {
			t.Errorf("error %v, log: %s", err, log)
		}
	})
	if readFiles(t, dir) != before {
		t.Error("something was changed")
	}
}

// A host that gets another name or address has it in its certificate after the
// next start.
func TestNewNamesAtStart(t *testing.T) {
	dir := t.TempDir()
	f := made(t, dir)
	ca, err := loadIssuer(filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	old := parse(t, f.crt)
	old.DNSNames, old.IPAddresses = []string{"localhost"}, old.IPAddresses[:1]
	der, err := x509.CreateCertificate(rand.Reader, old, ca.cert, old.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, CertificateFile, string(encodeCertificate(der)), 0o644)
	if verify(t, readFiles(t, dir), "::1") == nil {
		t.Fatal("the address is there already")
	}
	k, _, err := open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	now := readFiles(t, dir)
	if err := verify(t, now, "::1"); err != nil {
		t.Error(err)
	}
	if err := k.keep(true); err != nil || readFiles(t, dir) != now {
		t.Errorf("issued again without a reason: %v", err)
	}
}

func TestMissingDirectory(t *testing.T) {
	if _, _, err := open(t, filepath.Join(t.TempDir(), "missing")); err == nil || !strings.Contains(err.Error(), "create certificate") {
		t.Errorf("error %v", err)
	}
}
