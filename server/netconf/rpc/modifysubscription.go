package rpc

import (
	"strconv"

	"mooring/engine/schema"
)

// modify-subscription is RFC 8639 2.4.3. What is not given stays.
var modifySubscriptionOperation = operation{
	params: append([]spec{{name: "id", mandatory: true}}, modifiable...),
	run: func(c *call) (body, error) {
		sub, err := c.ownSubscription()
		if err != nil {
			return nil, err
		}
		t := sub.current()
		if err := c.modify(&t); err != nil {
			return nil, err
		}
		c.after = func() {
			sub.give(func(s *subscription) { s.terms, s.order.modified = t, true })
			sub.shown.Become(t.listens())
		}
		return nil, nil
	},
}

// modify reads what is given of new terms.
func (c *call) modify(t *terms) error {
	if t.push != nil {
		p := *t.push
		t.push = &p
		return c.pushed(t)
	}
	for i := range c.req.params {
		if p := &c.req.params[i]; p.namespace == pushNS {
			return protocolError(schema.BadElement, p.local+" is of a datastore, and this is a subscription to a stream").element(p.local).at(c.hereIn(p.name))
		}
	}
	if err := c.streamFilter(t); err != nil {
		return err
	}
	return c.times(t)
}

// subscriptionID reads the parameter id.
func (c *call) subscriptionID() (uint32, error) {
	p := c.req.find("id")
	id, err := strconv.ParseUint(p.text, 10, 32)
	if err != nil || p.child != nil {
		return 0, protocolError(schema.InvalidValue, "id must be the number of a subscription").at(c.here("id"))
	}
	return uint32(id), nil
}

// ownSubscription returns the subscription of this session that id names.
func (c *call) ownSubscription() (*subscription, error) {
	id, err := c.subscriptionID()
	if err != nil {
		return nil, err
	}
	sub := c.srv.subscriptions.get(id)
	if sub == nil || sub.sess != c.sess {
		return nil, c.refuse(c.noSubscription(), "this session has no subscription "+number(id)).at(c.here("id"))
	}
	return sub, nil
}

// noSubscription is the identity for one that is not there.
func (c *call) noSubscription() *identity {
	if c.req.op.namespace == pushNS {
		return noSubscriptionResync
	}
	return noSuchSubscription
}
