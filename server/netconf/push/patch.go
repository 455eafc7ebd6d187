package push

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// Selection is what a subscriber wants to know of. It is not changed once it
// is made.
type Selection struct {
	Filter  *schema.Filter // nil: everything
	Content schema.Content
	Exclude []schema.Op // changes that are left out (RFC 8641 3.2, excluded-change)
	// Before is where the edits are those of a comparison, which tell what they
	// take away too (RFC 9144 4, source-value): what it is read from.
	Before schema.View
	// Key is the same for selections that are the same.
	Key string
}

// edits are those that one change makes.
type edits struct {
	list []edit
	gone bool // the record, and with it all below
}

// edit is one of them.
type edit struct {
	op     schema.Op
	target string // as RESTCONF writes it
	text   []byte // without the start tag and the number
}

// edits returns what a change of a record means to the selection.
func (s *Selection) edits(c *commit.Change) (e edits) {
	if s.Content == schema.ConfigOnly && c.Old.Config == c.New.Config {
		return e
	}
	compare := schema.Alterations
	if s.Before != nil {
		compare = schema.Differences
	}
	compare(c.Key, s.state(c.Old), s.state(c.New), s.Filter, s.Content, func(a *schema.Alteration) {
		e.gone = e.gone || a.Op == schema.OpDelete && a.Path.Node() == c.Key.Kind().Node
		e.list = append(e.list, s.edit(a))
	})
	return e
}

// state is one side of a change, as far as it is asked for.
func (s *Selection) state(e commit.Entry) schema.RecordState {
	r := schema.RecordState{Config: e.Config}
	if e.Config != nil && s.Content != schema.ConfigOnly {
		r.State = e.State()
	}
	return r
}

func (s *Selection) edit(a *schema.Alteration) edit {
	b := append(append([]byte("</edit-id><operation>"), a.Op.String()...), "</operation><target>"...)
	from := len(b)
	b = appendTarget(b, a.Path, a.Path.Node().Kind == schema.LeafList, a.Entry)
	target := string(b[from:])
	b = append(b, "</target>"...)
	if a.Op != schema.OpDelete {
		b = append(append(append(b, "<value>"...), a.Value...), "</value>"...)
	}
	if a.Op != schema.OpCreate && s.Before != nil {
		b = append(append(append(b, "<source-value>"...), a.Before(s.Before)...), "</source-value>"...)
	}
	return edit{a.Op, target, append(b, "</edit>"...)}
}

// Reader is who is sent the edits of changes.
type Reader struct {
	of      func(*commit.Change) edits
	exclude []schema.Op
}

// Reader returns one who may read what readable leaves of changes, nil for
// everything.
func (s *Selection) Reader(readable func([]commit.Change) []commit.Change) Reader {
	if readable == nil {
		return Reader{s.edits, s.Exclude}
	}
	return Reader{exclude: s.Exclude, of: func(c *commit.Change) edits {
		left := readable([]commit.Change{*c})
		if len(left) == 0 {
			return edits{}
		}
		return s.edits(&left[0])
	}}
}

// Write writes the edits that changes make, in their order, and nothing where
// there are none. A record is in at most one of them. The error is that of w.
func Write(w io.Writer, changes []commit.Change, r Reader) error {
	p := patcher{w: w, Reader: r}
	return p.write(changes)
}

// buffer is how much is collected before it is written.
const buffer = 32 << 10

// patcher numbers edits and writes them.
type patcher struct {
	Reader
	w io.Writer

	buf  []byte
	n    int64
	gone schema.Key // the last record that is gone
}

// write writes the edits of changes. Memory does not grow with them.
func (p *patcher) write(changes []commit.Change) error {
	for i := range changes {
		c := &changes[i]
		if p.gone != "" && strings.HasPrefix(string(c.Key), string(p.gone.Below())) {
			continue // the delete of what is above says it already
		}
		e := p.of(c)
		if e.gone {
			p.gone = c.Key
		}
		for i := range e.list {
			if slices.Contains(p.exclude, e.list[i].op) {
				continue
			}
			p.n++
			p.buf = strconv.AppendInt(append(p.buf, "<edit><edit-id>"...), p.n, 10)
			p.buf = append(p.buf, e.list[i].text...)
		}
		if len(p.buf) > buffer {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

func (p *patcher) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	_, err := p.w.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}
