package gnmi

import (
	"fmt"

	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
)

// rpc is a method, where rules differ.
type rpc int

const (
	rpcCapabilities rpc = iota
	rpcGet
	rpcSet
	rpcSubscribe
)

// checkExtensions refuses an extension that would change what the request
// means (gnmi.md 93): on a Set everything, since a Commit that is ignored
// turns a trial into a fact; on the others what changes the answer.
func checkExtensions(r rpc, exts []*extpb.Extension) error {
	for i, e := range exts {
		code, reason := judge(r, e)
		if code != codes.OK {
			return fault{code: code, op: fmt.Sprintf("extension[%d]", i), reason: reason}.err()
		}
	}
	return nil
}

func judge(r rpc, e *extpb.Extension) (codes.Code, string) {
	switch ext := e.GetExt().(type) {
	case *extpb.Extension_Depth:
		if r == rpcSet || r == rpcCapabilities { // gnmi.md 4, 98
			return codes.InvalidArgument, "depth is for Get and Subscribe"
		}
		if ext.Depth.GetLevel() == 0 { // gnmi.md 95: none
			return codes.OK, ""
		}
		return codes.Unimplemented, "depth is not supported"
	case *extpb.Extension_History:
		if r != rpcCapabilities { // gnmi.md 92: never serve current data instead
			return codes.Unimplemented, "history is not supported"
		}
	case *extpb.Extension_ConfigSubscription:
		if r == rpcSubscribe && ext.ConfigSubscription.GetSyncDone() != nil { // gnmi.md 90
			return codes.InvalidArgument, "sync_done is for the target to send"
		}
		if r == rpcSubscribe {
			return codes.Unimplemented, "config subscriptions are not supported"
		}
	}
	if r == rpcSet {
		return codes.Unimplemented, extensionName(e) + " is not supported, and a Set that ignored it could do what was not meant"
	}
	return codes.OK, ""
}

func extensionName(e *extpb.Extension) string {
	switch ext := e.GetExt().(type) {
	case *extpb.Extension_RegisteredExt:
		return fmt.Sprintf("registered extension %d", ext.RegisteredExt.GetId())
	case *extpb.Extension_MasterArbitration:
		return "master arbitration"
	case *extpb.Extension_Commit:
		return "commit confirmed"
	case *extpb.Extension_ConfigSubscription:
		return "config subscription"
	}
	return "an unknown extension"
}
