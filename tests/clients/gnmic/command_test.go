package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTrust(t *testing.T) {
	a := start(t)
	a.has([]string{"capabilities"}, `"version": "0.10.0"`, "mooring-bgp", "JSON_IETF")
	_, port, _ := strings.Cut(a.addr, ":")
	a.has([]string{"-a", "localhost:" + port, "capabilities"}, "mooring-bgp") // both names are in the certificate
	other := start(t)
	a.ca = other.ca
	a.fails([]string{"capabilities"}, "certificate")
}

func TestGet(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	as := peer + "/config/as"
	for _, encoding := range []string{"json", "json_ietf", "proto", "ascii"} {
		if out := a.run("-e", encoding, "get", "--path", as, "--values-only"); !strings.Contains(out, "200") {
			t.Errorf("%s: %s", encoding, out)
		}
	}
	for _, format := range []string{"json", "flat", "prototext", "event"} {
		a.has([]string{"--format", format, "get", "--path", as}, "200")
	}
	a.has([]string{"--format", "protojson", "get", "--path", as}, base64.StdEncoding.EncodeToString([]byte("200")))
	a.has([]string{"--format", "flat", "get", "--path", "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer/state/session-state"}, "10.1.1.2", ": ")
	a.has([]string{"get", "--path", peer, "--type", "config", "--depth", "1"}, "10.1.1.2")
	a.has([]string{"get", "--prefix", vpn, "--path", "peers/peer[address=10.1.1.2]/config/as"}, "200")
	a.fails([]string{"get", "--path", "/none"}, "none")
}

func TestSet(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	description := peer + "/config/description"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"set", "--update-path", description, "--update-value", "one"}, "one"},
		{[]string{"set", "--replace-path", description, "--replace-value", `"two"`}, "two"},
		{[]string{"-e", "json", "set", "--update", description + ":::json_ietf:::three"}, "three"},
		{[]string{"set", "--update", description + ":::string:::four"}, "four"},
		{[]string{"set", "--union-replace", peer + `/config:::json_ietf:::{"address":"10.1.1.2","as":200,"description":"six"}`}, "six"},
	} {
		a.run(tt.args...)
		a.has([]string{"get", "--path", description}, `"`+tt.want+`"`)
	}
	file := filepath.Join(t.TempDir(), "request.yaml")
	text := "updates:\n- path: " + description + "\n  value: seven\n  encoding: json_ietf\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a.run("set", "--request-file", file)
	a.has([]string{"get", "--path", description}, "seven")
	a.run("set", "--delete", description)
	if out := a.run("get", "--path", peer+"/config"); strings.Contains(out, "seven") {
		t.Errorf("after the delete: %s", out)
	}
	a.fails([]string{"set", "--update", description + ":::ascii:::five"}, "Unimplemented", "ascii_val")
	a.fails([]string{"set", "--update-path", source, "--update-value", "10.1.1.300"}, "InvalidArgument", "source-address")
}

