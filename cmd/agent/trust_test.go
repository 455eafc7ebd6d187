package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/server/authority"
)

var certificateReplaced = regexp.MustCompile(`server certificate issued.*clients must trust ca.crt instead`)

// Two agents that start at once on one directory: one serves with a pair that
// its authority signed, the other ends and has made nothing.
func TestTwoStartsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	both := [2]*process{launchProcess(t, dir), launchProcess(t, dir)}
	type outcome struct {
		p   *process
		log string
	}
	ended := make(chan outcome)
	for _, p := range both {
		go func() {
			var log strings.Builder
			for line := range p.lines {
				log.WriteString(line + "\n")
				if m := gnmiLine.FindStringSubmatch(line); m != nil {
					p.gnmi = m[1]
					break
				}
			}
			ended <- outcome{p, log.String()}
		}()
	}
	var winner *process
	for range both {
		o := <-ended
		if o.p.gnmi != "" {
			if winner != nil {
				t.Fatal("both serve")
			}
			winner = o.p
			continue
		}
		if err := o.p.cmd.Wait(); err == nil || !strings.Contains(o.log, "in use") || strings.Contains(o.log, "authority created") {
			t.Errorf("the second one: %v\n%s", err, o.log)
		}
	}
	if winner == nil {
		t.Fatal("none serves")
	}
	if err := winner.dial(t, dir).load(t.Context(), demoConfig(1790)); err != nil {
		t.Errorf("the one that serves: %v", err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(hidden) > 0 {
		t.Errorf("%v (%v) are left half made", hidden, err)
	}
	if err := winner.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if log, err := winner.end(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

// A directory of a version before there was an authority, whose clients trusted
// server.crt itself.
func TestSelfSignedStateDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "localhost", Organization: []string{"Mooring self-signed"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(800 * 24 * time.Hour),
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, authority.CertificateFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(filepath.Join(dir, authority.KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	p := launchProcess(t, dir)
	p.waitLine(t, certificateReplaced)
	p.gnmi = p.waitLine(t, gnmiLine)[1]
	if err := p.dial(t, dir).load(t.Context(), demoConfig(1790)); err != nil {
		t.Errorf("a client that trusts ca.crt: %v", err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if log, err := p.end(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}
