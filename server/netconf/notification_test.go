package netconf

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/bgp"
)

const (
	notificationNS = "urn:ietf:params:xml:ns:netconf:notification:1.0"
	manageNS       = "urn:ietf:params:xml:ns:netmod:notification"
	baseEventsNS   = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
)

func subscribe(params string) string {
	return `<create-subscription xmlns="` + notificationNS + `">` + params + "</create-subscription>"
}

// notification is one as a client reads it.
type notification struct {
	XMLName xml.Name
	Time    string `xml:"eventTime"`
	Inner   string `xml:",innerxml"`
}

// notice reads the next message, which must be a notification, and returns its
// content.
func (c *client) notice() string {
	c.Helper()
	text := c.read()
	var n notification
	if err := xml.Unmarshal([]byte(text), &n); err != nil || n.XMLName.Space != notificationNS || n.XMLName.Local != "notification" {
		c.Fatalf("not a notification: %v: %s", err, text)
	}
	if _, err := time.Parse(time.RFC3339, n.Time); err != nil {
		c.Errorf("eventTime: %v", err) // netconf.md 72
	}
	_, content, _ := strings.Cut(n.Inner, "</eventTime>")
	return content
}

// await reads notifications until one has all the texts.
func (c *client) await(texts ...string) string {
	c.Helper()
	for {
		got := c.notice()
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(got, s) }) {
			return got
		}
	}
}

// subscribed is a session over SSH with a subscription, and one to work in.
func subscribed(t *testing.T, params string) (l *listening, watcher, worker *sshClient) {
	t.Helper()
	l = newRig(t, Limits{}).listen()
	watcher, _ = l.dial("admin")
	worker, _ = l.dial("guest")
	first, _ := l.dial("admin") // sees all of the set-up, of which the watcher shall see nothing
	first.ok(subscribe(""))
	worker.setUp()
	worker.established()
	first.await("peer-state-change", "<session-state>established")
	watcher.ok(subscribe(params))
	return l, watcher, worker
}

// netconf.md 70, 73: a commit is told with who made it and what it changed.
func TestConfigChange(t *testing.T) {
	l, w, c := subscribed(t, "")
	by := fmt.Sprintf("<changed-by><username>guest</username><session-id>%d</session-id><source-host>127.0.0.1</source-host></changed-by><datastore>running</datastore>", c.id)
	one := func(path, operation string) string {
		return `<edit><target xmlns:mbgp="` + bgpNS + `">` + path + "</target><operation>" + operation + "</operation></edit>"
	}
	want := func(op string, edits ...string) {
		t.Helper()
		c.ok(op)
		if got, want := w.await("netconf-config-change"), `<netconf-config-change xmlns="`+baseEventsNS+`">`+by+strings.Join(edits, "")+"</netconf-config-change>"; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", op, got, want)
		}
	}
	new3 := strings.Replace(peerPath, peer2, "10.1.1.3", 1)
	want(edit(peer("", peer2, "<as>201</as><description>it's new</description>")),
		one(peerPath+"/mbgp:config/mbgp:description", "merge"), one(peerPath+"/mbgp:config/mbgp:as", "merge"))
	want(edit(peer("", "10.1.1.3", "<as>3</as>")), one(new3, "create"))
	c.ok(editDraft(peer(` nc:operation="delete"`, "10.1.1.3", "")), editDraft(peer("", peer2, `<description nc:operation="delete"/>`)))
	want("<commit/>", one(peerPath+"/mbgp:config/mbgp:description", "delete"), one(new3, "delete"))
	c.ok(edit(peer("", peer2, "<as>201</as>"))) // netconf.md 42: changes nothing, so nothing is told
	want(edit(peer("", peer2, "<local-as>9</local-as>")), one(peerPath+"/mbgp:config/mbgp:local-as", "create"))
	// More than can be told one by one.
	var many strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&many, "<peer><address>10.7.%d.%d</address><config><as>7</as></config></peer>", i>>8, i&255)
	}
	want(edit(instance("<peers>"+many.String()+"</peers>")), one("/mbgp:bgp", "merge"))
	_ = l
}

