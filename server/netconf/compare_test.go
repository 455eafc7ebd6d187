package netconf

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const compareNS = "urn:ietf:params:xml:ns:yang:ietf-nmda-compare"

func compare(source, target, more string) string {
	return `<compare xmlns="` + compareNS + `" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"><source>ds:` + source + "</source><target>ds:" + target + "</target>" + more + "</compare>"
}

// differences reads the edits of a compare, as "operation target value
// source-value", without the path of the peers.
func differences(t *testing.T, reply string) []string {
	t.Helper()
	var d struct {
		XMLName xml.Name `xml:"urn:ietf:params:xml:ns:yang:ietf-nmda-compare differences"`
		Patch   struct {
			ID    string `xml:"patch-id"`
			Edits []struct {
				Operation string `xml:"operation"`
				Target    string `xml:"target"`
				Value     inner  `xml:"value"`
				Source    inner  `xml:"source-value"`
			} `xml:"edit"`
		} `xml:"yang-patch"`
	}
	if err := xml.Unmarshal([]byte(reply), &d); err != nil || d.Patch.ID == "" {
		t.Fatalf("%v: %s", err, reply)
	}
	var out []string
	for _, e := range d.Patch.Edits {
		const peers = "/mooring-bgp:bgp/instances/instance=default/vpn-instances/vpn-instance=vpn1/peers"
		out = append(out, strings.TrimSpace(e.Operation+" "+strings.TrimPrefix(e.Target, peers)+" "+e.Value.text()+" "+e.Source.text()))
	}
	return out
}

type inner struct {
	XML string `xml:",innerxml"`
}

func (i inner) text() string { return strings.ReplaceAll(i.XML, ` xmlns="`+bgpNS+`"`, "") }

