package netconf

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/bgp"
)

const (
	pushNS       = "urn:ietf:params:xml:ns:yang:ietf-yang-push"
	datastoresNS = "urn:ietf:params:xml:ns:yang:ietf-datastores"
)

// of names a datastore and a filter in it, empty for everything.
func of(datastore, filter string) string {
	text := `<datastore xmlns="` + pushNS + `" xmlns:ds="` + datastoresNS + `">ds:` + datastore + "</datastore>"
	if filter != "" {
		text += `<datastore-subtree-filter xmlns="` + pushNS + `">` + filter + "</datastore-subtree-filter>"
	}
	return text
}

func onChange(params string) string {
	return `<on-change xmlns="` + pushNS + `">` + params + "</on-change>"
}

func periodic(params string) string {
	return `<periodic xmlns="` + pushNS + `">` + params + "</periodic>"
}

func resync(id string) string {
	return `<resync-subscription xmlns="` + pushNS + `"><id>` + id + "</id></resync-subscription>"
}

// peers is a filter of what stands in the list of peers, whichever they are.
func peers(inPeers string) string {
	return `<bgp xmlns="` + bgpNS + `"><instances><instance><vpn-instances><vpn-instance><peers>` + inPeers + "</peers></vpn-instance></vpn-instances></instance></instances></bgp>"
}

// edits are those of the yang-patch in a push-change-update, as
// "operation target value", after checking what is around them.
func (c *client) edits(id string, patch int) []string {
	c.Helper()
	got := c.notice()
	head := fmt.Sprintf(`<push-change-update xmlns="%s"><id>%s</id><datastore-changes><yang-patch><patch-id>%d</patch-id>`, pushNS, id, patch)
	body, ok := strings.CutPrefix(got, head)
	body, ok2 := strings.CutSuffix(body, "</yang-patch></datastore-changes></push-change-update>")
	if !ok || !ok2 {
		c.Fatalf("got  %s\nwant %s", got, head)
	}
	var out []string
	for i, m := range editOfPatch.FindAllStringSubmatch(body, -1) {
		if m[1] != fmt.Sprint(i+1) {
			c.Errorf("edit-id %s, want %d", m[1], i+1)
		}
		out = append(out, strings.TrimSpace(m[2]+" "+m[3]+" "+m[4]))
	}
	return out
}

var editOfPatch = regexp.MustCompile(`<edit><edit-id>(\d+)</edit-id><operation>([a-z]+)</operation><target>([^<]*)</target>(?:<value>(.*?)</value>)?</edit>`)

const (
	targetVPN  = "/mooring-bgp:bgp/instances/instance=default/vpn-instances/vpn-instance=vpn1"
	targetPeer = targetVPN + "/peers/peer=10.1.1.2"
	inBGP      = ` xmlns="` + bgpNS + `"`
)

