package netconf

import (
	"strings"
	"testing"
)

// A confirmed commit needs the rights for what it undoes, waits for a bounded
// time, and the recovery group ends it without its identifier (RFC 6241 8.4).
func TestWhoSettlesConfirmedCommits(t *testing.T) {
	r, admin := guarded(t)
	admin.rules("", ruleFor("vpn1", inVPN+"[b:name='vpn1']", "*", "permit"))
	op := r.as("operator")
	op.ok("<commit><confirmed/><persist>x</persist></commit>") // nothing changes, so nothing waits
	admin.ok(edit(peer("", "10.1.1.2", "<description>free</description>")))
	op.fails("<commit><confirmed/><confirm-timeout>4294967295</confirm-timeout><persist>x</persist></commit>", "application invalid-value")

	op.ok(editDraft(underWay(peer("", "10.1.1.2", "<description>tried</description>"))), "<commit><confirmed/><persist>word</persist></commit>")
	admin.ok("<cancel-commit/>")
	if got := admin.getPeer("running", "10.1.1.2"); !strings.Contains(got, "free") {
		t.Errorf("after cancel-commit of admin: %s", got)
	}
	admin.ok(editDraft(strings.Replace(underWay(peer("", "10.1.1.2", "")), "<vpn-instances>", "<config><router-id>192.0.2.9</router-id></config><vpn-instances>", 1)),
		"<commit><confirmed/><persist>word</persist></commit>")
	const denied = "application access-denied path=/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']/mbgp:config/mbgp:router-id"
	op.fails("<cancel-commit><persist-id>word</persist-id></cancel-commit>", denied)
	op.fails("<commit><persist-id>word</persist-id></commit>", denied)
	admin.ok("<commit><persist-id>word</persist-id></commit>")
}
