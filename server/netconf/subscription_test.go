package netconf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const subscribedNS = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"

// onSubscription is an operation of RFC 8639.
func onSubscription(operation, params string) string {
	return "<" + operation + ` xmlns="` + subscribedNS + `">` + params + "</" + operation + ">"
}

func establish(params string) string { return onSubscription("establish-subscription", params) }
func withID(operation, id string) string {
	return onSubscription(operation, "<id>"+id+"</id>")
}

var idReply = regexp.MustCompile(`^<id xmlns="` + subscribedNS + `">([0-9]+)</id>`)

// establish begins a subscription and returns its number.
func (c *client) establish(params string) string {
	c.Helper()
	got := c.rpc(establish(params))
	m := idReply.FindStringSubmatch(got)
	if m == nil {
		c.Fatalf("%s\nanswered %s", params, got)
	}
	return m[1]
}

// events is a subtree filter for notifications of RFC 6470.
func events(names ...string) string {
	text := "<stream-subtree-filter>"
	for _, n := range names {
		text += "<" + n + ` xmlns="` + baseEventsNS + `"/>`
	}
	return text + "</stream-subtree-filter>"
}

// configured sets vpn1 up and waits until the commit is on the stream.
func (l *listening) configured() (w, c *sshClient) {
	l.Helper()
	c, _ = l.dial("guest")
	l.told(func() {
		c.setUp()
		c.established()
	})
	w, _ = l.dial("admin")
	return w, c
}

// told returns when the commit that do makes is on the stream.
func (l *listening) told(do func()) {
	l.Helper()
	begin := time.Now().Format(time.RFC3339Nano)
	do()
	v, _ := l.dial("guest")
	v.ok(subscribe(`<filter><netconf-config-change xmlns="` + baseEventsNS + `"/></filter><startTime>` + begin + "</startTime>"))
	v.await("netconf-config-change")
}

const onNETCONF = "<stream>NETCONF</stream>"

// about is a notification about a subscription.
func about(name, id, more string) string {
	return "<" + name + ` xmlns="` + subscribedNS + `"><id>` + id + "</id>" + more + "</" + name + ">"
}

// netconf.md 74: several subscriptions in one session, each with its filter;
// the answer comes before the first notification, other operations work in
// between, and after delete-subscription nothing is sent.
func TestSubscriptions(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	const config, end = "<netconf-config-change", "<netconf-session-end"
	a := w.establish(onNETCONF + events("netconf-config-change"))
	b := w.establish(onNETCONF + events("netconf-config-change", "netconf-session-end") + "<encoding>encode-xml</encoding>")
	if a == b {
		t.Fatalf("both subscriptions have the id %s", a)
	}
	c.ok(edit(peer("", peer2, "<as>7</as>")))
	if first, second := w.notice(), w.notice(); !strings.HasPrefix(first, config) || first != second {
		t.Errorf("to both: %s, %s", first, second)
	}
	if got := w.getPeer("running", peer2); !strings.Contains(got, "<as>7</as>") {
		t.Errorf("in a session with subscriptions: %s", got)
	}
	w.ok(withID("delete-subscription", a))
	c.ok(edit(peer("", peer2, "<as>8</as>")))
	first := w.notice()
	v, _ := l.dial("guest")
	v.ok("<close-session/>")
	if second := w.notice(); !strings.HasPrefix(first, config) || !strings.HasPrefix(second, end) {
		t.Errorf("to one: %s, %s", first, second)
	}
	w.fails(withID("delete-subscription", a), "application invalid-value app-tag=ietf-subscribed-notifications:no-such-subscription path=/nc:rpc/sn:delete-subscription/sn:id")
	w.ok(withID("delete-subscription", b))
	w.ok(subscribe("")) // RFC 8640 5: none of the others is left
}

