package netconf

import (
	"io"
	"time"
)

// guard is a writer that calls expired when one Write takes longer than limit:
// a client that asks and does not read would hold its session, its locks and a
// snapshot for ever.
type guard struct {
	to      io.Writer
	limit   time.Duration
	expired func()

	timer *time.Timer // made by the first Write, which has the same goroutine as all others
}

// Write implements io.Writer.
func (g *guard) Write(p []byte) (int, error) {
	if g.timer == nil {
		g.timer = time.AfterFunc(g.limit, g.expired)
	} else {
		g.timer.Reset(g.limit)
	}
	defer g.timer.Stop()
	return g.to.Write(p)
}
