package schema

import (
	"io"
	"reflect"

	"mooring/internal/xmltok"
)

// DefaultsMode says which leaves with a default are reported (RFC 6243 3). The
// agent's basic mode is explicit: a default is what nobody set.
type DefaultsMode uint8

// The modes.
const (
	Explicit        DefaultsMode = iota // what was set
	ReportAll                           // also defaults in use
	Trim                                // what was set to something else than its default
	ReportAllTagged                     // as ReportAll; defaults in use are marked
)

var defaultsModes = [...]string{"explicit", "report-all", "trim", "report-all-tagged"}

// ReportsAll says whether defaults in use are reported.
func (m DefaultsMode) ReportsAll() bool { return m == ReportAll || m == ReportAllTagged }

// String returns the name of RFC 6243 3.
func (m DefaultsMode) String() string { return defaultsModes[m] }

// ParseDefaultsMode is the inverse of String.
func ParseDefaultsMode(s string) (DefaultsMode, bool) {
	for i, name := range defaultsModes {
		if name == s {
			return DefaultsMode(i), true
		}
	}
	return 0, false
}

// DefaultsNamespace is the namespace of the attribute that marks defaults
// (RFC 6243 6).
const DefaultsNamespace = "urn:ietf:params:xml:ns:netconf:default:1.0"

// XMLOptions choose what EncodeXML writes.
type XMLOptions struct {
	Content  Content
	Defaults DefaultsMode
	MaxDepth int     // levels of each selected node, itself included, 0 for all (RFC 8526 3.1.1)
	Origin   bool    // configuration is marked with its origin (RFC 8342 5.3.4)
	Origins  Origins // which configuration, by its origin; 0 for all
}

// EncodeXML writes what a filter selects, nil for everything, as the children
// of a <data> element, without the element itself. Nodes are in the order of
// the model, entries sorted by key, keys first; each top-level node declares
// its namespace. The output is ASCII. Secrets are left out, and so are empty
// containers. Memory does not grow with the data. The error is that of w.
func EncodeXML(w io.Writer, v View, f *Filter, o XMLOptions) error {
	e := &xmlEncoder{
		w: w, view: v, hider: hiderOf(v), o: o, content: o.Content, defaults: o.Defaults, inherited: OriginIntended, buf: make([]byte, 0, 4096),
	}
	sel := selection{all: f == nil}
	if f != nil {
		sel.nodes = []*filterNode{f.root}
		sel = sel.matching(place{}, false)
	}
	e.members(Root(), place{}, sel)
	e.flush()
	return e.err
}

// xmlBuffer is how much is collected before it is written.
const xmlBuffer = 32 << 10

// xmlEncoder writes XML. A start tag after which nothing came is taken back:
// the buffer is only flushed after a record that stays, so that everything
// before it stays too.
type xmlEncoder struct {
	w        io.Writer
	buf      []byte
	flushed  int // bytes written to w
	err      error
	view     View
	o        XMLOptions
	content  Content      // of o
	defaults DefaultsMode // of o
	hider    Hider        // nil: nothing is hidden

	level     int     // how deep it stands in what is selected, 0 above that
	inherited Origins // the origin of the node that it stands in

	whole bool // it is written by another encoder, so nothing is flushed
}

func (e *xmlEncoder) flush() {
	if e.err == nil && len(e.buf) > 0 {
		_, e.err = e.w.Write(e.buf)
	}
	e.flushed += len(e.buf)
	e.buf = e.buf[:0]
}

// at returns how much was produced so far.
func (e *xmlEncoder) at() int { return e.flushed + len(e.buf) }

// rewind takes back everything from pos on.
func (e *xmlEncoder) rewind(pos int) { e.buf = e.buf[:pos-e.flushed] }

func (e *xmlEncoder) reportAll() bool { return e.defaults.ReportsAll() }

// members writes the children of n that are selected. Keys are written by
// entry.
func (e *xmlEncoder) members(n *Node, at place, sel selection) {
	for _, c := range n.Children {
		s := sel
		if !sel.all {
			s = sel.child(c)
		}
		switch {
		case c.isKey || !s.any():
		case c.kind != nil && !c.kind.Singleton:
			e.records(c, at.key, s)
		case c.kind != nil:
			e.container(c, recordAt(e.view, MakeKey(at.key, c.kind), e.content), s)
			e.recordDone()
		case c.spine:
			e.container(c, place{key: at.key}, s)
		case c.IsLeaf():
			e.leaf(c, at, s)
		case c.Kind == Container:
			if sub := at.sub(c); sub.valid() || c.Config && e.reportAll() && e.content.config() {
				e.container(c, sub, s)
			}
		case c.isSet(at.cfg) || c.isSet(at.st):
			var few [fewEntries]placeEntry
			for _, entry := range at.entries(few[:0], c) {
				e.entry(c, entry.place, s)
			}
		}
	}
}

// start writes a start tag, with attributes. A namespace is declared where it
// changes.
func (e *xmlEncoder) start(n *Node, attributes string) {
	e.buf = append(e.buf, n.startTag...)
	if n.Parent != nil && n.Module != n.Parent.Module {
		e.buf = append(e.buf, ` xmlns="`...)
		e.buf = append(append(e.buf, n.Namespace...), '"')
		if n.Parent.Parent == nil && e.defaults == ReportAllTagged {
			e.buf = append(e.buf, ` xmlns:wd="`+DefaultsNamespace+`"`...)
		}
		if n.Parent.Parent == nil && n.Config && e.o.Origin {
			e.buf = append(append(e.buf, ` xmlns:or="`+OriginNamespace+`"`...), originMarks[OriginIntended]...)
		}
	}
	e.buf = append(append(e.buf, attributes...), '>')
}

