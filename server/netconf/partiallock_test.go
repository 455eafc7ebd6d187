package netconf

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

const partialNS = "urn:ietf:params:xml:ns:netconf:partial-lock:1.0"

func partialLock(exprs ...string) string {
	op := fmt.Sprintf(`<partial-lock xmlns="%s" xmlns:b="%s" xmlns:v="%s">`, partialNS, bgpNS, vpnNS)
	for _, e := range exprs {
		op += "<select>" + strings.ReplaceAll(e, "<", "&lt;") + "</select>"
	}
	return op + "</partial-lock>"
}

func partialUnlock(id string) string {
	return fmt.Sprintf(`<partial-unlock xmlns="%s"><lock-id>%s</lock-id></partial-unlock>`, partialNS, id)
}

// locks returns the number of a partial lock that must be granted, and the
// nodes.
func (c *client) locks(exprs ...string) (id string, nodes []string) {
	c.Helper()
	var r struct {
		ID    string   `xml:"lock-id"`
		Nodes []string `xml:"locked-node"`
	}
	got := c.rpc(partialLock(exprs...))
	if err := xml.Unmarshal([]byte("<x>"+got+"</x>"), &r); err != nil || r.ID == "" {
		c.Fatalf("partial-lock answered %s, %v", got, err)
	}
	return r.ID, r.Nodes
}

const (
	onePeer   = "//b:peer[b:address='10.1.1.2']"
	pathOfTwo = "/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']/mbgp:vpn-instances/mbgp:vpn-instance[mbgp:name='vpn1']/mbgp:peers/mbgp:peer[mbgp:address='10.1.1.2']"
)

// netconf.md 78: what is locked, and who may have it besides.
func TestPartialLock(t *testing.T) {
	r, a := ready(t)
	a.ok(edit(peer("", "10.1.1.3", "<as>300</as>")))
	b := r.open()
	id, nodes := a.locks(onePeer+"/b:config/b:description", "//b:peer[b:config/b:as < 250]")
	if strings.Join(nodes, " ") != pathOfTwo+"/mbgp:config/mbgp:description "+pathOfTwo {
		t.Errorf("locked nodes: %q", nodes)
	}
	state := a.rpc(`<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state></filter></get>`)
	want := fmt.Sprintf(`<locks><partial-lock><lock-id>%s</lock-id><locked-by-session>%d</locked-by-session><locked-time>`, id, a.id)
	if !strings.Contains(state, want) || !strings.Contains(state, `<select xmlns:b="`+bgpNS+`">//b:peer[b:config/b:as &lt; 250]</select><locked-node xmlns:mbgp="`+bgpNS+`">`+pathOfTwo) {
		t.Errorf("netconf-state: %s", state)
	}
	for _, expr := range []string{onePeer, "//b:peer", onePeer + "/b:config/b:as", "/b:bgp"} { // the same, around and below
		b.fails(partialLock(expr), denied(a.id))
	}
	other, _ := b.locks("//b:peer[b:address='10.1.1.3']")
	again, _ := a.locks(onePeer)
	b.fails(lock("running"), denied(a.id))
	a.fails(lock("running"), denied(a.id))
	b.ok(lock("candidate"), unlock("candidate"))
	const at = " path=/nc:rpc/pl:partial-unlock/pl:lock-id"
	b.fails(partialUnlock(id), "protocol invalid-value"+at)
	b.fails(partialUnlock("99"), "protocol invalid-value"+at)
	b.fails(partialUnlock("x"), "protocol invalid-value"+at)
	a.ok(partialUnlock(id))
	b.fails(partialLock(onePeer), denied(a.id))
	a.ok(partialUnlock(again))
	b.locks("//b:peers/*[b:address='10.1.1.2']") // the same peer, below a wildcard
	b.ok(partialUnlock(other))
	b.ok("<close-session/>")
	a.ok(lock("running")) // its end has released the other one
	a.fails(partialLock(onePeer), denied(a.id))
}

