package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// netconf.md 24 to 39: what an edit-config does. The base is baseStore with a
// richer peer 10.0.0.1.
func TestDecodeXMLEdits(t *testing.T) {
	base := baseStore(t).mustXML(t, peerXML("10.0.0.1", `<config><description> a </description></config>`+
		`<timers><config><hold-time>90</hold-time></config></timers>`+
		`<transport><connect-interface><config><interface>eth0</interface></config></connect-interface></transport>`)).
		mustXML(t, inVPN1(`<config><listen-address>10.0.0.1</listen-address><listen-address>10.0.0.2</listen-address></config>`))
	const rich = `<peer><address>10.0.0.1</address><config><address>10.0.0.1</address><description> a </description><as>65002</as></config>` +
		`<transport><connect-interface><config><interface>eth0</interface></config></connect-interface></transport><timers><config><hold-time>90</hold-time></config></timers></peer>`
	peer := func(content string) string {
		return `<peer><address>10.0.0.1</address><config><address>10.0.0.1</address>` + content + `</peer>`
	}
	const one, vpn = "10.0.0.1", "vpn"
	tests := []struct {
		name, edit string
		op         Op
		look       string // a peer's address, or vpn for the config of vpn1
		want       string
	}{
		{"23 merge", peerXML(one, `<config><as>7</as></config>`), OpMerge, one, strings.Replace(rich, "65002", "7", 1)},
		{
			"25 remove of what is missing", peerXML("10.0.0.9", `<config><as nc:operation="remove"/><peer-group>g1</peer-group></config>`), OpMerge, "10.0.0.9",
			`<peer><address>10.0.0.9</address><config><address>10.0.0.9</address><peer-group>g1</peer-group></config></peer>`,
		},
		{
			"26 delete of a leaf without a value", peerXML(one, `<config><description nc:operation="delete"/></config>`), OpMerge, one,
			strings.Replace(rich, "<description> a </description>", "", 1),
		},
		{
			"26 delete of a leaf with another value", peerXML(one, `<timers><config><hold-time nc:operation="delete">no number</hold-time></config></timers>`), OpMerge, one,
			strings.Replace(rich, "<timers><config><hold-time>90</hold-time></config></timers>", "", 1),
		},
		{"delete of an entry with content", inVPN1(`<peers><peer nc:operation="delete"><address>10.0.0.1</address><config><as>x</as></config><timers><config/></timers></peer></peers>`), OpMerge, one, ``},
		{"delete within delete", inVPN1(`<peers><peer nc:operation="delete"><address>10.0.0.1</address><config nc:operation="delete"/></peer></peers>`), OpMerge, one, ``},
		{"delete above records", inVPN1(`<peers nc:operation="delete"><peer><address>10.0.0.9</address></peer></peers>`), OpMerge, one, ``},
		{
			"27 replace of an entry", inVPN1(`<peers><peer nc:operation="replace"><address>10.0.0.1</address><config><as>7</as></config></peer></peers>`), OpMerge, one,
			peer(`<as>7</as></config>`),
		},
		{"replace above records", inVPN1(`<peers nc:operation="replace"><peer><address>10.0.0.2</address><config><as>7</as></config></peer></peers>`), OpMerge, one, ``},
		{
			"replace of a record keeps what stands after the records in it",
			`<bgp ` + bgpXMLNS + ` ` + ncXMLNS + `><instances><instance nc:operation="replace"><vpn-instances><vpn-instance><peers><peer><config><as>7</as></config>` +
				`<address>10.0.0.1</address></peer></peers><name>vpn1</name><config><listen-port>1</listen-port></config></vpn-instance></vpn-instances>` +
				`<config><as>1</as></config><name>default</name></instance></instances></bgp>`, OpMerge, vpn, `<config><name>vpn1</name><listen-port>1</listen-port></config>`,
		},
		{"27 default-operation replace", peerXML(one, `<config><as>7</as></config>`), OpReplace, one, peer(`<as>7</as></config>`)},
		{
			"28 none changes nothing but what has an operation", peerXML(one, `<config><as>7</as><description nc:operation="merge">b</description></config>`), OpNone, one,
			strings.Replace(rich, " a ", "b", 1),
		},
		{"33 key last", inVPN1(`<peers><peer><config><as>7</as></config><address>10.0.0.1</address></peer></peers>`), OpMerge, one, strings.Replace(rich, "65002", "7", 1)},
		{"34 entry twice: in document order", inVPN1(`<peers>` + peer(`<as>7</as></config>`) + peer(`<as>8</as></config>`) + `</peers>`), OpMerge, one, strings.Replace(rich, "65002", "8", 1)},
		{
			"35 white space", peerXML(" 10.0.0.1\n", `<config><as> 7	</as><description>
b </description><local-as><![CDATA[1]]></local-as><enabled> <!-- no -->false<?pi?></enabled></config>`), OpMerge, one,
			strings.Replace(rich, " a </description><as>65002</as>", "\nb </description><enabled>false</enabled><as>7</as><local-as>1</local-as>", 1),
		},
		{
			"35 any prefix", strings.NewReplacer("</", "</b:", "<", "<b:", "xmlns=", "xmlns:b=").Replace(peerXML(one, `<config><as>7</as></config>`)), OpMerge, one,
			strings.Replace(rich, "65002", "7", 1),
		},
		{
			"35 beyond ASCII", peerXML(one, `<config><description>Zürich &#x1F6A2; &lt;</description></config>`), OpMerge, one,
			strings.Replace(rich, " a ", "Z&#xFC;rich &#x1F6A2; &lt;", 1),
		},
		{
			"39 the other case", peerXML(one, `<transport><connect-interface><config><interface-number>1</interface-number><interface-type>eth</interface-type></config></connect-interface></transport>`), OpMerge, one,
			strings.Replace(rich, "<interface>eth0</interface>", "<interface-type>eth</interface-type><interface-number>1</interface-number>", 1),
		},
		{
			"39 a case deleted, the other set", peerXML(one, `<transport><connect-interface><config><interface nc:operation="delete"/><interface-type>e</interface-type><interface-number>1</interface-number></config></connect-interface></transport>`), OpMerge, one,
			strings.Replace(rich, "<interface>eth0</interface>", "<interface-type>e</interface-type><interface-number>1</interface-number>", 1),
		},
		{
			"leaf-list merge and delete", inVPN1(`<config><listen-address nc:operation="delete">10.0.0.1</listen-address><listen-address>2001:DB8:0::1</listen-address></config>`), OpMerge, vpn,
			`<config><name>vpn1</name><listen-address>10.0.0.2</listen-address><listen-address>2001:db8::1</listen-address></config>`,
		},
		{
			"leaf-list entry replaced", inVPN1(`<config><listen-address nc:operation="replace">10.0.0.3</listen-address></config>`), OpMerge, vpn,
			`<config><name>vpn1</name><listen-address>10.0.0.1</listen-address><listen-address>10.0.0.2</listen-address><listen-address>10.0.0.3</listen-address></config>`,
		},
		{
			"leaf-list under replace", inVPN1(`<config nc:operation="replace"><listen-address>10.0.0.3</listen-address><listen-address>10.0.0.4</listen-address></config>`), OpMerge, vpn,
			`<config><name>vpn1</name><listen-address>10.0.0.3</listen-address><listen-address>10.0.0.4</listen-address></config>`,
		},
		{
			"66 reset to the default", peerXML("10.0.0.2", `<config><enabled `+wdXMLNS+` wd:default="true">true</enabled><as `+wdXMLNS+` wd:default="false">9</as></config>`), OpMerge, "10.0.0.2",
			`<peer><address>10.0.0.2</address><config><address>10.0.0.2</address><peer-group>g1</peer-group><as>9</as></config></peer>`,
		},
		{"42 nothing", ``, OpMerge, one, rich},
		{"42 only levels", inVPN1(`<peers/>`), OpMerge, one, rich},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tx, err := base.editXML(tt.edit, tt.op)
			if err != nil {
				t.Fatal(err)
			}
			filter, strip := peerXML(tt.look, ""), [2]string{"<peers>", "</peers>"}
			if tt.look == vpn {
				filter, strip = inVPN1("<config/>"), [2]string{"<name>vpn1</name>", "</vpn-instance>"}
			}
			got := tx.xml(t, "<filter>"+filter+"</filter>", XMLOptions{})
			_, got, _ = strings.Cut(got, strip[0])
			got, _, _ = strings.Cut(got, strip[1])
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.HasPrefix(tt.name, "42") && len(tx.dirty()) > 0 {
				t.Errorf("%d records differ", len(tx.dirty()))
			}
		})
	}
}

