package ocview

import (
	"github.com/openconfig/ygot/ygot"

	"mooring/bgp"
	"mooring/engine/schema"
)

// defaultInstance is the name that OpenConfig implementations give to the
// network instance that is no VRF.
const defaultInstance = "DEFAULT"

const identifierBGP = "BGP"

// families are the address families by both names.
var families = []struct{ oc, native string }{
	{"IPV4_UNICAST", "ipv4-unicast"},
	{"IPV6_UNICAST", "ipv6-unicast"},
	{"L3VPN_IPV4_UNICAST", "vpnv4-unicast"},
	{"L3VPN_IPV6_UNICAST", "vpnv6-unicast"},
}

// vpnOf returns the VPN instance that a network instance is.
func vpnOf(instance string) string {
	if instance == defaultInstance {
		return bgp.PublicVPN
	}
	return instance
}

// instanceOf is the reverse of vpnOf. It fails for a VPN instance whose name
// means another one in OpenConfig.
func instanceOf(vpn string) (string, bool) {
	if vpn == bgp.PublicVPN {
		return defaultInstance, true
	}
	return vpn, vpn != defaultInstance
}

func bgpVPNKey(name, vpn string) schema.Key {
	return schema.BGPVPNInstanceKey(bgp.InstanceKey{Instance: name, VPN: vpn})
}

// entry is a list entry of the tree with the native records behind it.
type entry struct {
	view schema.View
	list *schema.Node // nil above all lists

	vpn    string // native names
	proto  string
	name   string // of the group or neighbor
	family int    // index into families

	key      schema.Key // of the record that the entry is; its BGP instance is the record above
	records  map[byte]ygot.GoStruct
	states   map[byte]ygot.GoStruct
	selfOnly bool // no list entries below

	names *[]string // of the BGP instances, once asked for; shared by all entries of a walk
}

// keyOf returns the key of the record of a kind that belongs to the entry.
func (e *entry) keyOf(letter byte) schema.Key {
	switch letter {
	case schema.KindVPNInstance:
		return schema.VPNInstanceKey(e.vpn)
	case schema.KindInstance:
		return schema.BGPInstanceKey(e.proto)
	}
	return e.key
}

// config returns the configuration record of a kind, nil for none.
func (e *entry) config(letter byte) ygot.GoStruct {
	rec, ok := e.records[letter]
	if !ok {
		rec = e.view.Get(e.keyOf(letter))
		e.records[letter] = rec
	}
	return rec
}

// state returns the state of a record, nil for none. It is rendered when first
// asked for.
func (e *entry) state(letter byte) ygot.GoStruct {
	rec, ok := e.states[letter]
	if !ok {
		rec = e.view.State(e.keyOf(letter))
		e.states[letter] = rec
	}
	return rec
}

// holder returns the record that has a native leaf, nil for none.
func (e *entry) holder(letter byte, n *schema.Node) ygot.GoStruct {
	if n.Config {
		return e.config(letter)
	}
	return e.state(letter)
}

// value returns the value of the i-th native leaf of a row.
func (e *entry) value(r *row, i int) (schema.Value, bool) {
	p := r.paths[e.rowFamily(r)][i]
	rec := e.holder(r.record, p.Node())
	if rec == nil {
		return schema.Value{}, false
	}
	return schema.GetLeaf(rec, p)
}

// text returns the value of the i-th native leaf of a row, empty for none.
func (e *entry) text(r *row, i int) string {
	v, ok := e.value(r, i)
	if !ok {
		return ""
	}
	return v.String()
}

func (e *entry) rowFamily(r *row) int {
	if r.inFamily {
		return e.family
	}
	return 0
}

// show returns what a row shows: one value, or those of a leaf-list.
func (e *entry) show(r *row) []schema.Value {
	switch {
	case r.key != noKey:
		return e.showKey(r)
	case r.as != nil:
		return r.as.show(e, r)
	}
	if v, ok := e.value(r, 0); ok {
		return []schema.Value{v}
	}
	return nil
}

func (e *entry) showKey(r *row) []schema.Value {
	there := r.node.Parent.Kind == schema.List
	switch {
	case there:
	case r.inFamily:
		_, there = e.value(r, 0)
	case r.node.Config:
		there = e.config(r.record) != nil
	default:
		there = e.state(r.record) != nil
	}
	if !there {
		return nil
	}
	return []schema.Value{schema.StringValue(e.keyText(r.key))}
}

func (e *entry) keyText(k keySource) string {
	switch k {
	case instanceName:
		name, _ := instanceOf(e.vpn)
		return name
	case protocolIdentifier:
		return identifierBGP
	case protocolName:
		return e.proto
	case familyName:
		return families[e.family].oc
	}
	return e.name
}

// step is the step of a path to the entry.
func (e *entry) step() schema.Step {
	s := schema.Step{Node: e.list}
	for _, k := range e.list.Keys {
		s.Keys = append(s.Keys, e.keyText(model.row[k].key))
	}
	return s
}