// netconf.md 78: a locked node is changed by nobody else, whatever the
// protocol and the operation; all else is free.
func TestPartialLockKeepsOthersOut(t *testing.T) {
	r, a := ready(t)
	a.ok(edit(peer("", "10.1.1.3", "<as>300</as>")))
	b := r.open()
	a.locks(onePeer + "/b:config")
	const locked = inUse + " path=" + pathOfTwo + "/mbgp:config"
	b.fails(edit(peer("", peer2, "<as>201</as>")), locked)
	b.fails(edit(peer(` nc:operation="delete"`, peer2, "")), locked)
	b.fails("<copy-config><target><running/></target><source><config/></source></copy-config>", locked)
	b.ok(editDraft(peer("", peer2, "<description>two</description>")))
	b.fails("<commit/>", locked)
	b.ok("<discard-changes/>")
	b.ok(edit(peer("", "10.1.1.3", "<as>301</as>")), edit(peer("", "10.1.1.4", "<as>400</as>")), edit(peer("", peer2, "<as>200</as>"))) // the last changes nothing
	elsewhere := strings.Replace(peer("", peer2, ""), "<config></config>", "<transport><config><remote-port>1790</remote-port></config></transport>", 1)
	b.ok(edit(elsewhere))
	_, err := r.engine.Edit(t.Context(), commit.Actor{User: "x", Protocol: "gnmi"}, commit.Options{}, func(tx schema.Tx) error {
		for _, k := range keysBelow(tx, schema.MakeKey("", schema.KindOf(schema.KindInstance), "default")) {
			tx.Delete(k)
		}
		return nil
	})
	if e, ok := errors.AsType[*datastore.LockedError](err); !ok || e.Holder.Session != a.id {
		t.Errorf("another protocol: %v", err)
	}
	a.ok(edit(peer("", peer2, "<as>202</as>")))
	if got := a.getPeer("running", peer2); !strings.Contains(got, "<as>202</as>") || !strings.Contains(got, "<description>one</description>") {
		t.Errorf("the peer is %s", got)
	}
}

// keysBelow returns a key and those of the records below it.
func keysBelow(r schema.Reader, k schema.Key) []schema.Key {
	var out []schema.Key
	r.Scan(k, func(k schema.Key, _ ygot.GoStruct) bool {
		out = append(out, k)
		return true
	})
	return out
}

// netconf.md 78
func TestPartialLockErrors(t *testing.T) {
	r, c := ready(t)
	const at = " path=/nc:rpc/pl:partial-lock"
	tests := []struct{ name, op, want string }{
		{"no match", partialLock(onePeer+"/b:timers", "//b:nothing"), "protocol operation-failed app-tag=no-matches"},
		{"not a node-set", partialLock("count(//b:peer)"), "protocol invalid-value app-tag=not-a-node-set" + at + "/pl:select"},
		{"syntax", partialLock("//b:peer["), "protocol invalid-value" + at + "/pl:select"},
		{"prefix", partialLock("//x:peer"), "protocol invalid-value" + at + "/pl:select"},
		{"an element", `<partial-lock xmlns="` + partialNS + `"><select><x/></select></partial-lock>`, "protocol invalid-value" + at + "/pl:select"},
		{"everything", partialLock("/"), "protocol invalid-value" + at + "/pl:select"},
		{"nothing asked", partialLock(), "protocol missing-element" + at + " element=select"},
		{"no lock-id", `<partial-unlock xmlns="` + partialNS + `"/>`, "protocol missing-element path=/nc:rpc/pl:partial-unlock element=lock-id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { c.fails(tt.op, tt.want) })
	}
	// Nobody locks anything while a confirmed commit of another one waits.
	other := r.open()
	other.ok(editDraft(peer("", peer2, "<as>7</as>")), "<commit><confirmed/></commit>")
	c.fails(partialLock(onePeer), denied(other.id))
	other.locks(onePeer)
	other.ok("<cancel-commit/>") // it goes although it is locked
	c.fails(partialLock(onePeer), denied(other.id))
}
