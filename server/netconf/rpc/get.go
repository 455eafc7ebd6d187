package rpc

import (
	"io"

	"mooring/engine/schema"
)

// get is RFC 6241 7.7: running and state of one instant. It reads a snapshot,
// so it waits for no edit and no edit waits for it.
var getOperation = operation{
	params: []spec{{name: "filter"}},
	run: func(c *call) (body, error) {
		f, err := c.filter()
		if err != nil {
			return nil, err
		}
		return dataBody(c.srv.engine.View(), f, schema.All), nil
	},
}

// dataBody streams <data>.
func dataBody(v schema.View, f *schema.Filter, content schema.Content) body {
	return func(w io.Writer, prefix string) error {
		x := writer{prefix: prefix}
		x.open("data")
		if _, err := w.Write(x.b); err != nil {
			return err
		}
		if err := schema.EncodeXML(w, v, f, schema.XMLOptions{Content: content}); err != nil {
			return err
		}
		x.b = x.b[:0]
		x.close("data")
		_, err := w.Write(x.b)
		return err
	}
}
