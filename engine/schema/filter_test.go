package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/xmltok"
)

// filterStore is baseStore with another VPN instance and some state.
func filterStore(t testing.TB) *store {
	s := baseStore(t).
		mustXML(t, `<vpn-instances `+vpnXMLNS+`><vpn-instance><name>vpn2</name><config><description> two </description></config></vpn-instance></vpn-instances>`).
		mustXML(t, strings.Replace(inVPN1(`<peers><peer><address>2001:db8::1</address><config><as>3</as></config></peer></peers>`), "<name>vpn1<", "<name>vpn2<", 1)).
		mustXML(t, peerXML("10.0.0.1", `<afi-safis><afi-safi><name>vpnv6-unicast</name></afi-safi><afi-safi><name>ipv4-unicast</name></afi-safi></afi-safis>`+
			`<transport><authentication><config><method>md5</method><password>secret</password></config></authentication></transport>`)).
		mustXML(t, inVPN1(`<config><listen-address>10.0.0.8</listen-address><listen-address>10.0.0.9</listen-address></config>`))
	k, rest, _ := path(t, vpn1Path+"/peers/peer[address=10.0.0.1]/state/session-state").Record()
	rec := New(k)
	up, _ := rest.Node().Type.Parse("established")
	SetLeaf(rec, rest, up)
	SetLeaf(rec, path(t, vpn1Path+"/peers/peer[address=10.0.0.1]/afi-safis/afi-safi[name=ipv4-unicast]/state/prefixes-received")[len(k.Path()):], UintValue(1<<60))
	s.states[k] = rec
	return s
}

