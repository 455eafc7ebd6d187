package rpc

import (
	"errors"
	"strconv"
	"time"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// commit is RFC 6241 8.3.4.1, and 8.4 with the parameters of a confirmed
// commit.
var commitOperation = operation{
	params: []spec{{name: "confirmed"}, {name: "confirm-timeout"}, {name: "persist"}, {name: "persist-id"}, withEtagParam, commentParam, guardParam, guardTimeoutParam, guardPercentParam},
	run: func(c *call) (body, error) {
		opt, err := c.commitOptions()
		if err != nil {
			return nil, err
		}
		tell, err := c.withEtag()
		if err != nil {
			return nil, err
		}
		res, err := c.srv.engine.Commit(c.ctx, c.sess.actor(), c.draft(), opt)
		if err != nil || !tell {
			return nil, c.confirmError(err)
		}
		return okBody(c.etagAfter(res)), nil
	},
}

// commitOptions reads the parameters. Those of a confirmed commit without
// <confirmed> are refused: the commit would be permanent, which is not what
// was meant.
func (c *call) commitOptions() (opt commit.Options, err error) {
	confirmed, err := c.flag("confirmed")
	if err != nil {
		return opt, err
	}
	if opt.Comment, err = c.comment(); err != nil {
		return opt, err
	}
	if opt.Guard, err = c.guard(); err != nil {
		return opt, err
	}
	if opt.ConfirmID, err = c.word("persist-id"); err != nil {
		return opt, err
	}
	if !confirmed {
		for _, name := range []string{"confirm-timeout", "persist"} {
			if c.req.find(name) != nil {
				e := protocolError(schema.MissingElement, name+" is for a commit with confirmed")
				return opt, e.element("confirmed").at(c.here())
			}
		}
		return opt, nil
	}
	cf := &commit.Confirm{Volatile: true}
	if cf.ID, err = c.word("persist"); err != nil {
		return opt, err
	}
	if cf.Timeout, err = c.seconds("confirm-timeout"); err != nil {
		return opt, err
	}
	opt.Confirm = cf
	return opt, nil
}

// confirmError maps the faults of a persist-id (RFC 6241 8.4.4.1 and the
// descriptions of persist-id in Appendix C). A commit of another session or
// protocol that has none is in use, as in any other operation.
func (c *call) confirmError(err error) error {
	if !errors.Is(err, commit.ErrConfirmID) {
		return err
	}
	e := protocolError(schema.InvalidValue, err.Error())
	if c.req.find("persist-id") != nil {
		return e.at(c.here("persist-id"))
	}
	if p, ok := errors.AsType[*commit.PendingError](err); ok && p.ID != "" && p.Protocol == protocol {
		e.Message = "the commit that waits for a confirmation needs its persist-id"
		return e.at(c.here())
	}
	return err
}

// flag reads a parameter of type empty.
func (c *call) flag(name string) (bool, error) {
	p := c.req.find(name)
	switch {
	case p == nil:
		return false, nil
	case p.child != nil:
		return false, protocolError(schema.UnknownElement, name+" is empty").element(p.child.local).at(c.here(name))
	case p.text != "":
		return false, protocolError(schema.InvalidValue, name+" is empty").at(c.here(name))
	}
	return true, nil
}

// word reads a parameter that is a string of at least one character, empty
// where it is not given.
func (c *call) word(name string) (string, error) {
	p := c.req.find(name)
	switch {
	case p == nil:
		return "", nil
	case p.child != nil:
		return "", protocolError(schema.UnknownElement, name+" is text").element(p.child.local).at(c.here(name))
	case p.text == "":
		return "", protocolError(schema.InvalidValue, name+" is empty: give a word that others cannot guess").at(c.here(name))
	case len(p.text) >= maxText:
		return "", protocolError(schema.InvalidValue, name+" is too long").at(c.here(name))
	}
	return p.text, nil
}

// seconds reads a parameter that is a time from one second on, 0 where it is
// not given.
func (c *call) seconds(name string) (time.Duration, error) {
	p := c.req.find(name)
	if p == nil {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.text, 10, 32)
	if err != nil || n == 0 || p.child != nil {
		return 0, protocolError(schema.InvalidValue, name+" is a number of seconds from 1 to 4294967295").at(c.here(name))
	}
	return time.Duration(n) * time.Second, nil
}
