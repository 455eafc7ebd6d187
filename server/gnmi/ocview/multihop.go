package ocview

import "mooring/engine/schema"

// The two leaves of ebgp-multihop are one native leaf, ebgp-max-hop: above 1
// multihop is enabled with that TTL, 1 is disabled.

const (
	singleHop = 1
	// widest is what enabled means as long as no multihop-ttl is given.
	widest = 255
)

const multihopText = "above 1 is enabled with that multihop-ttl, 1 is not enabled; enabled without multihop-ttl is 255, multihop-ttl alone enables"

var multihopEnabled = rule{
	text: multihopText, typ: boolean,
	show: func(e *entry, r *row) []schema.Value {
		v, ok := e.value(r, 0)
		if !ok {
			return nil
		}
		return one(schema.BoolValue(v.Uint() > singleHop))
	},
	parse: parseBool,
	put:   putMultihop,
}

var multihopTTL = rule{
	text: multihopText, typ: octet,
	show: func(e *entry, r *row) []schema.Value {
		if v, ok := e.value(r, 0); ok && v.Uint() > singleHop {
			return one(v)
		}
		return nil
	},
	parse: parseOctet,
	put:   putMultihop,
}

// putMultihop writes what is asked of both leaves at once. It is called for
// each that is asked for, with the same outcome.
func putMultihop(w *edit, r *row, _ ask) *schema.Error {
	at := r.node.Parent
	on, ttl := model.row[child(at, "enabled")], model.row[child(at, "multihop-ttl")]
	enabled, hops := w.ask(on), w.ask(ttl)
	now, _ := w.at.value(ttl, 0)
	switch {
	case hops.set && hops.value.Uint() <= singleHop:
		return w.fault(ttl, "fewer than 2 hops are no multihop: set enabled to false instead")
	case hops.set && enabled.set && !enabled.value.Bool():
		return w.fault(ttl, "a TTL has no place while enabled is false")
	case hops.set && !enabled.asked && now.Uint() == singleHop:
		return w.fault(ttl, "a TTL has no place while enabled is false: set enabled to true first")
	case hops.set:
		w.set(ttl, 0, hops.value)
	case enabled.set && !enabled.value.Bool():
		w.set(ttl, 0, schema.UintValue(singleHop))
	case enabled.set && !hops.asked && now.Uint() > singleHop:
		w.set(ttl, 0, now)
	case enabled.set, !enabled.asked && now.Uint() > singleHop: // the TTL alone was deleted
		w.set(ttl, 0, schema.UintValue(widest))
	case enabled.asked:
		w.clear(ttl, 0)
	}
	return nil
}
