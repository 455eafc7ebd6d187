package netconf

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"mooring/server/netconf/frame"
)

// probe is a row of the table in netconf.md section 2: what a client does, and
// what comes of it. Only things that any server of the model can do are used.
type probe struct {
	name string
	want string // of the RFCs, and so of this server
	yuma string // of netconfd 2.13 where it is something else, alternatives apart by "|"; see TestAgainstYuma
	run  func(s *probed) string
}

// probed is a server that is probed.
type probed struct {
	testing.TB
	dial func() *client // a connection, of which nothing has been read
	// settle waits for a server that loses what comes along with the hello.
	settle func()
}

// open is a session of base:1.1 up to the exchange of hellos.
func (s *probed) open() *probing {
	s.Helper()
	c := s.dial()
	c.greet(base10, base11)
	s.settle()
	return &probing{c}
}

// probing is a session of a probe.
type probing struct{ *client }

// do runs operations and returns what came of the last.
func (c *probing) do(operations ...string) string {
	c.Helper()
	var got string
	for _, op := range operations {
		c.next++
		got = c.raw(c.frame(fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, ncNS, c.next, op)))
	}
	return got
}

// raw sends octets and returns what came of them.
func (c *probing) raw(octets string) string {
	c.Helper()
	c.send(octets)
	return c.outcome()
}

