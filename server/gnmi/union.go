package gnmi

import (
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/schema"
)

// union makes a union_replace an ordered list of replaces and updates: what the
// paths name is replaced by all that the values say together, whatever their
// order. Two values for one leaf contradict each other (gnmi.md 49, 51); a
// default contradicts nothing, because only what is written counts (gnmi.md 49,
// 50).
func union(view schema.View, ops []operation) ([]operation, error) {
	said := map[string]statement{}
	var bad faults
	for i := range ops {
		err := ops[i].tree.edits(view, ops[i].nodes[0], ops[i].value, func(base schema.Path, e *schema.Edit) error {
			bad = append(bad, contradictions(said, ops[i].name, base, e)...)
			return nil
		})
		if err != nil {
			fs := schemaFaults(ops[i].name, err)
			if fs == nil {
				return nil, fmt.Errorf("%s: %w", ops[i].name, err)
			}
			bad = append(bad, fs...)
		}
		if len(bad) > maxFaults {
			break
		}
	}
	if len(bad) > 0 {
		return nil, bad[:min(len(bad), maxFaults)].err()
	}
	// What is above comes first. Of two operations on the same node the later
	// adds to the earlier, so that both count.
	out := slices.Clone(ops)
	slices.SortStableFunc(out, func(a, b operation) int {
		if a.tree != b.tree { // OpenConfig first, so that the native model has the last word (gnmi.md 49)
			if a.tree == openConfigTree {
				return -1
			}
			return 1
		}
		return len(a.nodes[0]) - len(b.nodes[0])
	})
	tops := map[*tree][]schema.Path{}
	for i := range out {
		at := out[i].nodes[0]
		out[i].kind = gpb.UpdateResult_UPDATE
		if !slices.ContainsFunc(tops[out[i].tree], func(p schema.Path) bool { return covers(p, at) }) {
			out[i].kind = gpb.UpdateResult_REPLACE
			tops[out[i].tree] = append(tops[out[i].tree], at)
		}
	}
	return out, nil
}

// statement is what an operation says of a leaf.
type statement struct{ op, value string }

// contradictions notes what an edit says of leaves, and returns where another
// operation said something else. One that says two things itself is not our
// matter.
func contradictions(said map[string]statement, op string, base schema.Path, e *schema.Edit) faults {
	at := append(slices.Clip(base), schema.Step{Node: e.Node, Keys: e.Keys})
	if e.Op == schema.OpRemove {
		return nil // what a value displaces is no statement
	}
	if base == nil && e.Node == schema.Root() {
		at = nil
	}
	if !e.Node.IsLeaf() {
		if e.Node.Kind == schema.List && len(e.Keys) == 0 {
			at = base // the whole list: its children are the entries
		}
		var out faults
		for _, c := range e.Children {
			out = append(out, contradictions(said, op, at, c)...)
		}
		return out
	}
	value := e.Value.String()
	if e.Node.Kind == schema.LeafList {
		texts := make([]string, len(e.Values))
		for i, v := range e.Values {
			texts[i] = v.String()
		}
		value = strings.Join(texts, " ")
	}
	name := at.String()
	first, ok := said[name]
	if !ok {
		said[name] = statement{op, value}
		return nil
	}
	if first.value == value || first.op == op {
		return nil
	}
	shown, other := quote(value), quote(first.value)
	if e.Node.Secret {
		shown, other = "a secret", "another one"
	}
	return faults{{
		code: codes.InvalidArgument, op: op, path: name,
		reason: fmt.Sprintf("%s contradicts %s of %s", shown, other, first.op),
	}}
}
