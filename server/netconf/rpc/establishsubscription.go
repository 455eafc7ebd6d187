package rpc

import (
	"io"
	"slices"
	"strings"

	"mooring/engine/schema"
	"mooring/server/netconf/xmltree"
)

// establish-subscription is RFC 8639 2.4.2, in the form of RFC 8640.
var establishSubscriptionOperation = operation{
	params: append([]spec{{name: "stream"}, {name: "replay-start-time"}, {name: "encoding"}}, modifiable...),
	run: func(c *call) (body, error) {
		if err := c.maySubscribe(); err != nil {
			return nil, err
		}
		stream := c.req.find("stream")
		switch {
		case c.ofDatastore():
			return c.establishPush()
		case stream == nil:
			return nil, protocolError(schema.MissingElement, "parameter stream or datastore is missing").element("stream").at(c.here())
		case stream.text != streamName:
			return nil, protocolError(schema.InvalidValue, "the only stream is "+streamName).at(c.here("stream"))
		}
		return c.establishStream()
	},
}

// modifiable are the parameters that modify-subscription takes too.
var modifiable = []spec{
	{name: "stream-filter-name"},
	{name: "stream-subtree-filter"},
	{name: "stream-xpath-filter"},
	{name: "stop-time"},
	{name: "datastore", namespace: pushNS},
	{name: "selection-filter-ref", namespace: pushNS},
	{name: "datastore-subtree-filter", namespace: pushNS},
	{name: "datastore-xpath-filter", namespace: pushNS},
	{name: "periodic", namespace: pushNS},
	{name: "on-change", namespace: pushNS},
}

// maySubscribe checks what has nothing to do with the target.
func (c *call) maySubscribe() error {
	if c.sess.subscribed.Load() || c.sess.Background == nil { // RFC 8640 5
		return protocolError(schema.OperationNotSupported, "this session has a subscription of create-subscription: use another session")
	}
	p := c.req.find("encoding")
	if p == nil {
		return nil
	}
	switch ns, local, err := c.identityOf(p); {
	case err != nil:
		return err
	case ns != subscribedNS || local != "encode-xml":
		return c.refuse(encodingUnsupported, "the only encoding is encode-xml").at(c.here("encoding"))
	}
	return nil
}

// establishStream begins a subscription to the stream.
func (c *call) establishStream() (body, error) {
	sub := &subscription{sess: c.sess, done: make(chan struct{})}
	t := &sub.terms
	if err := c.streamFilter(t); err != nil {
		return nil, err
	}
	if err := c.times(t); err != nil {
		return nil, err
	}
	if err := c.begin(sub, c.srv.startStream); err != nil {
		return nil, err
	}
	reply := []xmltree.Element{xmltree.Leaf("id", number(sub.id)).In(subscribedNS)}
	if since := c.srv.replayFrom(); !t.start.IsZero() && t.start.Before(since) {
		reply = append(reply, xmltree.Leaf("replay-start-time-revision", stamp(since)).In(subscribedNS))
	}
	return elementsBody(reply), nil
}

// streamOnly are the parameters that mean nothing for a datastore.
var streamOnly = []string{"stream", "stream-filter-name", "stream-subtree-filter", "stream-xpath-filter", "replay-start-time"}

// ofDatastore says whether the operation is about a datastore: it has any
// parameter of RFC 8641.
func (c *call) ofDatastore() bool {
	return slices.ContainsFunc(c.req.params, func(p param) bool { return p.namespace == pushNS })
}

// establishPush begins a subscription to a datastore.
func (c *call) establishPush() (body, error) {
	sub := &subscription{sess: c.sess, done: make(chan struct{})}
	t := &sub.terms
	t.push = &pushTerms{}
	switch {
	case c.req.findIn(pushNS, "datastore") == nil:
		return nil, protocolError(schema.MissingElement, "parameter datastore is missing").element("datastore").at(c.here())
	case c.req.findIn(pushNS, "periodic") == nil && c.req.findIn(pushNS, "on-change") == nil:
		return nil, protocolError(schema.MissingElement, "one of periodic and on-change is missing").element("periodic").at(c.here())
	}
	if err := c.pushed(t); err != nil {
		return nil, err
	}
	if err := c.begin(sub, c.srv.startPush); err != nil {
		return nil, err
	}
	return elementsBody([]xmltree.Element{xmltree.Leaf("id", number(sub.id)).In(subscribedNS)}), nil
}

// pushed reads what is given of the terms of a subscription to a datastore.
func (c *call) pushed(t *terms) error {
	for _, name := range streamOnly {
		if p := c.req.find(name); p != nil {
			return protocolError(schema.BadElement, name+" is of a stream, and this is a subscription to a datastore").element(name).at(c.here(name))
		}
	}
	for _, read := range []func() error{
		func() error { return c.pushTarget(t) },
		func() error { return c.trigger(t.push) },
		func() error { return c.times(t) },
	} {
		if err := read(); err != nil {
			return err
		}
	}
	return c.checkPush(t)
}

// elementsBody writes elements as the body of a reply.
func elementsBody(elements []xmltree.Element) body {
	return func(w io.Writer, _ string) error {
		var b []byte
		for i := range elements {
			b = elements[i].Append(b, "")
		}
		_, err := w.Write(b)
		return err
	}
}

// refuse is an error of an operation on subscriptions, with the container of
// error-info that the operation has for it (RFC 8639 2.4.6, RFC 8641 A.2).
func (c *call) refuse(i *identity, message string, hints ...xmltree.Element) *Error {
	e := i.error(message)
	switch op := c.req.op.local; {
	case op == "resync-subscription":
		return e.why("resync-subscription-error", pushNS, i)
	case (op == "establish-subscription" || op == "modify-subscription") && c.ofDatastore():
		return e.why(op+"-datastore-error-info", pushNS, i, hints...)
	case op == "establish-subscription" || op == "modify-subscription":
		return e.why(c.req.op.local+"-stream-error-info", subscribedNS, i, hints...)
	}
	return e.why("delete-subscription-error-info", subscribedNS, i)
}

// identityOf reads an identityref: its namespace and name.
func (c *call) identityOf(p *param) (namespace, local string, err error) {
	dec, err := c.req.enter(p)
	if err != nil {
		return "", "", err
	}
	prefix, local, qualified := strings.Cut(p.text, ":")
	if !qualified {
		prefix, local = "", p.text
	}
	namespace, ok := dec.LookupPrefix(prefix)
	if !ok || local == "" || p.child != nil {
		return "", "", protocolError(schema.InvalidValue, p.local+" must be an identity with its prefix").at(c.hereIn(p.name))
	}
	return namespace, local, nil
}
