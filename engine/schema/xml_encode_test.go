package schema

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

// netconf.md 33, 35, 65: form of the output, content and with-defaults.
func TestEncodeXML(t *testing.T) {
	s := filterStore(t).mustXML(t, peerXML("10.0.0.2", `<config><enabled>true</enabled><description>a&lt;b&gt;&#13; "##" ü</description></config>`))
	k, rest, _ := path(t, vpn1Path+"/peers/peer[address=10.0.0.2]/state/enabled").Record()
	rec := New(k)
	SetLeaf(rec, rest, BoolValue(true))
	SetLeaf(rec, path(t, vpn1Path+"/peers/peer[address=10.0.0.2]/state/session-state")[len(k.Path()):], mustParse(t, rest[0].Node.Child("session-state"), "idle"))
	SetLeaf(rec, path(t, vpn1Path+"/peers/peer[address=10.0.0.2]/effective/value[leaf=config/as]/origin")[len(k.Path()):],
		mustParse(t, k.Kind().Node.descendant("effective/value/origin"), "peer-group"))
	s.states[k] = rec
	const key, text = `<address>10.0.0.2</address>`, `<description>a&lt;b&gt;&#xD; "&#35;&#35;" &#xFC;</description>`
	const state = `<state><enabled>true</enabled><session-state>idle</session-state></state>`
	const effective = `<effective><value><leaf>config/as</leaf><origin>peer-group</origin></value></effective>`
	const history = `<agent xmlns="urn:mooring:yang:agent"%s><history>%s</history></agent>`
	peer := peerXML("10.0.0.2", "")
	agent := `<agent xmlns="urn:mooring:yang:agent"><history/></agent>`
	tests := []struct {
		name, filter string
		o            XMLOptions
		want         string
	}{
		{"config and state", peer, XMLOptions{}, key + `<config>` + key + text + `<enabled>true</enabled><peer-group>g1</peer-group></config>` + state + effective},
		{"config", peer, XMLOptions{Content: ConfigOnly}, key + `<config>` + key + text + `<enabled>true</enabled><peer-group>g1</peer-group></config>`},
		{"state", peer, XMLOptions{Content: StateOnly}, key + state + effective},
		{"operational", peer, XMLOptions{Content: Operational}, key + `<state><session-state>idle</session-state></state>` + effective},
		{"state of a peer without any", strings.Replace(peerXML("2001:db8::1", ""), "vpn1", "vpn2", 1), XMLOptions{Content: StateOnly}, ``},
		{"65 trim", peer, XMLOptions{Defaults: Trim}, key + `<config>` + key + text + `<peer-group>g1</peer-group></config>` +
			`<state><session-state>idle</session-state></state>` + effective},
		{"65 report-all", peerXML("10.0.0.1", "<config/>"), XMLOptions{Defaults: ReportAll}, `<address>10.0.0.1</address><config><address>10.0.0.1</address><enabled>true</enabled><as>65002</as></config>`},
		{
			"65 report-all-tagged", peerXML("10.0.0.1", "<config/>"),
			XMLOptions{Defaults: ReportAllTagged},
			`<address>10.0.0.1</address><config><address>10.0.0.1</address><enabled wd:default="true">true</enabled><as>65002</as></config>`,
		},
		{"65 what was set is no default", peerXML("10.0.0.2", "<config><enabled/></config>"), XMLOptions{Defaults: ReportAllTagged}, key + `<config><enabled>true</enabled></config>`},
		{
			"65 a default is matched where it is reported", peerXML("10.0.0.1", "<config><enabled>true</enabled><as/></config>"),
			XMLOptions{Defaults: ReportAll},
			`<address>10.0.0.1</address><config><enabled>true</enabled><as>65002</as></config>`,
		},
		{"65 a default is not matched where it is not", peerXML("10.0.0.1", "<config><enabled>true</enabled><as/></config>"), XMLOptions{}, `<address>10.0.0.1</address>`},
		{
			"65 within a list", peerXML("10.0.0.1", `<afi-safis><afi-safi><name>ipv4-unicast</name><config/></afi-safi></afi-safis>`),
			XMLOptions{Defaults: ReportAll},
			`<address>10.0.0.1</address><afi-safis><afi-safi><name>ipv4-unicast</name><config><name>ipv4-unicast</name><enabled>true</enabled></config></afi-safi></afi-safis>`,
		},
		{"65 containers that nobody made", agent, XMLOptions{Defaults: ReportAll}, fmt.Sprintf(history, ``, `<config><size>100</size></config>`)},
		{"65 the same, tagged", agent, XMLOptions{Defaults: ReportAllTagged}, fmt.Sprintf(history, ` `+wdXMLNS, `<config><size wd:default="true">100</size></config>`)},
		{"65 not where only state is asked for", agent, XMLOptions{Defaults: ReportAll, Content: StateOnly}, ``},
		{"65 explicit", agent, XMLOptions{}, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.xml(t, "<filter>"+tt.filter+"</filter>", tt.o)
			if _, after, ok := strings.Cut(got, "<peer>"); ok {
				got, _, _ = strings.Cut(after, "</peer>")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func mustParse(t testing.TB, n *Node, text string) Value {
	t.Helper()
	v, err := n.Type.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDefaultsModeNames(t *testing.T) {
	for _, name := range []string{"explicit", "report-all", "trim", "report-all-tagged"} {
		if m, ok := ParseDefaultsMode(name); !ok || m.String() != name {
			t.Errorf("ParseDefaultsMode(%s) = %v, %v", name, m, ok)
		}
	}
	if _, ok := ParseDefaultsMode("all"); ok {
		t.Error("ParseDefaultsMode accepts all")
	}
}

// noWriter fails after some writes and notes the largest.
type noWriter struct{ left, largest, writes int }

var errNoWriter = errors.New("no more")

func (w *noWriter) Write(p []byte) (int, error) {
	w.largest, w.writes = max(w.largest, len(p)), w.writes+1
	if w.left--; w.left < 0 {
		return 0, errNoWriter
	}
	return len(p), nil
}

// The output is streamed: no piece grows with the data, and an error of the
// writer ends the work.
func TestEncodeXMLStreams(t *testing.T) {
	s := peerStore(t, 2_000)
	w := &noWriter{left: 1 << 30}
	if err := EncodeXML(w, s, nil, XMLOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.writes < 20 || w.largest > xmlBuffer+8192 {
		t.Errorf("%d writes of at most %d bytes", w.writes, w.largest)
	}
	s.visits = 0
	w = &noWriter{left: 1}
	if err := EncodeXML(w, s, nil, XMLOptions{}); !errors.Is(err, errNoWriter) {
		t.Errorf("error %v", err)
	}
	if w.writes != 2 || s.visits > 1_000 {
		t.Errorf("%d writes and %d records after the writer failed", w.writes, s.visits)
	}
}

// What is written and read again is the same, and so is what is written then.
func TestXMLRoundTrip(t *testing.T) {
	tested := 0
	for seed := range uint64(60) {
		s, err := newStore().commitXML(randomConfig(rand.New(rand.NewPCG(seed, 2))), OpMerge)
		if err != nil {
			continue
		}
		tested++
		text := s.xml(t, "", XMLOptions{Content: ConfigOnly})
		again, err := newStore().editXML(text, OpReplace)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		s.Scan("", func(k Key, rec ygot.GoStruct) bool {
			if got := again.Get(k); !Equal(withoutSecrets(rec), got) {
				t.Errorf("%s differs:\n%s", k, cmp.Diff(withoutSecrets(rec), got))
			}
			return true
		})
		if again.records.Len() != s.records.Len() {
			t.Errorf("%d records, want %d", again.records.Len(), s.records.Len())
		}
		if diff := cmp.Diff(text, again.xml(t, "", XMLOptions{Content: ConfigOnly})); diff != "" {
			t.Errorf("second text (-first +second)\n%s", diff)
		}
	}
	if tested < 15 {
		t.Errorf("only %d valid configurations", tested)
	}
}

// withoutSecrets returns the record as it is shown.
func withoutSecrets(rec ygot.GoStruct) ygot.GoStruct {
	rec = Clone(rec)
	n := kindOfRecord(rec).Node
	if n.Child("transport") == nil {
		return rec
	}
	authentication := n.descendant("transport/authentication")
	sv := authentication.sub(n.Child("transport").sub(structOf(rec)))
	config, keys := authentication.Child("config"), authentication.Child("keys")
	if c := config.sub(sv); c.IsValid() {
		config.Child("password").unset(c)
	}
	if list := keys.Child("key"); list.isSet(keys.sub(sv)) {
		for _, e := range list.entries(keys.sub(sv)) {
			list.descendant("config/secret").unset(list.Child("config").sub(e.sv))
		}
	}
	return rec
}

// netconf.md 33, 35: libyang reads what is written as the same configuration.
// Secrets are missing, so only what has none is valid.
func TestEncodeXMLAgainstYanglint(t *testing.T) {
	var docs []lintDoc
	for seed := range uint64(120) {
		s, err := newStore().commitXML(randomConfig(rand.New(rand.NewPCG(seed, 3))), OpMerge)
		if err != nil {
			continue
		}
		if !s.secret() {
			docs = append(docs, lintDoc{format: "xml", text: s.xml(t, "", XMLOptions{Content: ConfigOnly})},
				lintDoc{format: "xml", text: s.xml(t, "", XMLOptions{Content: ConfigOnly, Defaults: ReportAll})})
		}
	}
	if len(docs) < 20 {
		t.Fatalf("only %d configurations", len(docs))
	}
	accepted, output := yanglint(t, docs)
	for i, ok := range accepted {
		if ok == "" {
			t.Fatalf("yanglint refuses\n%s\n%s", docs[i].text, output)
		}
	}
}

// netconf.md 35: what could confuse a client is escaped.
func TestEncodeXMLIsASCII(t *testing.T) {
	s := baseStore(t).mustXML(t, peerXML("10.0.0.1", "<config><description>ü]]&gt;]]&gt;&#xA;##&#xA;</description></config>"))
	text := s.xml(t, "", XMLOptions{})
	if i := bytes.IndexFunc([]byte(text), func(r rune) bool { return r > 0x7e }); i >= 0 {
		t.Errorf("%q at %d", text[i], i)
	}
	if strings.Contains(text, "]]>") || strings.Contains(text, "##") {
		t.Errorf("not escaped: %s", text)
	}
}
