package rpc

import (
	"errors"
	"fmt"
	"time"

	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// notice is one notification on its way to a session: the only way that there
// is. Nothing is sent before the first Write, so that one without content is
// none. Write may block as long as the client does not read.
type notice struct {
	srv  *Server
	sess *Session
	out  Output
	at   time.Time // its eventTime

	begun bool
	err   error
}

// Write implements io.Writer.
func (n *notice) Write(p []byte) (int, error) {
	if !n.begun {
		n.begun = true
		n.srv.counters.OutNotifications.Add(1)
		n.sess.Counters.OutNotifications.Add(1)
		b := append([]byte(nil), `<notification xmlns="`+notificationNS+`"><eventTime>`...)
		b = n.at.UTC().AppendFormat(b, time.RFC3339Nano)
		n.out.Begin()
		_, n.err = n.out.Write(append(b, "</eventTime>"...))
	}
	if n.err != nil {
		return 0, n.err
	}
	var k int
	k, n.err = n.out.Write(p)
	return k, n.err
}

// end completes the notification. The error is that of the connection.
func (n *notice) end() error {
	if !n.begun {
		return nil
	}
	if n.err == nil {
		_, n.err = n.out.Write([]byte("</notification>"))
	}
	if err := errors.Join(n.err, n.out.End()); err != nil {
		return fmt.Errorf("write a notification: %w", err)
	}
	return nil
}

// notify sends a notification to a session whose user may receive it.
func (s *Server) notify(sess *Session, out Output, e notify.Event) error {
	e, told := s.mayReceive(sess, e)
	if !told {
		return nil
	}
	n := notice{srv: s, sess: sess, out: out, at: e.Time}
	_, _ = n.Write(e.Content.Append(nil, "")) // end tells
	return n.end()
}

// stateChange tells a subscriber of its subscription (RFC 8639 2.7).
func (s *Server) stateChange(sub *subscription, out Output, name string, more ...xmltree.Element) error {
	e := xmltree.New(name, append([]xmltree.Element{xmltree.Leaf("id", number(sub.id))}, more...)...).In(subscribedNS)
	return s.notify(sub.sess, out, notify.Event{Time: time.Now(), Content: e})
}
