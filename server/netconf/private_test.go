package netconf

import (
	"strings"
	"testing"

	"mooring/server/netconf/rpc"
)

const privateNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-private-candidate"

// own is a session with a candidate of its own.
func (r *rig) own() *client {
	r.Helper()
	c := r.pipe("admin")
	c.greet(base10, base11, " "+rpc.PrivateCapability+"?x=y ")
	return c
}

func update(mode string) string {
	if mode != "" {
		mode = "<resolution-mode>" + mode + "</resolution-mode>"
	}
	return `<update xmlns="` + privateNS + `">` + mode + "</update>"
}

func describePeer(text string) string {
	return editDraft(peer("", peer2, "<description>"+text+"</description>"))
}

// described is the description of peer2 in a datastore.
func (c *client) described(datastore string) string {
	c.Helper()
	_, text, _ := strings.Cut(c.getPeer(datastore, peer2), "<description>")
	text, _, _ = strings.Cut(text, "<")
	return text
}

// netconf.md 80: every session that asks for it edits a candidate of its own.
func TestPrivateCandidates(t *testing.T) {
	r, shared := ready(t)
	a, b := r.own(), r.own()
	a.ok(describePeer("of a"))
	b.ok(editDraft(peer("", peer2, "<as>300</as>")))
	shared.ok(describePeer("of all"))
	for _, tt := range []struct {
		c    *client
		want string
	}{{a, "of a"}, {b, "one"}, {shared, "of all"}} {
		if got := tt.c.described("candidate"); got != tt.want {
			t.Errorf("a candidate shows %q, want %q", got, tt.want)
		}
	}
	shared.ok("<discard-changes/>")
	b.ok("<commit/>")
	if got := asIn(a.getPeer("candidate", peer2)); got != "200" {
		t.Errorf("a modified candidate follows running: %s", got)
	}
	if got := a.rpc(previewRPC); !strings.Contains(got, "<ok/>") && strings.Contains(got, "<rpc-error>") {
		t.Errorf("preview: %s", got)
	}
	a.ok(validateOf("<candidate/>"), "<commit/>") // other leaves: no conflict
	if got := a.described("running") + a.asOf(); got != "of a300" {
		t.Errorf("running is %s", got)
	}
	if got := b.described("candidate"); got != "of a" {
		t.Errorf("a committed candidate does not follow running: %s", got)
	}
	a.ok(describePeer("gone"), "<discard-changes/>")
	if got := a.described("candidate"); got != "of a" {
		t.Errorf("after a discard: %s", got)
	}
	// copy-config and confirmed commit know it too.
	a.ok(copyConfig("candidate", "<config>"+vpn1+peer("", peer2, "<as>1</as>")+"</config>"))
	if got := shared.described("candidate"); got != "of a" {
		t.Errorf("a copy went into the shared candidate: %s", got)
	}
	a.ok(copyConfig("candidate", "<running/>"), describePeer("for a while"), confirmed(""))
	b.fails("<commit/>", inUse)
	a.ok(cancelCommit)
	if got := a.described("running"); got != "of a" {
		t.Errorf("after cancel-commit: %s", got)
	}
}

// netconf.md 80: conflicts, at commit and at update.
func TestPrivateCandidateConflicts(t *testing.T) {
	const conflict = "application operation-failed path=" + peerPath
	tests := []struct {
		mode, want string // what a's candidate shows then; empty: refused
	}{{"", ""}, {"revert-on-conflict", ""}, {"prefer-candidate", "of a 300"}, {"prefer-running", "of b 300"}}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			r, _ := ready(t)
			a, b := r.own(), r.own()
			a.ok(describePeer("of a"), editDraft(peer("", peer2, "<as>300</as>")))
			b.ok(describePeer("of b"), "<commit/>")
			a.fails("<commit/>", conflict)
			a.fails(validateOf("<candidate/>"), conflict)
			if got := a.described("candidate") + a.described("running"); got != "of aof b" {
				t.Errorf("after a conflict: %s", got)
			}
			if tt.want == "" {
				a.fails(update(tt.mode), conflict)
				a.ok("<discard-changes/>", update(tt.mode))
				return
			}
			a.ok(update(tt.mode))
			if got := a.described("candidate") + " " + asIn(a.getPeer("candidate", peer2)); got != tt.want {
				t.Errorf("after the update: %s", got)
			}
			a.ok("<commit/>")
			if got := b.described("candidate") + " " + b.asOf(); got != tt.want {
				t.Errorf("after the commit: %s", got)
			}
		})
	}
}

