package netconf

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

const agentNS = "urn:mooring:yang:agent"

func inAgent(container string) string {
	return `<agent xmlns="` + agentNS + `"><` + container + "/></agent>"
}

// agentState is a container of the agent's state, with the times in it as T.
func (c *client) agentState(container string) string {
	c.Helper()
	got := strings.TrimSuffix(strings.TrimPrefix(c.state(inAgent(container)), `<agent xmlns="`+agentNS+`">`), "</agent>")
	return stamps.ReplaceAllString(got, ">T<")
}

var stamps = regexp.MustCompile(`>\d{4}-\d\d-\d\dT[0-9:.]+Z<`)

// netconf.md 56, 57: the state of the agent tells of the confirmed commit that
// waits, without the word that confirms it.
func TestPendingCommitInState(t *testing.T) {
	r, c := ready(t)
	w, other := r.open(), r.open()
	if got := other.agentState("confirmed-commit"); got != "" {
		t.Errorf("nothing waits: %s", got)
	}
	id := w.establish(of("operational", inAgent("confirmed-commit")) + onChange(""))
	w.notice() // nothing is there
	first := r.engine.Store().Running().Revision() + 1
	c.ok(editDraft(peer("", peer2, "<as>201</as>")), confirmed(persist("a-word")+timeout(1000)))
	left := regexp.MustCompile(`<timeout-left>(9[89]\d|1000)</timeout-left>`)
	want := fmt.Sprintf("<confirmed-commit><commit-id>%d</commit-id><user>admin</user><protocol>netconf</protocol><session-id>%d</session-id>"+
		"<persistent>true</persistent><rollback-time>T</rollback-time>LEFT</confirmed-commit>", first, c.id)
	if got := left.ReplaceAllString(other.agentState("confirmed-commit"), "LEFT"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if all := other.rpc("<get/>"); strings.Contains(all, "a-word") {
		t.Error("the persist-id is told")
	}
	const target = "/mooring-agent:agent/confirmed-commit"
	told := strings.Join(w.edits(id, 0), "\n")
	for !strings.Contains(told, target+"/commit-id") { // which may come a little later than the rest
		told += "\n" + strings.Join(w.edits(id, 1), "\n")
	}
	for _, leaf := range []string{"user", "rollback-time", "persistent"} {
		if !strings.Contains(told, "create "+target+"/"+leaf+" <"+leaf) {
			t.Errorf("%s was not told: %s", leaf, told)
		}
	}
	if strings.Contains(told, "timeout-left") {
		t.Errorf("what changes all the time is told: %s", told)
	}
	c.ok(editDraft(peer("", peer2, "<as>202</as>")), confirmed(persistID("a-word")))
	if got := left.ReplaceAllString(other.agentState("confirmed-commit"), "LEFT"); !strings.Contains(got, fmt.Sprintf("<commit-id>%d</commit-id>", first)) || strings.Contains(got, "LEFT") {
		t.Errorf("extended: %s", got)
	}
	c.ok(confirmWith("a-word"))
	if got := other.agentState("confirmed-commit"); got != "" {
		t.Errorf("confirmed: %s", got)
	}
	c.ok(editDraft(peer("", peer2, "<as>203</as>")), confirmed(""))
	if got := other.agentState("confirmed-commit"); !strings.Contains(got, "<persistent>false</persistent>") {
		t.Errorf("without persist: %s", got)
	}
	c.ok("<close-session/>")
	if got := other.until(inAgent("state")+inAgent("confirmed-commit"), fmt.Sprintf("<revision>%d</revision>", first+3)); strings.Contains(got, "confirmed-commit") {
		t.Errorf("taken back: %s", got)
	}
}

// netconf.md 74: the state of the agent tells of those who listen, as long as
// they do.
func TestListenersInState(t *testing.T) {
	r, c := ready(t)
	old, w := r.open(), r.open()
	if got := c.agentState("subscriptions"); got != "" {
		t.Errorf("nobody listens: %s", got)
	}
	entry := func(id int, session *client, mode string, paths int) string {
		return fmt.Sprintf("<subscription><id>%d</id><protocol>netconf</protocol><user>admin</user><session-id>%d</session-id><mode>%s</mode><paths>%d</paths><since>T</since></subscription>",
			id, session.id, mode, paths)
	}
	want := func(what string, entries ...string) {
		t.Helper()
		text := strings.Join(entries, "")
		if text != "" {
			text = "<subscriptions>" + text + "</subscriptions>"
		}
		for end := time.Now().Add(patience); c.agentState("subscriptions") != text; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s\ngot  %s\nwant %s", what, c.agentState("subscriptions"), text)
			}
		}
	}
	// One after the other: they begin when the answer is out.
	old.ok(subscribe(`<filter type="subtree"><replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/></filter>`))
	want("one listens", entry(1, old, "events", 1))
	events := w.establish(onNETCONF + events("netconf-config-change"))
	want("two listen", entry(1, old, "events", 1), entry(2, w, "events", 1))
	changes := w.establish(of("running", "") + onChange(""))
	w.notice() // push-update
	want("three listen", entry(1, old, "events", 1), entry(2, w, "events", 1), entry(3, w, "on-change", 0))
	w.ok(onSubscription("modify-subscription", "<id>"+changes+"</id>"+of("running", peers(""))+periodic("<period>90000</period>")))
	w.notice() // subscription-modified
	w.notice() // the first update of the new terms
	want("one is modified", entry(1, old, "events", 1), entry(2, w, "events", 1), entry(3, w, "periodic", 1))
	w.ok(withID("delete-subscription", events))
	want("one is deleted", entry(1, old, "events", 1), entry(3, w, "periodic", 1))
	w.ok("<close-session/>")
	want("its session has ended", entry(1, old, "events", 1))
	old.ok("<close-session/>")
	want("the last one too")
}

