package rpc

// kill-subscription is RFC 8639 2.4.5: of any session. The subscriber is told,
// but not waited for.
var killSubscriptionOperation = operation{
	params: []spec{{name: "id", mandatory: true}},
	run: func(c *call) (body, error) {
		id, err := c.subscriptionID()
		if err != nil {
			return nil, err
		}
		sub := c.srv.subscriptions.get(id)
		if sub == nil {
			return nil, c.refuse(noSuchSubscription, "there is no subscription "+number(id)).at(c.here("id"))
		}
		sub.give(func(s *subscription) { s.order.kill = true })
		return nil, nil
	},
}