// netconf.md 80: locks of a candidate of one's own, and what is refused.
func TestPrivateCandidateErrors(t *testing.T) {
	r, shared := ready(t)
	a, b := r.own(), r.own()
	shared.fails(update(""), "protocol operation-not-supported")
	a.fails(update("never"), "protocol invalid-value path=/nc:rpc/pc:update/pc:resolution-mode")
	a.fails(update("")[:len(update(""))-9]+"<x/></update>", "protocol unknown-element path=/nc:rpc/pc:update element=x")
	a.ok(update(""), update("prefer-running"), lock("candidate"))
	a.fails(lock("candidate"), denied(a.id))
	b.ok(lock("candidate"))
	shared.ok(lock("candidate"), describePeer("of all"))
	b.ok(describePeer("of b"), unlock("candidate")) // discards
	b.fails(unlock("candidate"), "protocol operation-failed")
	if got := b.described("candidate"); got != "one" {
		t.Errorf("unlock kept %s", got)
	}
	b.ok(describePeer("of b"))
	b.fails(lock("candidate"), denied(0))
	shared.ok(lock("running"))
	b.fails("<commit/>", inUse)
	shared.ok(unlock("running"))
	b.ok("<commit/>", "<close-session/>")
	if got := shared.described("candidate"); got != "of all" {
		t.Errorf("the shared candidate shows %s", got)
	}
}

// netconf.md 80; draft-ietf-netconf-privcand 4.8.1.1: the order of a list that the
// user orders is a value of its own, and what decides over access above all.
func TestPrivateCandidateOrder(t *testing.T) {
	const ns = `xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" xmlns:yang="urn:ietf:params:xml:ns:yang:1"`
	list := func(name, attrs string) string {
		return "<rule-list" + attrs + "><name>" + name + "</name></rule-list>"
	}
	nacm := func(lists string) string { return "<nacm " + ns + ">" + lists + "</nacm>" }
	first := func(name string) string { return editDraft(nacm(list(name, ` yang:insert="first"`))) }
	order := func(c *client, datastore string) (names string) {
		_, text, _ := strings.Cut(c.rpc("<get-config><source><"+datastore+"/></source></get-config>"), "<nacm")
		for _, part := range strings.Split(text, "<rule-list><name>")[1:] {
			names += part[:1]
		}
		return names
	}
	const conflict = "application operation-failed path=/nacm:nacm"
	for mode, want := range map[string]string{"": "", "revert-on-conflict": "", "prefer-candidate": "CAB", "prefer-running": "BAC"} {
		t.Run(mode, func(t *testing.T) {
			r, c := ready(t)
			c.ok(edit(nacm(list("A", "") + list("B", "") + list("C", ""))))
			a, b := r.own(), r.own()
			a.ok(first("C"))
			b.ok(first("B"), "<commit/>")
			a.fails("<commit/>", conflict)
			if want == "" {
				a.fails(update(mode), conflict)
				if got := order(a, "candidate") + order(a, "running"); got != "CABBAC" {
					t.Errorf("after the conflict: %s", got)
				}
				return
			}
			a.ok(update(mode))
			if got := order(a, "candidate"); got != want {
				t.Errorf("after the update: %s, want %s", got, want)
			}
			a.ok("<commit/>")
		})
	}
	r, c := ready(t)
	c.ok(edit(nacm(list("A", "") + list("B", "") + list("C", ""))))
	a, b := r.own(), r.own()
	a.ok(first("X"))
	b.ok(first("C"), "<commit/>")
	a.ok("<commit/>")
	if got := order(c, "running"); got != "XCAB" {
		t.Errorf("one inserts, one moves: %s", got)
	}
}
