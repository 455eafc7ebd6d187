package ocview

import (
	"slices"

	"mooring/engine/schema"
)

// edit collects what is asked of one list entry and turns it into edits of the
// records behind it.
type edit struct {
	writer
	at     *entry      // as it is now
	path   schema.Path // of the entry
	create bool        // the entry is made where it is not there

	asks  map[asked]ask
	order []asked
	trees map[byte]*schema.Edit // of the records, by kind
}

// asked is a row, within a family where it is in one.
type asked struct {
	row    *row
	family int
}

// ask is what is wanted of a leaf.
type ask struct {
	asked bool
	set   bool // else it is taken away
	value schema.Value
}

func (w writer) edit(e *entry, path schema.Path) *edit {
	at := *e
	return &edit{writer: w, at: &at, path: path, asks: map[asked]ask{}, trees: map[byte]*schema.Edit{}}
}

// want notes a wish for a leaf of the entry or of its family at hand.
func (w *edit) want(r *row, a ask) {
	a.asked = true
	k := asked{r, w.at.rowFamily(r)}
	if _, ok := w.asks[k]; !ok {
		w.order = append(w.order, k)
	}
	w.asks[k] = a
}

// ask returns what is wanted of a leaf outside of families.
func (w *edit) ask(r *row) ask { return w.asks[asked{row: r}] }

// clearLeaf wants a leaf to be taken away. Keys stay.
func (w *edit) clearLeaf(n *schema.Node) {
	if r := model.row[n]; r.key == noKey {
		w.want(r, ask{})
	}
}

// fault says that what is asked of a leaf cannot be.
func (w *edit) fault(r *row, message string) *schema.Error {
	return &schema.Error{Tag: schema.InvalidValue, Path: w.leafPath(r), BadElement: r.node.Name, Message: message}
}

// leafPath is the path of a leaf of the entry.
func (w *edit) leafPath(r *row) schema.Path {
	p := slices.Clone(w.path)
	var tail []*schema.Node
	for n := r.node; n != w.path.Node(); n = n.Parent {
		tail = append(tail, n)
	}
	for i := len(tail) - 1; i >= 0; i-- {
		s := schema.Step{Node: tail[i]}
		if isFamily(tail[i]) {
			s.Keys = []string{families[w.at.family].oc}
		}
		p = append(p, s)
	}
	return p
}

// shown says whether a row shows a value now.
func (w *edit) shown(r *row, v schema.Value) bool {
	now := w.at.show(r)
	return len(now) == 1 && now[0] == v
}

// again writes the values that the native leaves of a row have: a client that
// writes what is there already has written it all the same.
func (w *edit) again(r *row) {
	for i := range r.native {
		if v, ok := w.at.value(r, i); ok {
			w.set(r, i, v)
		}
	}
}

func (w *edit) nativePath(r *row, i int) schema.Path { return r.paths[w.at.rowFamily(r)][i] }

func (w *edit) set(r *row, i int, v schema.Value) {
	e := w.place(r.record, w.nativePath(r, i))
	e.Op, e.Value, e.HasValue = schema.OpMerge, v, true
}

// setText writes a value that is right by construction.
func (w *edit) setText(r *row, i int, text string) {
	v, err := w.nativePath(r, i).Node().Type.Parse(text)
	if err != nil {
		panic("ocview: " + r.native[i] + " cannot be " + text)
	}
	w.set(r, i, v)
}

func (w *edit) clear(r *row, i int) { w.place(r.record, w.nativePath(r, i)).Op = schema.OpRemove }

// remove takes away a container.
func (w *edit) remove(record byte, path string) {
	w.place(record, nativePath(record, path, "")).Op = schema.OpRemove
}

// dropFamily takes away a family.
func (w *edit) dropFamily(family int) {
	letter := letter(w.at.list)
	w.place(letter, familyPaths[letter][family].Parent()).Op = schema.OpRemove
}

// addFamily makes a family where it is not there.
func (w *edit) addFamily() {
	letter := letter(w.at.list)
	w.place(letter, familyPaths[letter][w.at.family].Parent())
}

// place returns the edit of a node of a record, and makes those that lead
// there.
func (w *edit) place(record byte, p schema.Path) *schema.Edit {
	at := w.trees[record]
	if at == nil {
		at = &schema.Edit{Node: schema.KindOf(record).Node, Keys: []string{w.at.keyOf(record).Name()}}
		w.trees[record] = at
	}
	for _, s := range p {
		i := slices.IndexFunc(at.Children, func(e *schema.Edit) bool {
			return e.Node == s.Node && slices.Equal(e.Keys, s.Keys)
		})
		if i < 0 {
			i = len(at.Children)
			at.Children = append(at.Children, &schema.Edit{Node: s.Node, Keys: s.Keys})
		}
		at = at.Children[i]
	}
	return at
}

// flush applies what was asked for.
func (w *edit) flush() error {
	if w.at.list == nil {
		return nil // above all lists there are no leaves
	}
	family := w.at.family
	for _, k := range w.order {
		w.at.family = k.family
		if err := w.put(k); err != nil {
			return err
		}
	}
	w.at.family = family
	if w.create {
		for _, letter := range w.needed() {
			w.place(letter, nil)
		}
	}
	for _, letter := range []byte{schema.KindVPNInstance, schema.KindInstance, schema.KindBGPVPNInstance, schema.KindPeerGroup, schema.KindPeer} {
		tree := w.trees[letter]
		if tree == nil {
			continue
		}
		key := w.at.keyOf(letter)
		if !w.create && w.now.Get(key) == nil {
			continue
		}
		if err := w.emit(key.Path().Parent(), tree); err != nil {
			return err
		}
	}
	return nil
}

// needed are the kinds of the records that an entry consists of. Those above
// them are made with them.
func (w *edit) needed() []byte {
	own := letter(w.at.list)
	if own == schema.KindVPNInstance || w.now.Get(schema.VPNInstanceKey(w.at.vpn)) != nil {
		return []byte{own}
	}
	return []byte{schema.KindVPNInstance, own}
}

func (w *edit) put(k asked) error {
	r, a := k.row, w.asks[k]
	if r.inFamily && !a.set && !w.at.hasFamily(r.record, k.family, false) {
		return nil
	}
	if r.as != nil {
		if err := r.as.put(w, r, a); err != nil {
			return err // not as a value: a nil *schema.Error is no nil error
		}
		return nil
	}
	if a.set {
		w.set(r, 0, a.value)
	} else {
		w.clear(r, 0)
	}
	return nil
}
