package rpc

import (
	"unicode/utf8"

	"mooring/engine/schema"
)

// oursNS is that of what operations of NETCONF take here besides.
const oursNS = "urn:mooring:yang:netconf"

// commentParam is a word for the history.
var commentParam = spec{name: "comment", namespace: oursNS}

// maxComment is its length in characters.
const maxComment = 255

// comment reads it, empty for none.
func (c *call) comment() (string, error) {
	p := c.req.findIn(oursNS, commentParam.name)
	switch {
	case p == nil:
		return "", nil
	case p.child == nil && p.text != "" && utf8.RuneCountInString(p.text) <= maxComment:
		return p.text, nil
	}
	return "", protocolError(schema.InvalidValue, "comment is text of 1 to 255 characters").at(c.hereIn(p.name))
}
