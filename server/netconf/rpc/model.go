package rpc

import (
	"mooring/engine/schema"
)

// input is what an operation of the model was given: the values of its input
// leaves by name, with defaults for those that were left out.
type input map[string]schema.Value

// modelOperation makes an operation of a YANG module. The module says which
// parameters there are and what they may hold (RFC 7950 7.14.2).
func modelOperation(o *schema.Operation, run func(*call, input) (body, error)) *operation {
	op := &operation{}
	for _, n := range o.Input.Children {
		if n.Kind != schema.Leaf {
			panic("rpc: input of " + o.Name + " has " + n.Name + ", which is no leaf")
		}
		op.params = append(op.params, spec{name: n.Name, mandatory: n.Mandatory})
	}
	op.run = func(c *call) (body, error) {
		in := input{}
		for _, n := range o.Input.Children {
			v, ok, err := c.value(n)
			if err != nil {
				return nil, err
			}
			if ok {
				in[n.Name] = v
			}
		}
		return run(c, in)
	}
	return op
}

// value reads the parameter of a leaf, or its default. It fails for what the
// type does not allow, and says whether there is one of the two.
func (c *call) value(n *schema.Node) (v schema.Value, ok bool, err error) {
	p := c.req.find(n.Name)
	switch {
	case p != nil && p.child != nil:
		return v, false, protocolError(schema.UnknownElement, n.Name+" is a leaf and holds no element "+p.child.local).element(p.child.local).at(c.here(n.Name))
	case p != nil:
		v, err = n.Type.Parse(p.text)
	case len(n.Default) > 0:
		v, err = n.Type.Parse(n.Default[0])
	default:
		return v, false, nil
	}
	if err != nil {
		return v, false, protocolError(schema.InvalidValue, n.Name+" "+err.Error()).at(c.here(n.Name))
	}
	return v, true, nil
}

// need refuses a request without one of the parameters, which the model cannot
// call mandatory because they are also output.
func (c *call) need(in input, names ...string) error {
	for _, n := range names {
		if _, ok := in[n]; !ok {
			return protocolError(schema.MissingElement, "parameter "+n+" is missing").element(n).at(c.here())
		}
	}
	return nil
}

// output writes leaves of the output of an operation of the model.
type output struct {
	writer
	namespace string
}

// open starts an element at the top of the output.
func (o *output) open(name string) {
	o.start(name)
	o.b = append(o.b, ` xmlns="`+o.namespace+`">`...)
}
