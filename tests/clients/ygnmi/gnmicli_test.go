package ygnmi

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cli runs gnmi_cli and returns what it says.
func (a *agent) cli(t *testing.T, args ...string) (string, error) {
	t.Helper()
	args = append([]string{
		"-address", a.addr, "-ca_crt", a.file("ca.crt"), "-client_crt", a.file("client.crt"), "-client_key", a.file("client.key"),
		"-server_name", "127.0.0.1", "-timeout", "30s",
	}, args...)
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, "gnmi_cli"), args...).CombinedOutput()
	return strings.Join(strings.Fields(string(out)), " "), err // the text form of messages is padded at random
}

const elems = `elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "instance" key: {key: "name" value: "default"}}`

func TestGNMICLI(t *testing.T) {
	a := start(t)
	must := func(args ...string) string {
		t.Helper()
		out, err := a.cli(t, args...)
		if err != nil {
			t.Fatalf("gnmi_cli %q: %v\n%s", args, err, out)
		}
		return out
	}
	has := func(out string, wants ...string) {
		t.Helper()
		for _, w := range wants {
			if !strings.Contains(out, w) {
				t.Errorf("there is no %q in\n%s", w, out)
			}
		}
	}
	has(must("-capabilities"), `name: "mooring-bgp"`, `name: "openconfig-network-instance"`, "supported_encodings: JSON_IETF", `gNMI_version: "0.`)
	out := must("-set", "-proto", `update: {path: {`+elems+`} val: {json_ietf_val: "{\"config\":{\"as\":100},\"vpn-instances\":{\"vpn-instance\":[`+
		`{\"name\":\"_public_\",\"peers\":{\"peer\":[{\"address\":\"10.1.1.2\",\"config\":{\"as\":200}}]}}]}}"}}`)
	has(out, "op: UPDATE", "timestamp:")
	has(must("-get", "-proto", `path: {`+elems+` elem: {name: "config"} elem: {name: "as"}} encoding: JSON_IETF`), `json_ietf_val: "100"`)

	const peer = "bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=_public_]/peers/peer[address=10.1.1.2]"
	want := strings.NewReplacer("[name=default]", "/default", "[name=_public_]", "/_public_", "[address=10.1.1.2]", "/10.1.1.2").Replace("dut/" + peer + "/config/as, ")
	for _, mode := range [][]string{{"once"}, {"polling", "-polling_interval", "10ms", "-count", "2"}, {"streaming", "-streaming_duration", "3s"}} {
		out, err := a.cli(t, append([]string{"-target", "dut", "-display_type", "single", "-query", peer + "/config", "-query_type"}, mode...)...)
		if err != nil && (mode[0] != "streaming" || !strings.Contains(out, "DeadlineExceeded")) { // which is how its stream ends
			t.Errorf("%s: %v\n%s", mode[0], err, out)
		}
		has(out, want)
	}

	// What is refused says why.
	out, err := a.cli(t, "-set", "-proto", `update: {path: {`+elems+` elem: {name: "config"} elem: {name: "as"}} val: {json_val: "0"}}`)
	if err == nil || !strings.Contains(out, "/bgp/instances/instance[name=default]/config/as") {
		t.Errorf("a bad value: %v\n%s", err, out)
	}
	has(must("-get", "-proto", fmt.Sprintf(`path: {%s elem: {name: "config"}} extension: {depth: {level: 1}} type: CONFIG`, elems)), `\"as\":100`)
	out, err = a.cli(t, "-get", "-proto", fmt.Sprintf(`path: {%s} extension: {history: {snapshot_time: 1}}`, elems))
	if err == nil || !strings.Contains(out, "history is for Subscribe") {
		t.Errorf("history on Get: %v\n%s", err, out)
	}
}
