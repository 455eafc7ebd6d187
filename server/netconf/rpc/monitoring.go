package rpc

import (
	"strconv"
	"sync/atomic"
	"time"

	"mooring/engine/datastore"
	"mooring/server/netconf/xmltree"
)

// Counters count messages, of one session or of all (RFC 6022 2.1.4, 2.1.5).
type Counters struct {
	InRPCs, InBadRPCs, OutErrors, OutNotifications atomic.Uint32
}

// Statistics are what is known of sessions that are gone too (RFC 6022 2.1.5).
type Statistics struct {
	Start                        time.Time // of the server
	Sessions, BadHellos, Dropped uint32
}

// netconfState is /netconf-state (RFC 6022 2.1).
func netconfState(s *Server) xmltree.Element {
	return xmltree.New("netconf-state", s.stateOfCapabilities(), s.stateOfDatastores(), stateOfSchemas(), s.stateOfSessions(), s.stateOfStatistics())
}

func (s *Server) stateOfCapabilities() xmltree.Element {
	e := xmltree.New("capabilities")
	for _, c := range s.Capabilities() {
		e.Children = append(e.Children, xmltree.Leaf("capability", c))
	}
	return e
}

func (s *Server) stateOfDatastores() xmltree.Element {
	e := xmltree.New("datastores")
	locks := s.engine.Store().Locks()
	for _, ds := range s.datastores() {
		d := xmltree.New("datastore", xmltree.Key("name", ds.String()))
		for _, l := range locks {
			if l.Datastore != ds {
				continue
			}
			d.Children = append(d.Children, xmltree.New("locks", xmltree.New("global-lock",
				xmltree.Leaf("locked-by-session", number(l.Holder.Session)), xmltree.Leaf("locked-time", stamp(l.Since)))))
		}
		if parts := s.engine.Store().PartialLocks(); ds == datastore.DatastoreRunning && len(parts) > 0 {
			d.Children = append(d.Children, xmltree.New("locks", stateOfPartialLocks(parts)...))
		}
		e.Children = append(e.Children, d)
	}
	return e
}

// datastores are those that are served.
func (s *Server) datastores() []datastore.Datastore {
	out := []datastore.Datastore{datastore.DatastoreRunning, datastore.DatastoreCandidate}
	if s.startup {
		out = append(out, datastore.DatastoreStartup)
	}
	return out
}

func stateOfSchemas() xmltree.Element {
	e := xmltree.New("schemas")
	for _, m := range modules {
		e.Children = append(e.Children, xmltree.New("schema",
			xmltree.Key("identifier", m.Name), xmltree.Key("version", m.Revision), xmltree.Key("format", formatYANG),
			xmltree.Leaf("namespace", m.Namespace), xmltree.Leaf("location", "NETCONF")))
	}
	return e
}

func (s *Server) stateOfSessions() xmltree.Element {
	e := xmltree.New("sessions")
	for _, sess := range s.sessions.All() {
		one := xmltree.New("session",
			xmltree.Key("session-id", number(sess.ID)), xmltree.Leaf("transport", sess.Transport), xmltree.Leaf("username", sess.Identity.User))
		if host := sess.actor().Source; host != "" {
			one.Children = append(one.Children, xmltree.Leaf("source-host", host))
		}
		one.Children = append(one.Children, xmltree.Leaf("login-time", stamp(sess.Login)))
		one.Children = append(one.Children, sess.Counters.elements()...)
		e.Children = append(e.Children, one)
	}
	return e
}

func (s *Server) stateOfStatistics() xmltree.Element {
	st := s.sessions.Statistics()
	e := xmltree.New("statistics",
		xmltree.Leaf("netconf-start-time", stamp(st.Start)), xmltree.Leaf("in-bad-hellos", number(st.BadHellos)),
		xmltree.Leaf("in-sessions", number(st.Sessions)), xmltree.Leaf("dropped-sessions", number(st.Dropped)))
	e.Children = append(e.Children, s.counters.elements()...)
	return e
}

func (c *Counters) elements() []xmltree.Element {
	return []xmltree.Element{
		xmltree.Leaf("in-rpcs", number(c.InRPCs.Load())), xmltree.Leaf("in-bad-rpcs", number(c.InBadRPCs.Load())),
		xmltree.Leaf("out-rpc-errors", number(c.OutErrors.Load())), xmltree.Leaf("out-notifications", number(c.OutNotifications.Load())),
	}
}

// count notes a message of a session and what became of it.
func (s *Server) count(sess *Session, bad, failed bool) {
	for _, c := range []*Counters{&s.counters, &sess.Counters} {
		if bad {
			c.InBadRPCs.Add(1)
		} else {
			c.InRPCs.Add(1)
		}
		if failed {
			c.OutErrors.Add(1)
		}
	}
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func counter(n uint64) string { return strconv.FormatUint(n, 10) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
