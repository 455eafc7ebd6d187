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
	p := c.req.findIn(withDefaultsNS, withDefaultsParam.name)
	if p == nil {
		return schema.Explicit, nil
	}
	mode, ok := schema.ParseDefaultsMode(p.text)
	if !ok || p.child != nil {
		e := protocolError(schema.InvalidValue, "with-defaults must be one of "+strings.Join([]string{
			schema.Explicit.String(), schema.ReportAll.String(), schema.ReportAllTagged.String(), schema.Trim.String(),
		}, ", "))
		path := c.here()
		path.text += "/" + path.use(prefixOfNamespace(withDefaultsNS)) + ":" + withDefaultsParam.name
		return mode, e.at(path)
	}
	return mode, nil
}
