package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/backend/frr"
	"mooring/backend/gobgp"
	"mooring/bgp"
)

var update = flag.Bool("update", false, "write the files that the code is compared with")

// docs/reference/settings.md is made from what the backends say of themselves and from
// the contract suite that proves it.
func TestSettingsTable(t *testing.T) {
	const path = "../../docs/reference/settings.md"
	got := settingsTable(gobgp.New(gobgp.Options{}).Capabilities(), frr.New(frr.Options{}).Capabilities())
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("docs/reference/settings.md is old: go test ./cmd/agent -run SettingsTable -update\n%s", d)
	}
}

// proofs are the tests that look closer at a setting than the contract does,
// by the package that has them.
var proofs = map[string][]string{
	"config/enabled":                                    {"backend/gobgp: TestLastWords"},
	"config/as":                                         {"backend/gobgp: TestRefusedOpenIsTold"},
	"transport/config/connect-mode":                     {"backend/transport: TestConnectModes", "backend/transport: TestModeChangesLive"},
	"transport/config/remote-port":                      {"backend/transport: TestDial", "backend/frr: TestDials"},
	"transport/config/local-port":                       {"backend/transport: TestLocalPortAtOnce"},
	"transport/config/ebgp-max-hop":                     {"backend/transport: TestDial", "backend/transport: TestLive"},
	"transport/config/valid-ttl-hops":                   {"backend/transport: TestGTSMDrops", "backend/transport: TestLive"},
	"transport/config/tcp-mss":                          {"backend/transport: TestDial", "backend/transport: TestMSSOfSeveralPeers", "backend/frr: TestDials"},
	"transport/config/path-mtu-discovery":               {"backend/transport: TestDial", "backend/transport: TestLive"},
	"transport/config/dscp":                             {"backend/transport: TestDial", "backend/transport: TestLive"},
	"transport/connect-interface/config/source-address": {"tests/e2e: TestForms", "backend/frr: TestDials"},
	"transport/authentication/config/method":            {"backend/transport: TestThousandsOfMD5Keys", "tests/remotes: key"},
	"transport/authentication/config/password":          {"backend/transport: TestDialErrors", "tests/remotes: key"},
	"transport/authentication/keys":                     {"backend/transport: TestEncodeAO"},
	"timers/config/connect-retry":                       {"backend/transport: TestPause"},
	"graceful-restart/config/reset-mode":                {"backend/gobgp: TestLastWords", "backend/frr: TestResetMode"},
}

// TestSettingsProofs holds that the tests which docs/reference/settings.md names exist.
func TestSettingsProofs(t *testing.T) {
	for leaf, tests := range proofs {
		for _, test := range tests {
			dir, name, _ := strings.Cut(test, ": ")
			if name == "key" {
				name = "testKey"
			}
			files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(files, func(f string) bool {
				text, err := os.ReadFile(f)
				return err == nil && strings.Contains(string(text), "func "+name+"(")
			}) {
				t.Errorf("%s: there is no test %s in %s", leaf, name, dir)
			}
		}
	}
}

func settingsTable(embedded, external []backend.Capability) string {
	var b strings.Builder
	b.WriteString(`# Settings and backends

What each setting of a peer costs an established session, and how each of the two backends carries it. The cost is the model's (` + "`session-impact`" + `)
and the same on both: a backend that would reset where the model does not withholds the value until the session ends, one that would not
reset where the model does adds one Cease.

| costs | means |
|---|---|
| none | the session does not notice; what is marked live is in force on it at once |
| next-session | stored, in the OPEN or timers of the next session |
| reset | one Cease and one new session for all that changes in a commit: some milliseconds with gobgp, about 1 s with frr, 3 s where the TTL changes too |

Proven by the contract: ` + "`TestContract`" + ` in backend/gobgp, backend/frr and backend/fake changes each setting alone and counts what the remote sees;
` + "`TestRemotes`" + ` in backend/gobgp and backend/frr does the same with BIRD as the remote, and the ones that have something to do with the remote with FRR and
GoBGP, and looks at the packets. The last column names the case of both, and the tests that look closer. What backend an agent has, and what that
carries on this kernel, is in ` + "`/agent/backend/state/capability`" + `. This table is written by ` + "`go test ./cmd/agent -run SettingsTable -update`" + `.

| setting, below a peer | costs | gobgp (embedded) | frr | proven by |
|---|---|---|---|---|
`)
	impacts := map[string]bgp.Impact{}
	cases := map[string][]string{}
	for _, c := range backendtest.Changes() {
		impacts[c.Leaf] = max(impacts[c.Leaf], c.Impact)
		cases[c.Leaf] = append(cases[c.Leaf], "Change/"+strings.ReplaceAll(c.Name, " ", "_"))
	}
	for i, leaf := range bgp.PeerLeaves() {
		cost, proof := impacts[leaf].String(), cases[leaf]
		if proof == nil { // router-id, an instance's
			cost, proof = bgp.ImpactReset.String(), []string{"InstanceChange"}
		}
		proof = slices.Concat(proof, proofs[leaf])
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", leaf, cost, treated(embedded[i]), treated(external[i]), strings.Join(proof, ", "))
	}
	return b.String()
}

// treated is a cell of the table: how, and what is missing.
func treated(c backend.Capability) string {
	switch {
	case c.Note == "":
		return c.Mechanism
	case c.Mechanism == "":
		return c.Support.String() + ": " + c.Note
	}
	return c.Mechanism + ". " + c.Support.String() + ": " + c.Note
}
