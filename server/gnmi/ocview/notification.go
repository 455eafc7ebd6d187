package ocview

import "mooring/engine/schema"

// errorCodes are the NOTIFICATION codes (RFC 4271 4.5, RFC 7313 5) and their
// subcodes (RFC 4271 4.5, RFC 4486, RFC 6608, RFC 7313 5) that OpenConfig has
// an identity for.
var errorCodes = map[uint64]struct {
	name     string
	subcodes map[uint64]string
}{
	1: {"MESSAGE_HEADER_ERROR", map[uint64]string{
		1: "CONNECTION_NOT_SYNCHRONIZED", 2: "BAD_MESSAGE_LENGTH", 3: "BAD_MESSAGE_TYPE",
	}},
	2: {"OPEN_MESSAGE_ERROR", map[uint64]string{
		1: "UNSUPPORTED_VERSION_NUMBER", 2: "BAD_PEER_AS", 3: "BAD_BGP_IDENTIFIER", 4: "UNSUPPORTED_OPTIONAL_PARAMETER",
		6: "UNACCEPTABLE_HOLD_TIME", 7: "UNSUPPORTED_CAPABILITY",
	}},
	3: {"UPDATE_MESSAGE_ERROR", map[uint64]string{
		1: "MALFORMED_ATTRIBUTE_LIST", 2: "UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE", 3: "MISSING_WELL_KNOWN_ATTRIBUTE",
		4: "ATTRIBUTE_FLAGS_ERROR", 5: "ATTRIBUTE_LENGTH_ERROR", 6: "INVALID_ORIGIN_ATTRIBUTE", 8: "INVALID_NEXT_HOP_ATTRIBUTE",
		9: "OPTIONAL_ATTRIBUTE_ERROR", 10: "INVALID_NETWORK_FIELD", 11: "MALFORMED_AS_PATH",
	}},
	4: {"HOLD_TIMER_EXPIRED", nil},
	5: {"FINITE_STATE_MACHINE_ERROR", map[uint64]string{
		1: "RECEIVE_UNEXPECTED_MESSAGE_OPENSENT", 2: "RECEIVE_UNEXPECTED_MESSAGE_OPENCONFIRM", 3: "RECEIVE_UNEXPECTED_MESSAGE_ESTABLISHED",
	}},
	6: {"CEASE", map[uint64]string{
		1: "MAX_NUM_PREFIXES_REACHED", 2: "ADMINISTRATIVE_SHUTDOWN", 3: "PEER_DE_CONFIGURED", 4: "ADMINISTRATIVE_RESET",
		5: "CONNECTION_REJECTED", 6: "OTHER_CONFIG_CHANGE", 7: "CONN_COLLISION_RESOLUTION", 8: "OUT_OF_RESOURCES",
	}},
	7: {"ROUTE_REFRESH_MESSAGE_ERROR", map[uint64]string{1: "INVALID_MESSAGE_LENGTH"}},
}

// The native leaves of these rows are: the one shown, the direction, the code.

func notificationRule(direction, text string, typ *schema.Type, show func(e *entry, r *row) []schema.Value) rule {
	return rule{
		text: "of the NOTIFICATION that ended the last session, where it was " + direction + text, typ: typ,
		show: func(e *entry, r *row) []schema.Value {
			if e.text(r, 1) != direction {
				return nil
			}
			return show(e, r)
		},
	}
}

func showTime(e *entry, r *row) []schema.Value { return nanoseconds(e.text(r, 0)) }

func showCode(e *entry, r *row) []schema.Value {
	code, ok := e.value(r, 0)
	if !ok {
		return nil
	}
	return oneText(errorCodes[code.Uint()].name)
}

func showSubcode(e *entry, r *row) []schema.Value {
	code, ok := e.value(r, 2)
	subcode, known := e.value(r, 0)
	switch {
	case !ok || !known:
		return nil
	case subcode.Uint() == 0:
		return oneText("UNSPECIFIC")
	}
	return oneText(errorCodes[code.Uint()].subcodes[subcode.Uint()])
}

const identityText = "; a code without an identity is not shown"

var (
	sentTime        = notificationRule("sent", "; nanoseconds since 1970", moment, showTime)
	sentCode        = notificationRule("sent", identityText, errorCode, showCode)
	sentSubcode     = notificationRule("sent", identityText, errorSubcode, showSubcode)
	receivedTime    = notificationRule("received", "; nanoseconds since 1970", moment, showTime)
	receivedCode    = notificationRule("received", identityText, errorCode, showCode)
	receivedSubcode = notificationRule("received", identityText, errorSubcode, showSubcode)
)
