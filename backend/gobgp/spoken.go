package gobgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"mooring/bgp"
)

// The messages that are looked at (RFC 4271 4).
const (
	headerLen       = 19
	maxMessage      = 4096
	msgOpen         = 1
	msgNotification = 3
	msgKeepalive    = 4
)

// spoken is a connection on its way through GoBGP. Until the session is
// established it listens for what GoBGP's events leave out: a NOTIFICATION
// that refuses an OPEN. And it puts the last words that we want into the
// place of GoBGP's, which has no text for them, leaves out of a Hard Reset what
// it stands for (RFC 8538 3.1), and sometimes says nothing.
type spoken struct {
	net.Conn
	sys     syscall.Conn
	refused func(n *bgp.Notification, remote *openSaid) // called once at most; must not block
	closed  func(*spoken)                               // called once, before the socket is closed; must not block
	opened  func(*spoken, *openSaid)                    // called once, with the remote's OPEN; must not block

	mu       sync.Mutex // guards all below
	buf      []byte     // what was read of a message that is not complete
	over     bool       // nothing more of interest is read
	done     bool       // the session is established, or has been refused
	noted    bool       // a NOTIFICATION has been said, or heard before the session
	open     *openSaid  // what the remote said, nil before
	lastWord []byte     // what a Cease becomes
	said     []byte     // the NOTIFICATION that we wrote
	shut     bool       // GoBGP has closed it
	again    string     // why we have ended it, to dial with another state machine
}

// openSaid is what matters here of the remote's OPEN.
type openSaid struct {
	as      uint32
	restart bool // graceful restart (RFC 4724 3)
	notifyN bool // with the N bit (RFC 8538 2)
}

// SyscallConn implements syscall.Conn, which GoBGP wants.
func (c *spoken) SyscallConn() (syscall.RawConn, error) { return c.sys.SyscallConn() }

// Read implements net.Conn.
func (c *spoken) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.hear(b[:n])
	}
	return n, err
}

// Write implements net.Conn. GoBGP writes whole messages.
func (c *spoken) Write(b []byte) (int, error) {
	out := b
	note := len(b) >= headerLen+2 && b[18] == msgNotification
	if note {
		out = c.say(b)
	}
	n, err := c.Conn.Write(out)
	if err == nil {
		n = len(b)
		if note {
			c.spoke(out)
		}
	}
	return n, err
}

// spoke notes a NOTIFICATION that was written.
func (c *spoken) spoke(m []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = bytes.Clone(m)
}

// lastWordTime is for a remote that takes nothing more.
const lastWordTime = time.Second

// Close implements net.Conn. GoBGP closes without the Cease that ends a session
// (RFC 4271 8.2.2) where that is about to be established, or has been so for
// some microseconds only.
func (c *spoken) Close() error {
	c.mu.Lock()
	word := c.lastWord
	owed := word != nil && c.open != nil && !c.noted
	c.done, c.noted = c.done || owed, true
	c.mu.Unlock()
	if owed {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(lastWordTime)) // a connection that is broken takes no deadline
		if _, err := c.Conn.Write(word); err == nil {             // it ends either way
			c.spoke(word)
		}
	}
	c.mu.Lock()
	first := !c.shut
	c.shut = true
	c.mu.Unlock()
	if first && c.closed != nil {
		c.closed(c)
	}
	return c.Conn.Close()
}

// isShut says whether the connection has ended.
func (c *spoken) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shut
}

// endedAsAsked says whether a Cease was asked for, and returns the one that was
// written; nil where the connection ended without.
func (c *spoken) endedAsAsked() (asked bool, cease *bgp.Notification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastWord != nil && c.said != nil && c.said[19] == bgp.CodeCease {
		body := c.said[headerLen:]
		cease = &bgp.Notification{Code: body[0], Subcode: body[1], Sent: true, Text: shutdownText(body)}
	}
	return c.lastWord != nil, cease
}

// port is the local port of the connection.
func (c *spoken) port() uint16 {
	tcp, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return tcp.AddrPort().Port()
}

