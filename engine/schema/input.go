package schema

import "fmt"

// DecodeInput reads a JSON object with the input of the operation, by RFC 7951
// or as plain JSON, and returns its leaves by name, with their defaults. Inputs
// of other nodes than leaves are not read. Errors are of type *Error, with paths
// below the operation.
func (o *Operation) DecodeInput(data []byte) (map[string]Value, error) {
	top := &Node{Name: o.Name, Module: o.Module, Kind: Container}
	d := &jsonDecoder{scanner: scanner{data: data}, path: Path{{Node: top}}, input: true}
	in := map[string]Value{}
	err := d.members(o.Input, func(n *Node) error {
		if n.Kind != Leaf {
			return d.fault(UnknownElement, n, "%s is no leaf", n.Name)
		}
		v, _, err := d.leaf(n)
		in[n.Name] = v
		return err
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return nil, d.wrap(err)
	}
	for _, n := range o.Input.Children {
		if _, given := in[n.Name]; given || n.Kind != Leaf {
			continue
		}
		if n.Mandatory {
			return nil, &Error{Tag: MissingElement, Path: Path{{Node: top}}, BadElement: n.Name, Message: n.Name + " is missing"}
		}
		if len(n.Default) == 0 {
			continue
		}
		v, err := n.Type.Parse(n.Default[0])
		if err != nil {
			return nil, fmt.Errorf("the default of %s: %w", n.Name, err) // the generator has checked it
		}
		in[n.Name] = v
	}
	return in, nil
}
