package netconf

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"mooring/internal/xmltok"
	"mooring/server/netconf/rpc"
)

const (
	base10 = "urn:ietf:params:netconf:base:1.0"
	base11 = "urn:ietf:params:netconf:base:1.1"
)

// Faults of a client's hello. All of them end the session without a reply
// (RFC 6241 8.1).
var (
	errNoHello     = errors.New("the first message is no hello")
	errSessionID   = errors.New("hello of a client with a session-id")
	errNoBase      = errors.New("hello without a base version that this server speaks")
	errHelloLayout = errors.New("hello with something else than capabilities")
)

// appendCapabilities appends those of a hello.
func appendCapabilities(b []byte, capabilities []string) []byte {
	b = append(b, "<capabilities>"...)
	for _, c := range capabilities {
		b = append(b, "<capability>"...)
		b = xmltok.AppendEscaped(b, c)
		b = append(b, "</capability>"...)
	}
	return append(b, "</capabilities>"...)
}

// appendHello appends the server's hello.
func (s *Server) appendHello(b []byte, session uint32) []byte {
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?><hello xmlns="`+rpc.BaseNamespace+`">`...)
	b = append(b, s.capabilities...)
	b = append(b, "<session-id>"...)
	b = strconv.AppendUint(b, uint64(session), 10)
	return append(b, "</session-id></hello>"...)
}

// parseHello reads the client's hello and says whether it speaks base:1.1.
func parseHello(msg []byte, maxDepth int) (chunked bool, err error) {
	dec := xmltok.NewDecoder(msg, xmltok.Options{MaxDepth: maxDepth})
	tok, err := dec.Next()
	if err != nil {
		return false, err
	}
	if tok.Local != "hello" || tok.Namespace != rpc.BaseNamespace {
		return false, errNoHello
	}
	var old, id bool
	for {
		tok, err := dec.Next()
		switch {
		case errors.Is(err, io.EOF):
			switch {
			case id:
				return false, errSessionID
			case !old && !chunked:
				return false, errNoBase
			}
			return chunked, nil
		case err != nil:
			return false, err
		case tok.Kind == xmltok.Text && strings.TrimSpace(string(tok.Text)) != "":
			return false, errHelloLayout
		case tok.Kind != xmltok.StartElement:
			continue
		}
		switch {
		case tok.Local == "capabilities" && tok.Namespace == rpc.BaseNamespace:
			has10, has11, err := parseCapabilities(dec)
			if err != nil {
				return false, err
			}
			old, chunked = old || has10, chunked || has11
			continue
		case tok.Local == "session-id":
			id = true
		}
		if err := dec.Skip(); err != nil {
			return false, err
		}
	}
}

// parseCapabilities reads to the end of <capabilities>. A URI is compared
// without the white space around it and without its parameters.
func parseCapabilities(dec *xmltok.Decoder) (has10, has11 bool, err error) {
	inside := dec.Depth()
	for {
		tok, err := dec.Next()
		if err != nil {
			return false, false, err
		}
		switch {
		case tok.Kind == xmltok.EndElement && dec.Depth() < inside:
			return has10, has11, nil
		case tok.Kind == xmltok.Text:
			uri, _, _ := strings.Cut(strings.TrimSpace(string(tok.Text)), "?")
			has10, has11 = has10 || uri == base10, has11 || uri == base11
		}
	}
}