// outcome is the next reply in few words: ok, the errors with their types, the
// data without white space, or closed.
func (c *probing) outcome() string {
	c.Helper()
	msg, err := c.in.Next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silence"
	case err != nil:
		return "closed"
	}
	var reply struct {
		XMLName xml.Name
		OK      *struct{}  `xml:"ok"`
		Errors  []rpcError `xml:"rpc-error"`
		Data    *struct {
			Nodes []node `xml:",any"`
		} `xml:"data"`
	}
	if err := xml.Unmarshal(msg, &reply); err != nil {
		c.Fatalf("reply: %v\n%s", err, msg)
	}
	var out []string
	if reply.OK != nil {
		out = append(out, "ok")
	}
	for _, e := range reply.Errors {
		out = append(out, e.Type+" "+e.Tag)
	}
	if reply.Data != nil {
		text := "data"
		for _, n := range reply.Data.Nodes {
			text += " " + n.String()
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// node is an element as probes compare it: name(children) or name=text.
type node struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
	Nodes   []node `xml:",any"`
}

func (n node) String() string {
	if len(n.Nodes) == 0 {
		if text := strings.TrimSpace(n.Text); text != "" {
			return n.XMLName.Local + "=" + text
		}
		return n.XMLName.Local
	}
	var children []string
	for _, c := range n.Nodes {
		children = append(children, c.String())
	}
	return n.XMLName.Local + "(" + strings.Join(children, " ") + ")"
}

// The edits of the probes: VPN instances, and BGP instances for their numbers.

func vpns(entries string) string {
	return `<vpn-instances xmlns="` + vpnNS + `">` + entries + "</vpn-instances>"
}

func vpn(attrs, name, more string) string {
	return "<vpn-instance" + attrs + "><name>" + name + "</name><config><name>" + name + "</name>" + more + "</config></vpn-instance>"
}

func bgpAS(leaves string) string {
	return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><config><name>default</name>` + leaves + "</config></instance></instances></bgp>"
}

const (
	all      = "data vpn-instances(vpn-instance(name=_public_ config(name=_public_)) vpn-instance(name=vpn1 config(name=vpn1 description=one)) vpn-instance(name=vpn2 config(name=vpn2)))"
	onlyVPNs = `<filter type="subtree"><vpn-instances xmlns="` + vpnNS + `"/></filter>`
	readVPNs = "<get-config><source><candidate/></source>" + onlyVPNs + "</get-config>"
	hasVPNs  = "<get-config><source><running/></source>" + onlyVPNs + "</get-config>"
)

func readBy(filter string) string {
	return "<get-config><source><running/></source>" + filter + "</get-config>"
}

// begin configures vpn1 and vpn2 in running.
func (c *probing) begin() string {
	c.Helper()
	return c.do("<discard-changes/>", editDraft(vpns(vpn("", "_public_", "")+vpn(op+`"replace"`, "vpn1", "<description>one</description>")+vpn(op+`"replace"`, "vpn2", ""))), "<commit/>")
}

// with runs operations on a session whose running has vpn1 and vpn2.
func with(operations ...string) func(*probed) string {
	return func(s *probed) string {
		c := s.open()
		if got := c.begin(); got != "ok" {
			return "the configuration of the probes: " + got
		}
		got := c.do(operations...)
		c.do("<discard-changes/>")
		return got
	}
}

// after is with and the session that it ends on: octets behind hello.
func after(octets func(*probing) string) func(*probed) string {
	return func(s *probed) string {
		c := s.open()
		return c.raw(octets(c))
	}
}

// alive says whether a session answers.
func (c *probing) alive() string {
	return c.do("<get-config><source><running/></source><filter/></get-config>")
}

func fixed(octets string) func(*probing) string { return func(*probing) string { return octets } }

// probes are the rows of the table, and what is around them (netconf.md section
// 2: hello, framing, locks, errors of edits, filters).
var probes = []probe{
	// Errors of edits.
	{"missing key", "application missing-element", "", with(editDraft(vpns("<vpn-instance><config><description>x</description></config></vpn-instance>")))},
	{"operation without a namespace", "application unknown-attribute", "ok", with(editDraft(vpns(vpn(` operation="delete"`, "vpn1", ""))))},
	{"unknown attribute", "application unknown-attribute", "", with(editDraft(vpns(vpn(` colour="red"`, "vpn1", ""))))},
	{"out of range", "application invalid-value", "", with(editDraft(bgpAS("<as>4294967296</as>")))},
	{"leaf twice", "application bad-element", "application unknown-element", with(editDraft(bgpAS("<as>1</as><as>2</as>")))},
	{"create of what exists", "application data-exists", "", with(editDraft(vpns(vpn(op+`"create"`, "vpn1", ""))))},
	{"delete of what is missing", "application data-missing", "", with(editDraft(vpns(vpn(op+`"delete"`, "vpn9", ""))))},
	{"remove of what is missing", "ok", "", with(editDraft(vpns(vpn(op+`"remove"`, "vpn9", ""))))},
	{"unknown element", "application unknown-element", "", with(editDraft(vpns("<colour>red</colour>")))},
	{"unknown namespace", "application unknown-namespace", "", with(editDraft(`<x xmlns="urn:x"/>`))},
	{"bad operation", "application bad-attribute", "", with(editDraft(vpns(vpn(op+`"destroy"`, "vpn1", ""))))},
	{"default-operation none, missing parent", "application data-missing", "ok", with(editTarget("candidate", "<default-operation>none</default-operation>", vpns(vpn("", "vpn9", ""))))},
	{"bad default-operation", "protocol invalid-value", "", with(editTarget("candidate", "<default-operation>x</default-operation>", ""))},

	// Locks and sessions.
	{"lock twice by the same", "protocol lock-denied", "", func(s *probed) string {
		c := s.open()
		defer c.do(unlock("running"))
		return c.do(lock("running"), lock("running"))
	}},
	{"lock twice by another", "protocol lock-denied", "", func(s *probed) string {
		a, b := s.open(), s.open()
		defer a.do(unlock("running"))
		a.do(lock("running"))
		return b.do(lock("running"))
	}},
	{"edit under the lock of another", "protocol in-use", "", func(s *probed) string {
		a, b := s.open(), s.open()
		defer a.do(unlock("candidate"))
		a.do("<discard-changes/>", lock("candidate"))
		return b.do(editDraft(vpns(vpn("", "vpn9", ""))))
	}},
	{"kill-session of itself", "protocol invalid-value", "", func(s *probed) string {
		c := s.open()
		return c.do(kill(c.id))
	}},
	{"kill-session of nobody", "protocol invalid-value", "", func(s *probed) string { return s.open().do(kill(4000000)) }},
	{"kill-session closes its victim", "ok, then closed", "", func(s *probed) string {
		a, b := s.open(), s.open()
		return b.do(kill(a.id)) + ", then " + a.outcome()
	}},
	{"unlock discards the candidate", all, "", func(s *probed) string {
		c := s.open()
		c.begin()
		return c.do(lock("candidate"), editDraft(vpns(vpn("", "vpn9", ""))), unlock("candidate"), readVPNs)
	}},
	{"wrong persist-id", "protocol invalid-value", "", func(s *probed) string {
		c := s.open()
		c.begin()
		c.do(editDraft(vpns(vpn("", "vpn9", ""))), "<commit><confirmed/><persist>word</persist></commit>")
		got := c.do("<commit><persist-id>other</persist-id></commit>")
		if got := c.do("<cancel-commit><persist-id>word</persist-id></cancel-commit>"); got != "ok" {
			c.Fatalf("cancel-commit: %s", got)
		}
		return got
	}},
	{"copy-config of a datastore to itself keeps it", "protocol invalid-value, then data", "protocol operation-not-supported, then data", func(s *probed) string {
		c := s.open()
		c.begin()
		c.do(editDraft(vpns(vpn("", "vpn9", ""))))
		got := c.do("<copy-config><target><candidate/></target><source><candidate/></source></copy-config>")
		data := c.do(readVPNs)
		c.do("<discard-changes/>")
		if !strings.Contains(data, "vpn9") {
			return got + ", then the edit is lost"
		}
		return got + ", then data"
	}},
	{"close-session", "ok, then closed", "", func(s *probed) string {
		c := s.open()
		return c.do("<close-session/>") + ", then " + c.outcome()
	}},

	// Messages.
	{"not well-formed", "rpc malformed-message", "closed", after(func(c *probing) string {
		return c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get-config></rpc>`)
	})},
	{"DOCTYPE", "rpc malformed-message", "ok", after(func(c *probing) string {
		return c.frame(`<!DOCTYPE rpc [<!ENTITY x "y">]><rpc xmlns="` + ncNS + `" message-id="1"><commit/></rpc>`)
	})},
	{"no message-id", "rpc missing-attribute", "", after(func(c *probing) string { return c.frame(`<rpc xmlns="` + ncNS + `"><commit/></rpc>`) })},
	{"unknown operation", "protocol operation-not-supported", "rpc unknown-element", with("<fly/>")},
	{"leaf of 20 MB", "accepted", "rpc resource-denied|closed", func(s *probed) string {
		c := s.open()
		got := c.do(editDraft(bgpAS("<as>" + strings.Repeat(" ", 20<<20) + "7</as>")))
		if got != "ok" && got != "application too-big" && got != "rpc too-big" {
			return got
		}
		if got = c.do("<discard-changes/>"); got != "ok" {
			return got
		}
		return "accepted"
	}},

	// Framing and hello.
	{"chunk of size 0", "closed", "transport malformed-message", after(fixed("\n#0\n"))},
	{"garbage for a chunk", "closed", "transport malformed-message", after(fixed("\n#x\nabc\n##\n"))},
	{"chunk size with a leading zero", "closed", "transport malformed-message", after(fixed("\n#05\n<a/>\n\n##\n"))},
	{"line feed between hello and chunk", "data", "transport malformed-message", func(s *probed) string {
		c := s.dial()
		c.readHello()
		c.send(hello(base10, base11) + "]]>]]>\n")
		c.mode = frame.Chunked
		c.in.SetMode(frame.Chunked)
		s.settle()
		return (&probing{c}).alive()
	}},
	{"hello in chunks", "data", "silence", func(s *probed) string {
		c := s.dial()
		c.readHello()
		h := hello(base10, base11)
		c.send(fmt.Sprintf("\n#%d\n%s\n##\n", len(h), h))
		c.mode = frame.Chunked
		c.in.SetMode(frame.Chunked)
		s.settle()
		return (&probing{c}).alive()
	}},
	{"hello and rpc in one write", "data", "silence", func(s *probed) string {
		c := s.dial()
		c.readHello()
		c.mode = frame.Chunked
		c.in.SetMode(frame.Chunked)
		return (&probing{c}).raw(hello(base10, base11) + "]]>]]>" + c.frame(`<rpc xmlns="`+ncNS+`" message-id="1"><get-config><source><running/></source><filter/></get-config></rpc>`))
	}},
	{"base:1.0", "data", "", func(s *probed) string {
		c := s.dial()
		c.greet(base10)
		s.settle()
		return (&probing{c}).alive()
	}},
	{"hello with a session-id", "closed", "", helloed(`<hello xmlns="` + ncNS + `"><capabilities><capability>` + base10 + `</capability></capabilities><session-id>1</session-id></hello>`)},
	{"hello without a base", "closed", "", helloed(hello("urn:x"))},
	{"hello of another namespace", "closed", "", helloed(strings.Replace(hello(base10), ncNS, "urn:x", 1))},
	{"hello with a prefix", "data", "", helloed(`<nc:hello xmlns:nc="` + ncNS + `"><nc:capabilities><nc:capability>` + base10 + `</nc:capability></nc:capabilities></nc:hello>`)},

	// Filters.
	{"filter of an unknown namespace", "data", "", with(readBy(`<filter><x xmlns="urn:x"/></filter>`))},
	{"empty subtree filter", "data", "", with(readBy(`<filter type="subtree"/>`))},
	{"bad filter type", "protocol bad-attribute", "", with(readBy(`<filter type="x"/>`))},
	{"containment", all, "", with(hasVPNs)},
	{"content match", "data vpn-instances(vpn-instance(name=vpn2 config(name=vpn2)))", "", with(readBy("<filter>" + vpns("<vpn-instance><name>vpn2</name></vpn-instance>") + "</filter>"))},
	{"selection with keys", "data vpn-instances(vpn-instance(name=vpn1 config(description=one)))", "", with(readBy("<filter>" + vpns("<vpn-instance><name>vpn1</name><config><description/></config></vpn-instance>") + "</filter>"))},
	{"XPath with a prefix of its own", "data vpn-instances(vpn-instance(name=vpn2 config(name=vpn2)))", "protocol operation-failed", with(readBy(`<filter type="xpath" xmlns:own="` + vpnNS + `" select="/own:vpn-instances/own:vpn-instance[own:name='vpn2']"/>`))},
	{"XPath that is none", "protocol bad-attribute", "", with(readBy(`<filter type="xpath" select="//["/>`))},
}

// helloed sends a hello of base:1.0 and asks for something.
func helloed(h string) func(*probed) string {
	return func(s *probed) string {
		c := s.dial()
		c.readHello()
		c.send(h + "]]>]]>")
		s.settle()
		return (&probing{c}).alive()
	}
}

// TestProbes is the table over a real connection (netconf.md section 2).
func TestProbes(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			s := &probed{TB: t, settle: func() {}, dial: func() *client {
				c := (&listening{rig: &rig{TB: t, engine: l.engine, srv: l.srv}, addr: l.addr}).start(l.mustLogin("admin"))
				if !c.subsystem("netconf") {
					t.Fatal("subsystem refused")
				}
				return c.client
			}}
			if got := p.run(s); got != p.want {
				t.Errorf("got  %s\nwant %s", got, p.want)
			}
		})
	}
}
