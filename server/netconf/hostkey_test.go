package netconf

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/server"
)

// allHostKeys are one of each kind, made once: an RSA key takes its time.
var allHostKeys = sync.OnceValues(func() ([]ssh.Signer, error) {
	dir, err := os.MkdirTemp("", "mooring-hostkeys")
	if err != nil {
		return nil, err
	}
	keys, err := server.LoadOrCreateHostKeys(dir, server.HostKeyNames())
	var signers []ssh.Signer
	for _, key := range keys {
		signers = append(signers, key.Signer)
	}
	return signers, errors.Join(err, os.RemoveAll(dir))
})

// listenWithAllKeys serves with a host key of each kind.
func listenWithAllKeys(t *testing.T) *listening {
	t.Helper()
	keys, err := allHostKeys()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Limits{})
	r.srv.cfg.HostKeys = keys
	return r.listen()
}

// openSSH runs OpenSSH's client for one session without an rpc, and returns
// what it wrote to standard error.
func openSSH(t *testing.T, addr string, env []string, options ...string) (string, error) {
	t.Helper()
	path := need(t, "/usr/bin/ssh", "openssh-client")
	host, port, _ := net.SplitHostPort(addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := []string{"-v", "-F", "none", "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none"}
	cmd := exec.CommandContext(ctx, path, append(append(args, options...), "admin@"+host, "-s", "netconf")...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(hello(base10) + "]]>]]>")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if err == nil && !strings.Contains(out.String(), "<session-id>") {
		err = fmt.Errorf("no hello: %q", out.String())
	}
	return errOut.String(), err
}

// netconf.md 14; CESNET/netopeer2#1770: clients that know one algorithm only. None of them
// brings SHA-1 back.
func TestOpenSSHAlgorithms(t *testing.T) {
	l := listenWithAllKeys(t)
	key := keyFile(t)
	tests := []struct{ option, negotiated, refused string }{
		{"HostKeyAlgorithms=ssh-ed25519", "host key algorithm: ssh-ed25519", ""},
		{"HostKeyAlgorithms=ecdsa-sha2-nistp256", "host key algorithm: ecdsa-sha2-nistp256", ""},
		{"HostKeyAlgorithms=rsa-sha2-512", "host key algorithm: rsa-sha2-512", ""},
		{"HostKeyAlgorithms=rsa-sha2-256", "host key algorithm: rsa-sha2-256", ""},
		{"HostKeyAlgorithms=ssh-rsa", "", "no matching host key type found. Their offer: ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-256,rsa-sha2-512"},
		{"KexAlgorithms=diffie-hellman-group14-sha256", "algorithm: diffie-hellman-group14-sha256", ""},
		{"KexAlgorithms=diffie-hellman-group14-sha1", "", "no matching key exchange method found"},
		{"KexAlgorithms=diffie-hellman-group-exchange-sha1", "", "no matching key exchange method found"},
		{"MACs=hmac-sha2-512", "", ""},
		{"MACs=hmac-sha1", "", "no matching MAC found"},
		{"MACs=hmac-sha1-etm@openssh.com", "", "no matching MAC found"},
	}
	for _, tt := range tests {
		t.Run(tt.option, func(t *testing.T) {
			// A cipher with a MAC of its own would hide which one is offered.
			errOut, err := openSSH(t, l.addr, nil, "-i", key, "-o", "BatchMode=yes", "-o", "Ciphers=aes256-ctr", "-o", tt.option)
			if tt.refused == "" && (err != nil || !strings.Contains(errOut, tt.negotiated)) {
				t.Errorf("%v\n%s", err, errOut)
			}
			if tt.refused != "" && (err == nil || !strings.Contains(errOut, tt.refused)) {
				t.Errorf("error %v, want %q in\n%s", err, tt.refused, errOut)
			}
		})
	}
}

// netconf.md 14: a user's RSA key logs in with SHA-2 and not with SHA-1.
func TestOpenSSHUserKeySignatures(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Limits{})
	r.srv.cfg.Users = usersWithKey(t, signer.PublicKey())
	l := r.listen()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	for algorithm, taken := range map[string]bool{"rsa-sha2-512": true, "rsa-sha2-256": true, "ssh-rsa": false} {
		errOut, err := openSSH(t, l.addr, nil, "-i", path, "-o", "BatchMode=yes", "-o", "PubkeyAcceptedAlgorithms="+algorithm)
		if (err == nil) != taken {
			t.Errorf("%s: %v\n%s", algorithm, err, errOut)
		}
	}
}

// usersWithKey are an admin who has one key.
func usersWithKey(t *testing.T, key ssh.PublicKey) *server.Users {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	text := "users:\n- name: admin\n  groups: [admin]\n  authorized-keys:\n  - " + string(ssh.MarshalAuthorizedKey(key))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	users, err := server.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// askpass is a program that answers OpenSSH's question.
func askpass(t *testing.T, answer string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+answer+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{"SSH_ASKPASS=" + path, "SSH_ASKPASS_REQUIRE=force"}
}

// netconf.md 14; CESNET/libnetconf2#68: clients and sites that know keyboard-interactive only.
func TestOpenSSHKeyboardInteractive(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	for _, method := range []string{"keyboard-interactive", "password"} {
		errOut, err := openSSH(t, l.addr, askpass(t, password), "-o", "PreferredAuthentications="+method)
		if err != nil || !strings.Contains(errOut, `using "`+method+`"`) {
			t.Errorf("%s: %v\n%s", method, err, errOut)
		}
		errOut, err = openSSH(t, l.addr, askpass(t, "wrong"), "-o", "PreferredAuthentications="+method, "-o", "NumberOfPasswordPrompts=1")
		if err == nil || !strings.Contains(errOut, "Permission denied (password,publickey,keyboard-interactive)") {
			t.Errorf("%s with a wrong password: %v\n%s", method, err, errOut)
		}
	}
}

// netconf.md 14: what is wrong with the answers is an attempt that failed, no more.
func TestKeyboardInteractiveAnswers(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	for _, answers := range [][]string{{"wrong"}, {""}, {strings.Repeat("x", 4096)}, {}, {password, password}} {
		asked := 0
		_, err := l.login("admin", ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			if asked++; len(questions) != 1 || echos[0] || !strings.Contains(questions[0], "Password") {
				t.Errorf("asked %q, echo %v", questions, echos)
			}
			return answers, nil
		}))
		if err == nil || asked != 1 {
			t.Errorf("%d answers: error %v, asked %d times", len(answers), err, asked)
		}
	}
	conn, err := l.login("admin", ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return []string{password}, nil }))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

//go:embed testdata/hostkeys.py
var hostKeysScript string

// netconf.md 14: ncclient with each host key, and paramiko below it with keyboard-interactive.
func TestNcclientHostKeys(t *testing.T) {
	python := needNcclient(t)
	l := listenWithAllKeys(t)
	host, port, _ := net.SplitHostPort(l.addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-", host, port, password)
	cmd.Stdin = strings.NewReader(hostKeysScript)
	var errOut bytes.Buffer // paramiko writes there of its own failures, one of which is wanted
	cmd.Stderr = &errOut
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("%v\n%s\n%s", err, out, errOut.String())
	}
}
