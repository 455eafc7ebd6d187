package netconf

import (
	"strings"
	"testing"

	"mooring/engine/schema"
)

// An unknown name in a payload, a parameter or an operation is answered with the
// one that exists.
func TestNearestNames(t *testing.T) {
	c := newRig(t, Limits{}).open()
	bgp := `<bgp xmlns="` + schema.RPC("rollback").Namespace + `">`
	for operation, want := range map[string]string{
		`<edit-config><target><candidate/></target><config>` + bgp + `<instances><instance><name>x</name><confg/></instance></instances></bgp></config></edit-config>`: "config",
		`<edit-config><target><candidate/></target><default-operaton>merge</default-operaton></edit-config>`:                                                           "default-operation",
		`<get-confg><source><running/></source></get-confg>`:                                                                                                           "get-config",
		`<get-config><source><running/></source><filter type="xpath" select="/nosuch[contans(., 1)]"/></get-config>`:                                                   "contains",
	} {
		body := c.rpc(operation)
		if errs := parseErrors(c, body); len(errs) != 1 || !strings.Contains(body, ": did you mean "+want+"?") {
			t.Errorf("%s\nanswered: %s", operation, body)
		}
	}
}
