package effective

import (
	"net/netip"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/schema"
)

// Config reads specifications out of a configuration. It remembers instances
// and peer groups, so it belongs to one goroutine, and is good as long as the
// records that it reads do not change.
type Config struct {
	r         schema.Reader
	routerID  netip.Addr
	instances map[bgp.InstanceKey]*bgp.InstanceSpec // as far as asked for
	groups    map[groupID]settings                  // likewise
	origins   []Origin                              // of the last peer with origins
}

// groupID names a peer group.
type groupID struct {
	bgp.InstanceKey
	name string
}

// Of returns what the records of r mean. routerID is the BGP identifier of
// instances that configure none.
func Of(r schema.Reader, routerID netip.Addr) *Config {
	return &Config{r: r, routerID: routerID, instances: map[bgp.InstanceKey]*bgp.InstanceSpec{}, groups: map[groupID]settings{}}
}

// Peer is the specification of a peer but for its source.
type Peer struct {
	Spec  bgp.PeerSpec
	Query srcaddr.Query // asks for the source; SetSource takes the answer
	// Origins says where each value came from, aligned with bgp.PeerLeaves. It
	// is nil unless PeerWithOrigins was asked, and good until that is asked
	// again: the peers of a full read share its memory.
	Origins []Origin
}

// Instance returns the specification of an instance, nil where there is none.
// It is shared and must not be changed.
func (c *Config) Instance(key bgp.InstanceKey) *bgp.InstanceSpec {
	if s, ok := c.instances[key]; ok {
		return s
	}
	var s *bgp.InstanceSpec
	in, _ := c.r.Get(schema.BGPInstanceKey(key.Instance)).(*instanceRec)
	bv, _ := c.r.Get(schema.BGPVPNInstanceKey(key)).(*bgpVPNRec)
	if in != nil && bv != nil {
		s = c.instanceSpec(key, in, bv)
	}
	c.instances[key] = s
	return s
}

// Peer returns the specification of the peer with the record k, false where
// there is none.
func (c *Config) Peer(k schema.Key) (Peer, bool) { return c.peer(k, nil) }

// PeerWithOrigins is Peer that also says where each value came from.
func (c *Config) PeerWithOrigins(k schema.Key) (Peer, bool) {
	if c.origins == nil {
		c.origins = make([]Origin, len(bgp.PeerLeaves()))
	}
	clear(c.origins)
	return c.peer(k, c.origins)
}

func (c *Config) peer(k schema.Key, origins []Origin) (Peer, bool) {
	rec, _ := c.r.Get(k).(*peerRec)
	if rec == nil {
		return Peer{}, false
	}
	key := k.PeerKey()
	in := c.Instance(key.InstanceKey())
	if in == nil {
		return Peer{}, false
	}
	p := Peer{Spec: bgp.PeerSpec{Key: key, RouterID: in.RouterID}, Origins: origins}
	p.inherit(in, rec.GetConfig(), settingsOfPeer(rec), c.inherited(in.Key, rec))
	return p, true
}

// inherited is what the group of a peer says, nothing for a peer without one.
func (c *Config) inherited(in bgp.InstanceKey, rec *peerRec) settings {
	cfg := rec.GetConfig()
	if cfg == nil || cfg.PeerGroup == nil {
		return settingsOfGroup(nil)
	}
	id := groupID{in, *cfg.PeerGroup}
	s, ok := c.groups[id]
	if !ok {
		group, _ := c.r.Get(schema.PeerGroupKey(in, id.name)).(*groupRec)
		s = settingsOfGroup(group)
		c.groups[id] = s
	}
	return s
}
