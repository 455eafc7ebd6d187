package rpc

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// txidNS is that of with-etag (draft-ietf-netconf-transaction-id). The root of
// a datastore is the one node that has an etag; every other node has that of
// the root, as the draft says of nodes without.
const txidNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-txid"

// Values of etags that name no state.
const (
	etagMatch   = "=" // the client knows what is left out
	etagUnknown = "!" // what it will be after a commit
)

// withEtagParam asks for the etag in the answer.
var withEtagParam = spec{name: "with-etag", namespace: txidNS}

// withEtag reads it.
func (c *call) withEtag() (bool, error) {
	p := c.req.findIn(txidNS, withEtagParam.name)
	switch {
	case p == nil, p.child == nil && (p.text == "false" || p.text == "0"):
		return false, nil
	case p.child == nil && (p.text == "true" || p.text == "1"):
		return true, nil
	}
	return false, protocolError(schema.InvalidValue, "with-etag is true or false").at(c.hereIn(p.name))
}

// etag names the state of a configuration. No state of another state directory
// has the same.
func (s *Server) etag(version uint64) string {
	if version == datastore.NoVersion {
		return etagUnknown
	}
	return s.engine.Store().ID() + "-" + strconv.FormatUint(version, 10)
}

// etagAttr is the attribute etag of an element.
func etagAttr(attrs []xmltok.Attr) (string, bool) {
	for i := range attrs {
		if a := &attrs[i]; a.Namespace == schema.TxidNamespace && a.Local == "etag" {
			return strings.TrimSpace(a.Value), true
		}
	}
	return "", false
}

// dataEtag is what get-config tells of the etag of a datastore: nothing where
// the client did not ask, "=" where it knows the state.
func (c *call) dataEtag(snap *datastore.Snapshot) string {
	asked, ok := etagAttr(c.req.opAttrs)
	if p := c.req.find("filter"); !ok && p != nil {
		asked, ok = etagAttr(p.attrs)
	}
	switch etag := c.srv.etag(snap.Version()); {
	case !ok:
		return ""
	case asked == etag && etag != etagUnknown:
		return etagMatch
	default:
		return etag
	}
}

// appendEtag appends the attribute.
func appendEtag(b []byte, etag string) []byte {
	if etag == "" {
		return b
	}
	return append(b, ` xmlns:txid="`+schema.TxidNamespace+`" txid:etag="`+etag+`"`...)
}

// emptyBody is an element without content, with an etag where there is one.
func emptyBody(name, etag string) body {
	return func(w io.Writer, prefix string) error {
		x := writer{prefix: prefix}
		x.start(name)
		x.b = append(appendEtag(x.b, etag), "/>"...)
		_, err := w.Write(x.b)
		return err
	}
}

// prunedBody is <data> without what the client knows.
var prunedBody = emptyBody("data", etagMatch)

// okBody is <ok/>, with an etag where there is one.
func okBody(etag string) body {
	if etag == "" {
		return nil
	}
	return emptyBody("ok", etag)
}

// etagAfter is the etag of running after a commit, whatever came since.
func (c *call) etagAfter(res *commit.Result) string {
	running := c.store().Running()
	if running.Revision() == res.Revision {
		return c.srv.etag(running.Version())
	}
	return c.srv.etag(res.Revision)
}

// expect checks what a client thinks of running. An edit of a candidate is only
// as good as running is then the same at its commit.
func (c *call) expect(tx schema.Tx, at errorPath, etag string) error {
	version := c.store().Running().Version()
	if have := c.srv.etag(version); etag != have {
		return mismatch(at, have)
	}
	if txn, ok := tx.(*datastore.Txn); ok {
		txn.Require(version)
	}
	return nil
}

// mismatch is the answer where running is not what the client thinks.
func mismatch(at errorPath, etag string) error {
	e := protocolError(schema.OperationFailed, (&datastore.VersionError{}).Error())
	e.mismatchPath, e.mismatchEtag = at, etag
	return e
}

// root is the path of everything.
var root = errorPath{text: "/"}

// explain puts the etag into the error of a commit for which running is no
// longer what an edit of the candidate required.
func (c *call) explain(err error) error {
	if e, ok := errors.AsType[*datastore.VersionError](err); ok {
		return mismatch(root, c.srv.etag(e.Version))
	}
	return err
}
