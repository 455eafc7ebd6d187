package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	defaultMaxMessage = 64 << 20
	// inputSize is the read buffer of a session. Large chunks are read past it, straight into the message.
	inputSize = 8 << 10
	// keepSize is the largest message buffer that survives into the next call, so that an idle session does not hold its largest request.
	keepSize = 64 << 10
	// maxEmptyReads bounds how often a source may return neither bytes nor an error.
	maxEmptyReads = 100
)

// Options are the limits of a Reader.
type Options struct {
	// MaxMessage is the longest message accepted, in bytes without framing. 0 means 64 MiB.
	MaxMessage int64
	// Strict refuses what RFC 6242 does not allow but real clients send: white space before a message, and a first message (the hello)
	// that is chunked while the Reader is in EOM mode.
	Strict bool
}

// Reader cuts a byte stream into messages.
type Reader struct {
	src     io.Reader
	max     int64
	strict  bool
	mode    Mode
	started bool // a message has been read: from now on only mode decides the framing

	buf      []byte // bytes of the stream not yet consumed: buf[pos:end]
	pos, end int
	readErr  error // came together with the last bytes, reported when these are consumed

	msg []byte
	err error
}

// NewReader returns a Reader in EOM mode.
func NewReader(r io.Reader, o Options) *Reader {
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	return &Reader{src: r, max: o.MaxMessage, strict: o.Strict, buf: make([]byte, inputSize)}
}

// SetMode selects the framing of the messages that follow. Bytes already buffered are not lost.
func (r *Reader) SetMode(m Mode) { r.mode = m }

// Next returns the next message, without framing. The caller owns the slice until the next call, which overwrites it. In EOM mode a message
// may be empty.
//
// Errors: io.EOF when the stream ends between messages, io.ErrUnexpectedEOF when it ends inside one, ErrFraming, ErrTooBig (the slice then
// holds the beginning of the message as far as it had arrived, so that the answer can carry its message-id), or the error of the source.
// Every error is final: further calls return it again.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if cap(r.msg) > keepSize {
		r.msg = nil
	}
	r.msg = r.msg[:0]
	r.err = r.next()
	r.started = true
	if r.err != nil && !errors.Is(r.err, ErrTooBig) {
		return nil, r.err
	}
	return r.msg, r.err
}

