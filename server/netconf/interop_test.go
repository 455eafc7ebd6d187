package netconf

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	juniper "github.com/Juniper/go-netconf/netconf"
	scrapli "github.com/scrapli/scrapligo/driver/netconf"
	"github.com/scrapli/scrapligo/driver/options"
	"github.com/scrapli/scrapligo/response"
	"golang.org/x/crypto/ssh"
)

// manyPeers are more than one chunk of 64 KiB.
func manyPeers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<peer><address>10.2.%d.%d</address><config><as>%d</as><description>peer number %d, é</description></config></peer>", i>>8, i&255, i+1, i)
	}
	return instance("<peers>" + b.String() + "</peers>")
}

// Juniper/go-netconf v0.1.1 speaks base:1.0 and waits for our hello
// (netconf.md section 4).
func TestJuniperClient(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	s, err := juniper.DialSSH(l.addr, &ssh.ClientConfig{
		User: "admin", Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec := func(op string) string {
		t.Helper()
		reply, err := s.Exec(juniper.RawMethod(op))
		if err != nil {
			t.Fatalf("%.200s: %v", op, err)
		}
		return reply.Data
	}
	if s.SessionID == 0 || len(s.ServerCapabilities) < 7 {
		t.Errorf("session %d, capabilities %v", s.SessionID, s.ServerCapabilities)
	}
	for _, op := range []string{
		lock("candidate"), editDraft(vpn1 + peer("", peer2, "<as>200</as><description>]]&gt;]]&gt;</description>")),
		"<validate><source><candidate/></source></validate>", "<commit/>", unlock("candidate"), edit(manyPeers(1000)),
	} {
		if got := exec(op); got != "<ok/>" {
			t.Errorf("%.200s answered %s", op, got)
		}
	}
	if got := exec("<get-config><source><running/></source></get-config>"); strings.Count(got, "<peer>") != 1001 || !strings.Contains(got, "]]&gt;]]&gt;") {
		t.Errorf("get-config: %d bytes, %d peers", len(got), strings.Count(got, "<peer>"))
	}
	if _, err := s.Exec(juniper.RawMethod("<fly/>")); err == nil || !strings.Contains(err.Error(), "fly is not supported") {
		t.Errorf("unknown operation: %v", err)
	}
	if got := exec("<close-session/>"); got != "<ok/>" {
		t.Errorf("close-session answered %s", got)
	}
}

// scrapligo v1.4.3 in base:1.1 and base:1.0.
func TestScrapligoClient(t *testing.T) {
	for _, version := range []string{scrapli.V1Dot1, scrapli.V1Dot0} {
		t.Run(version, func(t *testing.T) {
			l := newRig(t, Limits{}).listen()
			host, port, err := net.SplitHostPort(l.addr)
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			d, err := scrapli.NewDriver(host, options.WithPort(number), options.WithAuthUsername("admin"), options.WithAuthPassword(password),
				options.WithAuthNoStrictKey(), options.WithTransportType("standard"), options.WithNetconfPreferredVersion(version),
				options.WithTimeoutOps(patience))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Open(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := d.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			run := func(what string) func(*response.NetconfResponse, error) string {
				return func(r *response.NetconfResponse, err error) string {
					t.Helper()
					if err == nil {
						err = r.Failed
					}
					if err != nil {
						t.Fatalf("%s: %.2000v", what, err)
					}
					return r.Result
				}
			}
			run("lock")(d.Lock("candidate"))
			run("edit")(d.EditConfig("candidate", "<config>"+vpn1+manyPeers(1000)+"</config>"))
			run("edit")(d.EditConfig("candidate", "<config>"+peer("", peer2, "<as>200</as><description>## is no end</description>")+"</config>"))
			run("validate")(d.Validate("candidate"))
			run("commit")(d.Commit())
			run("unlock")(d.Unlock("candidate"))
			if got := run("get-config")(d.GetConfig("running")); strings.Count(got, "<peer>") != 1001 {
				t.Errorf("get-config: %d bytes, %d peers", len(got), strings.Count(got, "<peer>"))
			}
			if got := run("get")(d.Get(instance("<peers><peer><address>10.1.1.2</address><state><session-state/></state></peer></peers>"))); !strings.Contains(got, "session-state") {
				t.Errorf("get: %s", got)
			}
			r, err := d.DeleteConfig("running")
			if err != nil || r.Failed == nil || !strings.Contains(r.Failed.Error(), "operation-not-supported") {
				t.Errorf("delete-config: %v, %v", err, r.Failed)
			}
		})
	}
}

// need returns the path of a tool. In CI a missing one is a failure.
func need(t *testing.T, path, debian string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs %s (Debian: %s)", path, debian)
		}
		t.Skipf("needs %s (Debian: %s)", path, debian)
	}
	return path
}

// keyFile writes clientKey as OpenSSH wants it.
func keyFile(t *testing.T) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(rawKey(2), "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// netconf.md 14 and the row "Hand typed" of section 4: OpenSSH's own client,
// whose input ends after the last rpc.
func TestOpenSSHClient(t *testing.T) {
	path := need(t, "/usr/bin/ssh", "openssh-client")
	l := newRig(t, Limits{}).listen()
	host, port, _ := net.SplitHostPort(l.addr)
	args := []string{
		"-F", "none", "-i", keyFile(t), "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none",
		"-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=1", "admin@" + host,
	}
	run := func(input string, more ...string) (string, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, append(args[:len(args):len(args)], more...)...)
		cmd.Stdin = strings.NewReader(input)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		start := time.Now()
		err := cmd.Run()
		if took := time.Since(start); took > closeGrace {
			t.Errorf("ssh took %v: the server does not let it go", took)
		}
		return out.String(), errOut.String(), err
	}
	rpc := func(id int, op string) string {
		return fmt.Sprintf("<rpc xmlns=%q message-id=\"%d\">\r\n%s\r\n</rpc>\r\n]]>]]>\r\n", ncNS, id, op)
	}
	out, errOut, err := run(hello(base10)+"\r\n]]>]]>\r\n"+rpc(1, edit(vpn1))+rpc(2, "<get-config><source><running/></source></get-config>"), "-s", "netconf")
	if err != nil || !strings.Contains(out, `message-id="1"><ok/></rpc-reply>]]>]]>`) || !strings.Contains(out, "<name>vpn1</name>") {
		t.Errorf("end of input: %v\n%s\n%s", err, out, errOut)
	}
	out, errOut, err = run(hello(base10)+"]]>]]>"+rpc(1, "<close-session/>"), "-s", "netconf")
	if err != nil || !strings.HasSuffix(out, "<ok/></rpc-reply>]]>]]>") {
		t.Errorf("close-session: %v\n%s\n%s", err, out, errOut)
	}
	if out, errOut, err = run("", "uname"); err == nil {
		t.Errorf("a command was run: %s%s", out, errOut)
	}
}

//go:embed testdata/ncclient.py
var ncclientScript string

// needNcclient returns a Python that has ncclient.
func needNcclient(t *testing.T) string {
	t.Helper()
	python := need(t, "/usr/bin/python3", "python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import ncclient").CombinedOutput(); err != nil {
		need(t, "/usr/lib/python3/dist-packages/ncclient", "python3-ncclient")
		t.Fatalf("%v: %s", err, out)
	}
	return python
}

// ncclient drives lock, edit, validate, commit, get, errors and close-session.
func TestNcclient(t *testing.T) {
	python := needNcclient(t)
	l := newRig(t, Limits{}).listen()
	host, port, _ := net.SplitHostPort(l.addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-", host, port, password, vpn1, manyPeers(1000), peer("", peer2, "<as>200</as><description>dépôt</description>"))
	cmd.Stdin = strings.NewReader(ncclientScript)
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("%v\n%s", err, out)
	}
}
