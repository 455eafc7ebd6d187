package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	juniper "github.com/Juniper/go-netconf/netconf"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var netconfLine = regexp.MustCompile(`msg=listening protocol=netconf address=(\S+)`)

// With netconf-startup a start begins with what was copied there, and what
// waits for a confirmation is gone, also after a kill.
func TestNetconfStartup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	ctx := t.Context()
	kill := func(p *process) {
		t.Helper()
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _ = p.end() // killed
	}
	start := func(want string) (*process, func(operation string)) {
		t.Helper()
		p := startProcess(t, dir, "--netconf-startup", "--netconf-url-dir", filepath.Join(dir, "files"))
		addr := p.waitLine(t, netconfLine)[1]
		if want == "" {
			c := p.dial(t, dir)
			if _, err := c.gnmi.Get(c.login(ctx), &gpb.GetRequest{Path: []*gpb.Path{peerPath()}}); status.Code(err) != codes.NotFound {
				t.Errorf("a peer is configured: %v", err)
			}
		} else if got := p.source(ctx, t, dir); got != want {
			t.Errorf("the source is %q, want %q", got, want)
		}
		return p, func(operation string) {
			t.Helper()
			s, err := juniper.DialSSH(addr, &ssh.ClientConfig{
				User: "admin", Auth: []ssh.AuthMethod{ssh.Password(testPassword)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			reply, err := s.Exec(juniper.RawMethod(operation))
			if err != nil || !strings.Contains(reply.RawReply, "<ok/>") {
				t.Fatalf("%s: %v, %v", operation, reply, err)
			}
		}
	}
	p, _ := start("")
	if err := p.dial(t, dir).load(ctx, demoConfig(1790)); err != nil {
		t.Fatal(err)
	}
	kill(p)

	p, netconf := start("") // nothing was copied
	if err := p.dial(t, dir).load(ctx, demoConfig(1790)); err != nil {
		t.Fatal(err)
	}
	netconf("<copy-config><target><startup/></target><source><running/></source></copy-config>")
	netconf("<copy-config><target><url>file:///a.xml</url></target><source><running/></source></copy-config>")
	if err := p.dial(t, dir).setSource(ctx, demoSources[1]); err != nil {
		t.Fatal(err)
	}
	kill(p)

	p, netconf = start(demoSources[0])
	netconf("<delete-config><target><startup/></target></delete-config>")
	netconf("<validate><source><url>file:///a.xml</url></source></validate>")
	kill(p)
	p, _ = start("")
	kill(p)
}
