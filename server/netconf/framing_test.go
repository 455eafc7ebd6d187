package netconf

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mooring/server/netconf/frame"
)

const closeRPC = `<rpc xmlns="` + ncNS + `" message-id="9"><close-session/></rpc>`

// netconf.md 7
func TestHelloAndRPCInOneWrite(t *testing.T) {
	for _, base := range []string{base10, base11} {
		c := newRig(t, Limits{}).pipe("admin")
		c.readHello()
		if base == base11 {
			c.mode = frame.Chunked
			c.in.SetMode(frame.Chunked)
		}
		c.send(hello(base) + "]]>]]>" + c.frame(closeRPC))
		if got := c.read(); !strings.HasSuffix(got, `message-id="9"><ok/></rpc-reply>`) {
			t.Errorf("%s: %s", base, got)
		}
		c.wantReason(errClosed.Error())
	}
}

// netconf.md 8
func TestLenientFraming(t *testing.T) {
	chunked := fmt.Sprintf("\n#%d\n%s\n##\n", len(closeRPC), closeRPC)
	chunkedHello := fmt.Sprintf("\n#%d\n%s\n##\n", len(hello(base11)), hello(base11))
	tests := []struct {
		name, sent string
		mode       frame.Mode
		strict     bool
		ok         bool
	}{
		{"LF before the first chunk", hello(base11) + "]]>]]>\n \n" + chunked, frame.Chunked, false, true},
		{"chunked hello", chunkedHello + chunked, frame.Chunked, false, true},
		{"LF between EOM messages", "\n" + hello(base10) + "]]>]]>\n\n" + closeRPC + "]]>]]>\n", frame.EOM, false, true},
		{"CR LF as typed by hand", hello(base10) + "\r\n]]>]]>\r\n" + closeRPC + "\r\n]]>]]>\r\n", frame.EOM, false, true},
		{"strict: LF before the first chunk", hello(base11) + "]]>]]>\n\n" + chunked, frame.Chunked, true, false},
		{"strict: nothing odd", hello(base11) + "]]>]]>" + chunked, frame.Chunked, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newRig(t, Limits{StrictFraming: tt.strict}).pipe("admin")
			c.readHello()
			c.in.SetMode(tt.mode)
			c.send(tt.sent)
			if !tt.ok {
				c.wantEnd("framing")
				return
			}
			if got := c.read(); !strings.Contains(got, "<ok/>") {
				t.Errorf("answered %s", got)
			}
			c.wantReason(errClosed.Error())
		})
	}
}

// netconf.md 9: nothing behind a broken chunk is looked at.
func TestBrokenChunksEndTheSession(t *testing.T) {
	good := fmt.Sprintf("\n#%d\n%s\n##\n", len(closeRPC), closeRPC)
	for _, bad := range []string{"\n#0\n", "\n#01\nx", "\n#x\n", "\n#4294967296\n", "#1\nx", "\n#1 \nx", "\n##\n"} {
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			c := newRig(t, Limits{}).open()
			c.send(bad + good)
			c.wantEnd("framing broken")
		})
	}
}

// netconf.md 10
func TestOneByteChunks(t *testing.T) {
	c := newRig(t, Limits{}).open()
	c.setUp()
	msg := `<rpc xmlns="` + ncNS + `" message-id="é">` + edit(peer("", "10.1.1.2", "<description>dépôt</description>")) + "</rpc>"
	var b strings.Builder
	for i := range len(msg) {
		b.WriteString("\n#1\n" + msg[i:i+1])
	}
	c.send(b.String() + "\n##\n")
	if got := c.read(); !strings.Contains(got, `message-id="&#xE9;"><ok/>`) {
		t.Errorf("answered %s", got)
	}
	if got := c.getPeer("running", "10.1.1.2"); !strings.Contains(got, "d&#xE9;p&#xF4;t") {
		t.Errorf("peer is %s", got)
	}
}

// netconf.md 10
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	c := newRig(t, Limits{}).open()
	var b strings.Builder
	for i := range 50 {
		op := "<discard-changes/>"
		if i%2 == 1 {
			op = "<get><filter/></get>"
		}
		b.WriteString(c.frame(fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, ncNS, i, op)))
	}
	c.send(b.String())
	for i := range 50 {
		if got := c.read(); !strings.Contains(got, fmt.Sprintf(`message-id="%d"`, i)) {
			t.Fatalf("answer %d is %s", i, got)
		}
	}
}

// netconf.md 11
func TestTooBigMessage(t *testing.T) {
	big := `<rpc xmlns="` + ncNS + `" message-id="77"><get><filter>`
	tests := []struct{ name, base, sent string }{
		{"announced chunk", base11, "\n#4294967295\n" + big},
		{"many chunks", base11, strings.Repeat(fmt.Sprintf("\n#%d\n%s", 1000, strings.Repeat(" ", 1000)), 3)},
		{"end of message", base10, big + strings.Repeat("x", 3000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newRig(t, Limits{MaxMessage: 2048}).pipe("admin")
			c.greet(tt.base)
			c.send(tt.sent)
			reply := c.read()
			if got := parseErrors(t, reply)[0].String(); got != "rpc too-big" {
				t.Errorf("answered %s", reply)
			}
			if strings.Contains(tt.sent, "77") && !strings.Contains(reply, `message-id="77"`) {
				t.Errorf("answered without the message-id: %s", reply)
			}
			c.wantEnd("too big")
		})
	}
}

// netconf.md 12 and 13: what we send is ASCII, and holds neither the end
// marker nor a line of ##.
func TestOutputIsSafeInBothFramings(t *testing.T) {
	const nasty = "a]]>]]>b\n##\ncé"
	const escaped = "a]]&gt;]]&gt;b&#35;&#35;c&#xE9;"
	for _, base := range []string{base10, base11} {
		t.Run(base, func(t *testing.T) {
			c := newRig(t, Limits{}).pipe("admin")
			c.greet(base)
			c.setUp()
			sent := strings.ReplaceAll(strings.ReplaceAll(nasty, ">", "&gt;"), "\n", "")
			c.ok(edit(peer("", "10.1.1.2", "<description>"+sent+"</description>")))
			got := c.getPeer("running", "10.1.1.2")
			if !strings.Contains(got, "<description>"+escaped+"</description>") {
				t.Errorf("description in %s, want %s", got, escaped)
			}
			for _, b := range got {
				if b >= utf8.RuneSelf {
					t.Errorf("%q is not ASCII", got)
				}
			}
		})
	}
}

// netconf.md 14: what was sent before the end of the input is done.
func TestEndOfInput(t *testing.T) {
	c := newRig(t, Limits{}).pipe("admin")
	c.greet(base10)
	c.send(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get><filter/></get></rpc>`))
	c.read()
	_ = c.conn.Close()
	c.wantReason(errEOF.Error())

	cut := newRig(t, Limits{}).open()
	cut.send("\n#10\nabc")
	cut.send("") // the writer has the first part behind it
	for len(cut.queue) > 0 {
		time.Sleep(time.Millisecond)
	}
	_ = cut.conn.Close()
	cut.wantReason(errLost.Error())
}

// A client that asks and does not read loses the session, not the server.
func TestClientThatDoesNotRead(t *testing.T) {
	c := newRig(t, Limits{WriteTimeout: 20 * time.Millisecond}).open()
	c.send(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get/></rpc>`))
	c.wantReason(errStalled.Error())
}
