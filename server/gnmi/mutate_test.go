package gnmi

import (
	"math"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// dice are decisions that the fuzzer makes, octet by octet.
type dice struct{ throws []byte }

// n returns one of 0 to n-1; 0 when the dice are used up.
func (d *dice) n(n int) int {
	if len(d.throws) == 0 || n < 2 {
		return 0
	}
	v := int(d.throws[0])
	d.throws = d.throws[1:]
	if n > 256 && len(d.throws) > 0 {
		v = v<<8 | int(d.throws[0])
		d.throws = d.throws[1:]
	}
	return v % n
}

// mutate changes a message as long as there are dice: fields are set to what a
// client might send in error or in malice, dropped, repeated, or gone into.
func mutate(d *dice, m protoreflect.Message) {
	for len(d.throws) > 0 {
		mutateField(d, m, 0)
	}
}

const deepest = 12

func mutateField(d *dice, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	if fields.Len() == 0 || depth > deepest {
		d.n(2)
		return
	}
	fd := fields.Get(d.n(fields.Len()))
	switch {
	case fd.IsMap():
		mutateMap(d, m.Mutable(fd).Map(), fd)
	case fd.IsList():
		mutateList(d, m.Mutable(fd).List(), fd, depth)
	case fd.Message() != nil:
		if d.n(6) == 0 {
			m.Clear(fd)
			return
		}
		mutateField(d, m.Mutable(fd).Message(), depth+1)
	default:
		m.Set(fd, hostile(d, fd))
	}
}

func mutateMap(d *dice, m protoreflect.Map, fd protoreflect.FieldDescriptor) {
	key, value := hostile(d, fd.MapKey()), hostile(d, fd.MapValue())
	if d.n(5) == 0 {
		m.Clear(key.MapKey())
		return
	}
	m.Set(key.MapKey(), value)
}

func mutateList(d *dice, l protoreflect.List, fd protoreflect.FieldDescriptor, depth int) {
	switch at := d.n(l.Len()); d.n(6) {
	case 0:
		if l.Len() > 0 {
			l.Truncate(at)
		}
	case 1:
		if l.Len() > 0 && l.Len() < 200 {
			l.Append(l.Get(at))
		}
	case 2:
		for range d.n(20) {
			if fd.Message() != nil {
				l.Append(l.NewElement())
			} else {
				l.Append(hostile(d, fd))
			}
		}
	default:
		if fd.Message() == nil {
			l.Append(hostile(d, fd))
			return
		}
		if l.Len() == 0 {
			l.Append(l.NewElement())
			at = 0
		}
		mutateField(d, l.Get(at).Message(), depth+1)
	}
}

var (
	hostileStrings = []string{
		"", "*", "...", "..", "/", "a/b", "[a=b]", "\x00", "\n", "bgp", "instances", "instance", "vpn-instances", "vpn-instance", "peers", "peer",
		"address", "name", "config", "state", "as", "description", "mooring-bgp:bgp", "openconfig", "mooring", "cli", "default", "vpn1", "10.1.1.2", "::1",
		"network-instances", "network-instance", "protocols", "protocol", "identifier", "BGP", "\u202e\u0000\U0010ffff", strings.Repeat("x", 70_000),
	}
	hostileBytes = []string{
		"", "{}", "[]", "null", "7", `"x"`, "{", `{"config":{"as":200}}`, `{"name":"vpn1"}`, "\xff\xfe", `"\ud800"`, `{"a":{},"a":{}}`,
		"18446744073709551616", "1e999", strings.Repeat("[", 5000), strings.Repeat(`{"bgp":`, 2000), `{"mooring-bgp:bgp":{"instances":{"instance":[{}]}}}`,
	}
	hostileNumbers = []int64{0, 1, -1, 2, 7, 63, 64, 255, 1e9, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
)

// hostile is a value of a field's kind.
func hostile(d *dice, fd protoreflect.FieldDescriptor) protoreflect.Value {
	number := func() int64 { return hostileNumbers[d.n(len(hostileNumbers))] }
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(hostileStrings[d.n(len(hostileStrings))])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(hostileBytes[d.n(len(hostileBytes))]))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(d.n(2) == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(number()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(number()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(number()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(number())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(number()))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(math.Inf(1 - 2*d.n(2))))
	default:
		return protoreflect.ValueOfFloat64([]float64{0, -1, math.NaN(), math.Inf(1), 1e308}[d.n(5)])
	}
}