// say returns what is written instead of a NOTIFICATION.
func (c *spoken) say(b []byte) []byte {
	c.mu.Lock()
	was, open, word := c.done, c.open, c.lastWord
	c.done, c.noted, c.buf = true, true, nil
	c.mu.Unlock()
	if !was {
		c.refused(&bgp.Notification{Code: b[19], Subcode: b[20], Sent: true}, open)
	}
	if b[19] == bgp.CodeCease && word != nil {
		return word
	}
	return b
}

// hear looks for the messages that open a session.
func (c *spoken) hear(b []byte) {
	c.mu.Lock()
	var n *bgp.Notification
	was := c.open
	if !c.done && !c.over {
		n = c.parse(b)
	}
	open := c.open
	c.mu.Unlock()
	if was == nil && open != nil && c.opened != nil {
		c.opened(c, open)
	}
	if n != nil {
		c.refused(n, open)
	}
}

// parse takes what was read and returns the NOTIFICATION that ends it. The
// caller holds mu.
func (c *spoken) parse(b []byte) *bgp.Notification {
	c.buf = append(c.buf, b...)
	for len(c.buf) >= headerLen {
		size := int(binary.BigEndian.Uint16(c.buf[16:]))
		if size < headerLen || size > maxMessage {
			c.over, c.buf = true, nil // GoBGP answers with a NOTIFICATION
			return nil
		}
		if len(c.buf) < size {
			return nil
		}
		kind, body := c.buf[18], c.buf[headerLen:size]
		c.buf = c.buf[size:]
		switch {
		case kind == msgOpen && c.open == nil:
			c.open = parseOpen(body)
			continue
		case kind == msgNotification && len(body) >= 2:
			c.done, c.noted, c.buf = true, true, nil
			return &bgp.Notification{Code: body[0], Subcode: body[1], Text: shutdownText(body)}
		}
		c.done = kind == msgKeepalive && c.open != nil
		c.over, c.buf = true, nil // what must not come GoBGP answers with a NOTIFICATION
		return nil
	}
	return nil
}

// shutdownText returns the communication of a Cease 6/2 or 6/4 (RFC 9003 2).
func shutdownText(body []byte) string {
	if body[0] != bgp.CodeCease || body[1] != bgp.CeaseAdminShutdown && body[1] != bgp.CeaseAdminReset ||
		len(body) < 3 || len(body) < 3+int(body[2]) {
		return ""
	}
	return strings.ToValidUTF8(string(body[3:3+int(body[2])]), "\uFFFD")
}

// parseOpen reads what it can; GoBGP refuses what is wrong.
func parseOpen(b []byte) *openSaid {
	o := &openSaid{}
	if len(b) < 10 {
		return o
	}
	o.as = uint32(binary.BigEndian.Uint16(b[1:]))
	params := b[10:]
	size := int(b[9])
	if b[9] == 255 && len(params) >= 3 && params[0] == 255 { // RFC 9072: lengths of two octets, which nobody sends for so few
		return o
	}
	for params = params[:min(size, len(params))]; len(params) >= 2; {
		kind, value := params[0], params[2:min(2+int(params[1]), len(params))]
		params = params[2+len(value):]
		for kind == 2 && len(value) >= 2 { // capabilities (RFC 5492 4)
			code, v := value[0], value[2:min(2+int(value[1]), len(value))]
			value = value[2+len(v):]
			switch {
			case code == 65 && len(v) == 4: // RFC 6793
				o.as = binary.BigEndian.Uint32(v)
			case code == 64 && len(v) >= 2: // RFC 4724 3, RFC 8538 2
				o.restart, o.notifyN = true, v[0]&0x40 != 0
			}
		}
	}
	return o
}

// conversations are the connections of a server by peer: the one that was
// handed over last, and what the state machine of the peer has been through.
type conversations struct {
	mu       sync.Mutex
	of       map[netip.Addr]*spoken
	hurried  map[netip.Addr]int  // connections left on which the OPEN is awaited for openTime only
	restarts map[netip.Addr]bool // the remote has announced graceful restart to the state machine
}

func (cs *conversations) put(peer netip.Addr, c *spoken) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.of == nil {
		cs.of = map[netip.Addr]*spoken{}
	}
	cs.of[peer] = c
}

func (cs *conversations) forget(peer netip.Addr) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.of, peer)
}

func (cs *conversations) get(peer netip.Addr) *spoken {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.of[peer]
}