// netconf.md 79
func TestCompare(t *testing.T) {
	r := setup{startup: true}.rig(t)
	c := r.open()
	c.setUp()
	c.ok(edit(peer("", "10.1.1.3", "<as>3</as>")), copyConfig("startup", "<running/>"))
	c.ok(editDraft(peer("", peer2, "<as>300</as><local-as>7</local-as>")), editDraft(peer("", peer2, `<description nc:operation="delete"/>`)),
		editDraft(peer(` nc:operation="delete"`, "10.1.1.3", "")), editDraft(peer("", "10.1.1.4", "<as>4</as>")))
	const (
		gone = "<peer><address>10.1.1.3</address><config><address>10.1.1.3</address><as>3</as></config></peer>"
		new4 = "<peer><address>10.1.1.4</address><config><address>10.1.1.4</address><as>4</as></config></peer>"
	)
	there := []string{
		"delete /peer=10.1.1.2/config/description  <description>one</description>",
		"create /peer=10.1.1.2/config/local-as <local-as>7</local-as>",
		"replace /peer=10.1.1.2/config/as <as>300</as> <as>200</as>",
		"delete /peer=10.1.1.3  " + gone,
		"create /peer=10.1.1.4 " + new4,
	}
	back := []string{
		"create /peer=10.1.1.2/config/description <description>one</description>",
		"delete /peer=10.1.1.2/config/local-as  <local-as>7</local-as>",
		"replace /peer=10.1.1.2/config/as <as>200</as> <as>300</as>",
		"create /peer=10.1.1.3 " + gone,
		"delete /peer=10.1.1.4  " + new4,
	}
	one := instance("<peers><peer><address>10.1.1.2</address></peer></peers>")
	const xp = `xmlns:b="` + bgpNS + `"`
	for _, tt := range []struct {
		source, target, more string
		want                 []string
	}{
		{"running", "candidate", "", there},
		{"intended", "candidate", "<all/>", there},
		{"operational", "candidate", "", there},
		{"startup", "candidate", "", there},
		{"candidate", "running", "", back},
		{"candidate", "startup", "<report-origin/>", back},
		{"running", "startup", "", nil},
		{"running", "running", "", nil},
		{"running", "operational", "", nil},
		{"running", "candidate", "<subtree-filter>" + one + "</subtree-filter>", there[:3]},
		{"running", "candidate", "<xpath-filter " + xp + ">//b:peer[b:address='10.1.1.4' or b:address='10.1.1.3']</xpath-filter>", there[3:]},
		{"running", "candidate", "<xpath-filter " + xp + ">//b:local-as</xpath-filter>", there[1:2]},
		{"running", "candidate", "<xpath-filter " + xp + ">/b:bgp/b:instances/b:instance[b:name='default']/b:config</xpath-filter>", nil},
	} {
		got := differences(t, c.rpc(compare(tt.source, tt.target, tt.more)))
		slices.Sort(got)
		want := slices.Sorted(slices.Values(tt.want))
		if !slices.Equal(got, want) {
			t.Errorf("%s to %s %s:\n%s\nwant\n%s", tt.source, tt.target, tt.more, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, filter := range []string{
		"<subtree-filter/>", `<subtree-filter><x xmlns="urn:x"/></subtree-filter>`, "<xpath-filter " + xp + ">//b:peer[b:address='10.9.9.9']</xpath-filter>",
		`<subtree-filter><bgp xmlns="` + bgpNS + `"><instances><instance><name>none</name></instance></instances></bgp></subtree-filter>`,
	} {
		if got := c.rpc(compare("running", "candidate", filter)); got != `<no-matches xmlns="`+compareNS+`"/>` {
			t.Errorf("%s: %s", filter, got)
		}
	}
	// A list entry with all below it.
	c.ok("<discard-changes/>", editDraft(`<bgp xmlns="`+bgpNS+`" nc:operation="delete"/>`))
	got := differences(t, c.rpc(compare("running", "candidate", "")))
	if len(got) != 1 || !strings.HasPrefix(got[0], "delete /mooring-bgp:bgp/instances/instance=default ") || !strings.Contains(got[0], gone) {
		t.Errorf("an instance: %s", strings.Join(got, "\n"))
	}
}

// netconf.md 79: passwords are in no answer.
func TestCompareErrors(t *testing.T) {
	_, c := ready(t)
	c.ok(editDraft(instance("<peers><peer><address>" + peer2 + "</address><transport><authentication><config><method>md5</method><password>SECRET</password></config></authentication></transport></peer></peers>")))
	if got := c.rpc(compare("running", "candidate", "")); strings.Contains(got, "SECRET") || !strings.Contains(got, "<method") {
		t.Errorf("compare tells %s", got)
	}
	const at = " path=/nc:rpc/cmp:compare"
	for _, ds := range []string{"startup", "nothing", "conventional", ""} {
		c.fails(compare("running", ds, ""), "protocol invalid-value"+at+"/cmp:target")
		c.fails(compare(ds, "running", ""), "protocol invalid-value"+at+"/cmp:source")
	}
	c.fails(strings.Replace(compare("running", "candidate", ""), "ds:running", "running", 1), "protocol invalid-value"+at+"/cmp:source")
	c.fails(strings.Replace(compare("running", "candidate", ""), "ds:running", "x:running", 1), "protocol invalid-value"+at+"/cmp:source")
	c.fails(`<compare xmlns="`+compareNS+`"/>`, "protocol missing-element"+at+" element=source")
	c.fails(compare("running", "operational", "<all/>"), "protocol operation-not-supported"+at+"/cmp:all")
	c.fails(compare("running", "operational", "<report-origin/>"), "protocol operation-not-supported"+at+"/cmp:report-origin")
	c.fails(compare("running", "candidate", "<all>yes</all>"), "protocol invalid-value"+at+"/cmp:all")
	c.fails(compare("running", "candidate", "<subtree-filter/><xpath-filter>/</xpath-filter>"), "protocol bad-element"+at+" element=xpath-filter")
	for _, expr := range []string{"", "1+1", "//x:y", "//["} {
		c.fails(compare("running", "candidate", "<xpath-filter>"+expr+"</xpath-filter>"), "protocol invalid-value"+at+"/cmp:xpath-filter")
	}
}

// netconf.md 79: yanglint accepts the answer.
func TestCompareAgainstYanglint(t *testing.T) {
	lint := need(t, "/usr/bin/yanglint", "libyang2-tools")
	_, c := ready(t)
	c.ok(editDraft(peer("", peer2, "<as>300</as>")))
	for i, op := range []string{compare("running", "candidate", ""), compare("running", "candidate", "<subtree-filter/>")} {
		request, reply := filepath.Join(t.TempDir(), "rpc.xml"), filepath.Join(t.TempDir(), "reply.xml")
		start := `xmlns="` + ncNS + `" message-id="1"`
		for file, text := range map[string]string{
			request: "<rpc " + start + ">" + op + "</rpc>",
			reply:   "<rpc-reply " + start + ">" + c.rpc(op) + "</rpc-reply>",
		} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args := []string{"-p", "../../yang/ietf", "-p", "../../yang", "-t", "nc-reply", "-R", request}
		for _, m := range []string{"ietf-nmda-compare", "ietf-datastores", "mooring-bgp", "mooring-vpn-instance"} {
			args = append(args, moduleFile(m))
		}
		args = append(args, reply)
		if out, err := exec.CommandContext(t.Context(), lint, args...).CombinedOutput(); err != nil {
			t.Errorf("%d: %v\n%s", i, err, out)
		}
	}
}

// netconf.md 77, 79: what may not be read is not compared.
func TestCompareObeysAccess(t *testing.T) {
	r, admin := guarded(t)
	admin.twoVPNs()
	admin.rules("", ruleFor("vpn2", inVPN+"[b:name='vpn2']", "read", "deny"), ruleFor("text", inVPN+"/b:peers/b:peer/b:config/b:description", "read", "deny"))
	admin.ok(editDraft(strings.ReplaceAll(peer("", peer2, "<as>300</as>"), "vpn1", "vpn2")), editDraft(peer("", peer2, "<as>301</as><description>plan</description>")))
	want := []string{"replace /peer=10.1.1.2/config/as <as>301</as> <as>200</as>"}
	if got := differences(t, r.as("operator").rpc(compare("running", "candidate", ""))); !slices.Equal(got, want) {
		t.Errorf("operator: %s", strings.Join(got, "\n"))
	}
	if got := differences(t, admin.rpc(compare("running", "candidate", ""))); len(got) != 3 {
		t.Errorf("admin: %s", strings.Join(got, "\n"))
	}
}
