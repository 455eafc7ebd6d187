package rpc

// resync-subscription is RFC 8641 4.4.5: all that is selected is sent again.
var resyncSubscriptionOperation = operation{
	params: []spec{{name: "id", mandatory: true}},
	run: func(c *call) (body, error) {
		sub, err := c.ownSubscription()
		if err != nil {
			return nil, err
		}
		if t := sub.current(); t.push == nil || t.push.period > 0 {
			return nil, c.refuse(onChangeSyncUnsupported, "only on-change subscriptions can be synchronized again").at(c.here("id"))
		}
		c.after = func() { sub.give(func(s *subscription) { s.order.resync = true }) }
		return nil, nil
	},
}
