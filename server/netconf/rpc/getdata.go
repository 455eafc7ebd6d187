package rpc

import (
	"slices"
	"strconv"

	"mooring/engine/schema"
	"mooring/engine/xpath"
)

// operational is the datastore of what is in use, with the state (RFC 8342
// 5.3). Every commit is applied before it is answered, so its configuration is
// that of running, with the defaults in use.
const operational place = "operational"

const nmdaNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"

// takeDatastore are the operations of RFC 6241 that can be given a datastore by
// its identity (RFC 8526 3.2).
var takeDatastore = []string{"lock", "unlock", "validate"}

// datastoreNamed returns the datastore of an identity, which must be one of
// those allowed.
func (c *call) datastoreNamed(id xpath.Name, at errorPath, allowed ...place) (place, error) {
	ds := place(id.Local)
	switch {
	case id.Namespace == datastoresNS && ds == startup && !c.srv.startup:
		return "", protocolError(schema.InvalidValue, "that is no datastore of this server"+noStartup).at(at)
	case id.Namespace != datastoresNS || !slices.Contains(c.srv.libraryDatastores(), id.Local):
		return "", protocolError(schema.InvalidValue, "that is no datastore of this server").at(at)
	case !slices.Contains(allowed, ds):
		return "", protocolError(schema.InvalidValue, c.req.op.local+" does not work on "+id.Local).at(at)
	}
	return ds, nil
}

// datastore reads the parameter datastore.
func (c *call) datastore(allowed ...place) (place, error) {
	ns, local, err := c.identityOf(c.req.find("datastore"))
	if err != nil {
		return "", err
	}
	return c.datastoreNamed(xpath.Name{Namespace: ns, Local: local}, c.here("datastore"), allowed...)
}

// get-data is RFC 8526 3.1.1.
var getDataOperation = operation{
	params: []spec{
		{name: "datastore", mandatory: true},
		{name: "subtree-filter"},
		{name: "xpath-filter"},
		{name: "config-filter"},
		{name: "origin-filter", many: true},
		{name: "negated-origin-filter", many: true},
		{name: "max-depth"},
		{name: "with-origin"},
		{name: "with-defaults"},
	},
	run: func(c *call) (body, error) {
		ds, err := c.datastore(running, candidate, startup, intended, operational)
		if err != nil {
			return nil, err
		}
		f, err := c.dataFilter()
		if err != nil {
			return nil, err
		}
		o, err := c.dataOptions(ds)
		if err != nil {
			return nil, err
		}
		v, own := c.srv.engine.View(), &ownTrees{c.srv, c.rights}
		if ds != operational {
			v, own = c.srv.engine.ConfigView(c.view(ds)), nil
		}
		if o.Content == schema.ConfigOnly {
			own = nil // all that the server makes up is state
		}
		v = c.rights.View(v)
		sel, err := f.selects(c.ctx, v, o, own)
		if err != nil {
			return nil, err
		}
		return dataBody(v, sel, o, dataHead{namespace: nmdaNS}), nil
	},
}

// dataFilter reads the filter, nil for none.
func (c *call) dataFilter() (*filter, error) {
	subtree, expr := c.req.find("subtree-filter"), c.req.find("xpath-filter")
	switch {
	case subtree != nil && expr != nil:
		return nil, c.excludes("subtree-filter", "xpath-filter")
	case subtree != nil:
		return c.subtreeFilter(subtree)
	case expr != nil:
		return c.xpathFilter(expr)
	}
	return nil, nil
}

// excludes refuses two cases of one choice.
func (c *call) excludes(first, second string) error {
	return protocolError(schema.BadElement, first+" and "+second+" exclude each other").element(second).at(c.here())
}

// dataOptions reads what else there is to be chosen.
func (c *call) dataOptions(ds place) (o schema.XMLOptions, err error) {
	basic := schema.Explicit
	if ds == operational {
		basic = schema.ReportAll // RFC 8342 5.3: what is in use is there
	}
	if o.Defaults, err = c.defaultsMode(nmdaNS, basic); err != nil {
		return o, err
	}
	if o.Content, err = c.configFilter(ds); err != nil {
		return o, err
	}
	if o.MaxDepth, err = c.maxDepth(); err != nil {
		return o, err
	}
	if p := c.req.find("with-origin"); p != nil {
		if ds != operational || p.text != "" || p.child != nil {
			return o, protocolError(schema.InvalidValue, "with-origin is empty, and only operational has origins").at(c.here("with-origin"))
		}
		o.Origin = true
	}
	o.Origins, err = c.origins(ds)
	return o, err
}

func (c *call) configFilter(ds place) (schema.Content, error) {
	p := c.req.find("config-filter")
	switch {
	case p == nil && ds == operational:
		return schema.All, nil
	case p == nil, p.text == "true" && p.child == nil:
		return schema.ConfigOnly, nil
	case p.text == "false" && p.child == nil:
		return schema.StateOnly, nil
	}
	return 0, protocolError(schema.InvalidValue, "config-filter must be true or false").at(c.here("config-filter"))
}

// maxDepth reads max-depth, 0 for no limit.
func (c *call) maxDepth() (int, error) {
	p := c.req.find("max-depth")
	if p == nil || p.text == "unbounded" && p.child == nil {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.text, 10, 16)
	if err != nil || n == 0 || p.child != nil {
		return 0, protocolError(schema.InvalidValue, "max-depth must be a number from 1 to 65535, or unbounded").at(c.here("max-depth"))
	}
	return int(n), nil
}

// origins reads origin-filter or negated-origin-filter.
func (c *call) origins(ds place) (schema.Origins, error) {
	wanted, negated := c.req.find("origin-filter"), c.req.find("negated-origin-filter")
	switch {
	case wanted == nil && negated == nil:
		return 0, nil
	case wanted != nil && negated != nil:
		return 0, c.excludes("origin-filter", "negated-origin-filter")
	case wanted == nil:
		wanted = negated
	}
	if ds != operational {
		return 0, protocolError(schema.InvalidValue, "only operational has origins").at(c.here(wanted.local))
	}
	named, err := c.originsNamed(wanted.local)
	if err == nil && wanted == negated {
		named = ^named
	}
	return named | schema.OriginOther, err
}

// originsNamed are those that the values of a leaf-list name.
func (c *call) originsNamed(local string) (named schema.Origins, err error) {
	for i := range c.req.params {
		p := &c.req.params[i]
		if p.local != local {
			continue
		}
		ns, name, err := c.identityOf(p)
		if err != nil {
			return 0, err
		}
		known := originsOf[name]
		if ns != originNS || known == 0 {
			return 0, protocolError(schema.InvalidValue, p.text+" is no origin").at(c.here(local))
		}
		named |= known
	}
	return named, nil
}

// originsOf are the origins that an identity stands for.
var originsOf = map[string]schema.Origins{
	"origin":   schema.OriginIntended | schema.OriginSystem | schema.OriginDefault | schema.OriginOther,
	"intended": schema.OriginIntended, "system": schema.OriginSystem, "default": schema.OriginDefault,
	"dynamic": schema.OriginOther, "learned": schema.OriginOther, "unknown": schema.OriginOther,
}
