package netconf

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/server/netconf/frame"
	"mooring/server/netconf/rpc"
)

const (
	ncNS  = rpc.BaseNamespace
	bgpNS = "urn:mooring:yang:bgp"
	vpnNS = "urn:mooring:yang:vpn-instance"
)

// patience bounds every wait for a peer in these tests.
const patience = time.Minute

// client is a raw NETCONF client: what it sends is what the test says.
type client struct {
	testing.TB
	conn  io.ReadWriteCloser
	in    *frame.Reader
	mode  frame.Mode
	id    uint32 // session-id that the server gave
	next  int    // message-id
	ended chan error
	queue chan string
	// extend gives the server time for its next message, also where the test
	// itself took its time.
	extend func()
	wg     sync.WaitGroup
}

// pipe runs a session over an in-memory pipe, without a hello of the client.
func (r *rig) pipe(user string) *client {
	r.Helper()
	near, far := net.Pipe()
	se, err := r.srv.open(identity(user), far, overSSH)
	if err != nil {
		r.Fatal(err)
	}
	c := newClient(r, near)
	c.extend = func() { _ = near.SetDeadline(time.Now().Add(patience)) } // a pipe always takes one
	c.extend()
	c.wg.Go(func() {
		why := se.run(context.Background())
		_ = far.Close()
		c.ended <- why
	})
	return c
}

// newClient returns a client on a connection that the end of the test closes.
func newClient(tb testing.TB, conn io.ReadWriteCloser) *client {
	c := &client{TB: tb, conn: conn, in: frame.NewReader(conn, frame.Options{}), ended: make(chan error, 1), queue: make(chan string, 1000)}
	c.wg.Go(func() {
		for raw := range c.queue {
			_, _ = io.WriteString(conn, raw) // a closed session shows in what is read
		}
	})
	tb.Cleanup(func() {
		close(c.queue)
		_ = conn.Close()
		c.wg.Wait()
	})
	return c
}

func hello(capabilities ...string) string {
	text := `<hello xmlns="` + ncNS + `"><capabilities>`
	for _, uri := range capabilities {
		text += "<capability>" + uri + "</capability>"
	}
	return text + "</capabilities></hello>"
}

// open runs a session of base:1.1 up to the exchange of hellos.
func (r *rig) open() *client {
	r.Helper()
	c := r.pipe("admin")
	c.greet(base10, base11)
	return c
}

// greet exchanges hellos.
func (c *client) greet(capabilities ...string) {
	c.Helper()
	c.readHello()
	c.send(hello(capabilities...) + "]]>]]>")
	for _, uri := range capabilities {
		if uri == base11 {
			c.mode = frame.Chunked
			c.in.SetMode(frame.Chunked)
		}
	}
}

func (c *client) readHello() string {
	c.Helper()
	text := c.read()
	var h struct {
		XMLName xml.Name `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 hello"`
		ID      uint32   `xml:"session-id"`
	}
	if err := xml.Unmarshal([]byte(text), &h); err != nil {
		c.Fatalf("hello of the server: %v\n%s", err, text)
	}
	c.id = h.ID
	return text
}

// send writes raw bytes, without waiting for the server to take them.
func (c *client) send(raw string) { c.queue <- raw }

// read returns the next message of the server.
func (c *client) read() string {
	c.Helper()
	if c.extend != nil {
		c.extend()
	}
	msg, err := c.in.Next()
	if err != nil {
		why := ""
		select {
		case end := <-c.ended:
			why = "; the session ended: " + end.Error()
		default:
		}
		c.Fatalf("no message of the server: %v%s", err, why)
	}
	return string(msg)
}

// frame frames a message as the hellos settled.
func (c *client) frame(msg string) string {
	if c.mode == frame.Chunked {
		return fmt.Sprintf("\n#%d\n%s\n##\n", len(msg), msg)
	}
	return msg + "]]>]]>"
}

// exchange sends a message and returns the answer.
func (c *client) exchange(msg string) string {
	c.Helper()
	c.send(c.frame(msg))
	return c.read()
}

// rpc runs an operation and returns what stands in the rpc-reply.
func (c *client) rpc(operation string) string {
	c.Helper()
	c.next++
	start := fmt.Sprintf(`xmlns="%s" message-id="%d"`, ncNS, c.next)
	reply := c.exchange("<rpc " + start + ">" + operation + "</rpc>")
	body, ok := strings.CutPrefix(reply, "<rpc-reply "+start+">")
	body, ok2 := strings.CutSuffix(body, "</rpc-reply>")
	if !ok || !ok2 {
		c.Fatalf("not a reply with the attributes of the rpc: %s", reply)
	}
	return body
}

// ok runs operations that must succeed.
func (c *client) ok(operations ...string) {
	c.Helper()
	for _, op := range operations {
		if got := c.rpc(op); got != "<ok/>" {
			c.Fatalf("%s\nanswered: %s", op, got)
		}
	}
}