func (c *client) wantEdits(id string, patch int, want ...string) {
	c.Helper()
	if got := c.edits(id, patch); strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.Errorf("patch %d:\ngot\n%s\nwant\n%s", patch, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// netconf.md 75: all that is selected first, then what changes, as edits of a
// YANG patch; running and intended are configuration only.
func TestPushOnChange(t *testing.T) {
	for _, datastore := range []string{"running", "intended"} {
		t.Run(datastore, func(t *testing.T) {
			l := newRig(t, Limits{}).listen()
			w, c := l.configured()
			id := w.establish(of(datastore, peers("")) + onChange(""))
			first := `<push-update xmlns="` + pushNS + `"><id>` + id + "</id><datastore-contents>"
			all := instance("<peers><peer><address>10.1.1.2</address><config><address>10.1.1.2</address><description>one</description><as>200</as></config></peer></peers>")
			if got, want := w.notice(), first+strings.Replace(all, "<config><as>100</as></config>", "", 1)+"</datastore-contents></push-update>"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			c.ok(edit(peer("", peer2, `<description>it's &lt;new&gt;</description><local-as>7</local-as>`)))
			w.wantEdits(id, 0, "replace "+targetPeer+"/config/description <description"+inBGP+">it's &lt;new&gt;</description>",
				"create "+targetPeer+"/config/local-as <local-as"+inBGP+">7</local-as>")
			c.ok(edit(instance("<config><listen-address>10.0.0.8</listen-address></config>"))) // not selected
			c.ok(edit(peer("", "2001:DB8::1", "<as>5</as>")))
			v6 := targetVPN + "/peers/peer=2001%3Adb8%3A%3A1"
			w.wantEdits(id, 1, "create "+v6+" <peer"+inBGP+"><address>2001:db8::1</address><config><address>2001:db8::1</address><as>5</as></config></peer>")
			c.ok(edit(instance(`<peers><peer><address>10.1.1.2</address><config><local-as nc:operation="delete"/></config></peer><peer nc:operation="delete"><address>2001:db8::1</address></peer></peers>`)))
			w.wantEdits(id, 2, "delete "+targetPeer+"/config/local-as", "delete "+v6)
			// Leaf-lists and lists within a peer.
			c.ok(edit(instance("<peers><peer><address>10.1.1.2</address><afi-safis><afi-safi><name>ipv4-unicast</name></afi-safi></afi-safis></peer></peers>")))
			w.wantEdits(id, 3, "create "+targetPeer+"/afi-safis/afi-safi=ipv4-unicast <afi-safi"+inBGP+"><name>ipv4-unicast</name><config><name>ipv4-unicast</name></config></afi-safi>")
			w.ok(resync(id))
			if got := w.notice(); !strings.HasPrefix(got, first) {
				t.Errorf("resync: %s", got)
			}
			c.ok(edit(peer("", peer2, "<description>three</description>")))
			w.wantEdits(id, 0, "replace "+targetPeer+"/config/description <description"+inBGP+">three</description>") // counted anew
		})
	}
}

// netconf.md 75: what the speaker tells is a change of operational, which has
// the configuration too.
func TestPushOperational(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	state := peers("<peer><address>10.1.1.2</address><config><description/></config><state><session-state/></state></peer>")
	id := w.establish(of("operational", state) + onChange(""))
	if got := w.notice(); !strings.Contains(got, "<peer><address>10.1.1.2</address><config><description>one</description></config><state><session-state>established</session-state></state></peer>") {
		t.Errorf("first: %s", got)
	}
	l.speaker.Hold()
	if err := l.speaker.EndByRemote(peerKey, &bgp.Notification{Code: 6, Subcode: 3}); err != nil {
		t.Fatal(err)
	}
	w.wantEdits(id, 0, "replace "+targetPeer+"/state/session-state <session-state"+inBGP+">idle</session-state>")
	c.ok(edit(peer("", peer2, `<description>two</description>`)))
	w.wantEdits(id, 1, "replace "+targetPeer+"/config/description <description"+inBGP+">two</description>")
	l.speaker.Release()
	for patch, last := 2, ""; !strings.Contains(last, "established"); patch++ {
		last = strings.Join(w.edits(id, patch), " ")
	}
}

// netconf.md 75, RFC 8641 3.3: what changed in a dampening period and is as before is sent with
// its value, what came and went as deleted.
func TestPushTellsChurn(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	id := w.establish(of("running", peers("")) + onChange("<sync-on-start>false</sync-on-start><dampening-period>60</dampening-period>"))
	c.ok(edit(peer("", peer2, "<description>d5</description>"))) // at once
	w.wantEdits(id, 0, "replace "+targetPeer+"/config/description <description"+inBGP+">d5</description>")
	c.ok(edit(peer("", peer2, "<description>d6</description>")), edit(peer("", peer2, "<description>d5</description>")),
		edit(peer("", "10.1.1.7", "<as>5</as>")), edit(peer(` nc:operation="delete"`, "10.1.1.7", "")))
	w.wantEdits(id, 1, "replace "+targetPeer+"/config/description <description"+inBGP+">d5</description>", "delete "+targetVPN+"/peers/peer=10.1.1.7")
}

// netconf.md 75: changes only, some types of them left out, not too often.
func TestPushTerms(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	id := w.establish(of("running", peers("")) + onChange("<sync-on-start>false</sync-on-start><excluded-change>create</excluded-change><excluded-change>delete</excluded-change>"))
	c.ok(edit(peer("", "10.1.1.3", "<as>5</as>")), edit(peer("", "10.1.1.3", "<as>6</as>")), edit(peer(` nc:operation="delete"`, "10.1.1.3", "")),
		edit(peer("", peer2, "<description>two</description>")))
	p3 := targetVPN + "/peers/peer=10.1.1.3/config/as <as" + inBGP + ">6</as>"
	for patch, last := 0, ""; !strings.Contains(last, "<description"); patch++ { // a slow reader may miss what is gone again
		last = strings.Join(w.edits(id, patch), " ")
		if strings.Contains(last, "create ") || strings.Contains(last, "delete ") || strings.Contains(last, "10.1.1.3") && !strings.Contains(last, p3) {
			t.Errorf("patch %d: %s", patch, last)
		}
	}
	// Many changes while dampened are one update, with the values at its end.
	w.ok(withID("delete-subscription", id))
	begin := time.Now()
	id = w.establish(of("running", peers("")) + onChange("<dampening-period>30</dampening-period>"))
	w.notice()
	for i := range 5 {
		c.ok(edit(peer("", peer2, fmt.Sprintf("<description>d%d</description>", i))))
	}
	w.wantEdits(id, 0, "replace "+targetPeer+"/config/description <description"+inBGP+">d4</description>")
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("dampened for %v", took)
	}
	// A modification: other nodes, and all of them once more.
	w.ok(onSubscription("modify-subscription", "<id>"+id+"</id>"+of("running", vpn1)+onChange("<dampening-period>0</dampening-period>")))
	if got, want := w.notice(), about("subscription-modified", id, of("running", vpn1)); !strings.Contains(got, "<dampening-period>0</dampening-period><sync-on-start>true</sync-on-start>") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := w.notice(); !strings.Contains(got, "<push-update") || strings.Contains(got, "10.1.1.2") {
		t.Errorf("after the modification: %s", got)
	}
	c.ok(edit(peer("", peer2, "<description>not told</description>")), edit(strings.Replace(vpn1, "</name>", "</name><ipv4-family><config><route-distinguisher>100:1</route-distinguisher><import-route-target>1:2</import-route-target><import-route-target>1:3</import-route-target></config></ipv4-family>", 1)))
	family := "/mooring-vpn-instance:vpn-instances/vpn-instance=vpn1/ipv4-family/config/"
	w.wantEdits(id, 0, "create "+family+`route-distinguisher <route-distinguisher xmlns="`+vpnNS+`">100:1</route-distinguisher>`,
		"create "+family+`import-route-target=1%3A2 <import-route-target xmlns="`+vpnNS+`">1:2</import-route-target>`,
		"create "+family+`import-route-target=1%3A3 <import-route-target xmlns="`+vpnNS+`">1:3</import-route-target>`)
	c.ok(edit(strings.Replace(vpn1, "</name>", `</name><ipv4-family><config><import-route-target nc:operation="delete">1:2</import-route-target></config></ipv4-family>`, 1)))
	w.wantEdits(id, 1, "delete "+family+"import-route-target=1%3A2")
}

// netconf.md 75: periodic updates have everything each time, also what the
// server makes up when it is asked, in time with the anchor, until stop-time.
func TestPushPeriodic(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	filter := `<streams xmlns="` + subscribedNS + `"/>` + peers("<peer><config><description/></config></peer>")
	stop := "<stop-time>" + time.Now().Add(time.Minute).Format(time.RFC3339Nano) + "</stop-time>"
	anchor := time.Now().Add(-time.Hour).Truncate(time.Second)
	id := w.establish(of("operational", filter) + periodic("<period>20</period><anchor-time>"+anchor.UTC().Format(time.RFC3339)+"</anchor-time>") + stop)
	head := `<push-update xmlns="` + pushNS + `"><id>` + id + "</id><datastore-contents>"
	update := func() (text string, at time.Time) {
		t.Helper()
		got := w.read()
		at, err := time.Parse(time.RFC3339, got[strings.Index(got, "<eventTime>")+len("<eventTime>"):strings.Index(got, "</eventTime>")])
		_, text, _ = strings.Cut(got, "</eventTime>")
		if err != nil || !strings.HasPrefix(text, head) || !strings.Contains(text, `<streams xmlns="`+subscribedNS+`"><stream><name>NETCONF</name>`) {
			t.Fatalf("%v: %s", err, got)
		}
		return text, at
	}
	text, first := update()
	if !strings.Contains(text, "<description>one</description>") {
		t.Errorf("first: %s", text)
	}
	if late := first.Sub(anchor) % (200 * time.Millisecond); late > 150*time.Millisecond {
		t.Errorf("the first update is %v after a multiple of the period", late)
	}
	c.ok(edit(peer("", peer2, "<description>two</description>")))
	for text, _ = update(); !strings.Contains(text, "<description>two</description>"); text, _ = update() {
		if !strings.Contains(text, "<description>one</description>") {
			t.Fatal(text)
		}
	}
	w.fails(resync(id),
		"application operation-not-supported app-tag=ietf-yang-push:on-change-sync-unsupported path=/nc:rpc/yp:resync-subscription/yp:id")
}

// xpathOf names a datastore and an expression.
func xpathOf(datastore, expr string) string {
	return of(datastore, "") + `<datastore-xpath-filter xmlns="` + pushNS + `" xmlns:b="` + bgpNS + `">` + expr + "</datastore-xpath-filter>"
}

// netconf.md 46, 75: XPath filters: of changes paths, of periodic updates any
// expression, also over what the server makes up itself.
func TestPushXPath(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, c := l.configured()
	const onePeer = "/b:bgp/b:instances/b:instance[b:name='default']/b:vpn-instances/b:vpn-instance/b:peers/b:peer[b:address='10.1.1.2']/b:config"
	id := w.establish(xpathOf("running", onePeer) + onChange(""))
	const first = "<peer><address>10.1.1.2</address><config><address>10.1.1.2</address><description>one</description><as>200</as></config></peer>"
	if got := w.notice(); !strings.Contains(got, "<name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers>"+first+"</peers>") {
		t.Errorf("first: %s", got)
	}
	c.ok(edit(peer("", "10.1.1.3", "<as>5</as>")), edit(peer("", peer2, "<description>two</description>")))
	w.wantEdits(id, 0, "replace "+targetPeer+"/config/description <description"+inBGP+">two</description>")
	w.ok(withID("delete-subscription", id))
	for expr, want := range map[string]string{
		"//b:peer[b:config/b:as = 5]/b:config/b:as": "<peer><address>10.1.1.3</address><config><as>5</as></config></peer></peers>",
		"/ietf-netconf-monitoring:netconf-state/ietf-netconf-monitoring:datastores/*[ietf-netconf-monitoring:name='running']": "<datastores><datastore><name>running</name></datastore></datastores>",
		"//b:peer[b:config/b:as = 6]": "<datastore-contents></datastore-contents>",
	} {
		id := w.establish(xpathOf("operational", expr) + periodic("<period>1000</period>"))
		if got := w.notice(); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", expr, want, got)
		}
		w.ok(withID("delete-subscription", id))
	}
	const here, app = " path=/nc:rpc/sn:establish-subscription", "application invalid-value app-tag=ietf-subscribed-notifications:filter-unsupported"
	w.fails(establish(xpathOf("running", "//b:peer[b:config/b:as = 5]")+onChange("")), app)
	w.fails(establish(xpathOf("running", "/x:y")+onChange("")), app+here+"/yp:datastore-xpath-filter")
	w.fails(establish(xpathOf("running", "1 + 1")+periodic("<period>100</period>")), "application operation-failed app-tag=ietf-yang-push:unchanging-selection")
	w.fails(establish(xpathOf("running", "/b:bgp")+of("running", peers(""))[len(of("running", "")):]+onChange("")), "protocol bad-element"+here+"/yp:datastore-xpath-filter element=datastore-xpath-filter")
}

