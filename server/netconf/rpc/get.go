package rpc

import (
	"io"

	"mooring/engine/schema"
)

// get is RFC 6241 7.7: running and state of one instant. It reads a snapshot,
// so it waits for no edit and no edit waits for it.
var getOperation = operation{
	params: []spec{{name: "filter"}, withDefaultsParam},
	run: func(c *call) (body, error) {
		f, err := c.filter()
		if err != nil {
			return nil, err
		}
		mode, err := c.withDefaults()
		if err != nil {
			return nil, err
		}
		v := c.rights.View(c.srv.engine.View())
		o := schema.XMLOptions{Content: schema.All, Defaults: mode}
		sel, err := f.selects(c.ctx, v, o, &ownTrees{c.srv, c.rights})
		if err != nil {
			return nil, err
		}
		return dataBody(v, sel, o, dataHead{}), nil
	},
}

// dataHead is what there is to say of <data> itself.
type dataHead struct {
	namespace string // empty: that of NETCONF
	etag      string // empty: none
}

// dataBody streams <data>: what is selected of the records, then of the trees.
// head is how the element begins.
func dataBody(v schema.View, sel selection, o schema.XMLOptions, head dataHead) body {
	return func(w io.Writer, prefix string) error {
		x := writer{prefix: prefix}
		if head.namespace != "" {
			x.prefix = ""
		}
		x.start("data")
		if head.namespace != "" {
			x.b = append(x.b, ` xmlns="`+head.namespace+`"`...)
		}
		x.b = append(appendEtag(x.b, head.etag), '>')
		if _, err := w.Write(x.b); err != nil {
			return err
		}
		if err := schema.EncodeXML(w, v, sel.records, o); err != nil {
			return err
		}
		x.b = append(x.b[:0], sel.trees...)
		x.close("data")
		_, err := w.Write(x.b)
		return err
	}
}
