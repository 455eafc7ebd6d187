package xmltok

import (
	"bytes"
	"strings"
)

var bom = []byte("\xef\xbb\xbf")

// markup reads the comment, processing instruction or CDATA section at i. A CDATA section is added to d.text, the others are dropped. It
// returns the end, -1 on a fault.
func (d *Decoder) markup(i int) int {
	rest := d.data[i:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return d.comment(i)
	case rest[1] == '?':
		return d.instruction(i)
	case bytes.HasPrefix(rest, []byte("<![CDATA[")) && len(d.stack) > 0:
		return d.cdata(i)
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		d.fail(i, "DOCTYPE is refused")
	default:
		d.fail(i, "<! starts neither a comment nor a CDATA section that is allowed here")
	}
	return -1
}

func (d *Decoder) comment(i int) int {
	body := i + len("<!--")
	n := bytes.Index(d.data[body:], []byte("--"))
	if n < 0 {
		d.fail(i, "comment is not closed")
		return -1
	}
	end := body + n + len("--")
	if end == len(d.data) || d.data[end] != '>' {
		d.fail(end, "-- inside a comment")
		return -1
	}
	return d.checked(body, body+n, end+1)
}

func (d *Decoder) instruction(i int) int {
	body := i + len("<?")
	target := d.nameEnd(body)
	name := string(d.data[body:target])
	if !isNCName(name) || strings.EqualFold(name, "xml") {
		d.fail(i, "%q cannot be the target of a processing instruction here", clip(name))
		return -1
	}
	n := bytes.Index(d.data[target:], []byte("?>"))
	if n < 0 {
		d.fail(i, "processing instruction is not closed")
		return -1
	}
	if n > 0 && !isSpace(d.data[target]) {
		d.fail(target, "no white space after the target of a processing instruction")
		return -1
	}
	return d.checked(target, target+n, target+n+len("?>"))
}

func (d *Decoder) cdata(i int) int {
	body := i + len("<![CDATA[")
	n := bytes.Index(d.data[body:], []byte("]]>"))
	if n < 0 {
		d.fail(i, "CDATA section is not closed")
		return -1
	}
	end := d.checked(body, body+n, body+n+len("]]>"))
	if end < 0 {
		return -1
	}
	for text := d.data[body : body+n]; len(text) > 0; { // XML 1.0 2.11
		cr := bytes.IndexByte(text, '\r')
		if cr < 0 {
			d.text = append(d.text, text...)
			break
		}
		d.text = append(append(d.text, text[:cr]...), '\n')
		text = bytes.TrimPrefix(text[cr+1:], []byte("\n"))
	}
	return end
}

// checked returns result if data[from:to] has only characters of XML, -1 otherwise.
func (d *Decoder) checked(from, to, result int) int {
	for i := from; i < to; {
		if class[d.data[i]]&inMisc == 0 || d.data[i] == '\r' {
			i++
			continue
		}
		n := charAt(d.data[i:to])
		if n == 0 {
			d.badChar(i)
			return -1
		}
		i += n
	}
	return result
}

// declaration reads the byte order mark and the XML declaration, both optional, at the start of the document (XML 1.0 2.8). It reports whether
// what is there is right.
func (d *Decoder) declaration() bool {
	if bytes.HasPrefix(d.data, bom) {
		d.pos = len(bom)
	}
	const open = "<?xml"
	rest := d.data[d.pos:]
	if !bytes.HasPrefix(rest, []byte(open)) || len(rest) == len(open) || class[rest[len(open)]]&inName != 0 {
		return true
	}
	n := bytes.Index(rest, []byte("?>"))
	if n < 0 {
		d.fail(d.pos, "XML declaration is not closed")
		return false
	}
	if fault := declarationFault(string(rest[len(open):n])); fault != "" {
		d.fail(d.pos, "%s", fault)
		return false
	}
	d.pos += n + len("?>")
	return true
}

// declarationFault returns what is wrong with the pseudo-attributes s: version, then encoding, then standalone, the last two optional.
func declarationFault(s string) string {
	const space = " \t\r\n"
	order := []string{"version", "encoding", "standalone"}
	for first := true; ; first = false {
		trimmed := strings.TrimLeft(s, space)
		if trimmed == "" && !first {
			return ""
		}
		name, rest, ok := strings.Cut(trimmed, "=")
		name, rest = strings.TrimRight(name, space), strings.TrimLeft(rest, space)
		if !ok || rest == "" || trimmed == s || rest[0] != '"' && rest[0] != '\'' {
			return "XML declaration is not well-formed"
		}
		value, after, ok := strings.Cut(rest[1:], rest[:1])
		at := -1
		for i, known := range order {
			if name == known {
				at = i
			}
		}
		if !ok || at < 0 || first != (name == "version") {
			return "XML declaration is not well-formed"
		}
		order, s = order[at+1:], after
		switch {
		case name == "version" && value != "1.0":
			return "XML version is not 1.0"
		case name == "encoding" && !strings.EqualFold(value, "UTF-8"):
			return "encoding " + clip(value) + " is not UTF-8"
		case name == "standalone" && value != "yes" && value != "no":
			return "standalone is neither yes nor no"
		}
	}
}
