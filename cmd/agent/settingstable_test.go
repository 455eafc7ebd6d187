package main

import (
	"flag"
	"fmt"
	"os"
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

// docs/settings.md is made from what the backends say of themselves and from
// the contract suite that proves it.
func TestSettingsTable(t *testing.T) {
	const path = "../../docs/settings.md"
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
		t.Errorf("docs/settings.md is old: go test ./cmd/agent -run SettingsTable -update\n%s", d)
	}
}

func settingsTable(embedded, external []backend.Capability) string {
	var b strings.Builder
	b.WriteString(`# Settings and backends

What each setting of a peer costs an established session, and how the two backends treat it. The cost is the model's (` + "`session-impact`" + `)
and the same on both: a backend that would reset where the model does not withholds the value until the session ends, one that would not
reset where the model does adds one Cease. The contract suite changes each setting alone and looks at the wire: run
` + "`go test ./backend/gobgp ./backend/frr ./backend/fake -run TestContract`" + `. This table is written by
` + "`go test ./cmd/agent -run SettingsTable -update`" + `.

| setting, below a peer | costs | gobgp (embedded) | frr | proven by, in TestContract |
|---|---|---|---|---|
`)
	impacts := map[string]bgp.Impact{}
	proofs := map[string][]string{}
	for _, c := range backendtest.Changes() {
		impacts[c.Leaf] = max(impacts[c.Leaf], c.Impact)
		proofs[c.Leaf] = append(proofs[c.Leaf], "Change/"+strings.ReplaceAll(c.Name, " ", "_"))
	}
	for i, leaf := range bgp.PeerLeaves() {
		cost, proof := impacts[leaf].String(), strings.Join(proofs[leaf], ", ")
		if proof == "" { // router-id, an instance's
			cost, proof = bgp.ImpactReset.String(), "InstanceChange"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", leaf, cost, treated(embedded[i]), treated(external[i]), proof)
	}
	return b.String()
}

func treated(c backend.Capability) string {
	if c.Note == "" {
		return c.Support.String()
	}
	return c.Support.String() + ": " + c.Note
}
