package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const wdXMLNS = `xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0"`

// netconf.md 23 to 39: what an edit-config is refused for. The base is
// baseStore.
func TestDecodeXMLFaults(t *testing.T) {
	const peer1 = vpn1Path + "/peers/peer[address=10.0.0.1]"
	type want struct{ Tag, App, Path, BadElement, BadAttribute, BadNamespace, Message string }
	tests := []struct {
		name string // with the item of netconf.md
		edit string
		op   Op
		want want
	}{
		{
			"24 create of an existing entry", inVPN1(`<peers><peer nc:operation="create"><address>10.0.0.1</address></peer></peers>`), OpMerge,
			want{Tag: "data-exists", Path: peer1, BadElement: "peer", Message: "it exists already and cannot be created"},
		},
		{
			"25 delete of a missing entry", inVPN1(`<peers><peer nc:operation="delete"><address>10.0.0.9</address></peer></peers>`), OpMerge,
			want{Tag: "data-missing", Path: vpn1Path + "/peers/peer[address=10.0.0.9]", BadElement: "peer", Message: "it does not exist"},
		},
		{
			"25 delete of a default", peerXML("10.0.0.1", `<config><enabled nc:operation="delete"/></config>`), OpMerge,
			want{Tag: "data-missing", Path: peer1 + "/config/enabled", BadElement: "enabled", Message: "it does not exist"},
		},
		{
			"26 delete of a key", inVPN1(`<peers><peer><address nc:operation="delete">10.0.0.1</address></peer></peers>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/address", BadElement: "address", Message: "is a list key: delete the list entry instead"},
		},
		{
			"26 create of a key", inVPN1(`<peers><peer><address nc:operation="create">10.0.0.1</address></peer></peers>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/address", BadElement: "address", Message: "is a list key: create the list entry instead"},
		},
		{
			"26 delete of the key's twin", peerXML("10.0.0.1", `<config><address nc:operation="delete"/></config>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/config/address", BadElement: "address", Message: "a list key cannot be deleted: delete the list entry"},
		},
		{
			"28 none on a missing level", inVPN1(`<peers><peer><address>10.0.0.9</address><config><as nc:operation="create">1</as></config></peer></peers>`), OpNone,
			want{Tag: "data-missing", Path: vpn1Path + "/peers/peer[address=10.0.0.9]", BadElement: "peer", Message: "it does not exist"},
		},
		{
			"29 create under delete", inVPN1(`<peers><peer nc:operation="delete"><address>10.0.0.1</address><config nc:operation="create"/></peer></peers>`), OpMerge,
			want{Tag: "bad-attribute", Path: peer1 + "/config", BadElement: "config", BadAttribute: "operation", Message: "create inside of delete contradicts it"},
		},
		{
			"29 merge under remove, above records", inVPN1(`<peers nc:operation="remove"><peer nc:operation="merge"><address>10.0.0.1</address></peer></peers>`), OpMerge,
			want{Tag: "bad-attribute", Path: vpn1Path + "/peers/peer", BadElement: "peer", BadAttribute: "operation", Message: "merge inside of remove contradicts it"},
		},
		{
			"30 operation without a namespace", inVPN1(`<peers><peer operation="delete"><address>10.0.0.1</address></peer></peers>`), OpMerge,
			want{
				Tag: "unknown-attribute", Path: vpn1Path + "/peers/peer", BadElement: "peer", BadAttribute: "operation",
				Message: "unknown attribute operation: it needs the namespace urn:ietf:params:xml:ns:netconf:base:1.0",
			},
		},
		{
			"31 bad operation", inVPN1(`<peers nc:operation="frob"/>`), OpMerge,
			want{Tag: "bad-attribute", Path: vpn1Path + "/peers", BadElement: "peers", BadAttribute: "operation", Message: "'frob' is no operation"},
		},
		{
			"31 none is no operation", inVPN1(`<peers nc:operation="none"/>`), OpMerge,
			want{Tag: "bad-attribute", Path: vpn1Path + "/peers", BadElement: "peers", BadAttribute: "operation", Message: "'none' is no operation"},
		},
		{
			"31 unknown attribute", inVPN1(`<peers colour="red"/>`), OpMerge,
			want{Tag: "unknown-attribute", Path: vpn1Path + "/peers", BadElement: "peers", BadAttribute: "colour", Message: "unknown attribute colour"},
		},
		{
			"31 unknown element", peerXML("10.0.0.1", `<colour>red</colour>`), OpMerge,
			want{Tag: "unknown-element", Path: peer1, BadElement: "colour", Message: "has no element colour in the namespace urn:mooring:yang:bgp"},
		},
		{
			"31 unknown element at the top", `<colours ` + bgpXMLNS + `/>`, OpMerge,
			want{Tag: "unknown-element", Path: "/", BadElement: "colours", Message: "has no element colours in the namespace urn:mooring:yang:bgp"},
		},
		{
			"31 unknown namespace", `<bgp xmlns="urn:x"/>`, OpMerge,
			want{Tag: "unknown-namespace", Path: "/", BadElement: "bgp", BadNamespace: "urn:x", Message: "element bgp is in the unknown namespace 'urn:x'"},
		},
		{
			"31 no namespace", `<bgp/>`, OpMerge,
			want{Tag: "unknown-namespace", Path: "/", BadElement: "bgp", Message: "element bgp is in the unknown namespace ''"},
		},
		{
			"31 namespace of a module that is only imported", `<bgp xmlns="urn:mooring:yang:types"/>`, OpMerge,
			want{
				Tag: "unknown-namespace", Path: "/", BadElement: "bgp", BadNamespace: "urn:mooring:yang:types",
				Message: "element bgp is in the unknown namespace 'urn:mooring:yang:types'",
			},
		},
		{
			"31 known namespace in the wrong place", peerXML("10.0.0.1", `<config xmlns="urn:mooring:yang:agent"/>`), OpMerge,
			want{Tag: "unknown-element", Path: peer1, BadElement: "config", Message: "has no element config in the namespace urn:mooring:yang:agent"},
		},
		{
			"32 out of range", peerXML("10.0.0.1", `<config><as>0</as></config>`), OpMerge,
			want{Tag: "invalid-value", Path: peer1 + "/config/as", BadElement: "as", Message: "an AS number is 1 to 4294967295"},
		},
		{
			"32 pattern", peerXML("10.0.0.1", `<transport><connect-interface><config><interface>a/b</interface></config></connect-interface></transport>`), OpMerge,
			want{Tag: "invalid-value", Path: peer1 + "/transport/connect-interface/config/interface", BadElement: "interface", Message: "an interface name holds no '/'"},
		},
		{
			"32 type checked under none too", peerXML("10.0.0.1", `<config><as>x</as></config>`), OpNone,
			want{Tag: "invalid-value", Path: peer1 + "/config/as", BadElement: "as", Message: "must be an integer"},
		},
		{
			"32 key", inVPN1(`<peers><peer><address>10.0.0</address></peer></peers>`), OpMerge,
			want{Tag: "invalid-value", Path: vpn1Path + "/peers/peer/address", BadElement: "address", Message: "must be an IPv4 or IPv6 address"},
		},
		{
			"32 wildcard key", inVPN1(`<peer-groups><peer-group><name>*</name></peer-group></peer-groups>`), OpMerge,
			want{Tag: "invalid-value", Path: vpn1Path + "/peer-groups/peer-group/name", BadElement: "name", Message: "'*' is no name: it stands for any entry"},
		},
		{
			"33 missing key", inVPN1(`<peers><peer><config><address>10.0.0.1</address></config></peer></peers>`), OpMerge,
			want{Tag: "missing-element", Path: vpn1Path + "/peers/peer", BadElement: "address", Message: "list key address is missing"},
		},
		{
			"33 missing key of a list within a record", peerXML("10.0.0.1", `<afi-safis><afi-safi/></afi-safis>`), OpMerge,
			want{Tag: "missing-element", Path: peer1 + "/afi-safis/afi-safi", BadElement: "name", Message: "list key name is missing"},
		},
		{
			"34 leaf twice", peerXML("10.0.0.1", `<config><as>1</as><description/><as>2</as></config>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/config/as", BadElement: "as", Message: "stands twice"},
		},
		{
			"34 container twice", peerXML("10.0.0.1", `<config/><transport/><config/>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/config", BadElement: "config", Message: "stands twice"},
		},
		{
			"34 key twice", inVPN1(`<peers><peer><address>10.0.0.1</address><address>10.0.0.2</address></peer></peers>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/address", BadElement: "address", Message: "stands twice"},
		},
		{
			"34 leaf-list entry twice", inVPN1(`<config><listen-address>10.0.0.1</listen-address><listen-address> 10.0.0.1</listen-address></config>`), OpMerge,
			want{Tag: "bad-element", Path: vpn1Path + "/config/listen-address", BadElement: "listen-address", Message: `"10.0.0.1" stands twice`},
		},
		{
			"35 white space in a string", inVPN1(`<peer-groups><peer-group><name> g1</name></peer-group></peer-groups>`), OpMerge,
			want{
				Tag: "invalid-value", Path: vpn1Path + "/peer-groups/peer-group/name", BadElement: "name",
				Message: "a name is 1 to 63 printable ASCII characters without spaces",
			},
		},
		{
			"37 malformed", `<bgp ` + bgpXMLNS + `><instances></bgp>`, OpMerge,
			want{Tag: "malformed-message", Path: "/", Message: `xml at byte 53: end tag "bgp" where "instances" must be`},
		},
		{
			"38 too many entries", inVPN1(`<config>` + strings.Repeat("%", maxLeafList+1) + `</config>`), OpMerge,
			want{Tag: "operation-failed", App: "too-many-elements", Path: vpn1Path + "/config/listen-address", Message: "too many entries: at most 8 are allowed"},
		},
		{
			"39 insert without an order", inVPN1(`<config><listen-address xmlns:yang="urn:ietf:params:xml:ns:yang:1" yang:insert="first">10.0.0.1</listen-address></config>`), OpMerge,
			want{
				Tag: "unknown-attribute", Path: vpn1Path + "/config/listen-address", BadElement: "listen-address", BadAttribute: "insert",
				Message: "unknown attribute yang:insert",
			},
		},
		{
			"39 two cases", peerXML("10.0.0.1", `<transport><connect-interface><config><interface>e</interface><interface-type>e</interface-type></config></connect-interface></transport>`), OpMerge,
			want{
				Tag: "bad-element", Path: peer1 + "/transport/connect-interface/config/interface-type", BadElement: "interface-type",
				Message: "interface-type and interface exclude each other: give one of them",
			},
		},
		{
			"66 not the default", peerXML("10.0.0.1", `<config><enabled `+wdXMLNS+` wd:default="true">false</enabled></config>`), OpMerge,
			want{Tag: "invalid-value", Path: peer1 + "/config/enabled", BadElement: "enabled", Message: "is marked as default, but that is not its default (RFC 6243 4.5)"},
		},
		{
			"66 bad mark", peerXML("10.0.0.1", `<config><enabled `+wdXMLNS+` wd:default="yes">true</enabled></config>`), OpMerge,
			want{Tag: "bad-attribute", Path: peer1 + "/config/enabled", BadElement: "enabled", BadAttribute: "default", Message: "must be true or false"},
		},
		{
			"66 mark of a container", peerXML("10.0.0.1", `<config `+wdXMLNS+` wd:default="true"/>`), OpMerge,
			want{Tag: "unknown-attribute", Path: peer1 + "/config", BadElement: "config", BadAttribute: "default", Message: "unknown attribute wd:default"},
		},
		{
			"state data", peerXML("10.0.0.1", `<state/>`), OpMerge,
			want{Tag: "unknown-element", Path: peer1 + "/state", BadElement: "state", Message: "is state data (config false) and cannot be edited"},
		},
		{
			"text in a container", peerXML("10.0.0.1", `<config>x</config>`), OpMerge,
			want{Tag: "bad-element", Path: peer1 + "/config", BadElement: "config", Message: "holds text: only elements are allowed here"},
		},
		{
			"element in a leaf", peerXML("10.0.0.1", `<config><as>1<b/></as></config>`), OpMerge,
			want{Tag: "unknown-element", Path: peer1 + "/config/as", BadElement: "b", Message: "is a leaf and holds no element b"},
		},
		{
			"key against its twin", peerXML("10.0.0.1", `<config><address>10.0.0.2</address></config>`), OpMerge,
			want{Tag: "invalid-value", Path: peer1 + "/config/address", BadElement: "address", Message: `"10.0.0.2" contradicts the list key "10.0.0.1"`},
		},
	}
	base := baseStore(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := tt.edit
			if n := strings.Count(edit, "%"); n > 0 {
				var all strings.Builder
				for i := range n {
					fmt.Fprintf(&all, "<listen-address>10.0.%d.%d</listen-address>", i/256, i%256)
				}
				edit = strings.Replace(edit, strings.Repeat("%", n), all.String(), 1)
			}
			_, err := base.editXML(edit, tt.op)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("accepted, or %v", err)
			}
			got := want{e.Tag.String(), e.AppTag, e.Path.String(), e.BadElement, e.BadAttribute, e.BadNamespace, e.Message}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
