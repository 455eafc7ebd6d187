package rpc

import (
	"io"
	"strings"

	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// formatYANG is the only language that schemas are served in.
const formatYANG = "yang"

// get-schema is RFC 6022 3.1. The text is that of the module's file, byte for
// byte, but for the line ends that XML itself would change: files have none.
var getSchemaOperation = operation{
	params: []spec{{name: "identifier", mandatory: true}, {name: "version"}, {name: "format"}},
	run: func(c *call) (body, error) {
		var values [3]string
		for i, name := range []string{"identifier", "version", "format"} {
			p := c.req.find(name)
			if p == nil {
				continue
			}
			if p.child != nil {
				return nil, protocolError(schema.UnknownElement, name+" is a leaf and holds no element "+p.child.local).element(p.child.local).at(c.here(name))
			}
			values[i] = p.text
		}
		identifier, version, format := values[0], values[1], values[2]
		// The prefix of an identity is the client's choice (RFC 7950 9.10.3).
		if _, local, ok := strings.Cut(format, ":"); ok {
			format = local
		}
		if p := c.req.find("format"); p != nil && format != formatYANG {
			return nil, protocolError(schema.InvalidValue, "schemas are served in the format yang").at(c.here("format"))
		}
		for _, m := range modules {
			if m.Name != identifier {
				continue
			}
			if c.req.find("version") != nil && version != m.Revision {
				return nil, protocolError(schema.InvalidValue, "the version of "+identifier+" is "+m.Revision).at(c.here("version"))
			}
			text, err := moduleText(m)
			if err != nil {
				return nil, err
			}
			return schemaBody(text), nil
		}
		return nil, protocolError(schema.InvalidValue, "there is no schema "+identifier).at(c.here("identifier"))
	},
}

func schemaBody(text []byte) body {
	return func(w io.Writer, _ string) error {
		b := append(make([]byte, 0, len(text)+len(text)/8), `<data xmlns="`+monitoringNS+`">`...)
		b = xmltok.AppendEscaped(b, string(text))
		_, err := w.Write(append(b, "</data>"...))
		return err
	}
}
