package rpc

import (
	"io"

	"mooring/engine/commit"
)

// rollback is the rpc of mooring-bgp: a new commit that brings running back.
// Where running is already the same, the answer is <ok/>.
func rollback(c *call, in input) (body, error) {
	res, err := c.srv.engine.Rollback(c.ctx, c.sess.actor(), commit.Options{}, in["commit-id"].String())
	if err != nil || res.CommitID == "" {
		return nil, err
	}
	o := output{namespace: c.req.op.namespace}
	return func(w io.Writer, _ string) error {
		o.start("commit-id")
		o.b = append(o.b, ` xmlns="`+o.namespace+`"`...)
		o.text(res.CommitID)
		o.close("commit-id")
		_, err := w.Write(o.b)
		return err
	}, nil
}
