package netconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/bgp"
)

const previewRPC = `<preview xmlns="` + bgpNS + `"/>`

func resetPeer(params string) string {
	return `<reset-peer xmlns="` + bgpNS + `">` + params + "</reset-peer>"
}

func rollbackTo(id string) string {
	return fmt.Sprintf(`<rollback xmlns=%q><commit-id>%s</commit-id></rollback>`, bgpNS, id)
}

const peerParams = "<instance>default</instance><vpn-instance>vpn1</vpn-instance><address>10.1.1.2</address>"

var peerKey = bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr(peer2)}

// established waits until the state says that peer2 has a session.
func (c *client) established() {
	c.Helper()
	c.eventually("<session-state>established</session-state>")
}

// eventually waits until the state of peer2 has a text in it.
func (c *client) eventually(text string) {
	c.Helper()
	c.until(instance("<peers><peer><address>"+peer2+"</address><state/></peer></peers>"), text)
}

// until waits until what get answers has a text in it, and returns it.
func (c *client) until(filter, text string) string {
	c.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got := c.state(filter)
		switch {
		case strings.Contains(got, text):
			return got
		case time.Now().After(end):
			c.Fatalf("no %s in %s", text, got)
		}
	}
}

// The preview says what a commit would do, per peer, and does nothing.
func TestPreview(t *testing.T) {
	r, c := ready(t)
	c.established()
	if got := c.rpc(previewRPC); got != "<ok/>" {
		t.Errorf("nothing to do: %s", got)
	}
	before := r.engine.Store().Running().Revision()
	tests := []struct{ name, edit, want string }{
		{"no session notices", peer("", peer2, "<description>two</description>"), "<ok/>"},
		{
			"reset", peer("", peer2, "<as>201</as>"),
			`<peer xmlns="urn:mooring:yang:bgp"><instance>default</instance><vpn-instance>vpn1</vpn-instance><address>10.1.1.2</address><impact>reset</impact>` +
				"<leaf>config/as: 200 -&gt; 201</leaf><session-state>established</session-state><family>ipv4-unicast</family>" +
				"<prefixes-received>0</prefixes-received></peer>",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.ok(editDraft(tt.edit))
			if got := c.rpc(previewRPC); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			c.ok("<discard-changes/>")
		})
	}
	c.ok(editDraft(peer("", "10.1.1.3", "")))
	errs := parseErrors(t, c.rpc(previewRPC))
	if len(errs) != 1 || errs[0].AppTag != "must-violation" {
		t.Errorf("preview of an invalid candidate: %v", errs)
	}
	c.fails(`<preview xmlns="`+bgpNS+`"><x/></preview>`, "protocol unknown-element path=/nc:rpc/mbgp:preview element=x")
	if after := r.engine.Store().Running().Revision(); after != before || r.speaker.TotalCeases() != 0 {
		t.Errorf("%d commits, %d sessions ended", after-before, r.speaker.TotalCeases())
	}
}

