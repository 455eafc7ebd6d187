package rpc

import (
	"errors"
	"io"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/engine/xpath"
	"mooring/server/netconf/push"
)

const compareNS = "urn:ietf:params:xml:ns:yang:ietf-nmda-compare"

// comparison are the datastores that can be compared, and which one of ours
// holds the configuration that each has: running is what is intended, and all
// of it is in use when a commit is answered.
var comparison = map[string]place{
	"running": running, "candidate": candidate, "startup": startup, "intended": running, "operational": running,
}

// compare is RFC 9144 4, of configuration: secrets and state are not compared.
// It looks at what differs, and for that at most once at each record.
var compareOperation = operation{
	params: []spec{
		{name: "source", mandatory: true},
		{name: "target", mandatory: true},
		{name: "all"},
		{name: "report-origin"},
		{name: "subtree-filter"},
		{name: "xpath-filter"},
	},
	run: func(c *call) (body, error) {
		from, err := c.compared("source")
		if err != nil {
			return nil, err
		}
		to, err := c.compared("target")
		if err != nil {
			return nil, err
		}
		if err := c.onlyConfig(); err != nil {
			return nil, err
		}
		f, err := c.dataFilter()
		if err != nil {
			return nil, err
		}
		a, b := c.rights.View(c.srv.engine.ConfigView(c.view(from))), c.rights.View(c.srv.engine.ConfigView(c.view(to)))
		filter, matches, err := c.filterOf(f, a, b)
		if err != nil {
			return nil, err
		}
		if !matches {
			return nothingCompared, nil
		}
		name := c.req.find("source").text + " to " + c.req.find("target").text
		sel := push.Selection{Filter: filter, Content: schema.ConfigOnly, Before: a}
		changes := changesOf(c.difference(from, to))
		if c.rights.Read() != nil {
			records := c.rights.Records()
			changes = commit.Readable(changes, records.Of)
		}
		return differences(name, changes, &sel), nil
	},
}

// compared reads source or target.
func (c *call) compared(name string) (place, error) {
	p := c.req.find(name)
	ns, local, err := c.identityOf(p)
	if err != nil {
		return "", err
	}
	at, ok := comparison[local]
	text := ""
	switch {
	case ns != datastoresNS || !ok:
	case at == startup && !c.srv.startup:
		text = noStartup
	default:
		return at, nil
	}
	return "", protocolError(schema.InvalidValue, p.text+" is no datastore that can be compared"+text).at(c.here(name))
}

// onlyConfig refuses what would compare state, which has no second datastore
// to be compared with, and origins, which all configuration has the same of.
func (c *call) onlyConfig() error {
	for _, name := range []string{"all", "report-origin"} {
		given, err := c.flag(name)
		if err != nil {
			return err
		}
		if given && (c.names("source", "operational") || c.names("target", "operational")) {
			return protocolError(schema.OperationNotSupported, name+" is not supported with operational: of that only the configuration is compared").at(c.here(name))
		}
	}
	return nil
}

// names says whether a parameter names a datastore.
func (c *call) names(param, datastore string) bool {
	_, local, err := c.identityOf(c.req.find(param))
	return err == nil && local == datastore
}

// filterOf is what a filter selects in any of some views, nil for everything,
// and whether that is anything.
func (c *call) filterOf(f *filter, views ...schema.View) (*schema.Filter, bool, error) {
	if f == nil {
		return nil, true, nil
	}
	o := schema.XMLOptions{Content: schema.ConfigOnly}
	var out *schema.Filter
	switch p, static := f.path(); {
	case f.expr == nil:
		out = f.records
	case static:
		out = schema.PathFilter(p)
	default:
		var items []*schema.Item
		for _, v := range views {
			doc := xpath.NewDocument(xpath.Records(&schema.Tree{View: v, Content: o.Content}))
			nodes, err := f.expr.Nodes(c.ctx, xpath.Context{Document: doc})
			if err != nil {
				return nil, false, f.wire(err, schema.ResourceDenied)
			}
			if len(nodes) > 0 && nodes[0] == xpath.Node(doc) {
				return nil, true, nil
			}
			for _, n := range nodes {
				if i := xpath.Item(n); i != nil {
					items = append(items, i)
				}
			}
		}
		return schema.NewFilter(items), len(items) > 0, nil
	}
	for _, v := range views {
		if err := schema.EncodeXML(something{}, v, out, o); errors.Is(err, errSomething) {
			return out, true, nil
		}
	}
	return out, false, nil
}

// path is the path that an expression is, if it is one.
func (f *filter) path() (schema.Path, bool) {
	if f.expr == nil {
		return nil, false
	}
	p, ok := f.expr.Path(nil)
	return p, ok && len(p) > 0
}

// something is a writer that fails as soon as anything is written.
type something struct{}

var errSomething = errors.New("something is there")

func (something) Write(p []byte) (int, error) { return 0, errSomething }

// difference is what leads from one datastore to another. Where the candidate
// is one and running the other, only what was edited is looked at.
func (c *call) difference(from, to place) []schema.Dirty {
	switch {
	case from == to:
		return nil
	case from == running && to == candidate:
		return c.draft().Changes()
	case from == candidate && to == running:
		out := c.draft().Changes()
		back := make([]schema.Dirty, len(out))
		for i, d := range out {
			back[i] = schema.Dirty{Key: d.Key, Old: d.New, New: d.Old}
		}
		return back
	}
	return datastore.Diff(c.view(from), c.view(to))
}

// changesOf makes changes of configuration of records that differ.
func changesOf(dirty []schema.Dirty) []commit.Change {
	out := make([]commit.Change, len(dirty))
	for i, d := range dirty {
		out[i] = commit.Change{Key: d.Key, Old: commit.Entry{Config: d.Old}, New: commit.Entry{Config: d.New}}
	}
	return out
}

func nothingCompared(w io.Writer, _ string) error {
	_, err := io.WriteString(w, `<no-matches xmlns="`+compareNS+`"/>`)
	return err
}

// differences streams the edits as a YANG patch (RFC 8072), with what they take
// away.
func differences(name string, changes []commit.Change, sel *push.Selection) body {
	return func(w io.Writer, _ string) error {
		x := writer{}
		x.b = append(x.b, `<differences xmlns="`+compareNS+`">`...)
		x.open("yang-patch")
		x.leaf("patch-id", name)
		if _, err := w.Write(x.b); err != nil {
			return err
		}
		if err := push.Write(w, changes, sel.Reader(nil)); err != nil {
			return err
		}
		_, err := io.WriteString(w, "</yang-patch></differences>")
		return err
	}
}
