package xmltok

// Kind tells what a Token is.
type Kind uint8

const (
	// StartElement is a start tag, or the first half of an empty-element tag.
	StartElement Kind = iota + 1
	// EndElement is an end tag, or the second half of an empty-element tag.
	EndElement
	// Text is all character data up to the next tag: CDATA sections, character references and the text around comments joined. It is never
	// empty, but may be white space only.
	Text
)

// String returns the name of k for logs and tests.
func (k Kind) String() string {
	switch k {
	case StartElement:
		return "start element"
	case EndElement:
		return "end element"
	case Text:
		return "text"
	}
	return "no token"
}

// Token is one piece of a document. The strings may be kept; Attrs and Text are overwritten by the next call of the Decoder.
type Token struct {
	Kind      Kind
	Local     string // StartElement, EndElement
	Prefix    string // StartElement, EndElement: as written, "" without one
	Namespace string // StartElement, EndElement: "" for none
	Attrs     []Attr // StartElement: in document order, namespace declarations included
	Text      []byte // Text: references resolved, line ends normalized to LF
	Offset    int    // where the token starts in the input
}

// XMLNSNamespace is the namespace of namespace declarations (Namespaces in XML 1.0, 3).
const XMLNSNamespace = "http://www.w3.org/2000/xmlns/"

// XMLNamespace is the namespace that the prefix xml always has.
const XMLNamespace = "http://www.w3.org/XML/1998/namespace"

// Attr is an attribute or a namespace declaration. Name and AppendEscapedAttr(Value) write it again as it was.
type Attr struct {
	Name      string // as written, with prefix
	Local     string
	Prefix    string // "" without one
	Namespace string // "" without a prefix; XMLNSNamespace for a namespace declaration
	Value     string // references resolved, white space normalized (XML 1.0 3.3.3)
}

// IsNamespaceDecl reports whether a is xmlns="..." or xmlns:prefix="...".
func (a *Attr) IsNamespaceDecl() bool { return a.Namespace == XMLNSNamespace }