// netconf.md 70 and issue 5: what happens to the session of a peer.
func TestPeerEvents(t *testing.T) {
	l, w, c := subscribed(t, "<stream>NETCONF</stream>")
	name := "<instance>default</instance><vpn-instance>vpn1</vpn-instance><address>10.1.1.2</address>"
	l.speaker.Hold()
	c.ok(resetPeer(peerParams))
	got := w.await("<peer-reset")
	for _, part := range []string{
		`<peer-reset xmlns="` + bgpNS + `">` + name + "<time>", "<cause>operator</cause>", "<notification-code>6</notification-code>",
		"<notification-subcode>4</notification-subcode><notification-direction>sent</notification-direction>", "<text>",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if got, want := w.notice(), `<peer-state-change xmlns="`+bgpNS+`">`+name+"<session-state>idle</session-state><previous-state>established</previous-state></peer-state-change>"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	l.speaker.Release()
	w.await("<peer-state-change", "<session-state>established</session-state><previous-state>idle</previous-state>")
	if err := l.speaker.EndByRemote(peerKey, &bgp.Notification{Code: 6, Subcode: 3}); err != nil {
		t.Fatal(err)
	}
	w.await("<peer-reset", "<cause>remote</cause>", "<notification-direction>received</notification-direction>")
	w.await("<session-state>idle</session-state>")
	w.await("<session-state>established</session-state>")
	l.speaker.Hold()
	c.ok(edit(peer(` nc:operation="delete"`, peer2, "")))
	w.await("<peer-state-change", "<session-state>idle</session-state><previous-state>established</previous-state>")
}

// netconf.md 73: the life of sessions.
func TestSessionEvents(t *testing.T) {
	l, w, c := subscribed(t, `<filter><netconf-session-start xmlns="`+baseEventsNS+`"/><netconf-session-end xmlns="`+baseEventsNS+`"/></filter>`)
	c.ok(edit(peer("", peer2, "<as>201</as>"))) // passes the filter as little as what peers do
	ends := []struct {
		name string
		end  func(*sshClient)
		want string
	}{
		{"close-session", func(v *sshClient) { v.ok("<close-session/>") }, "<termination-reason>closed</termination-reason>"},
		{"connection lost", func(v *sshClient) { _ = v.conn.Close() }, "<termination-reason>dropped</termination-reason>"},
		{"kill-session", func(v *sshClient) { c.ok(kill(v.id)) }, fmt.Sprintf("<killed-by>%d</killed-by><termination-reason>killed</termination-reason>", c.id)},
		{"framing", func(v *sshClient) { v.send("\n#0\n") }, "<termination-reason>other</termination-reason>"},
	}
	for _, tt := range ends {
		t.Run(tt.name, func(t *testing.T) {
			v, _ := l.dial("guest")
			who := fmt.Sprintf("<username>guest</username><session-id>%d</session-id><source-host>127.0.0.1</source-host>", v.id)
			if got, want := w.notice(), `<netconf-session-start xmlns="`+baseEventsNS+`">`+who+"</netconf-session-start>"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			tt.end(v)
			if got, want := w.notice(), `<netconf-session-end xmlns="`+baseEventsNS+`">`+who+tt.want+"</netconf-session-end>"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	v := l.start(l.mustLogin("guest"))
	v.subsystem("netconf")
	v.readHello()
	w.await("netconf-session-start")
	v.send("<hello/>]]>]]>")
	w.await("<termination-reason>bad-hello</termination-reason>") // netconf.md 2
}

// netconf.md 71
func TestSubscriptionErrors(t *testing.T) {
	c := newRig(t, Limits{}).open()
	const here = " path=/nc:rpc/ncEvent:create-subscription"
	future, past := time.Now().Add(time.Hour).Format(time.RFC3339), time.Now().Add(-time.Hour).Format(time.RFC3339)
	for params, want := range map[string]string{
		"<stream>SNMP</stream>":                 "protocol invalid-value" + here + "/ncEvent:stream",
		"<startTime>" + future + "</startTime>": "protocol bad-element" + here + "/ncEvent:startTime element=startTime",
		"<stopTime>" + future + "</stopTime>":   "protocol missing-element" + here + " element=startTime",

		"<startTime>" + past + "</startTime><stopTime>2001-01-01T00:00:00Z</stopTime>": "protocol bad-element" + here + "/ncEvent:stopTime element=stopTime",
		"<startTime>yesterday</startTime>":                                             "protocol bad-element" + here + "/ncEvent:startTime element=startTime",
		"<startTime>2026-01-01T00:00:00</startTime>":                                   "protocol bad-element" + here + "/ncEvent:startTime element=startTime",
		`<filter type="xslt"/>`:                                                        "protocol bad-attribute" + here + "/ncEvent:filter attribute=type element=filter",
		`<filter type="xpath" select="/x["/>`:                                          "protocol bad-attribute" + here + "/ncEvent:filter attribute=select element=filter",
		"<filter><a>x<b/></a></filter>":                                                "protocol bad-element" + here + "/ncEvent:filter element=filter",
		"<speed/>":                                                                     "protocol unknown-element" + here + " element=speed",
	} {
		c.fails(subscribe(params), want)
	}
	c.ok(subscribe(""))
	c.fails(subscribe(""), "protocol operation-failed")
}

// netconf.md 70, 72: the log is told, then live, and other operations work in
// between; after the stop time the session may subscribe again.
func TestReplay(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	c, _ := l.dial("guest")
	begin := time.Now().UTC()
	c.setUp()
	c.established()
	w, _ := l.dial("admin")
	if got := w.state(`<netconf xmlns="` + manageNS + `"/>`); !strings.Contains(got, "<stream><name>NETCONF</name><description>") ||
		!strings.Contains(got, "<replaySupport>true</replaySupport><replayLogCreationTime>") || strings.Contains(got, "replayLogAgedTime") {
		t.Errorf("streams: %s", got)
	}
	stop := time.Now().Add(300 * time.Millisecond)
	filter := `<filter><netconf-config-change xmlns="` + baseEventsNS + `"/></filter>`
	times := fmt.Sprintf("<startTime>%s</startTime><stopTime>%s</stopTime>", begin.Format(time.RFC3339Nano), stop.Format(time.RFC3339Nano))
	w.ok(subscribe(filter + times)) // <ok/> comes first: ok reads the next message
	const config, replayed = "<netconf-config-change", `<replayComplete xmlns="` + manageNS + `"/>`
	if first, second := w.notice(), w.notice(); !strings.HasPrefix(first, config) || second != replayed {
		t.Errorf("replay: %s, %s", first, second)
	}
	if got := w.getPeer("running", peer2); got == "" { // :interleave
		t.Error("no answer in a session with a subscription")
	}
	c.ok(edit(peer("", peer2, "<as>7</as>")))
	if live, end := w.notice(), w.notice(); !strings.HasPrefix(live, config) || end != `<notificationComplete xmlns="`+manageNS+`"/>` {
		t.Errorf("live: %s, %s", live, end)
	}
	for end := time.Now().Add(patience); w.rpc(subscribe(filter)) != "<ok/>"; {
		if time.Now().After(end) {
			t.Fatal("no second subscription after the end of the first")
		}
	}
	c.ok(edit(peer("", peer2, "<as>8</as>")))
	w.await(config)
	if got := w.serverState(); got.Sessions[1].Notices != 5 || got.Statistics.Notices != 5 {
		t.Errorf("counters of notifications: %+v, %+v", got.Sessions, got.Statistics)
	}
}

// netconf.md 72: who does not read is dropped, and edits never wait for it.
func TestSlowSubscriber(t *testing.T) {
	r := newRig(t, Limits{WriteTimeout: 50 * time.Millisecond})
	l := r.listen()
	w := r.open() // a pipe: nothing is buffered
	w.ok(subscribe(""))
	c, _ := l.dial("guest")
	c.setUp()
	for i := range 50 {
		c.ok(edit(peer("", peer2, fmt.Sprintf("<as>%d</as>", i+1))))
	}
	w.wantReason(errStalled.Error())
}

// A session with a subscription ends as soon as any other.
func TestSubscriberEnds(t *testing.T) {
	_, w, c := subscribed(t, "")
	w.ok("<close-session/>")
	w.wantGoodbye()
	c.ok(edit(peer("", peer2, "<as>5</as>")))
}

// A peer that cannot find its source is told, with the reason.
func TestUnresolvedPeer(t *testing.T) {
	r := newRigWith(t, missing{}, Limits{})
	l := r.listen()
	w, _ := l.dial("admin")
	w.ok(subscribe(`<filter><peer-unresolved xmlns="` + bgpNS + `"/></filter>`))
	w.send(w.frame(fmt.Sprintf(`<rpc xmlns="%s" message-id="x">%s</rpc>`, ncNS, edit(vpn1+instance("<peers><peer><address>"+peer2+
		"</address><config><as>200</as></config><transport><connect-interface><config><interface>lo7</interface></config></connect-interface></transport></peer></peers>")))))
	for range 2 { // the answer and the notification, in any order
		if got := w.read(); strings.Contains(got, "<rpc-reply") {
			if !strings.Contains(got, "<ok/>") {
				t.Error(got)
			}
		} else if !strings.Contains(got, "<down-reason>interface-missing</down-reason><detail>there is no lo7</detail>") {
			t.Error(got)
		}
	}
}

// netconf.md 73: libyang takes the notifications for valid against the published modules.
func TestNotificationsAgainstYanglint(t *testing.T) {
	lint := need(t, "/usr/bin/yanglint", "libyang2-tools")
	_, w, c := subscribed(t, "")
	c.ok(edit(peer("", peer2, "<as>201</as>")), editDraft(peer("", peer2, "<as>202</as>")), confirmed(""), cancelCommit,
		editDraft(peer("", peer2, "<as>203</as>")), confirmed(timeout(1)))
	seen := map[string]bool{}
	file, running := filepath.Join(t.TempDir(), "notification.xml"), filepath.Join(t.TempDir(), "running.xml")
	if err := os.WriteFile(running, []byte(c.reads("")), 0o600); err != nil { // what targets lead to
		t.Fatal(err)
	}
	for len(seen) < 5 {
		got := w.read()
		_, content, _ := strings.Cut(got, "</eventTime><")
		kind, _, _ := strings.Cut(content, " ")
		if _, event, ok := strings.Cut(content, "<confirm-event>"); ok {
			kind += event[:3]
		}
		if seen[kind] {
			continue
		}
		seen[kind] = true
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		modules := []string{moduleFile("mooring-bgp"), moduleFile("mooring-vpn-instance"), moduleFile("ietf-netconf-notifications"), moduleFile("nc-notifications")}
		args := slices.Concat([]string{"-p", "../../yang/ietf", "-p", "../../yang", "-O", running, "-t", "nc-notif"}, modules, []string{file})
		if out, err := exec.CommandContext(t.Context(), lint, args...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, got)
		}
	}
}
