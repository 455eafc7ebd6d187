package rpc

import (
	"strconv"
	"time"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// The parameters of a guarded change (module mooring-netconf).
var (
	guardParam        = spec{name: "guard", namespace: oursNS}
	guardTimeoutParam = spec{name: "guard-timeout", namespace: oursNS}
	guardPercentParam = spec{name: "guard-prefix-percent", namespace: oursNS}
)

// guard reads them, nil for a change without a guard. What a guard waits for
// without <guard> is refused: the change would not be watched, which is not
// what was meant.
func (c *call) guard() (*commit.Guard, error) {
	given := c.req.findIn(oursNS, guardParam.name)
	timeout, err := c.guardNumber(guardTimeoutParam, given != nil, 1, 3600)
	if err != nil {
		return nil, err
	}
	percent, err := c.guardNumber(guardPercentParam, given != nil, 0, 100)
	if err != nil || given == nil {
		return nil, err
	}
	if given.child != nil || given.text != "" {
		return nil, protocolError(schema.InvalidValue, "guard is empty").at(c.hereIn(given.name))
	}
	g := &commit.Guard{}
	if timeout != nil {
		g.Timeout = time.Duration(*timeout) * time.Second
	}
	if percent != nil {
		p := uint8(*percent)
		g.Percent = &p
	}
	return g, nil
}

// guardNumber reads a number of a guard, nil where it is not given.
func (c *call) guardNumber(s spec, guarded bool, least, most uint64) (*uint64, error) {
	p := c.req.findIn(oursNS, s.name)
	if p == nil {
		return nil, nil
	}
	if !guarded {
		e := protocolError(schema.MissingElement, s.name+" is for a change with guard")
		return nil, e.element(guardParam.name).at(c.here())
	}
	n, err := strconv.ParseUint(p.text, 10, 16)
	if err != nil || n < least || n > most || p.child != nil {
		text := s.name + " is a number from " + strconv.FormatUint(least, 10) + " to " + strconv.FormatUint(most, 10)
		return nil, protocolError(schema.InvalidValue, text).at(c.hereIn(p.name))
	}
	return &n, nil
}
