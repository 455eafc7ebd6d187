package netconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"mooring/server/netconf/frame"
	"mooring/server/netconf/rpc"
)

// script is a client that sends what it has and then ends its input. What the
// server writes is kept.
type script struct {
	in     io.Reader
	out    bytes.Buffer
	closed bool
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *script) Close() error {
	s.closed = true
	return nil
}

// FuzzSession feeds in to a session after a hello of either version: no panic,
// an end as soon as the input ends, no lock that stays, and every byte of the
// answer belongs to a well-framed reply.
func FuzzSession(f *testing.F) {
	for _, op := range []string{
		"<get/>", "<get><filter type='subtree'><bgp xmlns='urn:mooring:yang:bgp'/></filter></get>", "<get-config><source><candidate/></source></get-config>",
		editDraft(vpn1 + peer("", peer2, "<as>200</as>")), editTarget("candidate", "<default-operation>replace</default-operation><test-option>test-only</test-option>", vpn1),
		editTarget("candidate", "<error-option>continue-on-error</error-option>", peer(` nc:operation="delete"`, peer2, "")),
		copyConfig("candidate", "<config/>"), copyConfig("candidate", "<running/>"), "<delete-config><target><running/></target></delete-config>",
		lock("candidate"), unlock("running"), "<discard-changes/>", "<validate><source><config>" + vpn1 + "</config></source></validate>",
		establish(onNETCONF + events("netconf-config-change")), onSubscription("modify-subscription", "<id>1</id>"+events("x")), withID("delete-subscription", "1"),
		establish(of("intended", peers("")) + onChange("<dampening-period>1</dampening-period><excluded-change>move</excluded-change>")),
		establish(xpathOf("operational", "//b:peer") + periodic("<period>100</period><anchor-time>2026-01-01T00:00:00Z</anchor-time>")),
		establish(onNETCONF + "<stream-xpath-filter>//*</stream-xpath-filter>"),
		"<get>" + xpath("//b:peer[b:address='10.1.1.2']/..//text()|/m:*") + "</get>", partialLock("//b:peer", "/b:bgp"), partialUnlock("1"),
		data("operational", "<with-origin/><max-depth>2</max-depth><origin-filter>or:system</origin-filter>"), editData("candidate", "", peer("", peer2, "")),
		"<close-session/>", kill(1), "<commit><confirmed/></commit>", cancelWith("x"),
		compare("startup", "candidate", "<subtree-filter/>"), compare("candidate", "running", "<xpath-filter>//*</xpath-filter>"), update("prefer-running"),
		copyConfig("candidate", "<startup/>"), validateOf(url("a")), editURL("candidate", "", "..%2fa"), ifEtag("candidate", "x", vpn1),
		`<get-config xmlns:t="urn:ietf:params:xml:ns:netconf:txid:1.0" t:etag="?"><source><candidate/></source></get-config>`,
	} {
		msg := `<rpc xmlns="` + ncNS + `" message-id="1">` + op + "</rpc>"
		f.Add([]byte(msg+"]]>]]>"+msg+"]]>]]>"), false)
		f.Add([]byte(fmt.Sprintf("\n#%d\n%s\n##\n", len(msg), msg)), true)
	}
	f.Add([]byte("\n#1\n<\n#2\nx>\n##\n\n#0\n"), true)
	f.Add([]byte("<!DOCTYPE a>]]>]]>"), false)
	r := setup{limits: Limits{MaxMessage: 1 << 16}, startup: true, urlDir: f.TempDir()}.rig(f)
	f.Fuzz(func(t *testing.T, in []byte, chunked bool) {
		if bytes.Contains(in, []byte("running")) && bytes.Contains(in, []byte("config")) || bytes.Contains(in, []byte("commit")) {
			return // writes to the disk, which this test does not need
		}
		r.engine.Store().Shared().Discard() // the same start for each input
		base, mode := base10, frame.EOM
		if chunked {
			base, mode = base11, frame.Chunked
		}
		st := &script{in: io.MultiReader(strings.NewReader(hello(base, rpc.PrivateCapability)+"]]>]]>"), bytes.NewReader(in))}
		se, err := r.srv.open(identity("fuzz"), st, overSSH)
		if err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(patience, func() { panic("the session hangs") })
		defer late.Stop()
		why := se.run(context.Background())
		if why == nil || errors.Is(why, errBug) {
			t.Fatalf("the session ended with %v", why)
		}
		if locks := r.engine.Store().Locks(); len(locks) > 0 {
			t.Errorf("locks stay: %v", locks)
		}
		if locks := r.engine.Store().PartialLocks(); len(locks) > 0 {
			t.Errorf("partial locks stay: %v", locks)
		}
		answers := frame.NewReader(&st.out, frame.Options{Strict: true})
		_, err = answers.Next() // hello
		answers.SetMode(mode)
		for err == nil {
			var msg []byte
			if msg, err = answers.Next(); err == nil && !bytes.HasSuffix(msg, []byte("rpc-reply>")) && !bytes.HasSuffix(msg, []byte("</notification>")) {
				t.Errorf("answered %q", msg)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the answers are not framed well: %v", err)
		}
	})
}
