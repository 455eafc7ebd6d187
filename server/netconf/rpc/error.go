package rpc

import (
	"io"
	"strconv"

	"mooring/engine/schema"
	"mooring/internal/xmltok"
	"mooring/server/netconf/xmltree"
)

// The layers of an error (RFC 6241 4.3).
const (
	typeRPC         = "rpc"
	typeProtocol    = "protocol"
	typeApplication = "application"
)

// Error is one rpc-error (RFC 6241 4.3). Operations make it for faults of the
// request; errors of the engine become one in wireErrors.
type Error struct {
	Type    string
	Tag     schema.Tag
	AppTag  string
	Path    errorPath
	Message string

	// What error-info holds, in this order, empty for not there. The session
	// is written where holder is set.
	badAttribute, badElement string
	badNamespace             string
	hasNamespace             bool // bad-namespace may be empty
	session                  uint32
	holder                   bool
	mismatchPath             errorPath // of txid-value-mismatch-error-info, with mismatchEtag
	mismatchEtag             string
	nonUnique                []errorPath
	info                     []xmltree.Element // defined by the module of the operation
}

// Error returns the message.
func (e *Error) Error() string { return e.Tag.String() + ": " + e.Message }

func protocolError(tag schema.Tag, message string) *Error {
	return &Error{Type: typeProtocol, Tag: tag, Message: message}
}

func (e *Error) element(name string) *Error {
	e.badElement = name
	return e
}

func (e *Error) attribute(name, element string) *Error {
	e.badAttribute, e.badElement = name, element
	return e
}

func (e *Error) namespace(ns string) *Error {
	e.badNamespace, e.hasNamespace = ns, true
	return e
}

func (e *Error) at(p errorPath) *Error {
	e.Path = p
	return e
}

// appendTo writes the error. The children have the order of the RFC's schema,
// and rpc-error has no attributes: clients look for the bare tag.
func (e *Error) appendTo(b []byte, prefix string) []byte {
	x := writer{b: b, prefix: prefix}
	x.open("rpc-error")
	x.leaf("error-type", e.Type)
	x.leaf("error-tag", e.Tag.String())
	x.leaf("error-severity", "error")
	if e.AppTag != "" {
		x.leaf("error-app-tag", e.AppTag)
	}
	if e.Path.text != "" {
		x.start("error-path")
		x.b = e.Path.appendDeclarations(x.b)
		x.text(e.Path.text)
		x.close("error-path")
	}
	if e.Message != "" {
		x.start("error-message")
		x.b = append(x.b, ` xml:lang="en"`...)
		x.text(e.Message)
		x.close("error-message")
	}
	e.appendInfo(&x)
	x.close("rpc-error")
	return x.b
}

// yangNamespace is that of non-unique (RFC 7950 15.1).
const yangNamespace = "urn:ietf:params:xml:ns:yang:1"

func (e *Error) appendInfo(x *writer) {
	if e.badAttribute == "" && e.badElement == "" && !e.hasNamespace && !e.holder && e.mismatchEtag == "" && len(e.nonUnique) == 0 && len(e.info) == 0 {
		return
	}
	x.open("error-info")
	if e.badAttribute != "" {
		x.leaf("bad-attribute", e.badAttribute)
	}
	if e.badElement != "" {
		x.leaf("bad-element", e.badElement)
	}
	if e.hasNamespace {
		x.leaf("bad-namespace", e.badNamespace)
	}
	if e.holder {
		x.leaf("session-id", strconv.FormatUint(uint64(e.session), 10))
	}
	if e.mismatchEtag != "" {
		x.b = append(x.b, `<txid-value-mismatch-error-info xmlns="`+txidNS+`"><mismatch-path`...)
		x.b = e.mismatchPath.appendDeclarations(x.b)
		x.text(e.mismatchPath.text)
		x.b = append(x.b, "</mismatch-path><mismatch-etag-value"...)
		x.text(e.mismatchEtag)
		x.b = append(x.b, "</mismatch-etag-value></txid-value-mismatch-error-info>"...)
	}
	for _, p := range e.nonUnique {
		x.b = append(x.b, `<non-unique xmlns="`+yangNamespace+`"`...)
		x.b = p.appendDeclarations(x.b)
		x.text(p.text)
		x.b = append(x.b, "</non-unique>"...)
	}
	for i := range e.info {
		x.b = e.info[i].Append(x.b, "")
	}
	x.close("error-info")
}

// writer appends elements of NETCONF's namespace.
type writer struct {
	b      []byte
	prefix string // with its colon, or empty
}

func (x *writer) start(name string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, x.prefix...)
	x.b = append(x.b, name...)
}

func (x *writer) open(name string) {
	x.start(name)
	x.b = append(x.b, '>')
}

func (x *writer) empty(name string) {
	x.start(name)
	x.b = append(x.b, "/>"...)
}

func (x *writer) close(name string) {
	x.b = append(x.b, "</"...)
	x.b = append(x.b, x.prefix...)
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

// text ends an open start tag and writes the content.
func (x *writer) text(s string) {
	x.b = append(x.b, '>')
	x.b = xmltok.AppendEscaped(x.b, s)
}

func (x *writer) leaf(name, value string) {
	x.start(name)
	x.text(value)
	x.close(name)
}

// errorsBody writes errors as the body of a reply, one at a time: a commit of
// everything may have very many.
func errorsBody(errs []*Error) body {
	return func(w io.Writer, prefix string) error {
		var b []byte
		for _, e := range errs {
			b = e.appendTo(b[:0], prefix)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
}
