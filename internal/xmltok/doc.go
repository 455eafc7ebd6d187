// Package xmltok reads the XML of NETCONF messages token by token, and escapes text for the XML that the agent writes.
//
// It owns well-formedness (XML 1.0, Namespaces in XML 1.0) and nothing else: it must never know a NETCONF or YANG name, build a tree, expand
// an entity that a document declares, or read from a file or network. The input is one whole message in memory, so that tokens can point into
// it and a caller can look ahead and come back.
//
//	d := xmltok.NewDecoder(message, xmltok.Options{})
//	for {
//		tok, err := d.Next() // StartElement, EndElement or Text; io.EOF after the root
//		...
//	}
//
// What it is stricter about than XML asks: only UTF-8, no DOCTYPE, a limit on nesting and on the number of prefixes. encoding/xml is not used
// because it accepts undeclared prefixes, duplicate attributes and a second root, and keeps no prefixes for values such as identityref.
package xmltok
