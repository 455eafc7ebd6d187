package ocview

import (
	"slices"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// EntryChange is what a change of a record means for one list entry: Updates
// have new values, Deletes have none any more. Of an entry that is gone all
// leaves are among the Deletes.
type EntryChange struct {
	Entry   schema.Path
	Gone    bool
	Updates []schema.LeafValue // Record is Entry; Rel may be kept
	Deletes []schema.Path      // from Entry on
}

// Record is a record at one time. The zero Record is an absent one.
type Record struct{ Config, State ygot.GoStruct }

// Changes translates the change of the record k. View is what holds now: a BGP
// instance has leaves in the protocol entries of all its VPN instances, and a
// new protocol entry comes with those of its BGP instance. A record that is
// not part of the tree changes nothing.
func Changes(view schema.View, k schema.Key, before, after Record) []EntryChange {
	v := k.Values()
	root := top(view)
	var list *schema.Node
	var keys []string
	at := root
	switch k.Kind().Letter {
	case schema.KindVPNInstance:
		name, ok := instanceOf(v[0])
		if !ok {
			return nil
		}
		list, keys = model.instance, []string{name}
	case schema.KindInstance:
		return instanceChanges(view, k, before, after)
	case schema.KindBGPVPNInstance, schema.KindPeerGroup, schema.KindPeer:
		name, ok := instanceOf(v[1])
		if !ok {
			return nil
		}
		at = at.at(model.instance, []string{name})
		list, keys = model.protocol, []string{identifierBGP, v[0]}
		if len(v) > 2 {
			at = at.at(list, keys)
			list, keys = model.neighbor, v[2:]
			if k.Kind().Letter == schema.KindPeerGroup {
				list = model.group
			}
		}
	default:
		return nil
	}
	out := EntryChange{Entry: entryOf(at.at(list, keys)), Gone: after.Config == nil}
	old, now := at.at(list, keys), at.at(list, keys)
	letter := letter(list)
	fill(old, letter, before)
	fill(now, letter, after)
	if list == model.protocol {
		instance := view.Get(schema.BGPInstanceKey(now.proto))
		state := mirrorState(view, schema.BGPInstanceKey(now.proto))
		if before.Config != nil { // no news of the BGP instance
			old.records[schema.KindInstance], old.states[schema.KindInstance] = instance, state
		}
		now.records[schema.KindInstance], now.states[schema.KindInstance] = instance, state
	}
	out.compare(old, now)
	if out.Gone && list == model.protocol {
		out.forget()
	}
	return out.list()
}

// mirrorState is the state of a BGP instance, nil for none.
func mirrorState(view schema.View, k schema.Key) ygot.GoStruct {
	if view.Get(k) == nil {
		return nil
	}
	return view.State(k)
}

// fill gives an entry the record of a change.
func fill(e *entry, letter byte, r Record) {
	e.selfOnly = true
	e.records[letter], e.states[letter] = r.Config, r.State
	if r.Config == nil {
		e.records[schema.KindInstance], e.states[schema.KindInstance] = nil, nil
	}
}

// instanceChanges is what the change of a BGP instance means for the protocol
// entries of its name.
func instanceChanges(view schema.View, k schema.Key, before, after Record) []EntryChange {
	if after.Config == nil {
		return nil // its VPN instances are gone too, and say so
	}
	var out []EntryChange
	root := top(view)
	name := k.Name()
	root.children(k, schema.KindBGPVPNInstance, func(vpn schema.Key, rec ygot.GoStruct) bool {
		instance, ok := instanceOf(vpn.Name())
		if !ok {
			return true
		}
		at := root.at(model.instance, []string{instance})
		old, now := at.at(model.protocol, []string{identifierBGP, name}), at.at(model.protocol, []string{identifierBGP, name})
		for _, e := range []*entry{old, now} {
			e.selfOnly = true
			e.records[schema.KindBGPVPNInstance], e.states[schema.KindBGPVPNInstance] = rec, nil
		}
		old.records[schema.KindInstance], old.states[schema.KindInstance] = before.Config, before.State
		now.records[schema.KindInstance], now.states[schema.KindInstance] = after.Config, after.State
		change := EntryChange{Entry: entryOf(now)}
		change.compare(old, now)
		out = append(out, change.list()...)
		return true
	})
	return out
}

// entryOf is the path of an entry that is a record.
func entryOf(e *entry) schema.Path {
	instance := schema.Path{{Node: model.instance.Parent}, (&entry{list: model.instance, vpn: e.vpn}).step()}
	if e.list == model.instance {
		return instance
	}
	protocol := append(instance, schema.Step{Node: model.protocol.Parent}, (&entry{list: model.protocol, vpn: e.vpn, proto: e.proto}).step())
	if e.list == model.protocol {
		return protocol
	}
	return append(protocol, schema.Step{Node: e.list.Parent.Parent}, schema.Step{Node: e.list.Parent}, e.step())
}

// forget adds the leaves of the BGP instance to the Deletes of a protocol that
// is gone: the BGP instance may be gone before anyone could ask what it had.
func (c *EntryChange) forget() {
	at := &edit{at: &entry{}, path: c.Entry}
	for _, r := range model.rows {
		if r.record != schema.KindInstance {
			continue
		}
		rel := at.leafPath(r)[len(c.Entry):]
		if !slices.ContainsFunc(c.Deletes, rel.Equal) {
			c.Deletes = append(c.Deletes, rel)
		}
	}
}

func (c *EntryChange) list() []EntryChange {
	if !c.Gone && len(c.Updates)+len(c.Deletes) == 0 {
		return nil
	}
	return []EntryChange{*c}
}

// compare finds the leaves that differ.
func (c *EntryChange) compare(old, now *entry) {
	type leaf struct {
		value schema.LeafValue
		found bool
	}
	var before []leaf
	index := map[string]int{}
	walkEntry(old, c.Entry, func(l schema.LeafValue) {
		index[l.Rel.String()] = len(before)
		before = append(before, leaf{value: l})
	})
	walkEntry(now, c.Entry, func(l schema.LeafValue) {
		if i, ok := index[l.Rel.String()]; ok {
			before[i].found = true
			if before[i].value.Value == l.Value && slices.Equal(before[i].value.Values, l.Values) {
				return
			}
		}
		c.Updates = append(c.Updates, l)
	})
	for _, l := range before {
		if !l.found {
			c.Deletes = append(c.Deletes, l.value.Rel)
		}
	}
}

// walkEntry visits the leaves of an entry, but not those of list entries that
// are records of their own.
func walkEntry(e *entry, path schema.Path, fn func(schema.LeafValue)) {
	if e.config(letter(e.list)) == nil {
		return
	}
	w := &walker{options: schema.LeafOptions{Defaults: true}, record: path, leaf: func(l *schema.LeafValue) bool {
		kept := *l
		kept.Rel = slices.Clone(l.Rel)
		fn(kept)
		return true
	}}
	w.walk(e.list, nil, e, unlimited(0))
}
