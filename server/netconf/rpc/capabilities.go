package rpc

import (
	"strings"

	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/netconf/xmltree"
)

const (
	systemCapabilitiesNS       = "urn:ietf:params:xml:ns:yang:ietf-system-capabilities"
	notificationCapabilitiesNS = "urn:ietf:params:xml:ns:yang:ietf-notification-capabilities"
)

// systemCapabilities is /system-capabilities (RFC 9196): what subscriptions to
// a datastore can be.
func systemCapabilities(s *Server) xmltree.Element {
	const everything = "config-changes state-changes"
	e := xmltree.New("system-capabilities", subscriptionCapabilities(
		xmltree.Leaf("minimum-update-period", centiseconds(minPeriod)),
		xmltree.Leaf("minimum-dampening-period", "0"),
		xmltree.Leaf("supported-excluded-change-type", "all"),
	))
	for _, ds := range s.libraryDatastores() {
		name := xmltree.Key("datastore", "ds:"+ds)
		name.Prefixes = datastoresPrefix
		one := xmltree.New("datastore-capabilities", name)
		_, ok := subscribable[ds]
		switch {
		case !ok:
			one.Children = append(one.Children, forNodes("/", "", ""))
		case ds == "operational":
			// Nobody tells of a change of what the server makes up when it is asked.
			for _, t := range s.trees {
				p := prefixOfNamespace(t.namespace)
				nodes := forNodes("/"+p.prefix+":"+t.name, everything, "")
				nodes.Children[0].Prefixes = []xmltree.Prefix{{Name: p.prefix, Namespace: p.namespace}}
				one.Children = append(one.Children, nodes)
			}
			for _, path := range commit.Untold {
				one.Children = append(one.Children, untold(path, everything))
			}
			one.Children = append(one.Children, forNodes("/", everything, everything))
		default:
			one.Children = append(one.Children, forNodes("/", "config-changes", "config-changes"))
		}
		e.Children = append(e.Children, one)
	}
	return e
}

// untold says that changes of a node of the model are not told.
func untold(path, periodic string) xmltree.Element {
	top, _, _ := strings.Cut(path[1:], "/")
	p := prefixOfNamespace(schema.Root().Child(top).Namespace)
	nodes := forNodes(strings.ReplaceAll(path, "/", "/"+p.prefix+":"), periodic, "")
	nodes.Children[0].Prefixes = []xmltree.Prefix{{Name: p.prefix, Namespace: p.namespace}}
	return nodes
}

// forNodes says for which changes there are periodic and on-change
// subscriptions to some nodes.
func forNodes(selector, periodic, onChange string) xmltree.Element {
	return xmltree.New("per-node-capabilities", xmltree.Leaf("node-selector", selector), subscriptionCapabilities(
		xmltree.Leaf("periodic-notifications-supported", periodic), xmltree.Leaf("on-change-supported", onChange)))
}

func subscriptionCapabilities(leaves ...xmltree.Element) xmltree.Element {
	return xmltree.New("subscription-capabilities", leaves...).In(notificationCapabilitiesNS)
}
