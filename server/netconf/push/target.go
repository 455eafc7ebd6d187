package push

import (
	"mooring/engine/schema"
)

// appendTarget appends the path of a node as RESTCONF writes it
// (RFC 8040 3.5.3): module names where they change, keys percent-encoded.
// entry is that of a leaf-list, with the path of the leaf-list.
func appendTarget(b []byte, p schema.Path, leafList bool, entry string) []byte {
	module := ""
	for _, s := range p {
		b = append(b, '/')
		if s.Node.Module != module {
			module = s.Node.Module
			b = append(append(b, module...), ':')
		}
		b = append(b, s.Node.Name...)
		for i, key := range s.Keys {
			if i == 0 {
				b = append(b, '=')
			} else {
				b = append(b, ',')
			}
			b = appendEncoded(b, key)
		}
	}
	if leafList {
		b = appendEncoded(append(b, '='), entry)
	}
	return b
}

const hex = "0123456789ABCDEF"

// appendEncoded percent-encodes all but the unreserved characters of RFC 3986.
func appendEncoded(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