// netconf.md 43 to 45.
func TestSubtreeFilter(t *testing.T) {
	s := filterStore(t)
	bgp := func(content string) string {
		return `<bgp ` + bgpXMLNS + `><instances><instance><name>default</name>` + content + `</instance></instances></bgp>`
	}
	in := func(content string) string {
		return bgp(`<vpn-instances><vpn-instance><name>vpn1</name>` + content + `</vpn-instance></vpn-instances>`)
	}
	ask := func(content string) string {
		return `<bgp ` + bgpXMLNS + `><instances><instance><vpn-instances>` + content + `</vpn-instances></instance></instances></bgp>`
	}
	peers := func(content string) string { return in("<peers>" + content + "</peers>") }
	const p1, p2 = `<peer><address>10.0.0.1</address>`, `<peer><address>10.0.0.2</address>`
	const p2all = p2 + `<config><address>10.0.0.2</address><peer-group>g1</peer-group></config></peer>`
	tests := []struct{ name, filter, want string }{
		{"43 empty", ``, ``},
		{"43 white space only", "\n <!-- nothing --> ", ``},
		{
			"44 selection of a top-level node", `<vpn-instances ` + vpnXMLNS + `/>`,
			`<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>_public_</name><config><name>_public_</name></config></vpn-instance>` +
				`<vpn-instance><name>vpn1</name><config><name>vpn1</name></config><ipv4-family><config><route-distinguisher>100:1</route-distinguisher></config></ipv4-family></vpn-instance>` +
				`<vpn-instance><name>vpn2</name><config><name>vpn2</name><description> two </description></config></vpn-instance></vpn-instances>`,
		},
		{"44 containment and selection; keys added", inVPN1(`<peers><peer><config><as/></config></peer></peers>`), peers(p1 + `<config><as>65002</as></config></peer>`)},
		{"44 selection of the key alone", inVPN1(`<peers><peer><address/></peer></peers>`), peers(p1 + `</peer>` + p2 + `</peer>`)},
		{"44 content match on a key", peerXML("10.0.0.2", ""), peers(p2all)},
		{
			"44 content match in another spelling", strings.Replace(peerXML(" 2001:DB8:0::1 ", `<config><as/></config>`), "vpn1", "vpn2", 1),
			strings.Replace(peers(`<peer><address>2001:db8::1</address><config><as>3</as></config></peer>`), "vpn1", "vpn2", 1),
		},
		{
			"44 content match on another leaf", ask(`<vpn-instance><peers><peer><config><peer-group>g1</peer-group></config></peer></peers></vpn-instance>`),
			peers(p2all),
		},
		{
			"44 content match and selection", inVPN1(`<peers><peer><config><peer-group>g1</peer-group><address/></config></peer></peers>`),
			peers(p2 + `<config><address>10.0.0.2</address><peer-group>g1</peer-group></config></peer>`),
		},
		{
			"44 several content matches, all hold", peerXML("10.0.0.1", `<config><as>65002</as><address>10.0.0.1</address></config>`),
			peers(p1 + `<config><address>10.0.0.1</address><as>65002</as></config></peer>`),
		},
		{"44 several content matches, one fails", peerXML("10.0.0.1", `<config><as>65002</as><address>10.0.0.2</address></config>`), peers(p1 + `</peer>`)},
		{
			"44 content match of a number with another spelling", peerXML("10.0.0.1", `<config><as> +65002 </as></config>`),
			peers(p1 + `<config><address>10.0.0.1</address><as>65002</as></config></peer>`),
		},
		{
			"44 content match of text with white space around", `<vpn-instances ` + vpnXMLNS + `><vpn-instance><config><description>two</description></config></vpn-instance></vpn-instances>`,
			`<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>vpn2</name><config><name>vpn2</name><description> two </description></config></vpn-instance></vpn-instances>`,
		},
		{
			"44 content match on state", ask(`<vpn-instance><peers><peer><state><session-state>established</session-state></state></peer></peers></vpn-instance>`),
			peers(p1 + `<state><session-state>established</session-state></state></peer>`),
		},
		{
			"44 content match on a leaf-list gives that entry", inVPN1(`<config><listen-address>10.0.0.9</listen-address><name/></config>`),
			in(`<config><name>vpn1</name><listen-address>10.0.0.9</listen-address></config>`),
		},
		{
			"44 content match on a leaf-list selects the siblings", inVPN1(`<config><listen-address>10.0.0.9</listen-address></config>`),
			in(`<config><name>vpn1</name><listen-address>10.0.0.8</listen-address><listen-address>10.0.0.9</listen-address></config>`),
		},
		{"44 content match on a leaf-list fails", ask(`<vpn-instance><config><listen-address>10.0.0.7</listen-address></config></vpn-instance>`), ``},
		{
			"44 union of siblings", inVPN1(`<peers>` + p2 + `<config><peer-group/></config></peer>` + p1 + `<config><as/></config></peer>` + p2 + `<config><address/></config></peer></peers>`),
			peers(p1 + `<config><as>65002</as></config></peer>` + p2all),
		},
		{
			"44 union of a key and all", inVPN1(`<peers>` + p1 + `</peer><peer><config><peer-group/></config></peer></peers>`),
			peers(p1 + `<config><address>10.0.0.1</address><as>65002</as></config><state><session-state>established</session-state></state>` +
				`<transport><authentication><config><method>md5</method></config></authentication></transport>` +
				`<afi-safis><afi-safi><name>ipv4-unicast</name><config><name>ipv4-unicast</name></config><state><prefixes-received>1152921504606846976</prefixes-received></state></afi-safi>` +
				`<afi-safi><name>vpnv6-unicast</name><config><name>vpnv6-unicast</name></config></afi-safi></afi-safis></peer>` +
				p2 + `<config><peer-group>g1</peer-group></config></peer>`),
		},
		{
			"44 list within a record", peerXML("10.0.0.1", `<afi-safis><afi-safi><name>ipv4-unicast</name><state/></afi-safi></afi-safis>`),
			peers(p1 + `<afi-safis><afi-safi><name>ipv4-unicast</name><state><prefixes-received>1152921504606846976</prefixes-received></state></afi-safi></afi-safis></peer>`),
		},
		{
			"44 any namespace", `<vpn-instances><vpn-instance><name>vpn1</name><config><name/></config></vpn-instance></vpn-instances>`,
			`<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>vpn1</name><config><name>vpn1</name></config></vpn-instance></vpn-instances>`,
		},
		{
			"44 two top-level nodes", `<bgp ` + bgpXMLNS + `><instances><instance><config><as/></config></instance></instances></bgp><vpn-instances><vpn-instance><name/></vpn-instance></vpn-instances>`,
			bgp(`<config><as>100</as></config>`) + `<vpn-instances ` + vpnXMLNS + `><vpn-instance><name>_public_</name></vpn-instance><vpn-instance><name>vpn1</name></vpn-instance><vpn-instance><name>vpn2</name></vpn-instance></vpn-instances>`,
		},
		{"44 attribute match", `<bgp ` + bgpXMLNS + ` colour="red"/>`, ``},
		{"44 attribute match within", inVPN1(`<peers><peer><config><as x="1"/></config></peer></peers>`), in(``)},
		{"45 unknown namespace", `<bgp xmlns="urn:x"><instances/></bgp>`, ``},
		{"45 unknown element", inVPN1(`<peers><peer><colour/></peer></peers>`), in(``)},
		{"45 unknown content match", ask(`<vpn-instance><peers><peer><colour>red</colour></peer></peers></vpn-instance>`), ``},
		{"45 no such entry", peerXML("10.0.0.7", ""), in(``)},
		{"45 key of the wrong type", peerXML("ten", ""), in(``)},
		{"45 element in a leaf", inVPN1(`<peers><peer><config><as><x/></as></config></peer></peers>`), in(``)},
		{"text in a container", ask(`<vpn-instance><peers>x</peers></vpn-instance>`), ``},
		{"a secret cannot be found by guessing", peerXML("10.0.0.1", `<transport><authentication><config><password>secret</password></config></authentication></transport>`), peers(p1 + `</peer>`)},
		{"a secret is not selected", peerXML("10.0.0.1", `<transport><authentication><config><password/></config></authentication></transport>`), peers(p1 + `</peer>`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.xml(t, "<filter>"+tt.filter+"</filter>", XMLOptions{})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseSubtreeFilterFaults(t *testing.T) {
	tests := []struct {
		name, filter string
		tag          Tag
		bad          string
	}{
		{"text", `<filter>x</filter>`, BadElement, "filter"},
		{"mixed content", `<filter><bgp>x<instances/></bgp></filter>`, BadElement, "bgp"},
		{"malformed", `<filter><bgp></filter>`, MalformedMessage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dec := xmltok.NewDecoder([]byte(tt.filter), xmltok.Options{})
			if _, err := dec.Next(); err != nil {
				t.Fatal(err)
			}
			_, err := ParseSubtreeFilter(dec)
			var e *Error
			if !errors.As(err, &e) || e.Tag != tt.tag || e.BadElement != tt.bad {
				t.Errorf("%v, want %s of %q", err, tt.tag, tt.bad)
			}
		})
	}
}

// A filter that names the key of a record looks at no other record.
func TestFilterByKeyDoesNotScan(t *testing.T) {
	s := peerStore(t, 500)
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "<peer><address>%s</address><config><as/></config></peer>", benchAddress(i))
	}
	tests := []struct {
		name, filter  string
		peers, visits int
	}{
		{"one", peerXML(benchAddress(7), ""), 1, 0},
		{"many", inVPN1("<peers>" + many.String() + "</peers>"), 300, 0},
		{"all", inVPN1("<peers/>"), 500, 500},
	}
	for _, tt := range tests {
		s.visits = 0
		got := s.xml(t, "<filter>"+tt.filter+"</filter>", XMLOptions{})
		if n := strings.Count(got, "<peer>"); n != tt.peers {
			t.Errorf("%s: %d peers, want %d", tt.name, n, tt.peers)
		}
		if s.visits != tt.visits {
			t.Errorf("%s: %d records visited, want %d", tt.name, s.visits, tt.visits)
		}
	}
}