// describe shows an edit in one line.
func describe(base Path, e *Edit) string {
	var b strings.Builder
	var walk func(e *Edit)
	walk = func(e *Edit) {
		fmt.Fprintf(&b, "%s %s", e.Op, Path{{Node: e.Node, Keys: e.Keys}})
		if e.HasValue {
			b.WriteString("=" + e.Value.String())
			for _, v := range e.Values {
				b.WriteString(v.String() + ",")
			}
		}
		if len(e.Children) > 0 {
			b.WriteString(" {")
			for i, c := range e.Children {
				if i > 0 {
					b.WriteString("; ")
				}
				walk(c)
			}
			b.WriteString("}")
		}
	}
	if e.Node == Root() {
		return e.Op.String() + " root"
	}
	walk(e)
	return base.String() + ": " + b.String()
}

// One edit for each record, parents first, whatever the order in the document.
func TestDecodeXMLEmitsRecords(t *testing.T) {
	const in = "/bgp/instances/instance[name=default]"
	tests := []struct {
		name, edit string
		op         Op
		want       []string
	}{
		{"parents first, the rest after", `<bgp ` + bgpXMLNS + `><instances><instance><vpn-instances><vpn-instance><name>v</name><peers><peer><address>10.0.0.1</address></peer></peers>` +
			`</vpn-instance></vpn-instances><config><as>1</as></config><name>default</name></instance></instances></bgp>`, OpMerge, []string{
			"/bgp/instances: merge /instance[name=default]",
			in + "/vpn-instances: merge /vpn-instance[name=v]",
			in + "/vpn-instances/vpn-instance[name=v]/peers: merge /peer[address=10.0.0.1]",
			"/bgp/instances: merge /instance[name=default] {merge /config {merge /as=1}}",
		}},
		{"create only once", `<bgp ` + bgpXMLNS + ` ` + ncXMLNS + `><instances><instance nc:operation="create"><name>default</name><vpn-instances/><config><as>1</as></config></instance></instances></bgp>`, OpNone, []string{
			"/bgp/instances: create /instance[name=default]",
			"/bgp/instances: merge /instance[name=default] {create /config {create /as=1}}",
		}},
		{"deleted once", `<bgp ` + bgpXMLNS + ` ` + ncXMLNS + `><instances nc:operation="remove"><instance nc:operation="delete"><name>default</name><vpn-instances nc:operation="delete"><vpn-instance><name>a</name></vpn-instance></vpn-instances></instance></instances></bgp>`, OpMerge, []string{
			"/bgp: remove /instances",
		}},
		{"root replaced first", `<agent xmlns="urn:mooring:yang:agent"><history><config><size>7</size></config></history></agent>`, OpReplace, []string{
			"replace root",
			"/: replace /agent {replace /history {replace /config {replace /size=7}}}",
		}},
		{"leaf-list entries together", inVPN1(`<config><listen-address>10.0.0.1</listen-address><listen-port>1</listen-port><listen-address>10.0.0.2</listen-address><listen-address nc:operation="remove">10.0.0.3</listen-address></config>`), OpNone, []string{
			"/bgp/instances: none /instance[name=default]",
			in + "/vpn-instances: none /vpn-instance[name=vpn1] {none /config {none /listen-address=10.0.0.1,10.0.0.2,; none /listen-port=1; remove /listen-address=10.0.0.3,}}",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := decodeXML(tt.edit, tt.op, func(base Path, e *Edit) error {
				got = append(got, describe(base, e))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