// netconf.md 74 and issue 5: what happens to the session of a peer.
func TestPeerEventsBySubscription(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	filter := "<stream-subtree-filter>"
	for _, n := range []string{"peer-reset", "peer-state-change", "peer-unresolved"} {
		filter += "<" + n + ` xmlns="` + bgpNS + `"><address>10.1.1.2</address></` + n + ">"
	}
	w.establish(onNETCONF + filter + "</stream-subtree-filter>")
	c.ok(edit(peer("", "10.1.1.9", "<as>9</as>")), resetPeer(peerParams)) // the first is another peer's
	for _, want := range []string{"<peer-reset", "<session-state>idle</session-state>", "<session-state>established</session-state>"} {
		if got := w.notice(); !strings.Contains(got, want) || !strings.Contains(got, "<address>10.1.1.2</address>") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// netconf.md 74: replay, its completion, where the log does not reach back so
// far, and stop-time.
func TestSubscriptionReplay(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	var created time.Time
	if m := regexp.MustCompile("<replay-log-creation-time>(.*)</replay-log-creation-time>").FindStringSubmatch(w.state(`<streams xmlns="` + subscribedNS + `"/>`)); m == nil {
		t.Fatal("no stream in /streams")
	} else if created, _ = time.Parse(time.RFC3339, m[1]); created.IsZero() {
		t.Fatal(m[1])
	}
	start := func(at time.Time) string {
		return "<replay-start-time>" + at.Format(time.RFC3339Nano) + "</replay-start-time>"
	}
	got := w.rpc(establish(onNETCONF + events("netconf-config-change") + start(created.Add(-time.Hour))))
	m := idReply.FindStringSubmatch(got)
	if m == nil || !strings.HasSuffix(got, `<replay-start-time-revision xmlns="`+subscribedNS+`">`+created.UTC().Format(time.RFC3339Nano)+"</replay-start-time-revision>") {
		t.Fatalf("answered %s", got)
	}
	const config = "<netconf-config-change"
	if first, second := w.notice(), w.notice(); !strings.HasPrefix(first, config) || second != about("replay-completed", m[1], "") {
		t.Errorf("replay: %s, %s", first, second)
	}
	// The live part goes on, and another subscription ends at its stop-time, without a word (RFC 8639 2.7.3).
	stop := "<stop-time>" + time.Now().Add(200*time.Millisecond).Format(time.RFC3339Nano) + "</stop-time>"
	id := w.establish(onNETCONF + events("netconf-confirmed-commit") + start(time.Now().Add(-time.Millisecond)) + stop)
	if got := w.notice(); got != about("replay-completed", id, "") {
		t.Errorf("an empty replay: %s", got)
	}
	for end := time.Now().Add(patience); strings.Contains(w.state(`<subscriptions xmlns="`+subscribedNS+`"/>`), "<id>"+id+"</id>"); {
		if time.Now().After(end) {
			t.Fatal("the subscription outlives its stop-time")
		}
	}
	c.ok(edit(peer("", peer2, "<as>7</as>")))
	if got := w.notice(); !strings.HasPrefix(got, config) {
		t.Errorf("live: %s", got)
	}
}

// netconf.md 74: what is not given stays, and the new terms begin after the
// answer, with a notification.
func TestModifySubscription(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	id := w.establish(onNETCONF + events("netconf-confirmed-commit"))
	stop := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	w.ok(onSubscription("modify-subscription", "<id>"+id+"</id><stop-time>"+stop+"</stop-time>"))
	encoding := `<encoding xmlns:sn="` + subscribedNS + `">sn:encode-xml</encoding>`
	terms := func(filter string) string {
		return filter + onNETCONF + "<stop-time>" + stop + "</stop-time>" + encoding
	}
	if got, want := w.notice(), about("subscription-modified", id, terms(events("netconf-confirmed-commit"))); got != want {
		t.Errorf("modified:\ngot  %s\nwant %s", got, want)
	}
	l.told(func() { c.ok(edit(peer("", peer2, "<description>two</description>"))) }) // not to w
	w.ok(onSubscription("modify-subscription", "<id>"+id+"</id>"+events("netconf-config-change")))
	if got, want := w.notice(), about("subscription-modified", id, terms(events("netconf-config-change"))); got != want {
		t.Errorf("modified:\ngot  %s\nwant %s", got, want)
	}
	c.ok(edit(peer("", peer2, "<description>three</description>")))
	if got := w.notice(); !strings.Contains(got, "<netconf-config-change") {
		t.Errorf("under the new terms: %s", got)
	}
	got := regexp.MustCompile("-event-records>[1-9][0-9]*<").ReplaceAllString(w.state(`<subscriptions xmlns="`+subscribedNS+`"/>`), "-event-records>N<")
	want := `<subscriptions xmlns="` + subscribedNS + `"><subscription><id>` + id + "</id>" + terms(events("netconf-config-change")) +
		fmt.Sprintf("<receivers><receiver><name>session %d</name><sent-event-records>N</sent-event-records><excluded-event-records>N</excluded-event-records>", w.id) +
		"<state>active</state></receiver></receivers></subscription></subscriptions>"
	if got != want {
		t.Errorf("state:\ngot  %s\nwant %s", got, want)
	}
	past := time.Now().Add(-time.Hour).Format(time.RFC3339)
	w.fails(onSubscription("modify-subscription", "<id>"+id+"</id><stop-time>"+past+"</stop-time>"), "protocol invalid-value path=/nc:rpc/sn:modify-subscription/sn:stop-time")
	c.fails(onSubscription("modify-subscription", "<id>"+id+"</id>"), "application invalid-value app-tag=ietf-subscribed-notifications:no-such-subscription path=/nc:rpc/sn:modify-subscription/sn:id")
}

// netconf.md 74: another session's subscription is killed, and it is told why.
func TestKillSubscription(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, _ := l.dial("admin")
	c, _ := l.dial("guest")
	id := w.establish(onNETCONF + events())
	c.fails(withID("delete-subscription", id), "application invalid-value app-tag=ietf-subscribed-notifications:no-such-subscription path=/nc:rpc/sn:delete-subscription/sn:id")
	c.ok(withID("kill-subscription", id))
	if got, want := w.notice(), about("subscription-terminated", id, `<reason xmlns:sn="`+subscribedNS+`">sn:no-such-subscription</reason>`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for end := time.Now().Add(patience); ; { // the notification goes out a moment before it is gone
		if got := c.rpc(withID("kill-subscription", id)); strings.Contains(got, "no-such-subscription") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a subscription that was killed is still there")
		}
	}
	w.ok("<close-session/>")
	w.wantGoodbye()
	if got := c.state(`<subscriptions xmlns="` + subscribedNS + `"/>`); got != `<subscriptions xmlns="`+subscribedNS+`"/>` {
		t.Errorf("left: %s", got)
	}
}

// netconf.md 46, 74: an expression is true for the notifications that are
// wanted. Names of modules are prefixes that need no declaration.
func TestSubscriptionXPath(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	for _, filter := range []string{
		fmt.Sprintf(`<stream-xpath-filter>/ietf-netconf-notifications:*[ietf-netconf-notifications:changed-by/ietf-netconf-notifications:session-id = %d]</stream-xpath-filter>`, c.id),
		`<stream-xpath-filter xmlns:n="` + baseEventsNS + `"> count(//n:edit[contains(n:target, "10.1.1.2")]) > 0 </stream-xpath-filter>`,
		`<stream-xpath-filter xmlns:n="` + baseEventsNS + `">/n:netconf-config-change/n:datastore = "running"</stream-xpath-filter>`,
	} {
		id := w.establish(onNETCONF + filter)
		if got, want := w.state(`<subscriptions xmlns="`+subscribedNS+`"/>`), "</stream-xpath-filter>"+onNETCONF; !strings.Contains(got, want) {
			t.Errorf("state: no %s in %s", want, got)
		}
		v, _ := l.dial("guest") // tells of its session, and of nothing else
		v.ok(edit(vpn1), "<close-session/>")
		v.wantGoodbye()
		c.ok(edit(peer("", peer2, "<description>"+id+"</description>")))
		if got := w.notice(); !strings.HasPrefix(got, "<netconf-config-change") {
			t.Errorf("%s let through %s", filter, got)
		}
		w.ok(withID("delete-subscription", id))
	}
	w.ok(subscribe(`<filter type="xpath" xmlns:n="` + baseEventsNS + `" select="/n:netconf-config-change"/>`)) // RFC 5277
	v, _ := l.dial("guest")
	v.ok("<close-session/>")
	c.ok(edit(peer("", peer2, "<description>last</description>")))
	if got := w.notice(); !strings.HasPrefix(got, "<netconf-config-change") {
		t.Errorf("create-subscription: %s", got)
	}
}

// netconf.md 74: tags and app-tags of RFC 8640 7.
func TestEstablishErrors(t *testing.T) {
	c := newRig(t, Limits{}).open()
	const here, app = " path=/nc:rpc/sn:establish-subscription", "app-tag=ietf-subscribed-notifications:"
	future, past := time.Now().Add(time.Hour).Format(time.RFC3339), time.Now().Add(-time.Hour).Format(time.RFC3339)
	for params, want := range map[string]string{
		"":                                     "protocol missing-element" + here + " element=stream",
		"<stream>SNMP</stream>":                "protocol invalid-value" + here + "/sn:stream",
		onNETCONF + "<dscp>0</dscp>":           "protocol unknown-element" + here + " element=dscp", // a feature that is not there
		onNETCONF + "<weighting>1</weighting>": "protocol unknown-element" + here + " element=weighting",
		onNETCONF + "<stream-xpath-filter>/x[</stream-xpath-filter>":                                                 "application invalid-value " + app + "filter-unsupported" + here + "/sn:stream-xpath-filter",
		onNETCONF + "<stream-filter-name>x</stream-filter-name>":                                                     "application data-missing app-tag=instance-required" + here + "/sn:stream-filter-name",
		onNETCONF + "<encoding>encode-json</encoding>":                                                               "application invalid-value " + app + "encoding-unsupported" + here + "/sn:encoding",
		onNETCONF + "<encoding>x:y</encoding>":                                                                       "protocol invalid-value" + here + "/sn:encoding",
		onNETCONF + "<stream-subtree-filter><a>x<b/></a></stream-subtree-filter>":                                    "application invalid-value " + app + "filter-unsupported" + here + "/sn:stream-subtree-filter",
		onNETCONF + "<stream-subtree-filter><a>" + strings.Repeat("x", 70_000) + "</a></stream-subtree-filter>":      "application invalid-value " + app + "filter-unsupported" + here + "/sn:stream-subtree-filter",
		onNETCONF + "<replay-start-time>" + future + "</replay-start-time>":                                          "protocol invalid-value" + here + "/sn:replay-start-time",
		onNETCONF + "<replay-start-time>now</replay-start-time>":                                                     "protocol invalid-value" + here + "/sn:replay-start-time",
		onNETCONF + "<stop-time>" + past + "</stop-time>":                                                            "protocol invalid-value" + here + "/sn:stop-time",
		onNETCONF + "<replay-start-time>" + past + "</replay-start-time><stop-time>2001-01-01T00:00:00Z</stop-time>": "protocol invalid-value" + here + "/sn:stop-time",
	} {
		c.fails(establish(params), want)
	}
	got := c.rpc(establish(onNETCONF + "<stream-subtree-filter><a>x<b/></a></stream-subtree-filter>"))
	if want := `<establish-subscription-stream-error-info xmlns="` + subscribedNS + `"><reason xmlns:sn="` + subscribedNS + `">sn:filter-unsupported</reason><filter-failure-hint>`; !strings.Contains(got, "<error-info>"+want) {
		t.Errorf("no %s in %s", want, got)
	}
	for range 128 {
		c.establish(onNETCONF + events("x"))
	}
	c.fails(establish(onNETCONF), "application resource-denied "+app+"insufficient-resources")
	c.fails(subscribe(""), "protocol operation-not-supported") // RFC 8640 5
	for _, op := range []string{"modify-subscription", "delete-subscription", "kill-subscription"} {
		path := " path=/nc:rpc/sn:" + op
		c.fails(withID(op, "4294967295"), "application invalid-value "+app+"no-such-subscription"+path+"/sn:id")
		c.fails(withID(op, "-1"), "protocol invalid-value"+path+"/sn:id")
		c.fails(onSubscription(op, ""), "protocol missing-element"+path+" element=id")
	}
	old := newRig(t, Limits{}).open()
	old.ok(subscribe(""))
	old.fails(establish(onNETCONF), "protocol operation-not-supported") // RFC 8640 5
}

// lint runs yanglint on a message, with the modules and features that hello
// announces, and fails for anything that it says.
func (l *linter) check(kind, text string, more ...string) {
	l.Helper()
	file := filepath.Join(l.TempDir(), "message.xml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
	args := []string{"-p", "../../yang/ietf", "-p", "../../yang", "-t", kind}
	for _, m := range l.modules {
		if f := l.features[m]; f != "" {
			args = append(args, "-F", m+":"+f)
		}
	}
	args = append(args, more...)
	for _, m := range l.modules {
		args = append(args, moduleFile(m))
	}
	if out, err := exec.CommandContext(l.Context(), l.path, append(args, file)...).CombinedOutput(); err != nil || len(out) != 0 {
		l.Errorf("%s: %v\n%s\n%s", kind, err, out, text)
	}
}

type linter struct {
	*testing.T
	path     string
	modules  []string
	features map[string]string
}

// newLinter knows the features that a server announces.
func newLinter(t *testing.T, greeting string, modules ...string) *linter {
	l := &linter{t, need(t, "/usr/bin/yanglint", "libyang2-tools"), modules, map[string]string{}}
	for _, m := range regexp.MustCompile(`[?]module=([^&<]+)&amp;revision=[0-9-]+&amp;features=([^&<]+)`).FindAllStringSubmatch(greeting, -1) {
		l.features[m[1]] = m[2]
	}
	return l
}

// reply checks a reply against the operation that it answers.
func (l *linter) reply(c *client, operation string, more ...string) string {
	l.Helper()
	c.next++
	rpc := fmt.Sprintf(`<rpc xmlns=%q message-id="%d">%s</rpc>`, ncNS, c.next, operation)
	file := filepath.Join(l.TempDir(), "rpc.xml")
	if err := os.WriteFile(file, []byte(rpc), 0o600); err != nil {
		l.Fatal(err)
	}
	got := c.exchange(rpc)
	l.check("nc-reply", got, append(more, "-R", file)...)
	return got
}

// netconf.md 74: libyang takes operations, answers, notifications and state for
// valid against the published modules.
func TestSubscriptionsAgainstYanglint(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.pipe("admin")
	greeting := c.readHello()
	c.send(hello(base10) + "]]>]]>")
	lint := newLinter(t, greeting, "ietf-subscribed-notifications", "mooring-deviations", "ietf-netconf-notifications")
	begin := time.Now().Add(-time.Hour).Format(time.RFC3339)
	lint.reply(c, establish(onNETCONF+events("netconf-config-change")+"<replay-start-time>"+begin+"</replay-start-time>"))
	lint.check("nc-notif", c.read()) // replay-completed
	id := c.establish(onNETCONF)
	lint.reply(c, onSubscription("modify-subscription", "<id>"+id+`</id><stream-xpath-filter xmlns:n="`+baseEventsNS+`">/n:netconf-config-change</stream-xpath-filter>`))
	lint.check("nc-notif", c.read()) // subscription-modified
	lint.check("data", c.state(`<streams xmlns="`+subscribedNS+`"/>`)+c.state(`<subscriptions xmlns="`+subscribedNS+`"/>`))
	r.open().ok(withID("kill-subscription", id))
	lint.check("nc-notif", c.read()) // subscription-terminated
	if !slices.Contains(lint.modules, "mooring-deviations") || lint.features["ietf-subscribed-notifications"] == "" {
		t.Error("the features are not in hello")
	}
}