// netconf.md 64: the state of the agent tells of the clients that it calls, also
// when that changes.
func TestCallHomeInState(t *testing.T) {
	gone, h := newHome(t), newHome(t)
	_ = gone.Close()
	r := newRig(t, Limits{})
	w, c := r.open(), r.open()
	id := w.establish(of("operational", inAgent("call-home")) + onChange(""))
	w.notice() // nobody is called
	l := r.calling(CallHome{Name: "nms", MaxAttempts: 1, Endpoints: []Endpoint{{Name: "west", Address: gone.address()}, {Name: "east", Address: h.address()}}})
	conn := l.sshOver(h.called(), "admin")
	nms := inAgent("call-home")
	got := c.until(nms, "<status>connected</status>")
	for _, part := range []string{
		"<name>nms</name>", "<endpoint>east</endpoint><address>" + h.address() + "</address><transport>ssh</transport><connected-since>",
		"<connections>1</connections><failed-attempts>1</failed-attempts><last-error>dial tcp " + gone.address() + ": connect: connection refused</last-error><last-error-time>",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("connected: no %s in %s", part, got)
		}
	}
	told := ""
	for patch := 0; !strings.Contains(told, ">connected<"); patch++ { // in one patch or in several
		told += strings.Join(w.edits(id, patch), "\n")
	}
	if !strings.Contains(told, "/mooring-agent:agent/call-home/client=nms") {
		t.Errorf("told: %s", told)
	}
	s := l.start(conn)
	if !s.subsystem("netconf") {
		t.Fatal("subsystem refused")
	}
	s.greet(base10, base11)
	s.ok(subscribe(""))
	c.until(inAgent("subscriptions"), "<client>"+h.address()+"</client>")
	_ = conn.Close()
	if got := c.until(nms, "<status>waiting</status>"); !strings.Contains(got, "<next-call>") || strings.Contains(got, "<connected-since>") || !strings.Contains(got, "<failed-attempts>0<") {
		t.Errorf("between two calls: %s", got)
	}
}

// netconf.md 75: the capabilities say of which nodes no change is told.
func TestUntoldInCapabilities(t *testing.T) {
	_, c := ready(t)
	got := c.state(`<system-capabilities xmlns="urn:ietf:params:xml:ns:yang:ietf-system-capabilities"/>`)
	_, operational, _ := strings.Cut(got, ">ds:operational</datastore>")
	for _, node := range []string{
		`xmlns:magent="` + agentNS + `">/magent:agent/magent:subscriptions`, `xmlns:magent="` + agentNS + `">/magent:agent/magent:confirmed-commit/magent:timeout-left`,
		`xmlns:nacm="` + nacmNS + `">/nacm:nacm/nacm:denied-operations`, ">/",
	} {
		_, said, ok := strings.Cut(operational, node+"</node-selector>")
		said, _, _ = strings.Cut(said, "</per-node-capabilities>")
		if onChange := strings.Contains(said, "<on-change-supported>config-changes state-changes<"); !ok || onChange != (node == ">/") {
			t.Errorf("%s: %t, %s in %s", node, ok, said, operational)
		}
	}
}
