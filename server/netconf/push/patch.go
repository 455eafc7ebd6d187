package push

import (
	"io"
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
	// Key is the same for selections that are the same.
	Key string
}

// Takes says whether a change of a record can concern the selection at all.
func (s *Selection) takes(c *commit.Change) bool {
	return s.Content != schema.ConfigOnly || c.Old.Config != c.New.Config
}

// Write writes the edits that some changes make, in the order of the changes,
// and nothing where there are none. The error is that of w.
func Write(w io.Writer, changes []commit.Change, sel *Selection) error {
	p := patcher{w: w, sel: sel}
	for i := range changes {
		if p.change(&changes[i]); p.err != nil {
			return p.err
		}
	}
	p.flush()
	return p.err
}

// buffer is how much is collected before it is written.
const buffer = 32 << 10

// patcher numbers edits and writes them.
type patcher struct {
	w    io.Writer
	sel  *Selection
	buf  []byte
	n    int
	gone schema.Key // the last record that was told to be gone
	err  error
}

func (p *patcher) flush() {
	if p.err == nil && len(p.buf) > 0 {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
}

func (p *patcher) change(c *commit.Change) {
	if !p.sel.takes(c) || p.gone != "" && strings.HasPrefix(string(c.Key), string(p.gone)+"\x00") {
		return
	}
	schema.Alterations(c.Key, p.state(c.Old), p.state(c.New), p.sel.Filter, p.sel.Content, func(a *schema.Alteration) {
		if a.Op == schema.OpDelete && a.Path.Node() == c.Key.Kind().Node {
			p.gone = c.Key
		}
		p.edit(a)
	})
	if len(p.buf) > buffer {
		p.flush()
	}
}

// state is one side of a change, as far as it is asked for.
func (p *patcher) state(e commit.Entry) schema.RecordState {
	r := schema.RecordState{Config: e.Config}
	if e.Config != nil && p.sel.Content != schema.ConfigOnly {
		r.State = e.State()
	}
	return r
}

func (p *patcher) edit(a *schema.Alteration) {
	for _, op := range p.sel.Exclude {
		if op == a.Op {
			return
		}
	}
	p.n++
	p.buf = append(p.buf, "<edit><edit-id>"...)
	p.buf = strconv.AppendInt(p.buf, int64(p.n), 10)
	p.buf = append(append(append(p.buf, "</edit-id><operation>"...), a.Op.String()...), "</operation><target>"...)
	p.buf = appendTarget(p.buf, a.Path, a.Path.Node().Kind == schema.LeafList, a.Entry)
	p.buf = append(p.buf, "</target>"...)
	if a.Op != schema.OpDelete {
		p.buf = append(append(append(p.buf, "<value>"...), a.Value...), "</value>"...)
	}
	p.buf = append(p.buf, "</edit>"...)
}