// netconf.md 75: an update without anything in it is sent where it is periodic,
// and a subscription ends at its stop-time.
func TestPushNothing(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	w, _ := l.configured()
	stop := "<stop-time>" + time.Now().Add(150*time.Millisecond).Format(time.RFC3339Nano) + "</stop-time>"
	id := w.establish(of("running", peers("<peer><config><peer-group/></config></peer>")) + periodic("<period>100</period>") + stop)
	if got, want := w.notice(), `<push-update xmlns="`+pushNS+`"><id>`+id+"</id><datastore-contents></datastore-contents></push-update>"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for end := time.Now().Add(patience); strings.Contains(w.state(`<subscriptions xmlns="`+subscribedNS+`"/>`), "<id>"); {
		if time.Now().After(end) {
			t.Fatal("the subscription outlives its stop-time")
		}
	}
}

// netconf.md 75: tags and app-tags of RFC 8640 7, and hints.
func TestPushErrors(t *testing.T) {
	c := newRig(t, Limits{}).open()
	const here, app = " path=/nc:rpc/sn:establish-subscription", "app-tag=ietf-yang-push:"
	state := peers("<peer><state/></peer>")
	for params, want := range map[string]string{
		onChange(""):                       "protocol missing-element" + here + " element=datastore",
		of("running", ""):                  "protocol missing-element" + here + " element=periodic",
		of("candidate", "") + onChange(""): "application invalid-value " + app + "datastore-not-subscribable" + here + "/yp:datastore",
		of("startup", "") + periodic("<period>1000</period>"):                                                      "application invalid-value " + app + "datastore-not-subscribable" + here + "/yp:datastore",
		of("running", "<x/>") + onChange(""):                                                                       "application operation-failed " + app + "unchanging-selection",
		of("running", state) + onChange(""):                                                                        "application operation-failed " + app + "unchanging-selection", // state is not in running
		of("operational", `<streams xmlns="`+subscribedNS+`"/>`) + onChange(""):                                    "application operation-not-supported " + app + "on-change-unsupported",
		of("running", "<a>x<b/></a>") + onChange(""):                                                               "application invalid-value app-tag=ietf-subscribed-notifications:filter-unsupported" + here + "/yp:datastore-subtree-filter",
		of("running", "") + periodic(""):                                                                           "protocol missing-element" + here + "/yp:periodic element=period",
		of("running", "") + periodic("<period>9</period>"):                                                         "application invalid-value " + app + "period-unsupported" + here + "/yp:periodic/yp:period",
		of("running", "") + periodic("<period>-1</period>"):                                                        "protocol invalid-value" + here + "/yp:periodic/yp:period",
		of("running", "") + periodic("<period>10</period><anchor-time>noon</anchor-time>"):                         "protocol invalid-value" + here + "/yp:periodic/yp:anchor-time",
		of("running", "") + periodic("<period>10</period>") + onChange(""):                                         "protocol bad-element" + here + "/yp:on-change element=on-change",
		of("running", "") + onChange("<dampening-period>x</dampening-period>"):                                     "protocol invalid-value" + here + "/yp:on-change/yp:dampening-period",
		of("running", "") + onChange("<sync-on-start>x</sync-on-start>"):                                           "protocol invalid-value" + here + "/yp:on-change/yp:sync-on-start",
		of("running", "") + onChange("<excluded-change>merge</excluded-change>"):                                   "protocol invalid-value" + here + "/yp:on-change/yp:excluded-change",
		of("running", "") + onChange("<speed/>"):                                                                   "protocol unknown-element" + here + "/yp:on-change element=speed",
		of("running", "") + onChange("") + onNETCONF:                                                               "protocol bad-element" + here + "/sn:stream element=stream",
		of("running", "") + onChange("") + `<selection-filter-ref xmlns="` + pushNS + `">x</selection-filter-ref>`: "application data-missing app-tag=instance-required" + here + "/yp:selection-filter-ref",
	} {
		c.fails(establish(params), want)
	}
	got := c.rpc(establish(of("running", "") + periodic("<period>1</period>")))
	if want := `<error-info><establish-subscription-datastore-error-info xmlns="` + pushNS + `"><reason xmlns:yp="` + pushNS + `">yp:period-unsupported</reason><period-hint>10</period-hint></establish-subscription-datastore-error-info></error-info>`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
	id := c.establish(onNETCONF + events("x"))
	c.fails(onSubscription("modify-subscription", "<id>"+id+"</id>"+onChange("")), "protocol bad-element path=/nc:rpc/sn:modify-subscription/yp:on-change element=on-change")
	c.fails(resync("77"), "application invalid-value app-tag=ietf-yang-push:no-such-subscription-resync path=/nc:rpc/yp:resync-subscription/yp:id")
	c.fails(resync(id), "application operation-not-supported app-tag=ietf-yang-push:on-change-sync-unsupported path=/nc:rpc/yp:resync-subscription/yp:id")
}

