package rpc

import (
	"errors"

	"mooring/internal/xmltok"
)

// reply writes the rpc-reply. All attributes of rpc come back as they were,
// namespace declarations and unknown ones included (RFC 6241 4.2).
func (r *request) reply(out Output, content body) error {
	x := writer{b: make([]byte, 0, 256), prefix: r.elementPrefix()}
	x.start("rpc-reply")
	if !r.declaresBase() && x.prefix == "" {
		x.b = append(x.b, ` xmlns="`+BaseNamespace+`"`...)
	}
	for i := range r.attrs {
		a := &r.attrs[i]
		if a.Name == "xmlns" && a.Value != BaseNamespace && x.prefix == "" {
			continue // rpc itself was in a wrong namespace; the reply cannot be
		}
		x.b = append(x.b, ' ')
		x.b = append(x.b, a.Name...)
		x.b = append(x.b, `="`...)
		x.b = xmltok.AppendEscapedAttr(x.b, a.Value)
		x.b = append(x.b, '"')
	}
	x.b = append(x.b, '>')
	if content == nil {
		x.empty("ok")
	}
	out.Begin()
	_, err := out.Write(x.b)
	if err == nil && content != nil {
		err = content(out, x.prefix)
	}
	if err == nil {
		x.b = x.b[:0]
		x.close("rpc-reply")
		_, err = out.Write(x.b)
	}
	return errors.Join(err, out.End())
}

// elementPrefix is the prefix of our elements: none, but where the default
// namespace that the client declared, and that must be echoed, is another one.
func (r *request) elementPrefix() string {
	for i := range r.attrs {
		if a := &r.attrs[i]; a.Name == "xmlns" && a.Value != BaseNamespace && r.prefix != "" {
			return r.prefix + ":"
		}
	}
	return ""
}

func (r *request) declaresBase() bool {
	for i := range r.attrs {
		if a := &r.attrs[i]; a.Name == "xmlns" && a.Value == BaseNamespace {
			return true
		}
	}
	return false
}