// next reads one message into r.msg.
func (r *Reader) next() error {
	afterLF, err := r.gap()
	if err != nil {
		return err // io.EOF here is a clean end
	}
	switch {
	case r.mode == Chunked:
		err = r.readChunked(afterLF)
	case !r.strict && !r.started && afterLF && r.buf[r.pos] == '#':
		// A client that saw our base:1.1 before it sent its own hello may chunk that hello. No XML document starts with '#'.
		err = r.readChunked(afterLF)
	default:
		err = r.readEOM()
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// gap waits for the first byte of a message. Unless Strict it skips white space, and tells whether the last byte skipped was a LF, which
// may be the LF that starts a chunk.
func (r *Reader) gap() (afterLF bool, err error) {
	for {
		if r.pos == r.end {
			if err := r.fill(); err != nil {
				return false, err
			}
		}
		if r.strict {
			return false, nil
		}
		switch r.buf[r.pos] {
		case '\n':
			afterLF = true
		case ' ', '\t', '\r':
			afterLF = false
		default:
			return afterLF, nil
		}
		r.pos++
	}
}

// readEOM reads up to and including the marker ]]>]]>.
func (r *Reader) readEOM() error {
	for {
		if r.pos == r.end {
			if err := r.fill(); err != nil {
				return err
			}
		}
		// The marker may have begun in what was there before, but cannot have ended in it.
		from := max(0, len(r.msg)-(len(eomMarker)-1))
		r.take(r.end - r.pos)
		if i := bytes.Index(r.msg[from:], []byte(eomMarker)); i >= 0 {
			i += from
			r.pos -= len(r.msg) - i - len(eomMarker) // what follows belongs to the next message
			r.msg = r.msg[:i]
			if int64(i) > r.max {
				return r.tooBig()
			}
			return nil
		}
		if int64(len(r.msg)) >= r.max+int64(len(eomMarker)) {
			return r.tooBig()
		}
	}
}

// readChunked reads chunks up to and including the end-of-chunks.
func (r *Reader) readChunked(afterLF bool) error {
	if !afterLF {
		if err := r.expect('\n'); err != nil {
			return err
		}
	}
	for first := true; ; first = false {
		if !first {
			if err := r.expect('\n'); err != nil {
				return err
			}
		}
		size, err := r.chunkHeader()
		if err != nil {
			return err
		}
		if size == 0 {
			if first {
				return fmt.Errorf("%w: message without a chunk", ErrFraming)
			}
			return nil
		}
		if int64(len(r.msg))+size > r.max {
			// Already certain, whatever follows: do not wait for it, keep what is here.
			r.take(int(min(size, int64(r.end-r.pos))))
			return r.tooBig()
		}
		if err := r.chunkData(size); err != nil {
			return err
		}
	}
}

// chunkHeader reads what follows the LF of a chunk header. 0 means end-of-chunks.
func (r *Reader) chunkHeader() (int64, error) {
	if err := r.expect('#'); err != nil {
		return 0, err
	}
	c, err := r.readByte()
	if err != nil {
		return 0, err
	}
	if c == '#' {
		return 0, r.expect('\n')
	}
	if c < '1' || c > '9' {
		return 0, fmt.Errorf("%w: chunk size starts with %q, not 1 to 9 or #", ErrFraming, c)
	}
	size := int64(c - '0')
	for {
		if c, err = r.readByte(); err != nil {
			return 0, err
		}
		if c == '\n' {
			return size, nil
		}
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: %q in a chunk size", ErrFraming, c)
		}
		if size = size*10 + int64(c-'0'); size > maxChunkSize {
			return 0, fmt.Errorf("%w: chunk size above %d", ErrFraming, int64(maxChunkSize))
		}
	}
}

// chunkData appends n bytes of the stream to the message. Memory grows with the bytes that arrive, never with n.
func (r *Reader) chunkData(n int64) error {
	for n > 0 {
		if r.pos < r.end {
			k := int(min(n, int64(r.end-r.pos)))
			r.take(k)
			n -= int64(k)
			continue
		}
		if n < inputSize {
			if err := r.fill(); err != nil {
				return err
			}
			continue
		}
		r.grow(inputSize)
		room := r.msg[len(r.msg):cap(r.msg)]
		k, err := r.read(room[:min(n, int64(len(room)))])
		if err != nil {
			return err
		}
		r.msg = r.msg[:len(r.msg)+k]
		n -= int64(k)
	}
	return nil
}

// take moves n bytes of the input buffer to the message.
func (r *Reader) take(n int) {
	r.grow(n)
	r.msg = append(r.msg, r.buf[r.pos:r.pos+n]...)
	r.pos += n
}

// grow makes room for n more bytes of the message. It doubles, because append grows large slices in small steps.
func (r *Reader) grow(n int) {
	if cap(r.msg)-len(r.msg) < n {
		r.msg = slices.Grow(r.msg, max(n, len(r.msg)))
	}
}

func (r *Reader) tooBig() error {
	if int64(len(r.msg)) > r.max {
		r.msg = r.msg[:r.max]
	}
	return fmt.Errorf("%w: more than %d bytes", ErrTooBig, r.max)
}

func (r *Reader) expect(want byte) error {
	c, err := r.readByte()
	if err == nil && c != want {
		err = fmt.Errorf("%w: %q where %q must be", ErrFraming, c, want)
	}
	return err
}

func (r *Reader) readByte() (byte, error) {
	if r.pos == r.end {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	c := r.buf[r.pos]
	r.pos++
	return c, nil
}

// fill replaces the consumed input by at least one new byte.
func (r *Reader) fill() error {
	n, err := r.read(r.buf)
	r.pos, r.end = 0, n
	return err
}

// read returns at least one byte or an error, never both.
func (r *Reader) read(p []byte) (int, error) {
	if r.readErr != nil {
		return 0, r.readErr
	}
	for range maxEmptyReads {
		n, err := r.src.Read(p)
		if n > 0 {
			r.readErr = err
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}
