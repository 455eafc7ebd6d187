package xpath

import (
	"math"
	"strings"
	"unicode/utf8"
)

// function is a function of the library.
type function struct {
	params   []kind
	least    int  // how many arguments there must be
	variadic bool // the last parameter may repeat
	result   kind
	focused  bool // it asks for the position or the size
	implied  bool // without an argument it takes the context node
	run      func(e *evaluation, f focus, args []value) value
}

// param is the kind that the i-th argument must have.
func (fn *function) param(i int) kind {
	if i < len(fn.params) {
		return fn.params[i]
	}
	if fn.variadic {
		return fn.params[len(fn.params)-1]
	}
	return kindAny
}

// functions are the core library (XPath 1.0 4) and that of YANG (RFC 7950 10).
var functions = func() map[string]*function {
	const n, s, d, b, x = kindNodes, kindString, kindNumber, kindBool, kindAny
	type ks = []kind
	m := map[string]*function{
		"last":     {result: d, focused: true, run: func(_ *evaluation, f focus, _ []value) value { return numberValue(float64(f.size)) }},
		"position": {result: d, focused: true, run: func(_ *evaluation, f focus, _ []value) value { return numberValue(float64(f.position)) }},
		"count":    {params: ks{n}, least: 1, result: d, run: func(_ *evaluation, _ focus, a []value) value { return numberValue(float64(len(a[0].nodes))) }},
		"id":       {params: ks{x}, least: 1, result: n, run: func(*evaluation, focus, []value) value { return nodesValue() }},
		"lang":     {params: ks{s}, least: 1, result: b, run: func(*evaluation, focus, []value) value { return boolValue(false) }},

		"local-name":    {params: ks{n}, result: s, implied: true, run: nameOf(func(_ *evaluation, n Name) string { return n.Local })},
		"namespace-uri": {params: ks{n}, result: s, implied: true, run: nameOf(func(_ *evaluation, n Name) string { return n.Namespace })},
		"name":          {params: ks{n}, result: s, implied: true, run: nameOf((*evaluation).qualified)},

		"string":           {params: ks{s}, result: s, implied: true, run: func(_ *evaluation, _ focus, a []value) value { return a[0] }},
		"concat":           {params: ks{s}, least: 2, variadic: true, result: s, run: concat},
		"starts-with":      {params: ks{s, s}, least: 2, result: b, run: test(strings.HasPrefix)},
		"contains":         {params: ks{s, s}, least: 2, result: b, run: test(strings.Contains)},
		"substring-before": {params: ks{s, s}, least: 2, result: s, run: substringBefore},
		"substring-after":  {params: ks{s, s}, least: 2, result: s, run: substringAfter},
		"substring":        {params: ks{s, d, d}, least: 2, result: s, run: substring},
		"string-length": {params: ks{s}, result: d, implied: true, run: func(_ *evaluation, _ focus, a []value) value {
			return numberValue(float64(utf8.RuneCountInString(a[0].str)))
		}},
		"normalize-space": {params: ks{s}, result: s, implied: true, run: func(_ *evaluation, _ focus, a []value) value {
			return textValue(strings.Join(strings.FieldsFunc(a[0].str, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }), " "))
		}},
		"translate": {params: ks{s, s, s}, least: 3, result: s, run: translate},

		"boolean": {params: ks{b}, least: 1, result: b, run: func(_ *evaluation, _ focus, a []value) value { return a[0] }},
		"not":     {params: ks{b}, least: 1, result: b, run: func(_ *evaluation, _ focus, a []value) value { return boolValue(!a[0].bool) }},
		"true":    {result: b, run: func(*evaluation, focus, []value) value { return boolValue(true) }},
		"false":   {result: b, run: func(*evaluation, focus, []value) value { return boolValue(false) }},

		"number":  {params: ks{d}, result: d, implied: true, run: func(_ *evaluation, _ focus, a []value) value { return a[0] }},
		"sum":     {params: ks{n}, least: 1, result: d, run: sum},
		"floor":   {params: ks{d}, least: 1, result: d, run: func(_ *evaluation, _ focus, a []value) value { return numberValue(math.Floor(a[0].num)) }},
		"ceiling": {params: ks{d}, least: 1, result: d, run: func(_ *evaluation, _ focus, a []value) value { return numberValue(math.Ceil(a[0].num)) }},
		"round":   {params: ks{d}, least: 1, result: d, run: func(_ *evaluation, _ focus, a []value) value { return numberValue(round(a[0].num)) }},

		"current":              {result: n, run: func(e *evaluation, _ focus, _ []value) value { return nodesValue(e.current) }},
		"re-match":             {params: ks{s, s}, least: 2, result: b, run: reMatch},
		"deref":                {params: ks{n}, least: 1, result: n, run: deref},
		"derived-from":         {params: ks{n, s}, least: 2, result: b, run: derivedFrom(false)},
		"derived-from-or-self": {params: ks{n, s}, least: 2, result: b, run: derivedFrom(true)},
		"enum-value":           {params: ks{n}, least: 1, result: d, run: enumValue},
		"bit-is-set":           {params: ks{n, s}, least: 2, result: b, run: bitIsSet},
	}
	return m
}()

