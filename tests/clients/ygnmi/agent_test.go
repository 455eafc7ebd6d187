// Package ygnmi drives the agent with gNMI clients that are not ours: ygnmi,
// with the typed OpenConfig paths of ondatra, and gnmi_cli. Both log in with a
// certificate, since gnmi_cli takes passwords from a terminal only.
package ygnmi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const neighbor = "10.1.1.2"

// programs are those that TestMain built.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clients")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	for _, b := range []struct{ in, what string }{{filepath.Join("..", "..", ".."), "./cmd/agent"}, {".", "github.com/openconfig/gnmi/cmd/gnmi_cli"}} {
		build := exec.Command("go", "build", "-o", dir, b.what)
		build.Dir = b.in
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", b.what, err, out)
			return 1
		}
	}
	return m.Run()
}

// agent is a running one, with the fake backend.
type agent struct {
	addr string
	dir  string // with ca.crt, client.crt and client.key
	tls  *tls.Config
}

func start(t *testing.T) *agent {
	t.Helper()
	a := &agent{addr: free(t), dir: t.TempDir()}
	if err := os.Chmod(a.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	client := a.certificate(t)
	cmd := exec.Command(filepath.Join(programs, "agent"), "serve", "--state-dir", a.dir, "--backend", "fake", "--netconf", "off",
		"--gnmi", a.addr, "--tls-client-auth", "if-given", "--tls-client-ca", a.file("client.crt"))
	cmd.Env = append(os.Environ(), "MOORING_ADMIN_PASSWORD=a password of the tests")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil || t.Failed() {
			t.Errorf("agent: %v\n%s", err, log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(a.file("ca.crt"))
		if err == nil {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(text)
			a.tls = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}, ServerName: "127.0.0.1"}
			var conn *tls.Conn
			if conn, err = tls.Dial("tcp", a.addr, a.tls); err == nil {
				_ = conn.Close()
				return a
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the agent does not serve: %v\n%s", err, log.String())
		}
	}
}

func (a *agent) file(name string) string { return filepath.Join(a.dir, name) }

func (a *agent) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(a.addr, grpc.WithTransportCredentials(credentials.NewTLS(a.tls)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// certificate makes that of the client, its own authority, which names the
// user admin.
func (a *agent) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"client.crt": {Type: "CERTIFICATE", Bytes: cert}, "client.key": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(a.file(name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
}
