package runner

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Juniper/go-netconf/netconf"
	"golang.org/x/crypto/ssh"
)

// NETCONF is a NETCONF session with an agent.
type NETCONF struct {
	*netconf.Session
}

// NETCONF opens a session, which ends in the Cleanup of the test.
func (a *Agent) NETCONF(t testing.TB) *NETCONF {
	t.Helper()
	n, err := a.DialNETCONF(Password)
	if err != nil {
		t.Fatalf("runner: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() }) // the agent may have ended
	return n
}

// DialNETCONF is NETCONF with a password of the caller's, who closes the
// session. The agent must show the host key of its state directory.
func (a *Agent) DialNETCONF(password string) (*NETCONF, error) {
	config, err := a.sshConfig(password)
	if err != nil {
		return nil, err
	}
	conn, err := a.dial(a.netconf)
	if err != nil {
		return nil, err
	}
	session, err := netconf.NewSSHSession(conn, config)
	if err != nil {
		return nil, fmt.Errorf("NETCONF session: %w", err)
	}
	if session.SessionID == 0 {
		return nil, fmt.Errorf("NETCONF session: no session-id in the agent's hello (capabilities %q)", session.ServerCapabilities)
	}
	return &NETCONF{Session: session}, nil
}

func (a *Agent) sshConfig(password string) (*ssh.ClientConfig, error) {
	pem, err := os.ReadFile(filepath.Join(a.StateDir, "ssh_host_ed25519_key"))
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		User:            a.user,
		Auth:            []ssh.AuthMethod{ssh.Password(password)},
		HostKeyCallback: ssh.FixedHostKey(key.PublicKey()),
		Timeout:         startTimeout,
	}, nil
}

// RPCError is an rpc-error of RFC 6241 4.3.
type RPCError struct {
	Type     string `xml:"error-type"`
	Tag      string `xml:"error-tag"`
	Severity string `xml:"error-severity"`
	AppTag   string `xml:"error-app-tag"`
	Path     string `xml:"error-path"`
	Message  string `xml:"error-message"`
	Info     struct {
		SessionID string `xml:"session-id"`
		XML       string `xml:",innerxml"`
	} `xml:"error-info"`
}

// Error puts tag, path and message into one line.
func (e *RPCError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s): %s", e.Tag, strings.TrimSpace(e.Path), strings.TrimSpace(e.Message)))
}

// Call sends one operation, given as its element, and returns what is inside
// the rpc-reply. The first rpc-error comes back as a *RPCError.
func (n *NETCONF) Call(operation string) (string, error) {
	raw, err := n.Raw(operation)
	if err != nil {
		return "", err
	}
	var reply struct {
		XMLName xml.Name   `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 rpc-reply"`
		Errors  []RPCError `xml:"rpc-error"`
		Inner   string     `xml:",innerxml"`
	}
	if err := xml.Unmarshal(raw, &reply); err != nil {
		return "", fmt.Errorf("reply %.200q: %w", raw, err)
	}
	if len(reply.Errors) > 0 {
		return "", &reply.Errors[0]
	}
	return reply.Inner, nil
}

// EditConfig edits a datastore with default-operation merge.
func (n *NETCONF) EditConfig(datastore, config string) error {
	_, err := n.Call("<edit-config><target><" + datastore + "/></target><config>" + config + "</config></edit-config>")
	return err
}

// Commit commits the candidate.
func (n *NETCONF) Commit() error {
	_, err := n.Call("<commit/>")
	return err
}

// Raw sends one operation and returns the rpc-reply as it came.
func (n *NETCONF) Raw(operation string) ([]byte, error) {
	message := `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1">` + operation + `</rpc>`
	if err := n.Transport.Send([]byte(message)); err != nil {
		return nil, err
	}
	return n.Transport.Receive()
}
