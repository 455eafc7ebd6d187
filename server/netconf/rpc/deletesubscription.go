package rpc

// delete-subscription is RFC 8639 2.4.4. After the answer nothing is sent any
// more, so it waits for what is being sent.
var deleteSubscriptionOperation = operation{
	params: []spec{{name: "id", mandatory: true}},
	run: func(c *call) (body, error) {
		sub, err := c.ownSubscription()
		if err != nil {
			return nil, err
		}
		sub.give(func(s *subscription) { s.order.end = true })
		select {
		case <-sub.done:
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
		return nil, nil
	},
}