func TestResetPeer(t *testing.T) {
	r, c := ready(t)
	c.established()
	const here = " path=/nc:rpc/mbgp:reset-peer"
	tests := []struct{ name, params, want string }{
		{"no address", "<instance>default</instance><vpn-instance>vpn1</vpn-instance>", "protocol missing-element" + here + " element=address"},
		{"nothing", "", "protocol missing-element" + here + " element=instance"},
		{"unknown parameter", peerParams + "<force/>", "protocol unknown-element" + here + " element=force"},
		{"parameter twice", peerParams + peerParams, "protocol bad-element" + here + " element=instance"},
		{"parameter of NETCONF", peerParams + `<mode xmlns="` + ncNS + `">hard</mode>`, "protocol unknown-element" + here + " element=mode"},
		{"parameter of nobody", peerParams + `<mode xmlns="urn:x">hard</mode>`, "protocol unknown-namespace" + here + " element=mode namespace=urn:x"},
		{"element in a leaf", peerParams + "<mode><hard/></mode>", "protocol unknown-element" + here + "/mbgp:mode element=hard"},
		{"bad mode", peerParams + "<mode>brutal</mode>", "protocol invalid-value" + here + "/mbgp:mode"},
		{"text too long", peerParams + "<text>" + strings.Repeat("x", 256) + "</text>", "protocol invalid-value" + here + "/mbgp:text"},
		{"bad address", strings.Replace(peerParams, peer2, "10.1.1", 1), "protocol invalid-value" + here + "/mbgp:address"},
		{"no such peer", strings.Replace(peerParams, peer2, "10.9.9.9", 1), "application data-missing path=" + strings.Replace(peerPath, peer2, "10.9.9.9", 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(*testing.T) { c.fails(resetPeer(tt.params), tt.want) })
	}
	if n := r.speaker.TotalCeases(); n != 0 {
		t.Fatalf("%d sessions ended by what was refused", n)
	}
	c.ok(resetPeer(peerParams+"<mode>soft-in</mode>"), resetPeer(peerParams+"<mode>soft-out</mode>"))
	if n := r.speaker.TotalCeases(); n != 0 {
		t.Errorf("%d sessions ended by soft resets", n)
	}
	r.speaker.Hold()
	c.ok(resetPeer("<vpn-instance>\n vpn1 </vpn-instance><instance>default</instance><address> 10.1.1.2 </address><text>see you</text>"))
	if got, want := r.speaker.Ceases(peerKey), []uint8{4}; !slices.Equal(got, want) { // RFC 4486: administrative reset
		t.Errorf("ceases are %v, want %v", got, want)
	}
	c.eventually("<cause>operator</cause>")
	c.eventually("<session-state>idle</session-state>")
	c.fails(resetPeer(peerParams), "application operation-failed")
	r.speaker.Release()
}

func TestRollback(t *testing.T) {
	r, c := ready(t)
	history := r.engine.Store().History()
	first := history[len(history)-1].CommitID
	c.ok(edit(peer("", peer2, "<as>201</as>")))
	got := c.rpc(rollbackTo(first))
	history = r.engine.Store().History()
	if want := `<commit-id xmlns="` + bgpNS + `">` + history[len(history)-1].CommitID + "</commit-id>"; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("running has %s", got)
	}
	c.ok(rollbackTo(first)) // nothing is left to do
	c.fails(rollbackTo("x"), "application invalid-value")
	c.fails(`<rollback xmlns="`+bgpNS+`"/>`, "protocol missing-element path=/nc:rpc/mbgp:rollback element=commit-id")
}

// The preview says how many sessions have to wait for others.
func TestPreviewTellsPacing(t *testing.T) {
	_, c := ready(t)
	c.ok(editDraft(peer("", "10.1.1.3", "<as>200</as>")+`<agent xmlns="urn:mooring:yang:agent"><reset-control><config><max-concurrent>1</max-concurrent></config></reset-control></agent>`), "<commit/>")
	c.established()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if got := c.rpc("<get><filter>" + instance("<state><established-peers/></state>") + "</filter></get>"); strings.Contains(got, ">2<") {
			break
		} else if time.Now().After(end) {
			t.Fatalf("two sessions: %s", got)
		}
	}
	c.ok(editDraft(peer("", peer2, "<as>201</as>")), editDraft(peer("", "10.1.1.3", "<as>201</as>")))
	want := `<pacing xmlns="urn:mooring:yang:bgp"><max-concurrent>1</max-concurrent><at-once>1</at-once><waiting>1</waiting></pacing>`
	if got := c.rpc(previewRPC); !strings.HasSuffix(got, "</peer>"+want) {
		t.Errorf("got %s, want %s at the end", got, want)
	}
}

// The same over SSH, as a client sees it.
func TestModelOperationsOverSSH(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	c, _ := l.dial("admin")
	c.setUp()
	c.established()
	c.ok(editDraft(peer("", peer2, "<as>201</as>")))
	if got := c.rpc(previewRPC); !strings.Contains(got, "<impact>reset</impact>") {
		t.Errorf("preview: %s", got)
	}
	c.ok(resetPeer(peerParams), "<discard-changes/>")
	if got := l.speaker.Ceases(peerKey); len(got) != 1 {
		t.Errorf("ceases are %v", got)
	}
}
