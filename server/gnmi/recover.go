package gnmi

import (
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recovered is deferred where an RPC is carried out: a panic ends that RPC with
// INTERNAL, and not every BGP session of the agent.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.log.Error("rpc failed, please report this", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "a fault of the agent ended this request, the log has more: please report it")
	}
}