// netconf.md 75: libyang takes operations, answers, updates and state for valid
// against the published modules.
func TestPushAgainstYanglint(t *testing.T) {
	r := newRig(t, Limits{})
	worker := r.listen()
	w := r.pipe("admin")
	greeting := w.readHello()
	w.send(hello(base10) + "]]>]]>")
	lint := newLinter(t, greeting, "ietf-subscribed-notifications", "ietf-yang-push", "mooring-deviations", "ietf-datastores",
		"ietf-notification-capabilities", "mooring-bgp", "mooring-vpn-instance", "mooring-agent", "ietf-yang-library", "ietf-netconf-monitoring", "nc-notifications", "ietf-netconf-acm")
	c, _ := worker.dial("guest")
	c.setUp()
	lint.reply(w, establish(of("running", peers(""))+onChange("<dampening-period>0</dampening-period><excluded-change>move</excluded-change>")))
	lint.check("nc-notif", w.read()) // push-update
	c.ok(edit(instance("<peers><peer><address>10.1.1.2</address><config><description>two</description><local-as>8</local-as></config></peer>" +
		"<peer><address>10.1.1.3</address><config><as>3</as></config></peer></peers>")))
	lint.check("nc-notif", w.read()) // push-change-update
	// No update is due while the test goes on, which would stand before an answer.
	anchor := time.Now().Add(30 * time.Minute).UTC().Format(time.RFC3339)
	lint.reply(w, onSubscription("modify-subscription", "<id>1</id>"+of("operational", "")+periodic("<period>360000</period><anchor-time>"+anchor+"</anchor-time>")))
	lint.check("nc-notif", w.read()) // subscription-modified
	lint.check("data", w.state(`<subscriptions xmlns="`+subscribedNS+`"/>`)+w.state(`<yang-library xmlns="`+libraryNS+`"/>`)+w.state(`<modules-state xmlns="`+libraryNS+`"/>`)+w.state(`<netconf xmlns="`+manageNS+`"/>`)+
		w.state(`<system-capabilities xmlns="urn:ietf:params:xml:ns:yang:ietf-system-capabilities"/>`)+w.state(`<nacm xmlns="`+nacmNS+`"/>`))
	lint.reply(w, onSubscription("modify-subscription", "<id>1</id>"+xpathOf("running", "/b:bgp")+onChange("")))
	lint.check("nc-notif", w.read()) // subscription-modified
	lint.check("nc-notif", w.read()) // push-update
	id := w.establish(of("operational", "") + periodic("<period>1000</period>"))
	lint.check("nc-notif", w.read()) // push-update of everything
	if id != "2" {
		t.Errorf("id %s", id)
	}
}

