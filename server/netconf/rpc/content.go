package rpc

import (
	"bytes"
	"errors"
	"io"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// A configuration that an operation reads as a whole stands in a datastore, in
// the message (config) or in a file (url). This file is where the three are
// made one: an edit that replaces everything, or a snapshot.

// replaceWith returns the edit that makes what a place holds the whole
// configuration.
func (c *call) replaceWith(from source) func(schema.Tx) error {
	if from.place == inline || from.place == url {
		return func(tx schema.Tx) error { return c.decodeFrom(from, schema.OpReplace, applyTo(tx)) }
	}
	return func(tx schema.Tx) error {
		txn, ok := tx.(*datastore.Txn)
		if !ok {
			return errNoTxn
		}
		if err := schema.CheckNamed(txn, nil, &schema.Edit{Node: schema.Root(), Op: schema.OpReplace}); err != nil {
			return err
		}
		txn.Become(c.view(from.place))
		c.omitUnreadable(txn)
		return nil
	}
}

// omitUnreadable takes out what the user may not read of what is copied (RFC
// 8341 3.2.6).
func (c *call) omitUnreadable(txn *datastore.Txn) {
	if c.rights.Read() == nil {
		return
	}
	kept := map[schema.Key]ygot.GoStruct{}
	records := c.rights.Records()
	txn.Scan("", func(k schema.Key, rec ygot.GoStruct) bool {
		if less := schema.Readable(rec, records.Of(k)); less != rec {
			kept[k] = less
		}
		return true
	})
	for k, rec := range kept {
		if rec == nil {
			txn.Delete(k)
			continue
		}
		schema.Assign(txn.Mutable(k), rec)
	}
}

func applyTo(tx schema.Tx) func(schema.Path, *schema.Edit) error {
	return func(base schema.Path, e *schema.Edit) error { return schema.Apply(tx, base, e) }
}

// errNoTxn is an error of the program.
var errNoTxn = errors.New("not a transaction of the datastore")

// view is a datastore of this instant.
func (c *call) view(at place) *datastore.Snapshot {
	switch at {
	case candidate:
		return c.draft().View()
	case startup:
		return c.store().Startup()
	}
	return c.store().Running()
}

// scratch is a candidate of the call's own that holds what a place does.
func (c *call) scratch(from source) (*datastore.Candidate, error) {
	own := c.store().NewCandidate()
	return own, c.srv.engine.EditCandidate(c.ctx, c.sess.actor(), own, c.replaceWith(from))
}

// decodeFrom reads the content of <config>, which is in the message or the root
// of a file.
func (c *call) decodeFrom(from source, op schema.Op, emit func(schema.Path, *schema.Edit) error) error {
	if from.place != url {
		dec, err := c.req.enterChild(from.param)
		if err != nil {
			return err
		}
		return decode(dec, op, emit)
	}
	data, err := c.srv.files.Read(from.file)
	if err != nil {
		return c.fileError(from, err)
	}
	dec := xmltok.NewDecoder(data, xmltok.Options{MaxDepth: c.srv.maxDepth})
	tok, err := dec.Next()
	if err == nil && (tok.Local != "config" || tok.Namespace != BaseNamespace) {
		err = errors.New("its root is not the element config of " + BaseNamespace)
	}
	if err == nil {
		err = wellFormed(data, c.srv.maxDepth)
	}
	if err != nil {
		return c.fileError(from, err)
	}
	return decode(dec, op, emit)
}

// wellFormed reads a document to its end: a message is known to be one.
func wellFormed(data []byte, maxDepth int) error {
	dec := xmltok.NewDecoder(data, xmltok.Options{MaxDepth: maxDepth})
	for {
		if _, err := dec.Next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// writeFile writes a configuration into a file, as it is read back: the element
// config of NETCONF, with what a client would be told.
func (c *call) writeFile(to source, snap *datastore.Snapshot, mode schema.DefaultsMode) error {
	err := c.srv.files.Write(to.file, func(w io.Writer) error {
		head := bytes.NewBufferString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<config xmlns="` + BaseNamespace + `">`)
		if _, err := head.WriteTo(w); err != nil {
			return err
		}
		o := schema.XMLOptions{Content: schema.ConfigOnly, Defaults: mode}
		if err := schema.EncodeXML(w, c.rights.View(c.srv.engine.ConfigView(snap)), nil, o); err != nil {
			return err
		}
		_, err := io.WriteString(w, "</config>\n")
		return err
	})
	if err != nil {
		return c.fileError(to, err)
	}
	return nil
}
