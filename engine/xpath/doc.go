// Package xpath is XPath 1.0 with the functions of YANG 1.1 (RFC 7950 10) over
// trees of data.
//
// It owns the language: lexer, parser, the static check of types, the
// evaluator and its limits. It must never know a protocol or a datastore, and
// it changes nothing: what it walks in is a Node. Records is such a tree over
// the records of package schema; others are made by whoever has other data.
//
//	text, Scope ─ Compile ─► Expr ─ Nodes, Bool, Number, Text ─► result
//	                          │          ▲
//	                          │      Context: the node, variables, budget
//	                          └─ Path: a plain path is one without any walk
//
// A predicate on the keys of a list is a lookup, wherever in a path it stands:
// in /b:peer[b:address='10.1.1.2']/b:config no other peer is looked at.
// Everything that depends on the text alone is an error of Compile: syntax,
// prefixes, functions, variables, and types, since variables are strings and
// every function has one type. What is left for the evaluation are the limits.
//
// Deviations from XPath 1.0, all of them since this is data and not a document
// (RFC 7950 6.4): there are no attributes, comments and processing
// instructions, so their axes and tests select nothing; there is no DTD, so
// id() is empty, and no xml:lang, so lang() is false. A string that is compared
// with a leaf is first made canonical by the type of the leaf (RFC 7950 9.1),
// so that every spelling of an address finds it.
package xpath
