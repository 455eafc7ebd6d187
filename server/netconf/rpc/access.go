package rpc

import (
	"slices"
	"strings"

	"mooring/bgp"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/gen"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// rights is what the user of a session may do now (RFC 8341).
func (s *Server) rights(sess *Session) *nacm.Rights {
	return s.access.Of(nacm.Identity{User: sess.Identity.User, Groups: sess.Identity.Groups})
}

// mayCall refuses an operation that the user may not call. The error names no
// path (RFC 8341 3.4.3).
func (c *call) mayCall() error {
	c.rights = c.srv.rights(c.sess)
	who, name := c.sess.Identity.User, c.req.op.local
	if !c.rights.Exec(moduleOf(c.req.op.namespace), name) {
		return protocolError(schema.AccessDenied, "access denied: "+who+" may not call "+name)
	}
	if slices.Contains(forWriters, name) && !c.rights.Writes() {
		return protocolError(schema.AccessDenied, "access denied: "+who+" may write nothing, so there is nothing to "+name)
	}
	return nil
}

// forWriters are the operations that keep others from writing, or undo or settle
// what they wrote: who may write nothing has no use for them.
var forWriters = []string{"lock", "partial-lock", "discard-changes", "commit", "cancel-commit"}

// moduleOf is the module with a namespace, empty for none.
func moduleOf(namespace string) string {
	i := slices.IndexFunc(modules, func(m gen.Module) bool { return m.Namespace == namespace })
	if i < 0 {
		return ""
	}
	return modules[i].Name
}

// readable returns what the user may read of an element that the server makes
// up. An element that is not readable itself stays where something in it is.
func readable(r *nacm.Rights, e xmltree.Element, above []nacm.Element) (xmltree.Element, bool) {
	if r == nil {
		return e, true
	}
	at := nacm.Element{Name: e.Name, Keys: map[string]string{}}
	if at.Module = moduleOf(e.Namespace); e.Namespace == "" {
		at.Module = above[len(above)-1].Module
	}
	for _, c := range e.Children {
		if c.Key {
			at.Keys[c.Name] = c.Text
		}
	}
	path := append(slices.Clip(above), at)
	here, below := r.Reads(path)
	if !below {
		return e, false
	}
	var children []xmltree.Element
	others := false
	for _, c := range e.Children {
		if c.Key {
			children = append(children, c)
			continue
		}
		if c, ok := readable(r, c, path); ok {
			children, others = append(children, c), true
		}
	}
	e.Children = children
	return e, here || others
}

// mayReceive says whether the user of a session may receive a notification,
// and returns what may be told of it. Those about a subscription itself are
// always received (RFC 8341 3.4.6, step 3). Those about data that the user may
// not read are not.
func (s *Server) mayReceive(sess *Session, e notify.Event) (notify.Event, bool) {
	r := s.rights(sess)
	ns := e.Content.Namespace
	if r == nil || ns == streamsNS || ns == subscribedNS {
		return e, true
	}
	if !r.Notify(moduleOf(ns), e.Content.Name) {
		return e, false
	}
	told := true
	switch e.Content.Name {
	case "netconf-config-change":
		e.Content, told = readableEdits(r, e.Content)
	case "peer-state-change", "peer-reset", "peer-unresolved":
		peer := peerOf(e.Content)
		told = r.Shows(peer.Path())
		e.Content.Children = slices.DeleteFunc(slices.Clone(e.Content.Children), func(c xmltree.Element) bool {
			leaf, _, _ := strings.Cut(c.Text, ": ")
			return c.Name == "leaf" && !r.Setting(peer, leaf)
		})
	}
	if !told {
		r.Dropped()
	}
	return e, told
}

// readableEdits leaves out the edits of data that the user may not read.
func readableEdits(r *nacm.Rights, e xmltree.Element) (xmltree.Element, bool) {
	kept := make([]xmltree.Element, 0, len(e.Children))
	edits := 0
	for _, c := range e.Children {
		if c.Name == "edit" {
			if schema.At(r.Read(), targetOf(&c)) == schema.Nothing {
				continue
			}
			edits++
		}
		kept = append(kept, c)
	}
	e.Children = kept
	return e, edits > 0
}

// targetOf is the path of the data that an edit is about.
func targetOf(edit *xmltree.Element) schema.Path {
	target := edit.Children[0]
	in, err := schema.ParseInstance(target.Text, func(prefix string) (string, bool) {
		i := slices.IndexFunc(target.Prefixes, func(p xmltree.Prefix) bool { return p.Name == prefix })
		if i < 0 {
			return "", false
		}
		return moduleOf(target.Prefixes[i].Namespace), true
	})
	if err != nil {
		return nil // the server has written it
	}
	return in.Path()
}

// peerOf is the peer that a notification names.
func peerOf(e xmltree.Element) schema.Key {
	var names [3]string
	for _, c := range e.Children {
		if i := slices.Index([]string{"instance", "vpn-instance", "address"}, c.Name); i >= 0 {
			names[i] = c.Text
		}
	}
	in := schema.BGPVPNInstanceKey(bgp.InstanceKey{Instance: names[0], VPN: names[1]})
	return schema.MakeKey(in, schema.KindOf(schema.KindPeer), names[2])
}
