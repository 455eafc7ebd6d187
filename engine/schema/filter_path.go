package schema

import "slices"

// NewFilter returns a filter that selects items and everything below them, with
// the list keys that lead there. They are in document order, as an XPath
// expression selects them: the cost is that of their number.
func NewFilter(items []*Item) *Filter {
	root := &filterNode{n: Root()}
	for _, i := range items {
		if p := i.Path(); i.n.Kind == LeafList {
			root.include(p.Parent()).addValue(i)
		} else {
			root.include(p).selects = true
		}
	}
	return &Filter{root}
}

// PathFilter returns a filter that selects what a path leads to. A list
// without its key stands for all entries.
func PathFilter(p Path) *Filter {
	root := &filterNode{n: Root()}
	root.include(p).selects = true
	return &Filter{root}
}

// include returns the node at the end of a path and makes what is missing of
// the way, or the node on the way that selects everything.
func (f *filterNode) include(p Path) *filterNode {
	for _, s := range p {
		if f.selects {
			break
		}
		f = f.ensure(s)
	}
	return f
}

// ensure returns the child of f for a step, which is the last one or a new one
// as steps come in document order.
func (f *filterNode) ensure(s Step) *filterNode {
	if f.sub == nil {
		f.sub = make([][]*filterNode, len(f.n.Children))
	}
	c := &filterNode{n: s.Node, chosen: true}
	if s.Node.Kind == List && !s.wild() {
		c.matches = []contentMatch{{s.Node.Keys[0], s.Keys[0]}}
	}
	below := &f.sub[s.Node.index]
	if n := len(*below); n > 0 && slices.Equal((*below)[n-1].matches, c.matches) {
		return (*below)[n-1]
	}
	*below = append(*below, c)
	return c
}

// addValue selects one entry of a leaf-list that is a child of f's node.
func (f *filterNode) addValue(i *Item) {
	if f.selects {
		return
	}
	if f.sub == nil {
		f.sub = make([][]*filterNode, len(f.n.Children))
	}
	one := &filterNode{n: i.n, matches: []contentMatch{{i.n, i.value.String()}}}
	f.sub[i.n.index] = append(f.sub[i.n.index], one)
}
