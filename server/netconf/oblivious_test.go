package netconf

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// A policy hides something of the configuration, and each of secrets is only
// there, in the second of two agents.
type hiding struct {
	name    string
	more    string // of /nacm
	rules   []string
	secrets []string
}

var (
	vpn2Rules = func(operations string) string {
		return ruleFor("hidden", inVPN+"[b:name='vpn2']", operations, "deny") +
			`<rule><name>its place</name><path xmlns:v="` + vpnNS + `">/v:vpn-instances/v:vpn-instance[v:name='vpn2']</path><access-operations>` + operations + `</access-operations><action>deny</action></rule>`
	}
	inVPN2 = func(config string) string { return strings.ReplaceAll(config, "vpn1", "vpn2") }
	authed = `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers><peer><address>10.1.1.2</address>` +
		`<transport><authentication><config><method>md5</method><password>S3cret</password></config></authentication></transport></peer></peers></vpn-instance></vpn-instances></instance></instances></bgp>`
	group = inVPN2(instance("<peer-groups><peer-group><name>g1</name></peer-group></peer-groups>"))
)

var hidings = []hiding{
	{name: "a reader", secrets: []string{authed}},
	{
		name: "a guest", rules: []string{ruleFor("vpn1", inVPN+"[b:name='vpn1']", "read", "permit"), ruleFor("rest", "/b:bgp", "*", "deny"), vpn2Rules("*")},
		secrets: []string{inVPN2(vpn1 + peer("", "10.2.2.2", "<as>200</as>")), inVPN2(peer("", "10.1.1.2", "<description>mine</description>")), group},
	},
	{
		name: "an operator", rules: []string{
			ruleFor("text", inVPN+"/b:peers/b:peer/b:config/b:description", "*", "deny"), ruleFor("shown", inVPN+"/b:peers/b:peer/b:state/b:description", "*", "deny"),
			ruleFor("vpn1", inVPN+"[b:name='vpn1']", "*", "permit"), vpn2Rules("*"), ruleFor("rest", "/b:bgp", "*", "permit"),
		},
		secrets: []string{inVPN2(vpn1 + peer("", "10.2.2.2", "<as>200</as>")), peer("", "10.1.1.2", "<description>mine</description>")},
	},
	{
		name: "who may write and not read", more: "<write-default>permit</write-default>", rules: []string{vpn2Rules("read")},
		secrets: []string{inVPN2(peer("", "10.2.2.2", "<as>200</as>")), authed},
	},
}

// changing is what may differ between two answers: times, identifiers, and how
// often a session has been reset, which is no configuration.
var changing = regexp.MustCompile(`<last-reset>.*?</last-reset>|<resets>.*?</resets>|<established-transitions>\d+|\d{4}-\d\d-\d\dT[0-9:.]+Z?|<(id|session-id|commit-id|time-stamp|lock-id|locked-time)>[^<]*`)

// What a user may not read makes no difference to any answer (RFC 8341 5).
func TestAnswersDoNotTellWhatIsHidden(t *testing.T) {
	for _, h := range hidings {
		t.Run(h.name, func(t *testing.T) {
			var users [2]*client
			for i := range users {
				r, admin := guarded(t)
				admin.twoVPNs()
				admin.rules(h.more, h.rules...)
				for _, s := range h.secrets {
					if i == 0 { // as many commits
						s = vpn1
					}
					admin.ok(edit(s))
				}
				users[i] = r.as("operator")
			}
			rnd := rand.New(rand.NewPCG(1, uint64(len(h.name)))) //nolint:gosec // the same each time
			tried := map[string]int{}
			for range 1500 {
				ask := randomRequest(rnd)
				var said [2]string
				for i, c := range users {
					said[i] = changing.ReplaceAllString(c.rpc(ask), "")
				}
				if said[0] != said[1] {
					t.Fatalf("%s\nwithout: %s\nwith:    %s", ask, said[0], said[1])
				}
				tried[tagOf(said[0])]++
			}
			if len(tried) < 3 {
				t.Errorf("the requests were all answered alike: %v", tried)
			}
			t.Log(tried)
		})
	}
}

// tagOf is the error-tag of an answer, or "ok".
func tagOf(answer string) string {
	_, rest, found := strings.Cut(answer, "<error-tag>")
	if !found {
		return "ok"
	}
	tag, _, _ := strings.Cut(rest, "<")
	return tag
}

