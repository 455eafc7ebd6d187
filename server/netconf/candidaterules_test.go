package netconf

import (
	"fmt"
	"strings"
	"testing"
)

// authentication is a peer with what stands in its authentication.
func authentication(address, content string) string {
	return instance("<peers><peer><address>" + address + "</address><config><as>7</as></config><transport><authentication>" + content +
		"</authentication></transport></peer></peers>")
}

func method(m, rest string) string {
	return "<config><method>" + m + "</method>" + rest + "</config>"
}

const aoKey = "<keys><key><key-id>1</key-id><config><key-id>1</key-id><send-id>1</send-id><receive-id>1</receive-id><secret>s</secret></config></key></keys>"

// netconf.md 55; RFC 7950 8.1, 8.3.1: what stands under a when that is false is
// an unknown element of the edit itself, in every datastore and for every
// operation that has it.
func TestWhenInCandidate(t *testing.T) {
	const x = "10.1.1.9"
	r, shared := ready(t)
	own := r.own()
	for name, content := range map[string]string{
		"password": "<config><password>p</password></config>", "password of none": method("none", "<password>p</password>"),
		"password of tcp-ao": method("tcp-ao", "<password>p</password>") + aoKey, "key": aoKey, "key of md5": method("md5", "<password>p</password>") + aoKey,
	} {
		wrong := authentication(x, content)
		testWhen(t, name, editDraft(wrong), shared)
		testWhen(t, name+", private", editDraft(wrong), own)
		testWhen(t, name+", replaced", editTarget("candidate", "<default-operation>replace</default-operation>", vpn1+wrong), shared)
		testWhen(t, name+", copied", copyConfig("candidate", "<config>"+vpn1+wrong+"</config>"), shared)
		testWhen(t, name+", running", edit(wrong), shared)
	}
	if got := shared.getPeer("candidate", x) + own.getPeer("candidate", x); got != "" {
		t.Errorf("the candidate has %s", got)
	}
}

func testWhen(t *testing.T, name, op string, c *client) {
	t.Helper()
	errs := parseErrors(t, c.rpc(op))
	if len(errs) == 0 || errs[0].Tag != "unknown-element" || !strings.Contains(errs[0].Path, "authentication") {
		t.Errorf("%s: errors are %v", name, errs)
	}
}

// netconf.md 55; RFC 7950 8.3.2: nodes vanish from the candidate when their when
// becomes false, and an edit may make it true together with them.
func TestWhenBecomesFalseInCandidate(t *testing.T) {
	const x = "10.1.1.9"
	_, c := ready(t)
	c.ok(editDraft(authentication(x, method("md5", "<password>p</password>"))), editDraft(authentication(x, method("tcp-ao", "")+aoKey)))
	const draft = "<get-config><source><candidate/></source></get-config>" // without secrets
	if got := c.rpc(draft); !strings.Contains(got, ">tcp-ao<") || !strings.Contains(got, "<key-id>1</key-id>") {
		t.Errorf("after tcp-ao: %s", got)
	}
	c.ok("<commit/>", editDraft(authentication(x, method("none", ""))))
	if got := c.rpc(draft); strings.Contains(got, "<key>") {
		t.Errorf("after none: %s", got)
	}
	c.ok(validateOf("<candidate/>"), "<commit/>")
	// The password is gone too: md5 needs one again. Back in two edits, of which the first is not valid yet.
	c.ok(editDraft(authentication(x, method("md5", ""))))
	if errs := parseErrors(t, c.rpc("<commit/>")); len(errs) != 1 || errs[0].AppTag != "must-violation" {
		t.Errorf("md5 without a password: %v", errs)
	}
	c.ok(editDraft(authentication(x, "<config><password>q</password></config>")), "<commit/>")
}

// netconf.md 55; RFC 7950 8.3.3: what holds between nodes is checked by validate
// and commit, and by an edit of running at once.
func TestLimitsOfCandidate(t *testing.T) {
	var many, keys strings.Builder
	for i := range 9 {
		fmt.Fprintf(&many, "<listen-address>10.9.0.%d</listen-address>", i)
	}
	for i := range 17 {
		fmt.Fprintf(&keys, "<key><key-id>%d</key-id><config><key-id>%d</key-id><secret>s</secret></config></key>", i, i)
	}
	family := func(name, rd string) string {
		return `<vpn-instance><name>` + name + `</name><ipv4-family><config><route-distinguisher>` + rd + `</route-distinguisher></config></ipv4-family></vpn-instance>`
	}
	tests := []struct{ name, config, tag, app string }{
		{"max-elements of a leaf-list", instance("<config>" + many.String() + "</config>"), "operation-failed", "too-many-elements"},
		{"max-elements of a list", authentication("10.1.1.9", method("tcp-ao", "")+"<keys>"+keys.String()+"</keys>"), "operation-failed", "too-many-elements"},
		{"unique", `<vpn-instances xmlns="` + vpnNS + `">` + family("u1", "9:9") + family("u2", "9:9") + "</vpn-instances>", "operation-failed", "data-not-unique"},
		{"must", authentication("10.1.1.9", method("md5", "")), "operation-failed", "must-violation"},
		{
			"mandatory", authentication("10.1.1.9", method("tcp-ao", "")+"<keys><key><key-id>1</key-id><config><key-id>1</key-id></config></key></keys>"),
			"data-missing", "",
		},
		{"leafref", instance("<peers><peer><address>10.1.1.9</address><config><as>1</as><peer-group>none</peer-group></config></peer></peers>"), "data-missing", "instance-required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := ready(t)
			c.ok(editDraft(tt.config))
			for _, op := range []string{validateOf("<candidate/>"), "<commit/>", edit(tt.config)} {
				errs := parseErrors(t, c.rpc(op))
				if len(errs) == 0 || errs[0].Tag != tt.tag || errs[0].AppTag != tt.app {
					t.Errorf("%.40s: errors are %v", op, errs)
				}
			}
			c.ok("<discard-changes/>", "<commit/>")
		})
	}
}
