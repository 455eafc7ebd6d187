package rpc

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/engine/schema"
	"mooring/internal/nearest"
	"mooring/server/netconf/push"
	"mooring/server/netconf/xmltree"
)

const pushNS = "urn:ietf:params:xml:ns:yang:ietf-yang-push"

// centisecond is the unit of periods.
const centisecond = 10 * time.Millisecond

// minPeriod is the shortest period of a periodic subscription.
const minPeriod = 10 * centisecond

// subscribable are the datastores that can be subscribed to, and what of them
// is shown: operational is all that get reads, the others are running.
var subscribable = map[string]schema.Content{
	"running": schema.ConfigOnly, "intended": schema.ConfigOnly, "operational": schema.All,
}

// pushTerms are those of a subscription to a datastore (RFC 8641 3.2).
type pushTerms struct {
	datastore string // its identity in ietf-datastores
	selection push.Selection
	trees     *xmltree.Filter // of what the server makes up itself; nil: all
	expr      *filter         // instead of both: an expression that is evaluated for each update

	period time.Duration // of a periodic one; 0: it is on-change
	anchor time.Time     // zero: the first update is the anchor

	dampening time.Duration
	sync      bool // all that is selected comes first
	excluded  []string
}

// elements are the terms that are of RFC 8641.
func (t *pushTerms) elements() []xmltree.Element {
	ds := xmltree.Leaf("datastore", "ds:"+t.datastore).In(pushNS)
	ds.Prefixes = datastoresPrefix
	if t.period > 0 {
		e := xmltree.New("periodic", xmltree.Leaf("period", centiseconds(t.period))).In(pushNS)
		if !t.anchor.IsZero() {
			e.Children = append(e.Children, xmltree.Leaf("anchor-time", stamp(t.anchor)))
		}
		return []xmltree.Element{ds, e}
	}
	e := xmltree.New("on-change", xmltree.Leaf("dampening-period", centiseconds(t.dampening)),
		xmltree.Leaf("sync-on-start", strconv.FormatBool(t.sync))).In(pushNS)
	for _, x := range t.excluded {
		e.Children = append(e.Children, xmltree.Leaf("excluded-change", x))
	}
	return []xmltree.Element{ds, e}
}

func centiseconds(d time.Duration) string { return strconv.FormatInt(int64(d/centisecond), 10) }

// pushTarget reads the datastore and the filter.
func (c *call) pushTarget(t *terms) error {
	if p := c.req.findIn(pushNS, "datastore"); p != nil {
		ns, local, err := c.identityOf(p)
		if err != nil {
			return err
		}
		content, ok := subscribable[local]
		if ns != datastoresNS || !ok {
			return c.refuse(datastoreNotSubscribable, "only running, intended and operational can be subscribed to").at(c.hereIn(p.name))
		}
		t.push.datastore, t.push.selection.Content = local, content
	}
	if p := c.req.findIn(pushNS, "selection-filter-ref"); p != nil {
		e := &Error{Type: typeApplication, Tag: schema.DataMissing, AppTag: schema.AppInstanceRequired}
		e.Message = "there is no filter " + p.text + ": filters cannot be configured, give it in the subscription"
		return e.at(c.hereIn(p.name))
	}
	p, x := c.req.findIn(pushNS, "datastore-subtree-filter"), c.req.findIn(pushNS, "datastore-xpath-filter")
	switch {
	case p != nil && x != nil:
		return protocolError(schema.BadElement, "the filters exclude each other").element(x.local).at(c.hereIn(x.name))
	case x != nil:
		return c.pushXPath(t, x)
	case p == nil:
		return nil
	}
	var err error
	t.push.expr = nil
	if t.filter, t.push.trees, err = c.subtree(p); err != nil {
		return err
	}
	dec, err := c.req.enter(p)
	if err != nil {
		return err
	}
	t.push.selection.Filter, err = schema.ParseSubtreeFilter(dec)
	return err
}

// pushXPath reads an expression that selects nodes of the datastore. A path to
// nodes is a filter as good as any; others must be evaluated each time, which
// is too much where changes are to be told.
func (c *call) pushXPath(t *terms, p *param) error {
	e, f, err := c.subscriptionXPath(p)
	if err != nil {
		return err
	}
	t.filter, t.push.expr = e, nil
	t.push.selection.Filter, t.push.trees = schema.NewFilter(nil), xmltree.Nothing
	switch path, ok := f.expr.Path(nil); {
	case !f.expr.NodeSet(): // it selects nothing (RFC 8641 5, datastore-xpath-filter)
	case ok && len(path) == 0:
		t.push.selection.Filter, t.push.trees = nil, nil
	case ok:
		t.push.selection.Filter = schema.PathFilter(path)
	default:
		t.push.expr = f
	}
	return nil
}

// trigger reads periodic or on-change. Of a modification it leaves what cannot
// be modified.
func (c *call) trigger(t *pushTerms) error {
	periodic, onChange := c.req.findIn(pushNS, "periodic"), c.req.findIn(pushNS, "on-change")
	switch {
	case periodic != nil && onChange != nil:
		return protocolError(schema.BadElement, "periodic and on-change exclude each other").element("on-change").at(c.hereIn(onChange.name))
	case periodic != nil:
		return c.periodic(t, periodic)
	case onChange != nil:
		return c.onChange(t, onChange)
	}
	return nil
}

