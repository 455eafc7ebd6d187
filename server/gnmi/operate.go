package gnmi

import (
	"context"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/server/gnmi/preview"
)

// What a Set can ask for beside its operations: a guard, a rollback to a commit
// of the history, the reset of sessions.

const (
	maxResets       = 1024 // sessions that one Set resets
	maxResetText    = 255  // characters (RFC 9003: octets, which the backend clips to)
	maxGuardTimeout = 3600 // seconds, as in the model
)

// checkOther refuses a Set that asks for two things at once: neither a
// rollback nor a reset goes with operations.
func checkOther(exts *extensions, operations int) error {
	p := exts.preview
	back, resets := exts.rollbackTo != "", len(exts.resets) > 0
	var reason string
	switch {
	case (back || resets) && operations > 0:
		reason = "rollback_to and reset go with no operations: send two requests"
	case back && resets:
		reason = "rollback_to and reset are for two requests"
	case resets && (p.GetGuard() != nil || exts.confirm != nil):
		reason = "a reset is no commit: it can neither be guarded nor confirmed"
	case len(exts.resets) > maxResets:
		reason = fmt.Sprintf("one Set resets at most %d sessions", maxResets)
	default:
		return nil
	}
	return fault{code: codes.InvalidArgument, op: "extension", reason: reason}.err()
}

func checkGuard(g *preview.Guard) string {
	switch {
	case g.GetTimeoutSeconds() > maxGuardTimeout:
		return fmt.Sprintf("the timeout of a guard is at most %d seconds", maxGuardTimeout)
	case g.GetPrefixPercent() > 100:
		return "the prefix_percent of a guard is at most 100"
	}
	return ""
}

func guardOf(g *preview.Guard) *commit.Guard {
	if g == nil {
		return nil
	}
	out := &commit.Guard{Timeout: time.Duration(g.GetTimeoutSeconds()) * time.Second}
	if g.PrefixPercent != nil {
		percent := uint8(g.GetPrefixPercent())
		out.Percent = &percent
	}
	return out
}

// guardOut is the guard that waits after a commit, nil for none.
func guardOut(res *commit.Result) *preview.Guard {
	g := res.Guarded
	if g == nil {
		return nil
	}
	return &preview.Guard{
		TimeoutSeconds: uint32(g.Deadline.Sub(res.Time).Round(time.Second) / time.Second),
		PrefixPercent:  proto.Uint32(uint32(g.Percent)), Peers: uint32(len(g.Peers)),
	}
}

var resetModes = map[preview.ResetMode]commit.ResetMode{
	preview.ResetMode_HARD:     commit.ResetHard,
	preview.ResetMode_SOFT_IN:  commit.ResetSoftIn,
	preview.ResetMode_SOFT_OUT: commit.ResetSoftOut,
}

// reset resets sessions and completes the answer. Nothing is reset where one
// of them could not be; what fails after the first reset is told in the answer.
// It returns when the backend was asked, not when the sessions are up again.
func (s *Server) reset(ctx context.Context, exts *extensions, resp *gpb.SetResponse) (*gpb.SetResponse, error) {
	if err := s.mayCall(ctx, "mooring-bgp", "reset-peer"); err != nil {
		return nil, err
	}
	dry := exts.preview.GetDryRun()
	answer := &preview.Preview{DryRun: dry}
	keys, err := s.resettable(ctx, exts, answer)
	if err != nil {
		return nil, err
	}
	for i, out := range answer.Reset_ {
		if dry {
			break
		}
		err := s.cfg.Engine.Reset(ctx, actor(ctx), keys[i], resetModes[out.GetMode()], out.GetText())
		if err != nil && i == 0 {
			return nil, statusOf(err)
		}
		if err != nil {
			out.Error = clipText(err.Error())
			if exts.preview == nil { // the answer has no place for it
				return nil, fault{code: codes.Aborted, op: exts.resetName(i), reason: "this session was not reset, those before it were: " + out.Error}.err()
			}
		}
	}
	if exts.preview != nil {
		if resp.Extension, err = registered(answer); err != nil {
			return nil, statusOf(err)
		}
	}
	resp.Timestamp = time.Now().UnixNano()
	return resp, nil
}

// resettable checks all requests, and puts them into the answer with the
// sessions as they are now.
func (s *Server) resettable(ctx context.Context, exts *extensions, answer *preview.Preview) ([]bgp.PeerKey, error) {
	asked := exts.resets
	keys := make([]bgp.PeerKey, 0, len(asked))
	seen := make(map[bgp.PeerKey]bool, len(asked))
	var bad faults
	for i, r := range asked {
		key, f := resetKey(r)
		if f == nil && seen[key] {
			f = &fault{code: codes.InvalidArgument, reason: "the peer " + key.String() + " is there twice"}
		}
		seen[key] = true
		var now commit.PeerImpact
		if f == nil {
			now, f = s.resetsNow(ctx, key)
		}
		if f != nil {
			f.op = exts.resetName(i)
			if bad = append(bad, *f); len(bad) >= maxFaults {
				break
			}
			continue
		}
		out := &preview.Reset{
			Instance: key.Instance, VpnInstance: key.VPN, Address: key.Address.String(), Mode: r.GetMode(), Text: r.GetText(),
			SessionState: now.Session.String(), PrefixesReceived: now.Received,
		}
		for _, fam := range now.Families {
			out.Family = append(out.Family, fam.String())
		}
		keys, answer.Reset_ = append(keys, key), append(answer.Reset_, out)
	}
	if len(bad) > 0 {
		return nil, bad.err()
	}
	return keys, nil
}

// resetName is how messages call the i-th reset.
func (x *extensions) resetName(i int) string {
	if x.invoked {
		return fmt.Sprintf("update[%d]", i)
	}
	return fmt.Sprintf("reset[%d]", i)
}

// resetKey reads which peer a request names.
func resetKey(r *preview.Reset) (bgp.PeerKey, *fault) {
	bad := func(format string, args ...any) (bgp.PeerKey, *fault) {
		return bgp.PeerKey{}, &fault{code: codes.InvalidArgument, reason: fmt.Sprintf(format, args...)}
	}
	if r.GetInstance() == "" || r.GetVpnInstance() == "" {
		return bad("a reset needs instance, vpn_instance and address")
	}
	addr, err := netip.ParseAddr(r.GetAddress())
	if err != nil {
		return bad("%s is no IP address", quote(r.GetAddress()))
	}
	if _, ok := resetModes[r.GetMode()]; !ok {
		return bad("mode %v is none of HARD, SOFT_IN, SOFT_OUT", r.GetMode())
	}
	if utf8.RuneCountInString(r.GetText()) > maxResetText {
		return bad("the text has more than %d characters", maxResetText)
	}
	return bgp.PeerKey{Instance: r.GetInstance(), VPN: r.GetVpnInstance(), Address: addr}, nil
}

// resetsNow returns the session of a peer, or why it cannot be reset.
func (s *Server) resetsNow(ctx context.Context, key bgp.PeerKey) (commit.PeerImpact, *fault) {
	now, err := s.cfg.Engine.Peer(actor(ctx), key)
	if err != nil {
		f := fault{code: codes.NotFound, reason: err.Error()}
		if fs := schemaFaults("", err); len(fs) > 0 {
			f.path, f.reason, f.tag = fs[0].path, fs[0].reason, fs[0].tag
		}
		return now, &f
	}
	if now.Session != bgp.StateEstablished {
		return now, &fault{code: codes.FailedPrecondition, reason: "peer " + key.String() + ": " + commit.ErrNotEstablished.Error(), tag: "not-established"}
	}
	return now, nil
}
