package ocview

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"mooring/bgp"
	"mooring/engine/schema"
)

// rule is how values turn into each other where they are not the same.
type rule struct {
	text  string // for the documentation
	typ   *schema.Type
	list  bool
	show  func(e *entry, r *row) []schema.Value
	parse func(text string) (schema.Value, error)    // nil: as the type says
	put   func(w *edit, r *row, a ask) *schema.Error // nil: state
}

var (
	boolean = &schema.Type{Kind: schema.ValueBool}
	octet   = &schema.Type{Kind: schema.ValueUint, Bits: 8}
	number  = &schema.Type{Kind: schema.ValueUint, Bits: 32}
	moment  = &schema.Type{Kind: schema.ValueUint, Bits: 64}
	plain   = &schema.Type{Kind: schema.ValueString}

	errorCode    = identityType(bgpTypes)
	errorSubcode = identityType(bgpTypes)
	capability   = identityType(bgpTypes, "MPBGP")
	kindOfVRF    = identityType(instanceTypes, "DEFAULT_INSTANCE", "L3VRF")
)

func one(v schema.Value) []schema.Value { return []schema.Value{v} }

func oneText(s string) []schema.Value {
	if s == "" {
		return nil
	}
	return one(schema.StringValue(s))
}

// instanceType has one value for each network instance: it may be written with
// that value, as clients do that know no device without it.
var instanceType = rule{
	text: "DEFAULT_INSTANCE for DEFAULT, L3VRF for all others; may be written with that value",
	typ:  kindOfVRF,
	show: func(e *entry, r *row) []schema.Value {
		if r.node.Config && e.config(r.record) == nil || !r.node.Config && e.state(r.record) == nil {
			return nil
		}
		return oneText(typeOf(e.vpn))
	},
	parse: func(text string) (schema.Value, error) { return parseIdentity(kindOfVRF, text) },
	put: func(w *edit, r *row, a ask) *schema.Error {
		if want := typeOf(w.at.vpn); a.set && a.value.String() != want {
			return w.fault(r, "the type of this network instance is "+want)
		}
		return nil
	},
}

func typeOf(vpn string) string {
	if vpn == bgp.PublicVPN {
		return "DEFAULT_INSTANCE"
	}
	return "L3VRF"
}

// password is MD5, the only kind that OpenConfig's leaf means.
var password = rule{
	text: "sets method md5 and removes TCP-AO keys; never shown; a delete leaves TCP-AO alone",
	show: func(*entry, *row) []schema.Value { return nil },
	put: func(w *edit, r *row, a ask) *schema.Error {
		method := w.at.text(r, 1)
		switch {
		case a.set:
			w.setText(r, 1, "md5")
			w.set(r, 0, a.value)
			w.remove(r.record, "transport/authentication/keys")
		case method == "" || method == "md5":
			w.clear(r, 0)
			w.clear(r, 1)
		}
		return nil
	},
}

// passive has no word for connect-only, which is shown as false and kept when
// false is written.
var passive = rule{
	text: "true is listen-only; both and connect-only are false; false written over true or nothing is both",
	typ:  boolean,
	show: func(e *entry, r *row) []schema.Value {
		mode := e.text(r, 0)
		if mode == "" {
			return nil
		}
		return one(schema.BoolValue(mode == "listen-only"))
	},
	parse: parseBool,
	put: func(w *edit, r *row, a ask) *schema.Error {
		switch {
		case !a.set:
			w.clear(r, 0)
		case w.shown(r, a.value):
			w.again(r)
		case a.value.Bool():
			w.setText(r, 0, "listen-only")
		default:
			w.setText(r, 0, "both")
		}
		return nil
	},
}