func (c *call) periodic(t *pushTerms, p *param) error {
	leaves, err := c.leaves(p, "period", "anchor-time")
	if err != nil {
		return err
	}
	t.anchor = time.Time{}
	period := ""
	for _, l := range leaves {
		if l.Name == "period" {
			period = l.Text
			continue
		}
		if t.anchor, err = time.Parse(time.RFC3339, l.Text); err != nil {
			return protocolError(schema.InvalidValue, "anchor-time must be a date and time with its zone, as 2026-01-31T12:00:00Z").at(c.below(p, l.Name))
		}
	}
	if period == "" {
		return protocolError(schema.MissingElement, "periodic needs a period").element("period").at(c.hereIn(p.name))
	}
	if t.period, err = c.centiseconds(p, "period", period); err != nil {
		return err
	}
	if t.period < minPeriod {
		return c.refuse(periodUnsupported, "the shortest period is "+minPeriod.String(), xmltree.Leaf("period-hint", centiseconds(minPeriod))).at(c.below(p, "period"))
	}
	return nil
}

// changeTypes are those of RFC 8641. No list of the model is ordered by the
// user, so nothing is ever inserted or moved.
var changeTypes = map[string][]schema.Op{
	"create": {schema.OpCreate}, "delete": {schema.OpDelete}, "replace": {schema.OpReplace}, "insert": nil, "move": nil,
}

func (c *call) onChange(t *pushTerms, p *param) error {
	known := []string{"dampening-period"}
	if c.req.op.local == "establish-subscription" {
		known = append(known, "sync-on-start", "excluded-change")
		t.sync, t.excluded, t.selection.Exclude = true, nil, nil
	}
	leaves, err := c.leaves(p, known...)
	if err != nil {
		return err
	}
	if t.period > 0 { // it was periodic
		t.period, t.sync = 0, true
	}
	for _, l := range leaves {
		switch l.Name {
		case "dampening-period":
			if t.dampening, err = c.centiseconds(p, l.Name, l.Text); err != nil {
				return err
			}
		case "sync-on-start":
			if l.Text != "true" && l.Text != "false" {
				return protocolError(schema.InvalidValue, "sync-on-start must be true or false").at(c.below(p, l.Name))
			}
			t.sync = l.Text == "true"
		default:
			ops, ok := changeTypes[l.Text]
			if !ok || slices.Contains(t.excluded, l.Text) {
				return protocolError(schema.InvalidValue, "excluded-change must be create, delete, insert, move or replace, each once").at(c.below(p, l.Name))
			}
			t.excluded, t.selection.Exclude = append(t.excluded, l.Text), append(t.selection.Exclude, ops...)
		}
	}
	return nil
}

// leaves reads the leaves in a container of RFC 8641. Those that may stand more
// than once are leaf-lists.
func (c *call) leaves(p *param, known ...string) ([]xmltree.Element, error) {
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, err
	}
	e, err := xmltree.ReadContent(dec)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, l := range e.Children {
		switch {
		case l.Namespace != pushNS || !slices.Contains(known, l.Name):
			return nil, protocolError(schema.UnknownElement, p.local+" has no "+l.Name+nearest.Hint(l.Name, slices.Values(known))).element(l.Name).at(c.hereIn(p.name))
		case len(l.Children) > 0:
			return nil, protocolError(schema.UnknownElement, l.Name+" is a leaf and holds no element").element(l.Children[0].Name).at(c.below(p, l.Name))
		case seen[l.Name] && l.Name != "excluded-change":
			return nil, protocolError(schema.BadElement, l.Name+" is given twice").element(l.Name).at(c.hereIn(p.name))
		}
		seen[l.Name] = true
	}
	if strings.TrimSpace(e.Text) != "" {
		return nil, protocolError(schema.BadElement, "text where only elements may be").element(p.local).at(c.hereIn(p.name))
	}
	return e.Children, nil
}

func (c *call) centiseconds(p *param, leaf, text string) (time.Duration, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, protocolError(schema.InvalidValue, leaf+" must be a number of hundredths of a second").at(c.below(p, leaf))
	}
	return time.Duration(n) * centisecond, nil
}

// below is the path of a leaf in a container of RFC 8641.
func (c *call) below(p *param, leaf string) errorPath {
	x := c.hereIn(p.name)
	x.text += "/yp:" + leaf
	return x
}

// checkPush refuses terms that can never lead to an update, and names the
// selection.
func (c *call) checkPush(t *terms) error {
	sel := &t.push.selection
	records := sel.Filter.Takes(sel.Content)
	own := t.push.datastore == "operational" && selectsTrees(t.push.trees)
	switch {
	case t.push.expr != nil && t.push.period == 0:
		const message = "for changes the expression must be a path of child elements, whose only predicates are list keys"
		return c.refuse(filterUnsupported, message, filterHint(message))
	case t.push.expr != nil:
	case !records && !own:
		const message = "the filter selects nothing that this datastore can have"
		return c.refuse(unchangingSelection, message, filterHint(message))
	case !records && t.push.period == 0:
		return c.refuse(onChangeUnsupported, "changes of what the filter selects are not told: use a periodic subscription")
	}
	key := []byte(strconv.Itoa(int(sel.Content)) + " " + strings.Join(t.push.excluded, " ") + " ")
	if t.filter != nil {
		key = t.filter.Append(key, "")
	}
	sel.Key = string(key)
	return nil
}
