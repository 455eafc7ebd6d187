package gobgp

import (
	"regexp"
	"strconv"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/bgp"
)

// cease is how a session ends by our hand.
type cease struct {
	subcode uint8
	text    string // for the remote's operator (RFC 9003)
	hard    bool   // a Hard Reset is asked for (RFC 8538 3.1)
}

// ended tells the end of a session by it.
func (c cease) ended() *backend.Ended {
	return &backend.Ended{Notification: &bgp.Notification{
		Code: bgp.CodeCease, Subcode: c.subcode, Sent: true, Text: c.text,
	}}
}

// explain says why GoBGP's state machine left established.
func (b *Backend) explain(sp *speaker, p *peer, it *item) *backend.Ended {
	state := it.event.Peer.State
	heard, text := sp.run.tap.takeHeard(it.addr), ""
	if heard != nil {
		text = heard.Text
	}
	n := parseNotification(state.DisconnectMessage)
	switch state.DisconnectReason {
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED:
		if n != nil {
			n.Text = text
		}
		return &backend.Ended{Cause: bgp.CauseRemote, Notification: n}
	case api.PeerState_DISCONNECT_REASON_HARD_RESET:
		return &backend.Ended{Cause: bgp.CauseRemote, Notification: &bgp.Notification{
			Code: bgp.CodeCease, Subcode: bgp.CeaseHardReset, Text: text,
		}}
	case api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED:
		return &backend.Ended{
			Cause: bgp.CauseRemote, Text: "nothing was received for the hold time",
			Notification: &bgp.Notification{Code: bgp.CodeHoldTimerExpired, Sent: true},
		}
	case api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:
		// Of a NOTIFICATION too where the N bit is negotiated (RFC 8538).
		if heard != nil {
			return &backend.Ended{Cause: bgp.CauseRemote, Notification: heard}
		}
		return &backend.Ended{Cause: bgp.CauseRemote, Text: "the connection was lost: " + state.DisconnectMessage}
	case api.PeerState_DISCONNECT_REASON_READ_FAILED, api.PeerState_DISCONNECT_REASON_WRITE_FAILED:
		return &backend.Ended{Cause: bgp.CauseRemote, Text: "the connection was lost: " + state.DisconnectMessage}
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT:
		if p.renew && n != nil && n.Code == bgp.CodeCease && n.Subcode == bgp.CeaseAdminReset {
			return cease{subcode: bgp.CeaseAdminReset, text: p.resetting}.ended()
		}
		if n != nil {
			n.Sent = true
		}
		return &backend.Ended{Cause: bgp.CauseBackend, Notification: n}
	case api.PeerState_DISCONNECT_REASON_UNSPECIFIED, api.PeerState_DISCONNECT_REASON_DECONFIGURED:
		return &backend.Ended{} // by UpdatePeer or DeletePeer
	}
	return &backend.Ended{Cause: bgp.CauseBackend, Notification: n, Text: state.DisconnectMessage}
}

// notificationText matches a reason such as
// "notification-received code 6(cease) subcode 2(administrative shutdown)".
var notificationText = regexp.MustCompile(`code (\d+)\(.*\) subcode (\d+)\(`)

func parseNotification(s string) *bgp.Notification {
	m := notificationText.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	code, err := strconv.ParseUint(m[1], 10, 8)
	subcode, err2 := strconv.ParseUint(m[2], 10, 8)
	if err != nil || err2 != nil {
		return nil
	}
	return &bgp.Notification{Code: uint8(code), Subcode: uint8(subcode)}
}
