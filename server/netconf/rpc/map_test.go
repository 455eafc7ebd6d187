package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

func path(t *testing.T, elems ...string) schema.Path {
	t.Helper()
	var es []schema.Elem
	for _, e := range elems {
		name, key, _ := strings.Cut(e, "=")
		elem := schema.Elem{Name: name}
		if key != "" {
			elem.Keys = map[string]string{"name": key}
		}
		es = append(es, elem)
	}
	p, err := schema.Resolve(es)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every error that the engine can give, and what goes over the wire.
func TestWireErrors(t *testing.T) {
	vpn := path(t, "vpn-instances", "vpn-instance=a")
	name := path(t, "vpn-instances", "vpn-instance=a", "config", "name")
	key, _, _ := vpn.Record()
	const at = `<error-path xmlns:mvpn="urn:mooring:yang:vpn-instance">/mvpn:vpn-instances/mvpn:vpn-instance[mvpn:name='a']`
	const end, message = "</error-path>", `<error-message xml:lang="en">`
	inside := errors.New("no room")
	head := func(kind, tag string) string {
		return "<error-type>" + kind + "</error-type><error-tag>" + tag + "</error-tag><error-severity>error</error-severity>"
	}
	app := func(tag string) string { return head("application", tag) }
	info := func(in string) string { return "</error-message><error-info>" + in + "</error-info>" }
	_, tooDeep := parse(xmltok.NewDecoder(nil, xmltok.Options{MaxDepth: 2}), []byte("<rpc xmlns='"+BaseNamespace+"'><a><b/></a></rpc>"))
	_, malformed := parse(xmltok.NewDecoder(nil, xmltok.Options{}), []byte("<a"))
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{
			"invalid value", &schema.Error{Tag: schema.InvalidValue, Path: name, Message: "bad"},
			[]string{app("invalid-value") + at + "/mvpn:config/mvpn:name" + end + message + "bad</error-message>"},
		},
		{
			"wrapped", fmt.Errorf("edit: %w", &schema.Error{Tag: schema.DataMissing, Path: vpn, Message: "gone"}),
			[]string{app("data-missing") + at + end + message + "gone</error-message>"},
		},
		{
			"app-tag", &schema.Error{Tag: schema.OperationFailed, AppTag: schema.AppMustViolation, Path: vpn, Message: "m"},
			[]string{app("operation-failed") + "<error-app-tag>must-violation</error-app-tag>" + at + end + message + "m</error-message>"},
		},
		{
			"not unique", &schema.Error{AppTag: schema.AppNotUnique, NonUnique: []schema.Path{vpn}, Message: "m"},
			[]string{app("operation-failed") + "<error-app-tag>data-not-unique</error-app-tag>" + message + "m" +
				info(`<non-unique xmlns="urn:ietf:params:xml:ns:yang:1" xmlns:mvpn="urn:mooring:yang:vpn-instance">/mvpn:vpn-instances/mvpn:vpn-instance[mvpn:name='a']</non-unique>`)},
		},
		{
			"unknown element", &schema.Error{Tag: schema.UnknownElement, Path: vpn, BadElement: "x", Message: "m"},
			[]string{app("unknown-element") + at + end + message + "m" + info("<bad-element>x</bad-element>")},
		},
		{
			"element without a name is the last of the path", &schema.Error{Tag: schema.BadElement, Path: name, Message: "m"},
			[]string{app("bad-element") + at + "/mvpn:config/mvpn:name" + end + message + "m" + info("<bad-element>name</bad-element>")},
		},
		{
			"missing element", &schema.Error{Tag: schema.MissingElement, BadElement: "name", Message: "m"},
			[]string{app("missing-element") + message + "m" + info("<bad-element>name</bad-element>")},
		},
		{
			"unknown namespace", &schema.Error{Tag: schema.UnknownNamespace, BadElement: "x", BadNamespace: "urn:x&y", Message: "m"},
			[]string{app("unknown-namespace") + message + "m" + info("<bad-element>x</bad-element><bad-namespace>urn:x&amp;y</bad-namespace>")},
		},
		{
			"attribute", &schema.Error{Tag: schema.UnknownAttribute, Path: name, BadAttribute: "a", Message: "m"},
			[]string{app("unknown-attribute") + at + "/mvpn:config/mvpn:name" + end + message + "m" + info("<bad-attribute>a</bad-attribute><bad-element>name</bad-element>")},
		},
		{"malformed content", &schema.Error{Tag: schema.MalformedMessage, Message: "m"}, []string{head("rpc", "malformed-message") + message + "m</error-message>"}},
		{
			"lock-denied by the schema", &schema.Error{Tag: schema.LockDenied, Message: "m"},
			[]string{head("protocol", "lock-denied") + message + "m" + info("<session-id>0</session-id>")},
		},
		{
			"several",
			schema.Errors{{Tag: schema.DataExists, Message: "1"}, {Tag: schema.TooBig, Message: "2"}},
			[]string{app("data-exists") + message + "1</error-message>", app("too-big") + message + "2</error-message>"},
		},
		{
			"faults of continue-on-error",
			faults{&schema.Error{Tag: schema.DataExists, Message: "1"}, schema.Errors{{Tag: schema.InvalidValue, Message: "2"}}},
			[]string{app("data-exists") + message + "1</error-message>", app("invalid-value") + message + "2</error-message>"},
		},
		{
			"locked", &datastore.LockedError{Holder: datastore.Holder{Session: 7}, Reason: "locked by 7"},
			[]string{head("protocol", "in-use") + message + "running: locked by 7</error-message>"},
		},
		{
			"conflict", &datastore.ConflictError{Keys: []schema.Key{key}},
			[]string{app("operation-failed") + at + end + message + "running has changed here too since the candidate was made or updated: " +
				"update it with another resolution-mode, or discard the changes and edit again</error-message>"},
		},
		{
			"refused", &commit.PrepareError{Path: name, Err: inside},
			[]string{app("operation-failed") + at + "/mvpn:config/mvpn:name" + end + message + "no room</error-message>"},
		},
		{
			"refused for what the schema says", &commit.PrepareError{Path: vpn, Err: &schema.Error{Tag: schema.DataExists, Message: "inner"}},
			[]string{app("operation-failed") + at + end + message + "inner</error-message>"},
		},
		{
			"failed and undone", &commit.ApplyError{Path: vpn, Err: inside},
			[]string{app("operation-failed") + at + end + message + "the change failed and was undone: /vpn-instances/vpn-instance[name=a]: no room</error-message>"},
		},
		{
			"disk failed", &commit.DiskError{Err: inside},
			[]string{app("operation-failed") + message + "the disk refused the change, nothing has changed: no room</error-message>"},
		},
		{
			"disk full", &commit.DiskError{Err: syscall.ENOSPC},
			[]string{app("resource-denied") + message + "the disk refused the change, nothing has changed: no space left on device</error-message>"},
		},
		{
			"failed and not undone", &commit.ApplyError{Path: vpn, Err: inside, Rollback: errors.New("gone")},
			[]string{app("rollback-failed") + at + end + message + "the change failed, and undoing it failed too (gone), " +
				"the agent keeps repairing the difference: /vpn-instances/vpn-instance[name=a]: no room</error-message>"},
		},
		{
			"pending commit of another", &commit.PendingError{Pending: commit.Pending{Session: 3, User: "ann", Protocol: "netconf"}},
			[]string{head("protocol", "in-use") + message + "a confirmed commit by ann over netconf waits for its confirmation until " +
				"0001-01-01T00:00:00Z: confirm or cancel it first</error-message>"},
		},
		{
			"guarded commit", &commit.GuardError{Guarded: commit.Guarded{User: "ann", Protocol: "gnmi", Peers: make([]commit.GuardedPeer, 2)}},
			[]string{head("protocol", "in-use") + message + "a guarded commit by ann over gnmi waits for 2 peers until " +
				"0001-01-01T00:00:00Z: try again when they are back or the commit is rolled back, or confirm or cancel commit 1</error-message>"},
		},
		{
			"not established", fmt.Errorf("peer x: %w", commit.ErrNotEstablished),
			[]string{app("operation-failed") + message + "peer x: the session is not established: there is nothing to reset</error-message>"},
		},
		{
			"unknown commit", fmt.Errorf("commit x: %w", commit.ErrUnknownCommit),
			[]string{app("invalid-value") + message + "commit x: there is no such commit in /agent/commits</error-message>"},
		},
		{
			"cancelled", fmt.Errorf("x: %w", context.Canceled),
			[]string{app("operation-failed") + message + "the session ended before the operation began: nothing has changed</error-message>"},
		},
		{
			"deadline", context.DeadlineExceeded,
			[]string{app("operation-failed") + message + "the session ended before the operation began: nothing has changed</error-message>"},
		},
		{"too deep", tooDeep, []string{head("rpc", "too-big") + message + "xml at byte 56: more than 2 elements nested</error-message>"}},
		{"malformed", malformed, []string{head("rpc", "malformed-message") + message + "xml at byte 0: start tag \"a\" is not closed</error-message>"}},
		{"no rpc", errNotRPC, []string{head("rpc", "malformed-message") + message + "the message is no rpc</error-message>"}},
		{"closed store", datastore.ErrClosed, []string{app("operation-failed") + message + "datastore is closed</error-message>"}},
		{"anything else", inside, []string{app("operation-failed") + message + "no room</error-message>"}},
		{
			"denied lock", lockDenied(&datastore.LockedError{Holder: datastore.Holder{Session: 7}, Reason: "already locked"}),
			[]string{head("protocol", "lock-denied") + message + "running: already locked" + info("<session-id>7</session-id>")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range wireErrors(tt.err) {
				text := string(e.appendTo(nil, ""))
				text, _ = strings.CutPrefix(text, "<rpc-error>")
				text, _ = strings.CutSuffix(text, "</rpc-error>")
				got = append(got, text)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// An absolute path that XPath 1.0 reads back (RFC 6241 4.3).
func TestDataPath(t *testing.T) {
	p := path(t, "bgp", "instances", "instance=default", "config")
	for _, tt := range []struct{ key, want string }{
		{"default", `'default'`},
		{"it's", `"it's"`},
		{`"`, `'"'`},
		{`a'b"c`, `concat('a',"'",'b"c')`},
		{"*", ""},
	} {
		p[2].Keys = []string{tt.key}
		want := "/mbgp:bgp/mbgp:instances/mbgp:instance"
		if tt.want != "" {
			want += "[mbgp:name=" + tt.want + "]"
		}
		if got := dataPath(p); got.text != want+"/mbgp:config" || len(got.prefixes) != 1 {
			t.Errorf("%q: %+v", tt.key, got)
		}
	}
	if got := dataPath(nil); got.text != "" {
		t.Errorf("no path: %+v", got)
	}
}

// Each module that hello announces has a prefix of its own for error paths.
func TestModulePrefixes(t *testing.T) {
	seen := map[string]bool{basePrefix: true}
	for _, m := range schema.Modules() {
		if p := modulePrefixes[m.Name]; p.prefix == "" || p.namespace != m.Namespace || seen[p.prefix] {
			t.Errorf("%s has %+v", m.Name, p)
		}
		seen[m.Prefix] = true
	}
}
