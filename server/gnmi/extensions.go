package gnmi

import (
	"fmt"
	"math"

	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"mooring/server/gnmi/preview"
)

// rpc is a method, where rules differ.
type rpc int

const (
	rpcCapabilities rpc = iota
	rpcGet
	rpcSet
	rpcSubscribe
)

// previewID is under which mooring.gnmi.Preview is registered.
const previewID = extpb.ExtensionID_EID_EXPERIMENTAL

// extensions are those of a request that mean something to its RPC.
type extensions struct {
	depth      int                      // 0: all levels
	configOnly bool                     // a config subscription
	election   *extpb.MasterArbitration // of a Set
	preview    *preview.Preview         // of a Set
	confirm    *confirmation            // of a Set
	rollbackTo string                   // of a Set: the commit of the history
	resets     []*preview.Reset         // of a Set: the sessions
	invoked    bool                     // the two are updates of operations, and not of preview
	snapshot   *period                  // of a Subscribe
	replay     *period                  // of a Subscribe
}

// readExtensions reads what a request carries and refuses what would change
// what it means but is not served (gnmi.md 93): on a Set everything, since a
// Commit that is ignored turns a trial into a fact; on the others what changes
// the answer.
func readExtensions(r rpc, exts []*extpb.Extension) (extensions, error) {
	var out extensions
	seen := map[string]bool{}
	for i, e := range exts {
		code, reason := out.read(r, e)
		name := extensionName(e)
		if code == codes.OK && seen[name] && understood(r, e) {
			code, reason = codes.InvalidArgument, name+" is there twice"
		}
		seen[name] = true
		if code != codes.OK {
			return out, fault{code: code, op: fmt.Sprintf("extension[%d]", i), reason: reason}.err()
		}
	}
	return out, nil
}

// understood says whether an extension means something to an RPC.
func understood(r rpc, e *extpb.Extension) bool {
	switch e.GetExt().(type) {
	case *extpb.Extension_Depth, *extpb.Extension_ConfigSubscription, *extpb.Extension_History:
		return r == rpcGet || r == rpcSubscribe
	}
	return r == rpcSet
}

func (x *extensions) read(r rpc, e *extpb.Extension) (codes.Code, string) {
	switch ext := e.GetExt().(type) {
	case *extpb.Extension_Depth:
		if r == rpcSet || r == rpcCapabilities { // gnmi.md 4, 98
			return codes.InvalidArgument, "depth is for Get and Subscribe"
		}
		x.depth = int(min(ext.Depth.GetLevel(), math.MaxInt16)) // deeper than any model
		return codes.OK, ""
	case *extpb.Extension_History:
		switch r {
		case rpcSubscribe:
			return x.readHistory(ext.History)
		case rpcGet: // gnmi.md 92: never serve current data instead
			return codes.Unimplemented, "history is for Subscribe"
		case rpcSet, rpcCapabilities:
		}
	case *extpb.Extension_ConfigSubscription:
		if r == rpcSubscribe {
			return x.configSubscription(ext.ConfigSubscription)
		}
	case *extpb.Extension_MasterArbitration:
		if r == rpcSet {
			if ext.MasterArbitration.GetElectionId() == nil { // gnmi.md 84
				return codes.InvalidArgument, "master arbitration needs an election_id"
			}
			x.election = ext.MasterArbitration
			return codes.OK, ""
		}
	case *extpb.Extension_Commit:
		if r == rpcSet {
			return x.readCommit(ext.Commit)
		}
	case *extpb.Extension_RegisteredExt:
		if r == rpcSet && ext.RegisteredExt.GetId() == previewID {
			return x.readPreview(ext.RegisteredExt.GetMsg())
		}
	}
	if r == rpcSet {
		return codes.Unimplemented, extensionName(e) + " is not supported, and a Set that ignored it could do what was not meant"
	}
	return codes.OK, ""
}

func (x *extensions) configSubscription(c *extpb.ConfigSubscription) (codes.Code, string) {
	switch c.GetAction().(type) {
	case *extpb.ConfigSubscription_Start:
		x.configOnly = true
		return codes.OK, ""
	case *extpb.ConfigSubscription_SyncDone: // gnmi.md 90
		return codes.InvalidArgument, "sync_done is for the target to send"
	}
	return codes.InvalidArgument, "a config subscription needs the action start"
}

func (x *extensions) readPreview(b []byte) (codes.Code, string) {
	p := &preview.Preview{}
	if err := proto.Unmarshal(b, p); err != nil {
		return codes.InvalidArgument, "the registered extension 999 is no mooring.gnmi.Preview"
	}
	if reason := checkGuard(p.GetGuard()); reason != "" {
		return codes.InvalidArgument, reason
	}
	x.preview, x.rollbackTo, x.resets = p, p.GetRollbackTo(), p.GetReset_()
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
	case *extpb.Extension_Depth:
		return "depth"
	case *extpb.Extension_History:
		return "history"
	}
	return "an unknown extension"
}

// registered is a Preview as an extension of an answer.
func registered(p *preview.Preview) ([]*extpb.Extension, error) {
	b, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the extension Preview: %w", err)
	}
	return []*extpb.Extension{{Ext: &extpb.Extension_RegisteredExt{
		RegisteredExt: &extpb.RegisteredExtension{Id: previewID, Msg: b},
	}}}, nil
}