// netconf.md 72, 75: who takes periodic updates more slowly than they are due
// is told that some are left out, and when they begin again.
func TestSlowPeriodicSubscriber(t *testing.T) {
	r := newRig(t, Limits{})
	w := r.open() // a pipe: nothing is buffered
	id := w.establish(of("running", peers("")) + periodic("<period>10</period>"))
	var got []string
	for len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "<subscription-resumed") {
		time.Sleep(250 * time.Millisecond) // more than two periods for each message
		got = append(got, w.notice())
	}
	suspended := about("subscription-suspended", id, `<reason xmlns:yp="`+pushNS+`">yp:period-unsupported</reason>`)
	if n := len(got); n < 3 || got[n-2] != suspended || got[n-1] != about("subscription-resumed", id, "") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if next := w.notice(); !strings.HasPrefix(next, "<push-update") {
		t.Errorf("after it was resumed: %s", next)
	}
}

// netconf.md 72, 75: who reads changes slowly finds them merged, and stalls no
// edit; who reads nothing at all is dropped.
func TestSlowOnChangeSubscriber(t *testing.T) {
	r := newRig(t, Limits{})
	l := r.listen()
	_, c := l.configured()
	w := r.open() // a pipe: nothing is buffered
	id := w.establish(of("running", peers("")) + onChange(""))
	const edits = 50
	for i := range edits {
		c.ok(edit(peer("", peer2, fmt.Sprintf("<description>d%d</description>", i))))
	}
	read := 1
	for got := w.notice(); !strings.Contains(got, fmt.Sprintf(">d%d</description>", edits-1)); got = w.notice() {
		read++
	}
	if read > 3 {
		t.Errorf("subscription %s: %d edits came as %d updates", id, edits, read)
	}
	impatient := r.newServer(Limits{WriteTimeout: 50 * time.Millisecond})
	r.srv = impatient
	d := r.open()
	d.establish(of("operational", "") + onChange(""))
	for i := range edits {
		c.ok(edit(peer("", peer2, fmt.Sprintf("<description>e%d</description>", i))))
	}
	d.wantReason(errStalled.Error())
}