// What stock gnmic refuses, and what it drops: no page may ask for it.
func TestWhatGnmicDoesNotSend(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	ask := a.ask(`{"999":{"dry_run":true}}`)
	a.fails(append([]string{"set"}, ask...), "no paths or request file provided")
	file := filepath.Join(t.TempDir(), "request.json")
	text := `{"updates":[{"path":"` + peer + `/config/description","value":"done","encoding":"json_ietf"}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a.run(append([]string{"set", "--request-file", file}, ask...)...) // it says dry_run, but gnmic does not send that
	a.has([]string{"get", "--path", peer + "/config/description"}, "done")
}

// ask are the flags of $ASK in our pages, with a request.
func (a *agent) ask(request string) []string {
	return []string{"--registered-extensions", "999:mooring.gnmi.Preview", "--proto-dir", "../../../server/gnmi/preview", "--proto-file", "preview.proto",
		"--request-extensions", request}
}

func TestExtensions(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	change := []string{"set", "--update-path", source, "--update-value", "10.1.1.9"}
	a.has(append(change, a.ask(`{"999":{"dry_run":true}}`)...), "decodedExtensions", `"dryRun": true`)
	if out := a.run("get", "--path", peer+"/transport/connect-interface/config"); strings.Contains(out, "10.1.1.9") {
		t.Errorf("the preview has changed it: %s", out)
	}
	pending := []string{"--commit-id", "change-7"}
	a.run(append(append(change, pending...), "--commit-request", "--rollback-duration", "5m")...)
	a.fails([]string{"set", "--delete", source}, "FailedPrecondition")
	a.run(append([]string{"set", "--rollback-duration", "20m"}, pending...)...)
	a.run(append([]string{"set", "--commit-cancel"}, pending...)...)
	if out := a.run("get", "--path", peer+"/transport/connect-interface/config"); strings.Contains(out, "10.1.1.9") {
		t.Errorf("after the cancel: %s", out)
	}
	a.run(append(append(change, pending...), "--commit-request")...)
	a.run(append([]string{"set", "--commit-confirm"}, pending...)...)
	a.has([]string{"get", "--path", peer + "/transport/connect-interface/config"}, "10.1.1.9")
}

func TestSubscribe(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	before := time.Now().UTC().Format(time.RFC3339Nano)
	once := []string{"subscribe", "--mode", "once", "--path", peer + "/config"}
	for _, format := range []string{"", "flat", "prototext", "event"} {
		a.has(append([]string{"--format", format}, once...), "200")
	}
	a.has(append([]string{"--format", "protojson"}, once...), base64.StdEncoding.EncodeToString([]byte("200")))
	a.run("set", "--update-path", peer+"/config/description", "--update-value", "later")
	a.has(once, "later")
	if out := a.run(append(once, "--history-snapshot", before)...); strings.Contains(out, "later") || !strings.Contains(out, "200") {
		t.Errorf("as it was: %s", out)
	}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	a.has([]string{"subscribe", "--path", peer, "--history-start", before, "--history-end", now}, "later")
	for _, mode := range [][]string{
		{"--stream-mode", "on-change"}, {"--stream-mode", "sample", "-i", "1s"}, {"--stream-mode", "target-defined"}, {},
		{"--stream-mode", "on-change", "--heartbeat-interval", "1s"}, {"--stream-mode", "sample", "-i", "1s", "--suppress-redundant"},
	} {
		text := strings.Join(mode, " ")
		next := a.follow(append([]string{"subscribe", "--path", peer + "/config"}, mode...)...)
		next("later")
		a.run("set", "--update-path", peer+"/config/description", "--update-value", "now "+text)
		next("now " + text)
		a.run("set", "--update-path", peer+"/config/description", "--update-value", "later")
	}
}

// follow runs gnmic until the test ends, and returns a function that waits for
// a line which has what is given.
func (a *agent) follow(args ...string) func(string) {
	a.t.Helper()
	cmd := a.command(context.Background(), args...) // the context of the test ends before its Cleanup
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	a.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			a.t.Errorf("gnmic %q: %v", args, err)
		}
	})
	return func(want string) {
		a.t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		a.t.Fatalf("gnmic %q ended before %s", args, want)
	}
}

// The exporter with gnmic's own file format.
func TestPrometheus(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	ca, err := json.Marshal(a.ca)
	if err != nil {
		t.Fatal(err)
	}
	listen := free(t)
	file := filepath.Join(t.TempDir(), "gnmic.yaml")
	if err := os.WriteFile(file, []byte(`targets:
  "`+a.addr+`": {username: admin, password: `+password+`, tls-ca: `+string(ca)+`}
subscriptions:
  mooring: {paths: [/bgp/instances/instance/vpn-instances/vpn-instance], stream-mode: sample, sample-interval: 1s}
outputs:
  prometheus: {type: prometheus, listen: "`+listen+`", strings-as-labels: true, expiration: 25s}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := a.command(t.Context(), "--config", file, "subscribe")
	cmd.Args = []string{cmd.Args[0], "--config", file, "subscribe"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	for {
		if rsp, err := http.Get("http://" + listen + "/metrics"); err == nil {
			text, err := io.ReadAll(rsp.Body)
			_ = rsp.Body.Close()
			if err == nil && strings.Contains(string(text), "established_peers") && strings.Contains(string(text), "session_state=") {
				return
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no series")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
