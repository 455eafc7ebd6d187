// Package nemith drives the agent with a NETCONF client of Go that is not ours.
package nemith

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
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"nemith.io/netconf"
	"nemith.io/netconf/rpc"
	"nemith.io/netconf/transport"
	ncssh "nemith.io/netconf/transport/ssh"
	nctls "nemith.io/netconf/transport/tls"
)

const (
	password = "a password of the tests"
	config   = `<vpn-instances xmlns="urn:mooring:yang:vpn-instance"><vpn-instance><name>vpn1</name></vpn-instance></vpn-instances>` +
		`<bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name><config><as>100</as></config><vpn-instances><vpn-instance>` +
		`<name>vpn1</name><peers>%s</peers></vpn-instance></vpn-instances></instance></instances></bgp>`
)

func peers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<peer><address>10.2.%d.%d</address><config><as>%d</as><description>peer %d, é ## ]]&gt;]]&gt;</description></config></peer>", i>>8, i&255, i+1, i)
	}
	return fmt.Sprintf(config, b.String())
}

// agent is a running one.
type agent struct {
	ssh, tls string
	client   tls.Certificate
}

func start(t *testing.T) *agent {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "agent")
	build := exec.Command("go", "build", "-o", binary, "./cmd/agent")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	a := &agent{ssh: free(t), tls: free(t)}
	ca := filepath.Join(dir, "ca.pem")
	a.client = selfSigned(t, ca)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "users.yaml"), []byte("cert-to-name: [{id: 1, map-type: common-name}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--state-dir", state, "--backend", "fake", "--gnmi", "off", "--netconf", a.ssh, "--netconf-tls", a.tls, "--tls-client-ca", ca)
	cmd.Env = append(os.Environ(), "MOORING_ADMIN_PASSWORD="+password)
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", a.ssh)
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 7))
			_ = conn.Close()
		}
		if err == nil {
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("the agent does not greet: %v", err)
		}
	}
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

// selfSigned is a client's certificate, which is its own authority in path.
func selfSigned(t *testing.T, path string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// nemith/netconf v0.0.4 (netconf.md section 4) over SSH and over TLS.
func TestClient(t *testing.T) {
	a := start(t)
	for name, dial := range map[string]func(context.Context) (transport.Transport, error){
		"ssh": func(ctx context.Context) (transport.Transport, error) {
			return ncssh.Dial(ctx, "tcp", a.ssh, &ssh.ClientConfig{User: "admin", Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		},
		"tls": func(ctx context.Context) (transport.Transport, error) {
			return nctls.Dial(ctx, "tcp", a.tls, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{a.client}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tr, err := dial(ctx)
			if err != nil {
				t.Fatal(err)
			}
			notified := make(chan string, 10)
			s, err := netconf.NewSession(tr, netconf.WithNotifHandlerFunc(func(_ context.Context, msg *netconf.Message) {
				text, err := io.ReadAll(msg)
				notified <- fmt.Sprint(string(text), err)
			}))
			if err != nil {
				t.Fatal(err)
			}
			drive(ctx, t, s, notified)
			if err := s.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func drive(ctx context.Context, t *testing.T, s *netconf.Session, notified <-chan string) {
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if s.SessionID() == 0 || !s.ServerCaps().Has("urn:ietf:params:netconf:base:1.1") {
		t.Errorf("session %d", s.SessionID())
	}
	must("lock", rpc.Lock{Target: rpc.Candidate}.Exec(ctx, s))
	must("edit-config", rpc.EditConfig{Target: rpc.Candidate, Config: peers(1000)}.Exec(ctx, s))
	must("validate", rpc.Validate{Source: rpc.Candidate}.Exec(ctx, s))
	must("commit", rpc.Commit{Confirmed: true, ConfirmTimeout: 60}.Exec(ctx, s))
	must("commit", rpc.Commit{}.Exec(ctx, s))
	must("unlock", rpc.Unlock{Target: rpc.Candidate}.Exec(ctx, s))
	got, err := rpc.GetConfig{Source: rpc.Running}.Exec(ctx, s)
	must("get-config", err)
	if n := bytes.Count(got, []byte("<peer>")); n != 1000 {
		t.Errorf("%d peers in %d bytes", n, len(got))
	}
	err = rpc.EditConfig{Target: rpc.Running, Config: strings.Replace(peers(1), "<as>1</as>", "<as>x</as>", 1)}.Exec(ctx, s)
	wrong, ok := errors.AsType[netconf.RPCError](err)
	if !ok || string(wrong.Tag) != "invalid-value" || string(wrong.Type) != "application" || !strings.Contains(wrong.Path, "as") {
		t.Errorf("a wrong value: %v (%+v)", err, wrong)
	}
	must("discard-changes", rpc.DiscardChanges{}.Exec(ctx, s))
	must("edit-config", rpc.EditConfig{Target: rpc.Running, DefaultOperation: rpc.ReplaceConfig, Config: ""}.Exec(ctx, s))

	// Last, and one notification only: this client loses its place where a message
	// begins near the end of its buffer of 4096 octets, as one of many does.
	only := rpc.SubtreeFilter(`<netconf-config-change xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"/>`)
	must("create-subscription", (&rpc.CreateSubscription{Filter: only}).Exec(ctx, s))
	must("edit-config", rpc.EditConfig{Target: rpc.Running, Config: fmt.Sprintf(config, "")}.Exec(ctx, s))
	select {
	case text := <-notified:
		if !strings.Contains(text, "netconf-config-change") {
			t.Errorf("notified: %s", text)
		}
	case <-ctx.Done():
		t.Error("no notification of the commit")
	}
}
