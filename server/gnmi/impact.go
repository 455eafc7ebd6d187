package gnmi

import (
	"context"
	"slices"

	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/gnmi/preview"
)

// maxPreviewPeers bounds an answer: clients take messages of 4 MiB.
const maxPreviewPeers = 5000

// edit commits fn, or only plans it, and answers with the impact where the
// request asks for it.
func (s *Server) edit(ctx context.Context, exts *extensions, fn func(schema.Tx) error) (*commit.Result, []*extpb.Extension, error) {
	who, asked := actor(ctx), exts.preview
	opt := commit.Options{Confirm: exts.confirm.begin(), Guard: guardOf(asked.GetGuard())}
	if exts.rollbackTo != "" {
		if err := s.mayCall(ctx, "mooring-bgp", "rollback"); err != nil {
			return nil, nil, err
		}
	}
	if opt.Confirm != nil { // as NETCONF has it
		if err := s.mayCall(ctx, "ietf-netconf", "commit"); err != nil {
			return nil, nil, err
		}
	}
	change := func(opt commit.Options) (*commit.Result, error) {
		if id := exts.rollbackTo; id != "" {
			return s.cfg.Engine.Rollback(ctx, who, opt, id)
		}
		return s.cfg.Engine.Edit(ctx, who, opt, fn)
	}
	if asked == nil {
		res, err := change(opt)
		return res, nil, err
	}
	if err := s.mayCall(ctx, "mooring-bgp", "preview"); err != nil {
		return nil, nil, err
	}
	res, err := change(commit.Options{DryRun: true})
	if err != nil {
		return nil, nil, err
	}
	impacts := s.cfg.Engine.Explain(who, res.Plan)
	answer := &preview.Preview{DryRun: asked.GetDryRun()}
	if !asked.GetDryRun() {
		// The sessions are those before the change, as far as what others
		// commit in between leaves them alone.
		before := make(map[bgp.PeerKey]commit.PeerImpact, len(impacts))
		for _, p := range impacts {
			before[p.Peer] = p
		}
		if res, err = change(opt); err != nil {
			return nil, nil, err
		}
		answer.CommitId, answer.Guard = res.CommitID, guardOut(res)
		impacts = s.cfg.Engine.Explain(who, res.Plan)
		for i := range impacts {
			if b, ok := before[impacts[i].Peer]; ok {
				impacts[i].Session, impacts[i].Families, impacts[i].Received = b.Session, b.Families, b.Received
			}
		}
	}
	fill(answer, impacts)
	answer.Pacing = pacingOut(res.Pacing)
	out, err := registered(answer)
	return res, out, err
}

// fill puts the impacts into an answer, resets first. The counts are there also
// if they are 0: that nothing happens is an answer too.
func fill(answer *preview.Preview, impacts []commit.PeerImpact) {
	slices.SortStableFunc(impacts, func(a, b commit.PeerImpact) int { return int(b.Impact) - int(a.Impact) })
	var resets, next, untouched uint32
	for _, p := range impacts {
		switch p.Impact {
		case bgp.ImpactReset:
			resets++
		case bgp.ImpactNextSession:
			next++
		default:
			untouched++
		}
	}
	answer.Resets, answer.NextSessions, answer.Untouched = &resets, &next, &untouched
	for i := range impacts[:min(len(impacts), maxPreviewPeers)] {
		answer.Peer = append(answer.Peer, impactOut(&impacts[i]))
	}
}

// pacingOut is nil where nobody waits.
func pacingOut(p commit.Pacing) *preview.Pacing {
	if p.Waiting == 0 {
		return nil
	}
	return &preview.Pacing{MaxConcurrent: uint32(p.MaxConcurrent), AtOnce: uint32(p.AtOnce), Waiting: uint32(p.Waiting)}
}

func impactOut(p *commit.PeerImpact) *preview.PeerImpact {
	out := &preview.PeerImpact{
		Instance: p.Peer.Instance, VpnInstance: p.Peer.VPN, Address: p.Peer.Address.String(),
		Impact: preview.Impact(p.Impact + 1), SessionState: p.Session.String(),
	}
	for _, l := range p.Leaves {
		out.Cause = append(out.Cause, &preview.LeafChange{Leaf: l.Leaf, Old: l.Old, New: l.New})
	}
	if p.Impact == bgp.ImpactReset {
		for _, f := range p.Families {
			out.Family = append(out.Family, f.String())
		}
		out.PrefixesReceived = p.Received
	}
	if p.Source.IsValid() {
		out.Source = p.Source.String()
	}
	if p.Down != bgp.DownNone {
		out.DownReason = p.Down.String()
	}
	return out
}
