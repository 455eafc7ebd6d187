// Package frame cuts a NETCONF byte stream into messages and frames messages for it: end-of-message framing (RFC 6242 4.3, base:1.0) and
// chunked framing (RFC 6242 4.2, base:1.1).
//
// It owns nothing but bytes: it must never look into the XML, open or close a connection, start a goroutine or log. A Reader and a Writer
// belong to one session each and are not safe for concurrent use; the two are independent, so one goroutine may read while another writes.
//
//	SSH channel or TLS --> Reader.Next --> one whole message
//	Begin, Write..., End --> Writer --> chunks of at most 64 KiB --> SSH channel or TLS
//
// Both start in EOM mode, because a hello is always framed so. When both hellos carried base:1.1 the session calls SetMode(Chunked) on both.
package frame

// Mode is the framing in force.
type Mode int

const (
	// EOM ends each message with ]]>]]> (RFC 6242 4.3).
	EOM Mode = iota
	// Chunked precedes each piece with its length (RFC 6242 4.2).
	Chunked
)

// String returns the name of m for logs.
func (m Mode) String() string {
	if m == Chunked {
		return "chunked"
	}
	return "end-of-message"
}

const (
	eomMarker   = "]]>]]>"
	endOfChunks = "\n##\n"
	// maxChunkSize is the largest size the chunk grammar allows (RFC 6242 4.2).
	maxChunkSize = 1<<32 - 1
)