// hasFamily says whether the entry has a family, in the configuration or in
// the state.
func (e *entry) hasFamily(letter byte, family int, state bool) bool {
	p := familyPaths[letter][family]
	if rec := e.config(letter); rec != nil {
		if _, ok := schema.GetLeaf(rec, p); ok {
			return true
		}
	}
	if !state {
		return false
	}
	rec := e.state(letter)
	if rec == nil {
		return false
	}
	_, ok := schema.GetLeaf(rec, p)
	return ok
}

// familyPaths lead to the key leaf of each family.
var familyPaths = func() map[byte][]schema.Path {
	m := map[byte][]schema.Path{}
	for _, letter := range []byte{schema.KindPeerGroup, schema.KindPeer} {
		for _, f := range families {
			m[letter] = append(m[letter], nativePath(letter, "afi-safis/afi-safi/name", f.native))
		}
	}
	return m
}()

// at returns an entry of a list for known keys. It is not known to exist.
func (e *entry) at(list *schema.Node, keys []string) *entry {
	out := &entry{
		view: e.view, list: list, vpn: e.vpn, proto: e.proto, name: e.name, key: e.key, names: e.names,
		records: map[byte]ygot.GoStruct{}, states: map[byte]ygot.GoStruct{},
	}
	switch list {
	case model.instance:
		out.vpn = vpnOf(keys[0])
		out.key = schema.VPNInstanceKey(out.vpn)
	case model.protocol:
		out.proto = keys[1]
		out.key = bgpVPNKey(out.proto, out.vpn)
	case model.group:
		out.name = keys[0]
		out.key = schema.MakeKey(bgpVPNKey(e.proto, e.vpn), schema.KindOf(schema.KindPeerGroup), out.name)
	case model.neighbor:
		out.name = keys[0]
		out.key = schema.MakeKey(bgpVPNKey(e.proto, e.vpn), schema.KindOf(schema.KindPeer), out.name)
	default:
		out.records, out.states = e.records, e.states
		for i, f := range families {
			if f.oc == keys[0] {
				out.family = i
			}
		}
	}
	return out
}

// letter is the kind of the record that an entry of a list is.
func letter(list *schema.Node) byte {
	switch list {
	case model.instance:
		return schema.KindVPNInstance
	case model.protocol:
		return schema.KindBGPVPNInstance
	case model.group, model.groupFamily:
		return schema.KindPeerGroup
	}
	return schema.KindPeer
}

func isFamily(list *schema.Node) bool {
	return list == model.groupFamily || list == model.neighborFamily
}

// entries calls fn for the entries of a list below e that exist and that keys
// choose, until fn returns false. It says whether it went on to the end.
func (e *entry) entries(list *schema.Node, keys []string, state bool, fn func(*entry) bool) bool {
	if wildKeys(list, keys) {
		return e.scan(list, state, fn)
	}
	at := e.at(list, keys)
	if isFamily(list) {
		return !e.hasFamily(letter(list), at.family, state) || fn(at)
	}
	if at.config(letter(list)) == nil {
		return true
	}
	return fn(at)
}

func wildKeys(list *schema.Node, keys []string) bool {
	if len(keys) != len(list.Keys) {
		return true
	}
	last := keys[len(keys)-1] // of a protocol: the identifier has one value
	return last == schema.Wild
}

// scan is entries for all of them.
func (e *entry) scan(list *schema.Node, state bool, fn func(*entry) bool) bool {
	more := true
	visit := func(keys []string, rec ygot.GoStruct) {
		at := e.at(list, keys)
		at.records[letter(list)] = rec
		more = fn(at)
	}
	switch list {
	case model.instance:
		e.children("", schema.KindVPNInstance, func(k schema.Key, rec ygot.GoStruct) bool {
			if name, ok := instanceOf(k.Name()); ok {
				visit([]string{name}, rec)
			}
			return more
		})
	case model.protocol:
		for _, name := range e.instances() {
			if rec := e.view.Get(bgpVPNKey(name, e.vpn)); rec != nil && more {
				visit([]string{identifierBGP, name}, rec)
			}
		}
	case model.group, model.neighbor:
		e.children(bgpVPNKey(e.proto, e.vpn), letter(list), func(k schema.Key, rec ygot.GoStruct) bool {
			visit([]string{k.Name()}, rec)
			return more
		})
	default:
		for i, f := range families {
			if more && e.hasFamily(letter(list), i, state) {
				more = fn(e.at(list, []string{f.oc}))
			}
		}
	}
	return more
}

// children calls fn for the records of a kind directly below a key.
func (e *entry) children(parent schema.Key, letter byte, fn func(schema.Key, ygot.GoStruct) bool) {
	e.view.Scan(schema.MakeKey(parent, schema.KindOf(letter)), func(k schema.Key, rec ygot.GoStruct) bool {
		return k.Parent() != parent || fn(k, rec)
	})
}

// instances returns the names of the BGP instances. To find them all records
// are passed, so it is done once a walk, not once a network instance.
func (e *entry) instances() []string {
	if *e.names == nil {
		*e.names = []string{}
		e.children("", schema.KindInstance, func(k schema.Key, _ ygot.GoStruct) bool {
			*e.names = append(*e.names, k.Name())
			return true
		})
	}
	return *e.names
}