func (e *xmlEncoder) end(n *Node) {
	e.buf = append(e.buf, n.endTag...)
}

func (e *xmlEncoder) container(n *Node, at place, sel selection) {
	if sel = sel.matching(at, e.reportAll()); !sel.any() {
		return
	}
	before := e.at()
	e.start(n, "")
	open := e.at()
	if !e.below(n, at, sel) && e.at() == open && !(n.Presence && at.cfg.IsValid() && e.content.config()) {
		e.rewind(before)
		return
	}
	e.end(n)
}

// below writes what is in the container or entry n. It says whether something
// was left out because it is too deep.
func (e *xmlEncoder) below(n *Node, at place, sel selection) (cut bool) {
	if e.o.MaxDepth == 0 || !sel.whole() {
		e.members(n, at, sel)
		return false
	}
	e.level++
	defer func() { e.level-- }()
	if e.level < e.o.MaxDepth {
		e.members(n, at, sel)
		return false
	}
	return hasData(e.view, n, at, e.content)
}

// records writes the entries of a list that are records. Where each part of
// the selection names the key, no other entry is looked at.
func (e *xmlEncoder) records(n *Node, parent Key, sel selection) {
	prefix := parent.childPrefix(n.kind)
	if keys, ok := sel.keys(n); ok {
		for _, entry := range keys {
			k := prefix + Key(entry.key)
			if rec := e.view.Get(k); rec != nil {
				e.entry(n, recordOf(e.view, k, rec, e.content), entry.sel)
				e.recordDone()
			}
		}
		return
	}
	blank := *e // what follows writes to e
	blank.w, blank.flushed, blank.whole = nil, 0, true
	scanChunks(e.view, n, prefix,
		func(r listRecord) bool {
			e.entry(n, recordOf(e.view, r.key, r.rec, e.content), sel)
			e.recordDone()
			return e.err == nil
		},
		func(v View, chunk []listRecord, used []byte) []byte {
			part := blank
			part.view, part.buf = v, used[:0]
			for _, r := range chunk {
				part.entry(n, recordOf(v, r.key, r.rec, e.content), sel)
			}
			return part.buf
		},
		func(part []byte) bool {
			e.buf = append(e.buf, part...)
			e.recordDone()
			return e.err == nil
		})
}

// recordDone flushes a full buffer.
func (e *xmlEncoder) recordDone() {
	if len(e.buf) > xmlBuffer && !e.whole {
		e.flush()
	}
}

// entry writes a list entry with its keys. An entry of which only the keys
// would be written is left out unless they were asked for.
func (e *xmlEncoder) entry(n *Node, at place, sel selection) {
	if sel = sel.matching(at, e.reportAll()); !sel.any() {
		return
	}
	before, origin := e.at(), originOfEntry(n, at)
	e.start(n, e.mark(origin))
	defer func(around Origins) { e.inherited = around }(e.inherited)
	e.inherited = origin
	for _, key := range n.Keys {
		if f, set := key.lookup(at.holder(key)); set {
			e.element(key, f, "")
		}
	}
	keysOnly := e.at()
	if !e.below(n, at, sel) && e.at() == keysOnly && !(e.content.takes(n) && sel.takesKey(n) && e.wants(n, origin)) {
		e.rewind(before)
		return
	}
	e.end(n)
}

// leaf writes a leaf, or each entry of a leaf-list.
func (e *xmlEncoder) leaf(n *Node, at place, sel selection) {
	if n.Secret || !e.content.takes(n) {
		return
	}
	f, set := n.lookup(at.holder(n))
	if !set {
		e.unset(n, at.key)
		return
	}
	origin := e.originOf(n)
	if !e.wants(n, origin) {
		return
	}
	mark := e.mark(origin)
	if n.Kind == Leaf {
		if e.defaults != Trim || len(n.Default) == 0 || n.valueAt(f).String() != n.Default[0] {
			e.element(n, f, mark)
		}
		return
	}
	for i := range f.Len() {
		if v := f.Index(i); sel.takesValue(n, v) {
			e.element(n, v, mark)
		}
	}
}

// unset writes the default of a leaf that is in use, where that is asked for.
// The state is what somebody reported: it has no defaults.
func (e *xmlEncoder) unset(n *Node, k Key) {
	if !e.reportAll() || !n.Config || n.Choice != "" || n.Meta.When != "" || !e.wants(n, OriginDefault) || e.hider != nil && e.hider.Hides(k, n) {
		return
	}
	mark := e.mark(OriginDefault)
	if e.defaults == ReportAllTagged {
		mark += ` wd:default="true"`
	}
	for _, v := range n.Default {
		e.buf = append(append(append(e.buf, n.startTag...), mark...), '>')
		e.buf = xmltok.AppendEscaped(e.buf, v)
		e.end(n)
	}
}

// element writes a leaf, or one entry of a leaf-list, whose value is f.
func (e *xmlEncoder) element(n *Node, f reflect.Value, attributes string) {
	e.start(n, attributes)
	v := n.valueAt(f)
	if n.Type.Instance {
		e.declare(v.s)
	}
	switch v.kind {
	case ValueString:
		e.buf = xmltok.AppendEscaped(e.buf, v.s)
	default:
		e.buf = v.Append(e.buf)
	}
	e.end(n)
}

// declare puts the prefixes of a path, which are the names of modules, into the
// start tag that was written last.
func (e *xmlEncoder) declare(path string) {
	in, err := ParseInstance(path, nil)
	if err != nil {
		return // it is canonical
	}
	e.buf = e.buf[:len(e.buf)-1]
	for _, module := range in.modules() {
		if ns, known := namespaceOf(module); known {
			e.buf = append(e.buf, ` xmlns:`+module+`="`+ns+`"`...)
		}
	}
	e.buf = append(e.buf, '>')
}