// rpcError is an rpc-error as a client reads it.
type rpcError struct {
	Type     string `xml:"error-type"`
	Tag      string `xml:"error-tag"`
	Severity string `xml:"error-severity"`
	AppTag   string `xml:"error-app-tag"`
	Path     string `xml:"error-path"`
	Message  string `xml:"error-message"`
	Info     struct {
		Attribute string   `xml:"bad-attribute"`
		Element   string   `xml:"bad-element"`
		Namespace *string  `xml:"bad-namespace"`
		Session   *uint32  `xml:"session-id"`
		NonUnique []string `xml:"non-unique"`
	} `xml:"error-info"`
}

func (e rpcError) String() string {
	text := e.Type + " " + e.Tag
	for _, part := range []struct{ name, value string }{
		{"app-tag", e.AppTag}, {"path", e.Path}, {"attribute", e.Info.Attribute}, {"element", e.Info.Element},
	} {
		if part.value != "" {
			text += " " + part.name + "=" + part.value
		}
	}
	if e.Info.Namespace != nil {
		text += " namespace=" + *e.Info.Namespace
	}
	if e.Info.Session != nil {
		text += fmt.Sprintf(" session=%d", *e.Info.Session)
	}
	return text
}

// parseErrors returns the errors of a reply or of its body.
func parseErrors(tb testing.TB, body string) []rpcError {
	tb.Helper()
	var r struct {
		Errors []rpcError `xml:"rpc-error"`
	}
	if !strings.HasPrefix(body, "<rpc-reply") {
		body = "<x>" + body + "</x>"
	}
	if err := xml.Unmarshal([]byte(body), &r); err != nil {
		tb.Fatalf("reply: %v\n%s", err, body)
	}
	for _, e := range r.Errors {
		if e.Severity != "error" || e.Message == "" {
			tb.Errorf("error without severity or message: %s", body)
		}
	}
	return r.Errors
}

// fails runs an operation that must be answered with exactly these errors.
func (c *client) fails(operation string, want ...string) {
	c.Helper()
	body := c.rpc(operation)
	var got []string
	for _, e := range parseErrors(c, body) {
		got = append(got, e.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.Errorf("%s\nanswered: %s\nerrors:   %s\nwant:     %s", operation, body, strings.Join(got, " | "), strings.Join(want, " | "))
	}
}

// wantEnd waits for the end of the session and checks the reason.
func (c *client) wantEnd(reason string) {
	c.Helper()
	c.wantNoMessage()
	c.wantReason(reason)
}

// wantNoMessage waits until the server has closed the connection.
func (c *client) wantNoMessage() {
	c.Helper()
	if msg, err := c.in.Next(); err == nil {
		c.Fatalf("a message where the session must end: %s", msg)
	}
}

func (c *client) wantReason(reason string) {
	c.Helper()
	select {
	case why := <-c.ended:
		if !strings.Contains(why.Error(), reason) {
			c.Errorf("session ended with %q, want %q", why, reason)
		}
	case <-time.After(patience):
		c.Fatal("the session has not ended")
	}
}

// The operations of the tests.

func editTarget(target, options, config string) string {
	return "<edit-config><target><" + target + "/></target>" + options + `<config xmlns:nc="` + ncNS + `">` + config + "</config></edit-config>"
}

func edit(config string) string      { return editTarget("running", "", config) }
func editDraft(config string) string { return editTarget("candidate", "", config) }

// vpn1 is the VPN instance of the peers, and instance the BGP instance around
// what stands in vpn1.
const vpn1 = `<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>vpn1</name></vpn-instance></vpn-instances>`

func instance(inVPN1 string) string {
	return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><config><as>100</as></config><vpn-instances><vpn-instance>` +
		`<name>vpn1</name>` + inVPN1 + `</vpn-instance></vpn-instances></instance></instances></bgp>`
}

// peer is one with content in its config container; attrs are those of its
// list entry.
func peer(attrs, address, config string) string {
	return instance("<peers><peer" + attrs + "><address>" + address + "</address><config>" + config + "</config></peer></peers>")
}

const peerPath = "/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']/mbgp:vpn-instances/mbgp:vpn-instance[mbgp:name='vpn1']" +
	"/mbgp:peers/mbgp:peer[mbgp:address='10.1.1.2']"

// setUp configures vpn1 with the peer 10.1.1.2 of AS 200 in running.
func (c *client) setUp() {
	c.Helper()
	c.ok(edit(vpn1 + peer("", "10.1.1.2", "<as>200</as><description>one</description>")))
}

// getPeer is the config of a peer in a datastore, empty where it is not there.
func (c *client) getPeer(source, address string) string {
	c.Helper()
	got := c.rpc("<get-config><source><" + source + "/></source><filter>" +
		instance("<peers><peer><address>"+address+"</address><config/></peer></peers>") + "</filter></get-config>")
	_, got, _ = strings.Cut(got, "<peer>")
	got, _, _ = strings.Cut(got, "</peer>")
	_, got, _ = strings.Cut(got, "<config>")
	got, _, _ = strings.Cut(got, "</config>")
	return got
}