// localAddress is an address or an interface. The native container may have
// both: then the address is shown, and writing it again keeps the interface.
var localAddress = rule{
	text: "an address is the source-address, anything else an interface; setting one form clears the other, unless the value is the one shown already; with both, the address is shown; type and number are shown joined",
	typ:  plain,
	show: func(e *entry, r *row) []schema.Value {
		for _, s := range []string{e.text(r, 0), e.text(r, 1), e.text(r, 2) + e.text(r, 3)} {
			if s != "" {
				return oneText(s)
			}
		}
		return nil
	},
	parse: func(text string) (schema.Value, error) {
		if _, err := netip.ParseAddr(text); err == nil {
			return native(schema.KindPeer, "transport/connect-interface/config/source-address").Type.Parse(text)
		}
		return native(schema.KindPeer, "transport/connect-interface/config/interface").Type.Parse(text)
	},
	put: func(w *edit, r *row, a ask) *schema.Error {
		if a.set && w.shown(r, a.value) {
			w.again(r)
			return nil
		}
		into := -1
		if a.set {
			into = 1
			if _, err := netip.ParseAddr(a.value.String()); err == nil {
				into = 0
			}
		}
		for i := range r.native {
			if i == into {
				w.set(r, i, a.value)
			} else {
				w.clear(r, i)
			}
		}
		return nil
	},
}

// firstOf shows the first native leaf that has a value.
var firstOf = rule{
	text: "the first that is known: that of the live connection, then the address that the next one is bound to",
	show: func(e *entry, r *row) []schema.Value {
		for i := range r.native {
			if v, ok := e.value(r, i); ok {
				return one(v)
			}
		}
		return nil
	},
}

var sessionState = rule{
	text: "in capitals, without the hyphen",
	typ:  &schema.Type{Kind: schema.ValueString, Enums: []string{"IDLE", "CONNECT", "ACTIVE", "OPENSENT", "OPENCONFIRM", "ESTABLISHED"}},
	show: func(e *entry, r *row) []schema.Value {
		return oneText(strings.ToUpper(strings.ReplaceAll(e.text(r, 0), "-", "")))
	},
}

var timestamp = rule{
	text: "nanoseconds since 1970",
	typ:  moment,
	show: func(e *entry, r *row) []schema.Value { return nanoseconds(e.text(r, 0)) },
}

func nanoseconds(text string) []schema.Value {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.UnixNano() < 0 {
		return nil
	}
	return one(schema.UintValue(uint64(t.UnixNano())))
}

// narrow fits a count into the 32 bits that OpenConfig has for it.
var narrow = rule{
	text: "at most 4294967295",
	typ:  number,
	show: func(e *entry, r *row) []schema.Value {
		v, ok := e.value(r, 0)
		if !ok {
			return nil
		}
		return one(schema.UintValue(min(v.Uint(), math.MaxUint32)))
	},
}

// capabilities holds what is known: an active family was negotiated with the
// multiprotocol capability. What else the peer can do is not known here, so
// not listed.
var capabilities = rule{
	text: "MPBGP where a family is active; other capabilities are not known",
	typ:  capability, list: true,
	show: func(e *entry, r *row) []schema.Value {
		for f := range families {
			at := *e
			at.family = f
			p := nativePath(r.record, r.native[0], families[f].native)
			if rec := at.state(r.record); rec != nil {
				if v, ok := schema.GetLeaf(rec, p); ok && v.Bool() {
					return oneText("MPBGP")
				}
			}
		}
		return nil
	},
}

// parseBool reads true or false.
func parseBool(text string) (schema.Value, error) {
	if text != "true" && text != "false" {
		return schema.Value{}, errors.New("must be true or false")
	}
	return schema.BoolValue(text == "true"), nil
}

// parseIdentity reads the name of an identity, with or without its module.
func parseIdentity(t *schema.Type, text string) (schema.Value, error) {
	name := strings.TrimPrefix(text, Identity(t)+":")
	for _, e := range t.Enums {
		if e == name {
			return schema.StringValue(name), nil
		}
	}
	return schema.Value{}, errors.New("must be one of " + strings.Join(t.Enums, ", ") + ": nothing else has a place in this agent's model")
}

func parseOctet(text string) (schema.Value, error) {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return schema.Value{}, errors.New("must be in the range 0..255")
	}
	return schema.UintValue(n), nil
}
