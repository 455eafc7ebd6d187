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
		return dataBody(v, sel, o, ""), nil
	},
}

// dataBody streams <data>: what is selected of the records, then of the trees.
// The namespace of the element is that of NETCONF where it is empty.
func dataBody(v schema.View, sel selection, o schema.XMLOptions, namespace string) body {
	return func(w io.Writer, prefix string) error {
		x := writer{prefix: prefix}
		if namespace == "" {
			x.open("data")
		} else {
			x.prefix = ""
			x.b = append(x.b, `<data xmlns="`+namespace+`">`...)
		}
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
