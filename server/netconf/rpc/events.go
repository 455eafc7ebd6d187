package rpc

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// baseEventsNS is that of the notifications of RFC 6470.
const baseEventsNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"

// Follow turns changes of the engine into notifications, until ctx or the
// changes end. Without it there are none but those of sessions.
func (s *Server) Follow(ctx context.Context, changes *commit.Subscription) {
	defer s.engine.WatchPending(s.confirmedCommit)()
	for {
		changes, err := changes.Next(ctx)
		if err != nil {
			return
		}
		s.stream.Publish(s.commitEvents(changes)...)
		// In parts, so that the end of ctx is seen while 100,000 peers tell.
		for part := range slices.Chunk(changes, 1000) {
			if ctx.Err() != nil {
				return
			}
			var events []notify.Event
			for i := range part {
				events = append(events, peerEvents(&part[i])...)
			}
			s.stream.Publish(events...)
		}
	}
}

// commitEvents are the notifications of the commits among some changes. Those of
// peers come after them.
func (s *Server) commitEvents(changes []commit.Change) []notify.Event {
	var out []notify.Event
	var ids []string
	commits := map[string][]*commit.Change{}
	for i := range changes {
		c := &changes[i]
		if id := c.New.CommitID; id != "" && c.Old.Config != c.New.Config {
			if commits[id] == nil {
				ids = append(ids, id)
			}
			commits[id] = append(commits[id], c)
		}
	}
	var history []datastore.Commit
	if len(ids) > 0 {
		history = s.engine.Store().History()
	}
	for _, id := range ids {
		if edits := editsOf(commits[id]); len(edits) > 0 {
			e := xmltree.New("netconf-config-change", changedBy(history, id), xmltree.Leaf("datastore", "running")).In(baseEventsNS)
			e.Children = append(e.Children, edits...)
			out = append(out, notify.Event{Time: commits[id][0].New.Time, Content: e})
		}
	}
	return out
}

// changedBy tells who made a commit. One that the agent made by itself, as the
// rollback of a commit that was not confirmed, is the server's.
func changedBy(history []datastore.Commit, id string) xmltree.Element {
	e := xmltree.New("changed-by")
	i := slices.IndexFunc(history, func(c datastore.Commit) bool { return c.CommitID == id })
	if i < 0 || history[i].User == "" || history[i].Protocol != protocol && history[i].Protocol != "gnmi" {
		e.Children = []xmltree.Element{xmltree.Leaf("server", "")}
		return e
	}
	h := &history[i]
	e.Children = sessionLeaves(h.User, h.Session, h.SourceHost)
	return e
}

// sessionLeaves name a session (RFC 6470 2.2, common-session-parms).
func sessionLeaves(user string, session uint32, host string) []xmltree.Element {
	out := []xmltree.Element{xmltree.Leaf("username", user), xmltree.Leaf("session-id", number(session))}
	if a, err := netip.ParseAddr(host); err == nil {
		out = append(out, xmltree.Leaf("source-host", a.String()))
	}
	return out
}

// maxEdits is how many edits of one commit are told one by one. Of more, the
// trees that they are in are told (RFC 6470 2.2, edit/target).
const maxEdits = 1000

// editsOf lists what a commit changed: a record that is new or gone is one
// edit, with all below it; of others each leaf is one.
func editsOf(changes []*commit.Change) []xmltree.Element {
	whole := map[schema.Key]bool{} // records that are new or gone
	for _, c := range changes {
		if c.Old.Config == nil || c.New.Config == nil {
			whole[c.Key] = true
		}
	}
	var out []xmltree.Element
	add := func(p schema.Path, created, deleted bool) {
		operation := "merge"
		switch {
		case created:
			operation = "create"
		case deleted:
			operation = "delete"
		}
		x := dataPath(p)
		target := xmltree.Leaf("target", x.text)
		for _, p := range x.prefixes {
			target.Prefixes = append(target.Prefixes, xmltree.Prefix{Name: p.prefix, Namespace: p.namespace})
		}
		out = append(out, xmltree.New("edit", target, xmltree.Leaf("operation", operation)))
	}
	for _, c := range changes {
		switch {
		case whole[c.Key] && !whole[c.Key.Parent()]:
			add(c.Key.Path(), c.Old.Config == nil, c.New.Config == nil)
		case !whole[c.Key]:
			for _, d := range schema.Diff(c.Key, c.Old.Config, c.New.Config) {
				add(d.Path, d.Old == "", d.New == "")
			}
		}
		if len(out) > maxEdits {
			out = nil
			for _, top := range tops(changes) {
				add(schema.Path{{Node: top}}, false, false)
			}
			return out
		}
	}
	return out
}

// startupSaved tells that a session has changed the startup datastore.
func (s *Server) startupSaved(sess *Session, dirty []schema.Dirty) {
	if len(dirty) == 0 {
		return
	}
	all := changesOf(dirty)
	changes := make([]*commit.Change, len(all))
	for i := range all {
		changes[i] = &all[i]
	}
	by := xmltree.New("changed-by", sessionLeaves(sess.Identity.User, sess.ID, sess.actor().Source)...)
	e := xmltree.New("netconf-config-change", by, xmltree.Leaf("datastore", "startup")).In(baseEventsNS)
	e.Children = append(e.Children, editsOf(changes)...)
	s.stream.Publish(notify.Event{Time: time.Now(), Content: e})
}

// tops are the top-level nodes that changes are in, in the order of the model.
func tops(changes []*commit.Change) []*schema.Node {
	in := map[*schema.Node]bool{}
	for _, c := range changes {
		n := c.Key.Kind().Node
		for n.Parent.Parent != nil {
			n = n.Parent
		}
		in[n] = true
	}
	var out []*schema.Node
	for _, n := range schema.Root().Children {
		if in[n] {
			out = append(out, n)
		}
	}
	return out
}

// SessionStarted tells that a session began (RFC 6470 2.2).
func (s *Server) SessionStarted(sess *Session) {
	s.session(sess, "netconf-session-start")
}

// SessionEnded tells that a session ended, and why: a word of RFC 6470 2.2.
// killedBy is the session that killed it, 0 for none.
func (s *Server) SessionEnded(sess *Session, reason string, killedBy uint32) {
	var more []xmltree.Element
	if killedBy != 0 && reason == "killed" {
		more = append(more, xmltree.Leaf("killed-by", number(killedBy)))
	}
	s.session(sess, "netconf-session-end", append(more, xmltree.Leaf("termination-reason", reason))...)
}

func (s *Server) session(sess *Session, name string, more ...xmltree.Element) {
	leaves := sessionLeaves(sess.Identity.User, sess.ID, sess.actor().Source)
	s.stream.Publish(notify.Event{Time: time.Now(), Content: xmltree.New(name, append(leaves, more...)...).In(baseEventsNS)})
}
