package commit

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/effective"
	"mooring/engine/plan"
	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// change is a planned change, with what is needed to carry it out.
type change struct {
	actor Actor
	opt   Options
	txn   *datastore.Txn
	dirty []schema.Dirty
	res   *Result
	ends  []bgp.PeerKey // the peers whose established sessions it ends
	holds holds         // what waits once it is made

	plan    plan.Plan
	now     []plan.Step                   // those of the plan that are carried out with the commit
	later   []plan.Step                   // those that wait for their turn
	words   []plan.Step                   // of peers of which only more is to be told
	queries map[bgp.PeerKey]srcaddr.Query // of the peers whose specification was resolved
}

// planner collects what a set of dirty records changes.
type planner struct {
	c        *Coordinator
	r        schema.Reader
	intended *effective.Config // what r means
	pairs    []plan.Pair[bgp.InstanceSpec]
	peers    []plan.PeerPair
	queries  map[bgp.PeerKey]srcaddr.Query
	errs     schema.Errors
}

// planChange resolves the affected specifications, old and new, and plans
// them. Only what the dirty records reach is looked at: a peer, the members of
// a group, all peers of an instance whose own specification changed.
func (c *Coordinator) planChange(r schema.Reader, dirty []schema.Dirty, touched iter.Seq2[schema.Key, []*schema.Node]) (*change, error) {
	p := &planner{c: c, r: r, intended: c.effective(r), queries: make(map[bgp.PeerKey]srcaddr.Query, len(dirty))}
	insts, peers := p.affected(dirty)
	for _, key := range insts {
		peers = p.instance(key, peers)
	}
	forced := p.forced(touched)
	for k := range forced {
		peers = append(peers, k)
	}
	slices.Sort(peers)
	for _, k := range slices.Compact(peers) {
		p.peer(k, forced[k])
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return &change{plan: plan.Compute(p.pairs, p.peers, c.costs), words: c.words(p.peers), queries: p.queries}, nil
}

// words are steps for what a specification tells beyond what a backend is told,
// and for peers that have nothing left to wait for: they are no part of a plan.
func (c *Coordinator) words(pairs []plan.PeerPair) []plan.Step {
	var out []plan.Step
	for _, pair := range pairs {
		old, new := pair.Old, pair.New
		if old == nil || new == nil || old.Interface == new.Interface && old.Down == new.Down &&
			old.DownDetail == new.DownDetail && old.SourceWarning == new.SourceWarning && !c.waits(new.Key) {
			continue
		}
		if len(bgp.DiffPeers(old, new)) > 0 || len(pair.Forced) > 0 {
			continue // its step carries them
		}
		out = append(out, plan.Step{Op: plan.UpdatePeer, Instance: new.Key.InstanceKey(), Peer: new.Key, Old: old, New: new})
	}
	return out
}

// effective returns what a configuration means.
func (c *Coordinator) effective(r schema.Reader) *effective.Config {
	return effective.Of(r, c.cfg.RouterID)
}

// affected returns the instances and peers that the dirty records reach.
func (p *planner) affected(dirty []schema.Dirty) (insts []bgp.InstanceKey, peers []schema.Key) {
	peers = make([]schema.Key, 0, len(dirty))
	for _, d := range dirty {
		v := d.Key.Values()
		switch d.Key.Kind().Letter {
		case schema.KindPeer:
			peers = append(peers, d.Key)
		case schema.KindPeerGroup:
			p.r.Referrers(d.Key, func(k schema.Key) bool {
				peers = append(peers, k)
				return true
			})
		case schema.KindBGPVPNInstance:
			insts = append(insts, bgp.InstanceKey{Instance: v[0], VPN: v[1]})
		case schema.KindInstance:
			for key := range p.c.instances {
				if key.Instance == v[0] {
					insts = append(insts, key)
				}
			}
		case schema.KindVPNInstance:
			for key := range p.c.instances {
				if key.VPN == v[0] {
					insts = append(insts, key)
				}
			}
		}
	}
	slices.SortFunc(insts, bgp.InstanceKey.Compare)
	return slices.Compact(insts), peers
}

// instance pairs the old and new specification of an instance, and adds all
// its peers to the affected ones where their own specifications follow.
func (p *planner) instance(key bgp.InstanceKey, peers []schema.Key) []schema.Key {
	old, new := p.c.instances[key], p.intended.Instance(key)
	if old.Equal(new) {
		return peers
	}
	p.pairs = append(p.pairs, plan.Pair[bgp.InstanceSpec]{Old: old, New: new})
	if old == nil || new == nil || !concernsPeers(old, new, p.c.costs) {
		return peers // the peers of a new or deleted instance are dirty themselves
	}
	p.r.Scan(schema.BGPVPNInstanceKey(key).Below(), func(k schema.Key, _ ygot.GoStruct) bool {
		if k.Kind().Letter == schema.KindPeer {
			peers = append(peers, k)
		}
		return true
	})
	return peers
}

func concernsPeers(old, new *bgp.InstanceSpec, costs plan.Costs) bool {
	return old.AS != new.AS || old.RouterID != new.RouterID || old.Device != new.Device ||
		old.Namespace != new.Namespace || costs.NativeInstance(old, new) != bgp.ImpactNone
}

// peer pairs the old and new specification of a peer and refuses what cannot
// be meant.
func (p *planner) peer(k schema.Key, forced []string) {
	key := k.PeerKey()
	old := p.c.oper.Get(key).Applied
	peer, ok := p.intended.Peer(k)
	if !ok {
		p.peers = append(p.peers, plan.PeerPair{Old: old})
		return
	}
	answer := p.c.cfg.Sources.Resolve(peer.Query)
	err := check(k, &peer, answer, p.c.queries.byPeer[key])
	if err == nil {
		err = p.twice(k, answer)
	}
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	spec := peer.Spec
	effective.SetSource(&spec, answer, old)
	p.queries[key] = peer.Query
	p.peers = append(p.peers, p.c.chosen(plan.PeerPair{Old: old, New: &spec, Forced: union(forced, p.c.pacer.forced(key))}, peer.Query))
}

// twice refuses a link-local peer that is there by another spelling of its
// interface: by its name, its index, or connect-interface.
func (p *planner) twice(k schema.Key, answer srcaddr.Answer) *schema.Error {
	key := k.PeerKey()
	if !bgp.LinkLocal(key.Address) || answer.Zone == "" {
		return nil
	}
	for _, zone := range []string{"", answer.Zone, strconv.Itoa(answer.ZoneIndex)} {
		other := key
		other.Address = key.Address.WithZone(zone)
		peer, ok := p.intended.Peer(schema.PeerKey(other))
		if other == key || !ok || p.c.cfg.Sources.Resolve(peer.Query).Zone != answer.Zone {
			continue
		}
		return &schema.Error{
			Tag: schema.InvalidValue, Path: append(slices.Clone(k.Path()), leafPath("config/address")...),
			Message: fmt.Sprintf("%s and %s are one peer, on interface %s (index %d): delete one of them",
				key.Address, other.Address, answer.Zone, answer.ZoneIndex),
		}
	}
	return nil
}

// check refuses a peer that cannot work whatever the network does. A source
// that is only not there yet is accepted: the peer waits for it.
func check(k schema.Key, peer *effective.Peer, answer srcaddr.Answer, asked srcaddr.Query) *schema.Error {
	a := peer.Spec.Key.Address
	fail := func(leaf, format string, args ...any) *schema.Error {
		return &schema.Error{
			Tag: schema.InvalidValue, Path: append(slices.Clone(k.Path()), leafPath(leaf)...),
			Message: fmt.Sprintf(format, args...),
		}
	}
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fail("config/address", "%s is not the address of a host", a)
	case peer.Query.Source.IsValid() && peer.Query.Source.Is4() != a.Is4():
		return fail(effective.Source, "source address %s is not of the same address family as the peer %s", peer.Query.Source, a)
	case bgp.LinkLocal(a) && a.Zone() == "" && peer.Query.Interface == "" && !bgp.LinkLocal(peer.Query.Source):
		return fail("config/address", "%s is a link-local address and means nothing without its interface: "+
			"write the peer as %s%%eth0, or set transport/connect-interface/config/interface", a, a)
	case peer.Query.Source.IsValid() && peer.Query.Source == a:
		return fail(effective.Source, "the source address is the peer's own address %s", a)
	case answer.Status == srcaddr.Ambiguous && asked != peer.Query:
		// The command wants the source address then. Where the interface got
		// its second address later, the state says so, and unrelated changes of
		// the peer must not be refused.
		names := make([]string, len(answer.Candidates))
		for i, c := range answer.Candidates {
			names[i] = c.String()
		}
		return fail(effective.Source, "interface %s has several addresses, set source-address to one of: %s",
			peer.Query.Interface, strings.Join(names, ", "))
	}
	return nil
}

