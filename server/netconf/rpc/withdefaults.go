package rpc

import (
	"strings"

	"mooring/engine/schema"
)

// withDefaultsParam is how clients choose what is told of defaults (RFC 6243
// 4.5.1). A copy from one datastore to another reports nothing, so there every
// mode leaves the target with what was set in the source.
var withDefaultsParam = spec{name: "with-defaults", namespace: withDefaultsNS}

// withDefaults reads it. Without it the basic mode holds, explicit.
func (c *call) withDefaults() (schema.DefaultsMode, error) {
	return c.defaultsMode(withDefaultsNS, schema.Explicit)
}

// defaultsMode reads the parameter in the namespace of a module. basic holds
// without it.
func (c *call) defaultsMode(namespace string, basic schema.DefaultsMode) (schema.DefaultsMode, error) {
	p := c.req.findIn(namespace, withDefaultsParam.name)
	if p == nil {
		return basic, nil
	}
	mode, ok := schema.ParseDefaultsMode(p.text)
	if !ok || p.child != nil {
		e := protocolError(schema.InvalidValue, "with-defaults must be one of "+strings.Join([]string{
			schema.Explicit.String(), schema.ReportAll.String(), schema.ReportAllTagged.String(), schema.Trim.String(),
		}, ", "))
		return mode, e.at(c.hereIn(p.name))
	}
	return mode, nil
}
