package bench

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mooring/tests/runner"
)

// BenchmarkSessions opens 1,000 NETCONF sessions, one after the other, and keeps
// them open: TCP, SSH or TLS, login and both hellos. KB/session is what the
// agent's resident memory has grown by, ratio what the last 100 take beside the
// first 100.
//
// Target (issue 5): set-up at most 5 ms at the median, at most 100 KB each; a
// session costs the same however many there are.
func BenchmarkSessions(b *testing.B) {
	n := size(1000)
	b.Run("ssh", func(b *testing.B) {
		sessions(b, n, nil, func(a *runner.Agent) (io.Closer, error) { return a.DialNETCONF(runner.Password) })
	})
	b.Run("tls", func(b *testing.B) {
		dir := b.TempDir()
		cert, ca := clientPair(b, dir)
		addr := freeAddr(b)
		args := []string{"--netconf-tls", addr, "--tls-client-ca", ca}
		sessions(b, n, args, func(*runner.Agent) (io.Closer, error) { return dialTLS(addr, cert) })
	})
}

func sessions(b *testing.B, n int, args []string, dial func(*runner.Agent) (io.Closer, error)) {
	b.Helper()
	o := options(runner.StateDir(b))
	o.Args = append(o.Args, args...)
	users := filepath.Join(o.StateDir, "users.yaml")
	text, err := os.ReadFile(users)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(users, append(text, "cert-to-name: [{id: 1, map-type: specified, name: admin}]\n"...), 0o600); err != nil {
		b.Fatal(err)
	}
	var setUp, first, last sample
	var grown int64
	for b.Loop() {
		a := runner.Start(b, o)
		before := memory(b, a)
		open := make([]io.Closer, n)
		for i := range open {
			start := time.Now()
			if open[i], err = dial(a); err != nil {
				b.Fatalf("session %d: %v", i+1, err)
			}
			setUp = append(setUp, time.Since(start))
		}
		first, last = append(first, setUp[len(setUp)-n:][:n/10]...), append(last, setUp[len(setUp)-n/10:]...)
		grown = memory(b, a) - before
		for _, s := range open {
			_ = s.Close() // the agent may end first
		}
		a.Stop(b)
	}
	b.ReportMetric(float64(last.p50())/float64(first.p50()), "ratio")
	setUp.report(b, "setup-p50-us")
	b.ReportMetric(float64(grown)/1024/float64(n), "KB/session")
	b.ReportMetric(0, "ns/op")
}

func memory(b *testing.B, a *runner.Agent) int64 {
	b.Helper()
	rss, err := a.Memory("VmRSS")
	if err != nil {
		b.Fatal(err)
	}
	return rss
}

// dialTLS opens a session and exchanges hellos.
func dialTLS(addr string, cert tls.Certificate) (io.Closer, error) {
	// The agent's certificate is its own: what is measured is not whether we
	// believe it.
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
	if err != nil {
		return nil, err
	}
	const hello = `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>`
	if _, err := io.WriteString(conn, hello); err != nil {
		return nil, err
	}
	for r := bufio.NewReader(conn); ; {
		text, err := r.ReadString('>')
		if err != nil {
			return nil, fmt.Errorf("hello of the agent: %w", err)
		}
		if text == "]]>" { // the first half of the end
			return conn, nil
		}
	}
}

// clientPair makes a client's certificate, and a file with its authority, which
// is itself.
func clientPair(b *testing.B, dir string) (cert tls.Certificate, ca string) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	ca = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		b.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

func freeAddr(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