// forced returns the peers that reset-policy "always" resets although nothing
// changed, with the written leaves.
func (p *planner) forced(touched iter.Seq2[schema.Key, []*schema.Node]) map[schema.Key][]string {
	written := map[schema.Key][]string{} // settings by record, in the order in which they were written
	for k, leaves := range touched {
		kind := k.Kind().Letter
		if kind != schema.KindPeer && kind != schema.KindPeerGroup || !p.resetsAlways(k) {
			continue
		}
		for _, n := range leaves {
			if leaf, ok := effective.Setting(n); ok && n.Impact == bgp.ImpactReset {
				written[k] = union(written[k], []string{leaf})
			}
		}
	}
	out := map[schema.Key][]string{}
	for _, k := range slices.Sorted(maps.Keys(written)) {
		if k.Kind().Letter == schema.KindPeer {
			out[k] = union(out[k], written[k])
			continue
		}
		p.r.Referrers(k, func(member schema.Key) bool {
			out[member] = union(out[member], written[k])
			return true
		})
	}
	return out
}

// resetsAlways says whether the instance that a record belongs to has
// reset-policy "always".
func (p *planner) resetsAlways(k schema.Key) bool {
	for above := k.Parent(); above != ""; above = k.Parent() {
		k = above
	}
	in, _ := p.r.Get(k).(*instanceRec)
	c := in.GetConfig()
	return c != nil && c.ResetPolicy == policyAlways
}

const policyAlways = gen.MooringBgp_Bgp_Instances_Instance_Config_ResetPolicy_always
