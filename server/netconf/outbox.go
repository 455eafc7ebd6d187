package netconf

import (
	"sync"

	"mooring/server/netconf/frame"
)

// outbox lets replies and notifications out one after the other: who has begun
// a message is alone until its end. It implements rpc.Output.
type outbox struct {
	mu sync.Mutex // held from Begin to End
	w  *frame.Writer
}

// Begin waits until no other message is open.
func (o *outbox) Begin() {
	o.mu.Lock()
	o.w.Begin()
}

// Write implements io.Writer.
func (o *outbox) Write(p []byte) (int, error) { return o.w.Write(p) }

// End completes the message.
func (o *outbox) End() error {
	defer o.mu.Unlock()
	return o.w.End()
}
