package rpc

import (
	"errors"
	"io"
	"slices"
	"strings"

	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// BaseNamespace is that of NETCONF itself (RFC 6241 3.1).
const BaseNamespace = "urn:ietf:params:xml:ns:netconf:base:1.0"

// maxText is how much text of a parameter is kept: no parameter that is a
// leaf is longer, and a longer one is wrong anyway.
const maxText = 4096

// request is an rpc message, looked at once from end to end, so that nothing
// runs that is not well-formed to its last byte.
type request struct {
	attrs   []xmltok.Attr // of rpc, as sent
	prefix  string        // of the rpc element
	op      name
	opAttrs []xmltok.Attr
	params  []param

	empty bool   // rpc has no operation
	extra *name  // a second operation
	stray string // the element with text where none may be
	data  []byte
	dec   *xmltok.Decoder
}

type name struct{ local, namespace string }

// param is a child element of the operation.
type param struct {
	name
	attrs []xmltok.Attr
	text  string // without white space around it
	child *name  // the first child element
	more  *name  // the second one
	index int    // among the children of the operation
}

// parse reads a message. Where it fails, what was understood of the rpc
// element is returned too, so that the error can carry the message-id.
func parse(dec *xmltok.Decoder, data []byte) (*request, error) {
	dec.Reset(data)
	r := &request{data: data, dec: dec, empty: true}
	tok, err := dec.Next()
	if err != nil {
		return r, err
	}
	if tok.Local != "rpc" {
		return r, errNotRPC
	}
	r.attrs, r.prefix = slices.Clone(tok.Attrs), tok.Prefix
	if tok.Namespace != BaseNamespace {
		return r, protocolError(schema.UnknownNamespace, "rpc must be in the namespace "+BaseNamespace).element("rpc").namespace(tok.Namespace)
	}
	for {
		tok, err := dec.Next()
		switch {
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil:
			return r, err
		}
		switch tok.Kind {
		case xmltok.Text:
			r.checkStray(tok.Text, "rpc")
		case xmltok.StartElement:
			if r.empty {
				r.opAttrs = slices.Clone(tok.Attrs)
			}
			if err := r.operation(name{tok.Local, tok.Namespace}); err != nil {
				return r, err
			}
		}
	}
}

// operation reads a child of rpc up to its end.
func (r *request) operation(n name) error {
	if !r.empty {
		if r.extra == nil {
			r.extra = &n
		}
		return r.dec.Skip()
	}
	r.op, r.empty = n, false
	for {
		tok, err := r.dec.Next()
		if err != nil {
			return err
		}
		switch tok.Kind {
		case xmltok.EndElement:
			return nil
		case xmltok.Text:
			r.checkStray(tok.Text, n.local)
		case xmltok.StartElement:
			p := param{name: name{tok.Local, tok.Namespace}, attrs: slices.Clone(tok.Attrs), index: len(r.params)}
			if err := r.param(&p); err != nil {
				return err
			}
			r.params = append(r.params, p)
		}
	}
}

// param reads a child of the operation up to its end.
func (r *request) param(p *param) error {
	var text []byte
	for {
		tok, err := r.dec.Next()
		if err != nil {
			return err
		}
		switch tok.Kind {
		case xmltok.EndElement:
			p.text = strings.Trim(string(text), " \t\r\n")
			return nil
		case xmltok.Text:
			if len(text) < maxText {
				text = append(text, tok.Text[:min(len(tok.Text), maxText)]...)
			}
		case xmltok.StartElement:
			n := name{tok.Local, tok.Namespace}
			if p.child == nil {
				p.child = &n
			} else if p.more == nil {
				p.more = &n
			}
			if err := r.dec.Skip(); err != nil {
				return err
			}
		}
	}
}

// checkStray notes text between elements, where only white space may be.
func (r *request) checkStray(text []byte, in string) {
	if r.stray == "" && strings.Trim(string(text), " \t\r\n") != "" {
		r.stray = in
	}
}

// find returns the parameter with a name in the namespace of the operation, nil
// for none.
func (r *request) find(local string) *param { return r.findIn(r.op.namespace, local) }

func (r *request) findIn(namespace, local string) *param {
	for i := range r.params {
		if p := &r.params[i]; p.local == local && p.namespace == namespace {
			return p
		}
	}
	return nil
}

// attr returns an attribute of the parameter that the operation defines:
// unqualified, or in NETCONF's own namespace as some clients send it.
func (p *param) attr(local string) (string, bool) {
	for i := range p.attrs {
		if a := &p.attrs[i]; a.Local == local && (a.Namespace == "" || a.Namespace == BaseNamespace) {
			return a.Value, true
		}
	}
	return "", false
}

// enter puts the decoder right after the start tag of a parameter. The message
// is known to be well-formed, so an error is a broken invariant; it is
// returned all the same.
func (r *request) enter(p *param) (*xmltok.Decoder, error) {
	r.dec.Reset(r.data)
	seen := 0
	for {
		tok, err := r.dec.Next()
		if err != nil {
			return nil, err
		}
		if tok.Kind != xmltok.StartElement || r.dec.Depth() < 3 {
			continue
		}
		if seen == p.index {
			return r.dec, nil
		}
		seen++
		if err := r.dec.Skip(); err != nil {
			return nil, err
		}
	}
}

// enterChild puts the decoder right after the start tag of the first element
// in a parameter, such as <config> in <source>.
func (r *request) enterChild(p *param) (*xmltok.Decoder, error) {
	dec, err := r.enter(p)
	if err != nil {
		return nil, err
	}
	for {
		tok, err := dec.Next()
		if err != nil || tok.Kind == xmltok.StartElement {
			return dec, err
		}
	}
}

// childText is the text of the first element in a parameter, without white
// space around it.
func (r *request) childText(p *param) (string, error) {
	if _, err := r.enterChild(p); err != nil {
		return "", err
	}
	var child param
	err := r.param(&child)
	return child.text, err
}

// messageID says whether rpc carries one. Unqualified is the rule; a client
// that qualifies it knows its own reply again.
func (r *request) messageID() bool {
	return slices.ContainsFunc(r.attrs, func(a xmltok.Attr) bool {
		return a.Local == "message-id" && (a.Namespace == "" || a.Namespace == BaseNamespace)
	})
}
