package rpc

import (
	"errors"
	"strings"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// The words of test-option and error-option (RFC 6241 7.2).
const (
	testThenSet     = "test-then-set"
	testSet         = "set"
	testOnly        = "test-only"
	stopOnError     = "stop-on-error"
	continueOnError = "continue-on-error"
	rollbackOnError = "rollback-on-error"
)

// edit-config is RFC 6241 7.2. The package comment says what we make of
// test-option and error-option.
var editConfigOperation = operation{
	params: []spec{
		{name: "target", mandatory: true},
		{name: "default-operation"},
		{name: "test-option"},
		{name: "error-option"},
		{name: "config"},
		{name: "url"},
		withEtagParam,
		commentParam,
		guardParam, guardTimeoutParam, guardPercentParam,
	},
	run: func(c *call) (body, error) {
		target, err := c.place("target", running, candidate)
		if err != nil {
			return nil, err
		}
		e, err := c.newEdit()
		if err != nil {
			return nil, err
		}
		tell, err := c.withEtag()
		if err != nil {
			return nil, err
		}
		if e.guard != nil && target.place != running {
			e := protocolError(schema.BadElement, "guard is for an edit of running: give it to the commit of the candidate")
			return nil, e.element(guardParam.name).at(c.here())
		}
		carryOut := e.running
		if target.place == candidate {
			carryOut = e.candidate
		}
		err = carryOut()
		for errors.Is(err, errAgain) {
			err = carryOut()
		}
		if err = e.answer(err); err != nil || !tell {
			return nil, err
		}
		if e.result != nil {
			return okBody(c.etagAfter(e.result)), nil
		}
		return okBody(c.srv.etag(c.draft().View().Version())), nil
	},
}

// edit is an edit-config being carried out.
type edit struct {
	*call
	content source // config or url
	op      schema.Op
	test    string // empty where not given
	goOn    bool   // continue-on-error
	comment string
	guard   *commit.Guard  // nil: none
	skip    map[int]bool   // with goOn: the records that failed, by their place in the content
	faults  faults         // of those
	result  *commit.Result // of an edit of running
}

// errAgain undoes an edit in which a record failed that continue-on-error is
// to leave out: a transaction is of no use after a failed edit, so the rest is
// applied to a new one.
var errAgain = errors.New("again without what failed")

func (c *call) newEdit() (*edit, error) {
	op, err := c.choice("default-operation", "merge", "replace", "none")
	if err != nil {
		return nil, err
	}
	test, err := c.choice("test-option", testThenSet, testSet, testOnly)
	if err != nil {
		return nil, err
	}
	if c.req.find("test-option") == nil {
		test = ""
	}
	onError, err := c.choice("error-option", stopOnError, continueOnError, rollbackOnError)
	if err != nil {
		return nil, err
	}
	e := &edit{call: c, test: test, goOn: onError == continueOnError, skip: map[int]bool{}}
	e.op = map[string]schema.Op{"merge": schema.OpMerge, "replace": schema.OpReplace, "none": schema.OpNone}[op]
	if e.comment, err = c.comment(); err != nil {
		return nil, err
	}
	if e.guard, err = c.guard(); err != nil {
		return nil, err
	}
	e.content, err = c.editContent()
	return e, err
}

// editContent is where the edit stands.
func (c *call) editContent() (source, error) {
	config, file := c.req.find("config"), c.req.find("url")
	switch {
	case file != nil && config != nil:
		return source{}, protocolError(schema.BadElement, "config and url exclude each other").element("url").at(c.here())
	case file != nil && c.srv.files == nil:
		return source{}, protocolError(schema.OperationNotSupported, noURL).at(c.here())
	case file != nil:
		s := source{place: url, param: file, at: c.here("url")}
		return s, c.readURL(&s, file.text)
	case config == nil:
		return source{}, protocolError(schema.MissingElement, "parameter config is missing").element("config").at(c.here())
	}
	return source{place: inline, param: config}, nil
}

// running edits running in one commit; test-only stops where the backend has
// said that it could.
func (e *edit) running() error {
	res, err := e.srv.engine.Edit(e.ctx, e.sess.actor(), commit.Options{DryRun: e.test == testOnly, Comment: e.comment, Guard: e.guard}, e.apply)
	e.result = res
	return err
}

// errTested undoes an edit of the candidate that was only a test.
var errTested = errors.New("tested only")

// candidate edits the candidate.
func (e *edit) candidate() error {
	err := e.srv.engine.EditCandidate(e.ctx, e.sess.actor(), e.draft(), func(tx schema.Tx) error {
		if err := e.apply(tx); err != nil {
			return err
		}
		if e.test == testThenSet || e.test == testOnly {
			if err := validateEdit(tx); err != nil {
				return err
			}
		}
		if e.test == testOnly {
			return errTested
		}
		return nil
	})
	if errors.Is(err, errTested) {
		return nil
	}
	return err
}

// apply streams the content into the transaction, one record at a time.
func (e *edit) apply(tx schema.Tx) error {
	place, failed := 0, len(e.skip)
	err := e.read(tx, func(base schema.Path, edit *schema.Edit) error {
		place++
		if e.skip[place] {
			return nil
		}
		err := schema.Apply(tx, base, edit)
		if err != nil && e.goOn {
			e.skip[place] = true
			e.faults = append(e.faults, err)
			return nil
		}
		return err
	})
	if err == nil && len(e.skip) > failed {
		return errAgain
	}
	return err
}

// read decodes the content.
func (e *edit) read(tx schema.Tx, emit func(schema.Path, *schema.Edit) error) error {
	if e.content.place == url {
		return e.decodeFrom(e.content, e.op, emit)
	}
	dec, err := e.req.enter(e.content.param)
	if err != nil {
		return err
	}
	if etag, ok := etagAttr(e.content.param.attrs); ok {
		if err := e.expect(tx, root, etag); err != nil {
			return err
		}
	}
	return schema.DecodeXML(dec, schema.XMLDecodeOptions{DefaultOp: e.op, Etag: func(at schema.Path, etag string) error {
		return e.expect(tx, dataPath(at), strings.TrimSpace(etag))
	}}, emit)
}

// answer joins the error that ended the edit, if one did, to those before it.
func (e *edit) answer(err error) error {
	if len(e.faults) == 0 {
		return err
	}
	if err != nil {
		e.faults = append(e.faults, err)
	}
	return e.faults
}

// decode reads the content of <config>.
func decode(dec *xmltok.Decoder, op schema.Op, emit func(schema.Path, *schema.Edit) error) error {
	return schema.DecodeXML(dec, schema.XMLDecodeOptions{DefaultOp: op}, emit)
}

// validateEdit checks what an edit of the candidate changed, and what depends
// on it.
func validateEdit(tx schema.Tx) error {
	txn, ok := tx.(*datastore.Txn)
	if !ok {
		return errNoTxn
	}
	if errs := schema.Validate(txn, txn.Dirty()); len(errs) > 0 {
		return errs
	}
	return nil
}

func (c *call) store() *datastore.Store { return c.srv.engine.Store() }
