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

// clientHello is what a client's hello announces of what the server knows.
type clientHello struct{ base10, base11, private bool }

// parseHello reads the client's hello.
func parseHello(msg []byte, maxDepth int) (h clientHello, err error) {
	dec := xmltok.NewDecoder(msg, xmltok.Options{MaxDepth: maxDepth})
	tok, err := dec.Next()
	if err != nil {
		return h, err
	}
	if tok.Local != "hello" || tok.Namespace != rpc.BaseNamespace {
		return h, errNoHello
	}
	id := false
	for {
		tok, err := dec.Next()
		switch {
		case errors.Is(err, io.EOF):
			switch {
			case id:
				return h, errSessionID
			case !h.base10 && !h.base11:
				return h, errNoBase
			}
			return h, nil
		case err != nil:
			return h, err
		case tok.Kind == xmltok.Text && strings.TrimSpace(string(tok.Text)) != "":
			return h, errHelloLayout
		case tok.Kind != xmltok.StartElement:
			continue
		}
		switch {
		case tok.Local == "capabilities" && tok.Namespace == rpc.BaseNamespace:
			if err := h.parseCapabilities(dec); err != nil {
				return h, err
			}
			continue
		case tok.Local == "session-id":
			id = true
		}
		if err := dec.Skip(); err != nil {
			return h, err
		}
	}
}

// parseCapabilities reads to the end of <capabilities>. A URI is compared
// without the white space around it and without its parameters.
func (h *clientHello) parseCapabilities(dec *xmltok.Decoder) error {
	inside := dec.Depth()
	for {
		tok, err := dec.Next()
		if err != nil {
			return err
		}
		switch {
		case tok.Kind == xmltok.EndElement && dec.Depth() < inside:
			return nil
		case tok.Kind == xmltok.Text:
			uri, _, _ := strings.Cut(strings.TrimSpace(string(tok.Text)), "?")
			h.base10, h.base11 = h.base10 || uri == base10, h.base11 || uri == base11
			h.private = h.private || uri == rpc.PrivateCapability
		}
	}
}
