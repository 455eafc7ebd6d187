package netconf

import (
	"strings"
	"testing"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

const (
	txidNS    = `xmlns:txid="` + schema.TxidNamespace + `"`
	withEtag  = `<with-etag xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-txid">true</with-etag>`
	commitTag = "<commit>" + withEtag + "</commit>"
)

// etag reads that of a datastore.
func (c *client) etag(datastore string) string {
	c.Helper()
	got := c.rpc(`<get-config ` + txidNS + ` txid:etag="?"><source><` + datastore + `/></source></get-config>`)
	return etagIn(c, got, "<data")
}

// etagIn is the etag of the element that a reply begins with.
func etagIn(c *client, reply, element string) string {
	c.Helper()
	head, ok := strings.CutPrefix(reply, element+" "+txidNS+` txid:etag="`)
	etag, _, _ := strings.Cut(head, `"`)
	if !ok || etag == "" {
		c.Fatalf("no etag in %.300s", reply)
	}
	return etag
}

// ifEtag is an edit of a peer that runs only where running has an etag.
func ifEtag(target, etag, config string) string {
	return "<edit-config><target><" + target + "/></target>" + withEtag + "<config xmlns:nc='" + ncNS + "' " + txidNS + ` txid:etag="` + etag + `">` + config + "</config></edit-config>"
}

// netconf.md 81: the etag changes exactly when the configuration does, whoever
// changes it.
func TestEtag(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	var last string
	t.Run("changes", func(t *testing.T) {
		r := newRigOn(t, dir, Limits{})
		c := r.open()
		last = c.etag("running")
		seen[last] = true
		change := func(what string, do func(), want bool) {
			t.Helper()
			do()
			now := c.etag("running")
			if (now != last) != want || want && seen[now] {
				t.Errorf("%s: %s became %s", what, last, now)
			}
			last, seen[now] = now, true
		}
		change("first edit", func() { c.setUp() }, true)
		change("the same again", func() { c.setUp() }, false)
		change("an edit", func() { c.ok(edit(peer("", peer2, "<as>201</as>"))) }, true)
		change("test-only", func() {
			c.ok(editTarget("running", "<test-option>test-only</test-option>", peer("", peer2, "<as>9</as>")))
		}, false)
		change("an edit that is refused", func() { c.rpc(edit(peer("", peer2, "<as>x</as>"))) }, false)
		change("an edit of the candidate", func() { c.ok(editDraft(peer("", peer2, "<as>202</as>"))) }, false)
		change("its commit", func() { c.ok("<commit/>") }, true)
		change("an empty commit", func() { c.ok("<commit/>") }, false)
		change("a session of a peer ends", func() { c.ok(resetPeer(peerParams)) }, false)
		change("an edit over gNMI", func() {
			_, err := r.engine.Edit(t.Context(), commit.Actor{User: "g", Protocol: "gnmi"}, commit.Options{}, func(tx schema.Tx) error {
				key, _, _ := mustPeerPath(t).Record()
				tx.Delete(key)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}, true)
	})
	c := newRigOn(t, dir, Limits{}).open()
	if got := c.etag("running"); got != last {
		t.Errorf("a restart made %s of %s", got, last)
	}
	if other := newRig(t, Limits{}).open().etag("running"); seen[other] {
		t.Errorf("another agent has the etag %s too", other)
	}
}

// netconf.md 81: what get-config tells.
func TestEtagOfReads(t *testing.T) {
	_, c := ready(t)
	etag := c.etag("running")
	read := func(attr, filter string) string {
		return c.rpc("<get-config " + txidNS + attr + "><source><running/></source>" + filter + "</get-config>")
	}
	if got := c.etag("candidate"); got != etag {
		t.Errorf("a candidate that is running has the etag %s", got)
	}
	if got := read("", ""); !strings.HasPrefix(got, "<data><") {
		t.Errorf("not asked for: %.100s", got)
	}
	for _, attr := range []string{` txid:etag="` + etag + `"`, ` txid:etag=" ` + etag + ` "`} {
		if got := read(attr, ""); got != "<data "+txidNS+` txid:etag="="/>` {
			t.Errorf("what is known: %s", got)
		}
	}
	if got := read(` txid:etag="old"`, ""); etagIn(c, got, "<data") != etag || !strings.Contains(got, "<as>200</as>") {
		t.Errorf("what is not known: %.300s", got)
	}
	filter := `<filter txid:etag="?">` + instance(`<peers txid:etag="x"><peer><address>10.1.1.2</address></peer></peers>`) + "</filter>"
	if got := read("", filter); etagIn(c, got, "<data") != etag || !strings.Contains(got, "<address>") {
		t.Errorf("asked for in the filter: %.300s", got)
	}
	c.ok(editDraft(peer("", peer2, "<as>7</as>")))
	if got := c.etag("candidate"); got != "!" {
		t.Errorf("a modified candidate has the etag %s", got)
	}
	if got := c.rpc("<get-config " + txidNS + ` txid:etag="!"><source><candidate/></source></get-config>`); strings.Contains(got, `"="`) {
		t.Errorf("no state is known as '!': %.100s", got)
	}
	c.ok("<discard-changes/>")
	if got := c.etag("candidate"); got != etag {
		t.Errorf("after a discard: %s", got)
	}
}

// netconf.md 81: edits that run only where nothing else has changed.
func TestConditionalEdits(t *testing.T) {
	r, c := ready(t)
	other := r.open()
	old := c.etag("running")
	got := etagIn(c, c.rpc(ifEtag("running", old, peer("", peer2, "<as>201</as>"))), "<ok")
	if now := c.etag("running"); got != now || now == old {
		t.Errorf("the answer tells %s, running has %s", got, now)
	}
	refused := func(op, path string) {
		t.Helper()
		now := c.etag("running")
		got := c.rpc(op)
		errs := parseErrors(t, got)
		if len(errs) != 1 || errs[0].String() != "protocol operation-failed" || !strings.Contains(got, ">"+path+"</mismatch-path>") ||
			!strings.Contains(got, `<txid-value-mismatch-error-info xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-txid"><mismatch-path`) ||
			!strings.Contains(got, "<mismatch-etag-value>"+now+"</mismatch-etag-value>") {
			t.Errorf("%s\nanswered: %s", op, got)
		}
		if c.etag("running") != now {
			t.Errorf("%s changed something", op)
		}
	}
	for _, target := range []string{"running", "candidate"} {
		for _, etag := range []string{old, "?", "!", "=", "", "x"} {
			refused(ifEtag(target, etag, peer("", peer2, "<as>9</as>")), "/")
		}
		inside := func(etag string) string {
			return editTarget(target, "", strings.Replace(peer(" "+txidNS+` txid:etag="`+etag+`"`, peer2, "<as>301</as>"), "<bgp ", "<bgp "+txidNS+` txid:etag="`+c.etag("running")+`" `, 1))
		}
		refused(inside(old), strings.TrimSuffix(peerPath, "[mbgp:address='10.1.1.2']"))
		c.ok(inside(c.etag("running")))
	}
	// The commit of what was edited on a condition has the same one.
	c.ok("<discard-changes/>")
	now := c.etag("running")
	if got := etagIn(c, c.rpc(ifEtag("candidate", now, peer("", peer2, "<as>203</as>"))), "<ok"); got != "!" {
		t.Errorf("an edit of the candidate tells %s", got)
	}
	other.ok(edit(peer("", "10.1.1.3", "<as>3</as>")))
	refused("<commit/>", "/")
	refused(validateOf("<candidate/>"), "/")
	c.ok("<discard-changes/>")
	c.rpc(ifEtag("candidate", c.etag("running"), peer("", peer2, "<as>203</as>")))
	if got := etagIn(c, c.rpc(commitTag), "<ok"); got != c.etag("running") || c.asOf() != "203" {
		t.Errorf("the commit tells %s", got)
	}
	c.ok(editDraft(peer("", peer2, "<as>204</as>")))
	other.ok(edit(peer("", "10.1.1.3", "<as>4</as>")))
	c.ok("<commit/>") // without a condition
	for _, bad := range []string{"yes", "", "<a/>"} {
		c.fails(strings.Replace(commitTag, "true", bad, 1), "protocol invalid-value path=/nc:rpc/nc:commit/ietf-netconf-txid:with-etag")
	}
}

// mustPeerPath is that of peer2.
func mustPeerPath(t *testing.T) schema.Path {
	t.Helper()
	p, err := schema.Resolve([]schema.Elem{
		{Name: "bgp"},
		{Name: "instances"},
		{Name: "instance", Keys: map[string]string{"name": "default"}},
		{Name: "vpn-instances"},
		{Name: "vpn-instance", Keys: map[string]string{"name": "vpn1"}},
		{Name: "peers"},
		{Name: "peer", Keys: map[string]string{"address": peer2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