// nameOf makes a function of the name of the first node.
func nameOf(part func(*evaluation, Name) string) func(*evaluation, focus, []value) value {
	return func(e *evaluation, _ focus, a []value) value {
		if len(a[0].nodes) == 0 {
			return textValue("")
		}
		return textValue(part(e, a[0].nodes[0].Name()))
	}
}

// qualified is a name with the prefix that the expression would use for it.
func (e *evaluation) qualified(n Name) string {
	best := ""
	for prefix, ns := range e.expr.scope.Prefixes {
		if ns == n.Namespace && prefix != "" && (best == "" || prefix < best) {
			best = prefix
		}
	}
	if best == "" || n.Local == "" {
		return n.Local
	}
	return best + ":" + n.Local
}

func test(f func(string, string) bool) func(*evaluation, focus, []value) value {
	return func(e *evaluation, _ focus, a []value) value {
		e.spendText(a[0].str)
		return boolValue(f(a[0].str, a[1].str))
	}
}

// spendText pays for work on a text.
func (e *evaluation) spendText(s string) bool { return e.spend(1 + len(s)/64) }

func concat(e *evaluation, _ focus, a []value) value {
	var b strings.Builder
	for _, v := range a {
		if !e.spendText(v.str) {
			break
		}
		b.WriteString(v.str)
	}
	return textValue(b.String())
}

func substringBefore(e *evaluation, _ focus, a []value) value {
	e.spendText(a[0].str)
	before, _, ok := strings.Cut(a[0].str, a[1].str)
	if !ok {
		before = ""
	}
	return textValue(before)
}

func substringAfter(e *evaluation, _ focus, a []value) value {
	e.spendText(a[0].str)
	_, after, _ := strings.Cut(a[0].str, a[1].str)
	return textValue(after)
}

// substring counts characters from one, and rounds (XPath 1.0 4.2).
func substring(e *evaluation, _ focus, a []value) value {
	e.spendText(a[0].str)
	from, to := round(a[1].num), math.Inf(1)
	if len(a) == 3 {
		to = from + round(a[2].num)
	}
	start, end, at := -1, len(a[0].str), 0.0
	for i := range a[0].str {
		at++
		if start < 0 && at >= from {
			start = i
		}
		if !(at < to) {
			end = i
			break
		}
	}
	if start < 0 || start >= end || math.IsNaN(from) || math.IsNaN(to) {
		return textValue("")
	}
	return textValue(a[0].str[start:end])
}

func translate(e *evaluation, _ focus, a []value) value {
	e.spendText(a[0].str)
	to := []rune(a[2].str)
	with := map[rune]rune{}
	i := 0
	for _, r := range a[1].str {
		if _, again := with[r]; !again {
			with[r] = -1
			if i < len(to) {
				with[r] = to[i]
			}
		}
		i++
	}
	return textValue(strings.Map(func(r rune) rune {
		if t, ok := with[r]; ok {
			return t
		}
		return r
	}, a[0].str))
}

func sum(e *evaluation, _ focus, a []value) value {
	total := 0.0
	for _, n := range a[0].nodes {
		total += parseNumber(e.nodeText(n))
	}
	return numberValue(total)
}

// round goes to the nearest integer, and up from the middle between two.
func round(n float64) float64 {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return n
	}
	return math.Floor(n + 0.5)
}
