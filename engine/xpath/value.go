package xpath

import (
	"math"
	"strconv"
	"strings"
)

// value is the value of an expression. Only the field of its kind is set.
type value struct {
	kind  kind
	nodes []Node
	str   string
	num   float64
	bool  bool
}

func textValue(s string) value    { return value{kind: kindString, str: s} }
func numberValue(n float64) value { return value{kind: kindNumber, num: n} }
func boolValue(b bool) value      { return value{kind: kindBool, bool: b} }
func nodesValue(n ...Node) value  { return value{kind: kindNodes, nodes: n} }

// convert makes a value one of a kind.
func (e *evaluation) convert(v value, k kind) value {
	switch k {
	case kindString:
		return textValue(e.text(v))
	case kindNumber:
		return numberValue(e.number(v))
	case kindBool:
		return boolValue(e.truth(v))
	case kindAny, kindNodes:
	}
	return v
}

// text is the function string (XPath 1.0 4.2).
func (e *evaluation) text(v value) string {
	switch v.kind {
	case kindNodes:
		if len(v.nodes) == 0 {
			return ""
		}
		return e.nodeText(v.nodes[0])
	case kindNumber:
		return formatNumber(v.num)
	case kindBool:
		return strconv.FormatBool(v.bool)
	}
	return v.str
}

// nodeText is the string-value of a node (XPath 1.0 5).
func (e *evaluation) nodeText(n Node) string {
	if s, ok := n.Leaf(); ok {
		e.spend(1)
		return s
	}
	var b strings.Builder
	e.descendants(n, nodeTest{kind: testText}, func(c Node) bool {
		if _, ok := c.(text); ok {
			s, _ := c.Leaf()
			b.WriteString(s)
		}
		return e.spend(1)
	})
	return b.String()
}

func formatNumber(n float64) string {
	switch {
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case n == 0:
		return "0" // also for minus zero
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// number is the function number (XPath 1.0 4.4).
func (e *evaluation) number(v value) float64 {
	switch v.kind {
	case kindNumber:
		return v.num
	case kindBool:
		if v.bool {
			return 1
		}
		return 0
	}
	return parseNumber(e.text(v))
}

// parseNumber reads a number of the language, which has no exponents.
func parseNumber(s string) float64 {
	s = strings.Trim(s, " \t\r\n")
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits == "." || strings.Trim(digits, "0123456789.") != "" {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// truth is the function boolean (XPath 1.0 4.3).
func (e *evaluation) truth(v value) bool {
	switch v.kind {
	case kindNodes:
		return len(v.nodes) > 0
	case kindString:
		return v.str != ""
	case kindNumber:
		return v.num != 0 && !math.IsNaN(v.num)
	}
	return v.bool
}

// compare is a comparison (XPath 1.0 3.4).
func (e *evaluation) compare(op string, l, r value) bool {
	equality := op == "=" || op == "!="
	switch {
	case l.kind == kindBool || r.kind == kindBool:
		if equality {
			return (e.truth(l) == e.truth(r)) == (op == "=")
		}
		if l.kind == kindNodes {
			l = boolValue(e.truth(l))
		}
		if r.kind == kindNodes {
			r = boolValue(e.truth(r))
		}
		return compareNumbers(op, e.number(l), e.number(r))
	case l.kind == kindNodes && r.kind == kindNodes:
		if equality {
			return e.compareTexts(op, l.nodes, r.nodes)
		}
		return e.compareRanges(op, l.nodes, r.nodes)
	case l.kind == kindNodes:
		return e.compareNodes(op, l.nodes, r)
	case r.kind == kindNodes:
		return e.compareNodes(mirrored[op], r.nodes, l)
	case equality && l.kind != kindNumber && r.kind != kindNumber:
		return (l.str == r.str) == (op == "=")
	}
	return compareNumbers(op, e.number(l), e.number(r))
}

// mirrored is the operator with its operands exchanged.
var mirrored = map[string]string{"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func compareNumbers(op string, l, r float64) bool {
	switch op {
	case "=":
		return l == r
	case "!=":
		return l != r
	case "<":
		return l < r
	case "<=":
		return l <= r
	case ">":
		return l > r
	}
	return l >= r
}

// compareNodes says whether a comparison with v holds for some node.
func (e *evaluation) compareNodes(op string, nodes []Node, v value) bool {
	asText := v.kind == kindString && (op == "=" || op == "!=")
	for _, n := range nodes {
		if !e.spend(1) {
			return false
		}
		s := e.nodeText(n)
		if asText {
			if (s == v.str || s == canonical(n, v.str, e.expr.scope)) == (op == "=") {
				return true
			}
		} else if compareNumbers(op, parseNumber(s), e.number(v)) {
			return true
		}
	}
	return false
}

// compareTexts says whether two nodes, one of each set, have equal texts, or
// different ones.
func (e *evaluation) compareTexts(op string, l, r []Node) bool {
	texts := make(map[string]struct{}, len(l))
	for _, n := range l {
		texts[e.nodeText(n)] = struct{}{}
	}
	for _, n := range r {
		if !e.spend(1) {
			return false
		}
		_, equal := texts[e.nodeText(n)]
		switch {
		case op == "=" && equal, op == "!=" && len(texts) > 1, op == "!=" && len(texts) == 1 && !equal:
			return true
		}
	}
	return false
}

// compareRanges says whether an order holds for two numbers, one of each set:
// the ends of the sets tell.
func (e *evaluation) compareRanges(op string, l, r []Node) bool {
	lowL, highL, okL := e.numbers(l)
	lowR, highR, okR := e.numbers(r)
	if !okL || !okR {
		return false
	}
	if op == "<" || op == "<=" {
		return compareNumbers(op, lowL, highR)
	}
	return compareNumbers(op, highL, lowR)
}

// numbers returns the least and the greatest number in a set. It fails where
// there is none.
func (e *evaluation) numbers(set []Node) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, n := range set {
		v := parseNumber(e.nodeText(n))
		if math.IsNaN(v) {
			continue
		}
		low, high, ok = min(low, v), max(high, v), true
	}
	return low, high, ok
}

func arithmetic(op string, l, r float64) float64 {
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	case "div":
		return l / r
	}
	return math.Mod(l, r)
}