func randomRequest(r *rand.Rand) string {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	if r.IntN(4) == 0 {
		return pick("<commit/>", "<discard-changes/>", "<validate><source><candidate/></source></validate>", "<get-config><source><running/></source></get-config>",
			"<get-config><source><candidate/></source></get-config>", "<copy-config><target><candidate/></target><source><running/></source></copy-config>",
			"<copy-config><target><running/></target><source><candidate/></source></copy-config>", `<preview xmlns="`+bgpNS+`"/>`,
			`<get><filter><bgp xmlns="`+bgpNS+`"/></filter></get>`, partialLock("//b:peer[b:address='10.2.2.2']"),
			`<get xmlns:b="`+bgpNS+`"><filter type="xpath" select="//b:peer[.//b:password or b:effective]"/></get>`,
			`<reset-peer xmlns="`+bgpNS+`"><instance>default</instance><vpn-instance>vpn2</vpn-instance><address>10.2.2.2</address></reset-peer>`)
	}
	op := func(chance int) string {
		if r.IntN(chance) > 0 {
			return ""
		}
		return ` nc:operation="` + pick("merge", "create", "delete", "remove", "replace") + `"`
	}
	inner := pick("", "", fmt.Sprintf("<config><description%s>%s</description></config>", op(2), pick("mine", "plans", "one", "other")),
		"<config"+op(4)+"><as"+op(4)+">"+pick("200", "201")+"</as></config>", "<config><peer-group>g1</peer-group></config>",
		"<timers"+op(2)+"><config><hold-time"+op(3)+">"+pick("90", "60")+"</hold-time></config></timers>",
		"<transport"+op(6)+"><authentication"+op(5)+"><config><method"+op(4)+">md5</method></config></authentication></transport>",
		"<transport><authentication><config"+op(5)+"><password"+op(4)+">"+pick("S3cret", "guess")+"</password></config></authentication></transport>")
	if strings.Contains(inner, "operation=\"delete\"") || strings.Contains(inner, "operation=\"remove\"") {
		inner = pick(inner, strings.NewReplacer(">mine<", "><", ">plans<", "><").Replace(inner))
	}
	body := "<peers" + op(10) + "><peer" + op(3) + "><address>" + pick("10.1.1.2", "10.2.2.2", "10.2.2.9") + "</address>" + inner + "</peer></peers>"
	if r.IntN(5) == 0 {
		body = "<peer-groups" + op(4) + "><peer-group" + op(2) + "><name>" + pick("g1", "g2") + "</name></peer-group></peer-groups>"
	}
	config := `<bgp xmlns="` + bgpNS + `"` + op(40) + "><instances><instance" + op(30) + "><name>default</name>" + pick("", "", "<config><as>100</as></config>") +
		"<vpn-instances" + op(30) + "><vpn-instance" + op(8) + "><name>" + pick("vpn1", "vpn2", "vpn3") + "</name>" + body + "</vpn-instance></vpn-instances></instance></instances></bgp>"
	if r.IntN(6) == 0 {
		config = `<vpn-instances xmlns="` + vpnNS + `"` + op(6) + "><vpn-instance" + op(2) + "><name>" + pick("vpn1", "vpn2", "vpn3") + "</name></vpn-instance></vpn-instances>"
	}
	options := pick("", "", "<default-operation>none</default-operation>", "<default-operation>replace</default-operation>") +
		pick("", "<test-option>test-only</test-option>", "<test-option>test-then-set</test-option>") + pick("", "<error-option>continue-on-error</error-option>")
	return editTarget(pick("running", "candidate"), options, config)
}

// What state and notifications tell of the settings of a peer is told to who may
// read the settings (RFC 8341 5; netconf.md 77).
func TestSettingsAreNotToldByTheState(t *testing.T) {
	l := setup{dir: t.TempDir(), network: make(unbound), guarded: true}.rig(t).listen()
	admin, _ := l.dial("admin")
	admin.setUp()
	admin.rules("", ruleFor("timers", inVPN+"/b:peers/b:peer/b:timers", "read", "deny"))
	op, _ := l.dial("operator")
	watches, _ := l.dial("operator")
	watches.ok(subscribe(""))
	sees, _ := l.dial("admin")
	sees.ok(subscribe(""))
	reset := strings.Replace(authed, "<transport>", "<config><local-as>101</local-as></config><timers><config><hold-time>90</hold-time></config></timers><transport>", 1)
	admin.ok(edit(reset))
	for _, c := range []*sshClient{sees, watches} {
		got := c.await("peer-reset", "config/local-as: 100")
		if strings.Contains(got, "hold-time") != (c == sees) || strings.Contains(got, "authentication") != (c == sees) {
			t.Errorf("admin %v: %s", c == sees, got)
		}
	}
	settings := func(c *sshClient) string {
		return c.rpc(`<get xmlns:b="` + bgpNS + `"><filter type="xpath" select="//b:effective|//b:last-reset"/></get>`)
	}
	if got := settings(admin); strings.Count(got, "hold-time") != 2 || strings.Count(got, "authentication/config/method") != 2 || strings.Count(got, "authentication/config/password") != 2 {
		t.Errorf("admin reads %s", got)
	}
	if got := settings(op); strings.Contains(got, "hold-time") || strings.Contains(got, "authentication") || strings.Count(got, "config/local-as") != 2 {
		t.Errorf("who may not read them: %s", got)
	}
}

// A reader keeps no writer out, and undoes nothing of one (RFC 8341 3.7.2).
func TestReadersDoNotDisturbWriters(t *testing.T) {
	r, admin := guarded(t)
	admin.ok(editDraft(peer("", "10.1.1.2", "<description>draft</description>")))
	op := r.as("operator")
	for _, ask := range []string{
		"<lock><target><running/></target></lock>", "<lock><target><candidate/></target></lock>", partialLock("//b:peer"), "<discard-changes/>",
		"<commit/>", "<cancel-commit/>", "<commit><confirmed/></commit>",
	} {
		op.fails(ask, "protocol access-denied")
	}
	op.fails("<copy-config><target><candidate/></target><source><running/></source></copy-config>", "application access-denied path="+peerPath+"/mbgp:config/mbgp:description")
	admin.ok("<commit/>")
	if got := admin.getPeer("running", "10.1.1.2"); !strings.Contains(got, "draft") {
		t.Errorf("the peer is %s", got)
	}
}