// maxText is the room for a shutdown communication (RFC 9003 2).
const maxText = 255

// endWith makes the next Cease the given one, or a Hard Reset that carries it
// (RFC 8538 3.1): where the remote knows of it (negotiated is our half of that),
// and either it is asked for or the Cease is one whose session does not come
// back (RFC 8538 4). It returns what goes out.
func (c *spoken) endWith(end cease, negotiated bool) cease {
	c.mu.Lock()
	defer c.mu.Unlock()
	data := []byte{bgp.CodeCease, end.subcode}
	final := end.subcode == bgp.CeaseAdminShutdown || end.subcode == bgp.CeasePeerDeconfigured
	if negotiated && c.open != nil && c.open.notifyN && (end.hard || final) {
		data = []byte{bgp.CodeCease, bgp.CeaseHardReset, bgp.CodeCease, end.subcode}
		end.subcode = bgp.CeaseHardReset
	}
	if end.text != "" {
		for len(end.text) > maxText {
			_, n := utf8.DecodeLastRuneInString(end.text)
			end.text = end.text[:len(end.text)-n]
		}
		data = append(data, byte(len(end.text)))
		data = append(data, end.text...)
	}
	m := make([]byte, headerLen, headerLen+len(data))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(headerLen+len(data)))
	m[18] = msgNotification
	c.lastWord = append(m, data...)
	return end
}

// takeBack leaves the last words to GoBGP: the session does not end yet.
func (c *spoken) takeBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastWord = nil
}

// The names of RFC 4271 4.5, 6.2, RFC 5492 5, RFC 4486 4 and RFC 9234 4.2.
var (
	errorNames = [...]string{
		"", "message header error", "OPEN message error", "UPDATE message error", "hold timer expired",
		"finite state machine error", "cease", "ROUTE-REFRESH message error",
	}
	openErrors = map[uint8]string{
		1: "unsupported version number", 2: "bad peer AS", 3: "bad BGP identifier", 4: "unsupported optional parameter",
		5: "authentication failure", 6: "unacceptable hold time", 7: "unsupported capability", 11: "role mismatch",
	}
	ceases = map[uint8]string{
		1: "maximum number of prefixes reached", 2: "administrative shutdown", 3: "peer de-configured",
		4: "administrative reset", 5: "connection rejected", 6: "other configuration change",
		7: "connection collision resolution", 8: "out of resources", 9: "hard reset",
	}
)

// inWords names a NOTIFICATION, such as "bad peer AS (2/2)".
func inWords(n *bgp.Notification) string {
	name := "unknown error"
	if int(n.Code) < len(errorNames) && errorNames[n.Code] != "" {
		name = errorNames[n.Code]
	}
	switch n.Code {
	case 2:
		if s, ok := openErrors[n.Subcode]; ok {
			name = s
		}
	case bgp.CodeCease:
		if s, ok := ceases[n.Subcode]; ok {
			name = s
		}
	}
	return fmt.Sprintf("%s (%d/%d)", name, n.Code, n.Subcode)
}

// refusal says why there is no session, "" where nothing is wrong: of two
// connections that cross one goes.
func refusal(n *bgp.Notification, p *bgp.PeerSpec, remote *openSaid) string {
	words := inWords(n)
	switch {
	case n.Code == bgp.CodeCease && n.Subcode == bgp.CeaseConnectionCollision:
		return ""
	case n.Sent && n.Code == 2 && n.Subcode == 2 && remote != nil:
		if remote.as == p.RemoteAS { // it has been corrected since
			return ""
		}
		return fmt.Sprintf("OPEN refused: %s: configured AS %d, the peer says %d", words, p.RemoteAS, remote.as)
	case n.Sent && n.Code == 2:
		return "OPEN refused: " + words
	case n.Sent:
		return "the session did not come up: we sent " + words
	case n.Code == 2 && n.Subcode == 2:
		return fmt.Sprintf("the peer refused our OPEN: %s: we said AS %d", words, p.LocalAS)
	case n.Code == 2 || n.Code == bgp.CodeCease:
		words = "the peer refused our OPEN: " + words
	default:
		words = "the session did not come up: the peer sent " + words
	}
	if n.Text != "" {
		words += fmt.Sprintf(": %q", n.Text)
	}
	return words
}
