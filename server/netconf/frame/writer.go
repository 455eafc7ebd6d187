package frame

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"
)

const (
	// maxOutChunk is the largest chunk we send. A client that cannot join chunks then still reads every reply up to this size, and one
	// whose cost is quadratic in the chunk size stays fast.
	maxOutChunk = 64 << 10
	headRoom    = len("\n#65536\n")
	tailRoom    = len(eomMarker)
)

// outBuf is one chunk with room for its header before it and the end of the message after it, so that both need one write.
type outBuf [headRoom + maxOutChunk + tailRoom]byte

// outBufs keeps idle sessions from holding a buffer each.
var outBufs = sync.Pool{New: func() any { return new(outBuf) }}

// Writer frames messages. Each message is Begin, any number of Write, End.
type Writer struct {
	w    io.Writer
	mode Mode
	buf  *outBuf // nil when no message is open
	n    int     // bytes of content in buf
	err  error
}

// NewWriter returns a Writer in EOM mode.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// SetMode selects the framing of the messages that follow. It must not be called between Begin and End.
func (w *Writer) SetMode(m Mode) { w.mode = m }

// Begin opens a message. Misuse is reported by the next Write or End.
func (w *Writer) Begin() {
	if w.buf != nil {
		w.err = ErrNotOpen
		return
	}
	w.buf, w.n = outBufs.Get().(*outBuf), 0
}

// Write adds content to the open message. At most 64 KiB are held back, so memory stays flat whatever the size of the message; it may block
// as long as the peer does not read. A chunk never ends inside a UTF-8 sequence. In EOM mode the content must not contain the marker
// ]]>]]>: the XML encoder escapes it (RFC 6242 4.3).
func (w *Writer) Write(p []byte) (int, error) {
	if w.err == nil && w.buf == nil {
		w.err = ErrNotOpen
	}
	done := 0
	for w.err == nil && done < len(p) {
		if w.n == maxOutChunk {
			w.flushFull()
			continue
		}
		k := copy(w.buf[headRoom+w.n:headRoom+maxOutChunk], p[done:])
		w.n += k
		done += k
	}
	return done, w.err
}

// End completes the message and hands the rest of it to the connection in one write: a message of up to 64 KiB is one chunk and one write.
// Errors of the connection are final, further calls return them again.
func (w *Writer) End() error {
	if w.err == nil && w.buf == nil {
		w.err = ErrNotOpen
	}
	if w.err == nil && w.n == 0 {
		// The message can be withdrawn: nothing of it is on the wire, because a full buffer is only sent when more content follows.
		w.release()
		return ErrEmpty
	}
	if w.err == nil {
		start, end := w.header(w.n), headRoom+w.n
		tail := eomMarker
		if w.mode == Chunked {
			tail = endOfChunks
		}
		end += copy(w.buf[end:], tail)
		w.write(w.buf[start:end])
	}
	w.release()
	return w.err
}

// flushFull sends the full buffer as one chunk, but for a UTF-8 sequence that is not complete at its end.
func (w *Writer) flushFull() {
	content := w.buf[headRoom : headRoom+w.n]
	k := wholeRunes(content)
	w.write(w.buf[w.header(k) : headRoom+k])
	w.n = copy(content, content[k:])
}

// header puts the chunk header for size bytes right before the content and returns where it starts. In EOM mode there is none.
func (w *Writer) header(size int) int {
	if w.mode == EOM {
		return headRoom
	}
	var digits [headRoom]byte
	h := append(strconv.AppendInt(append(digits[:0], "\n#"...), int64(size), 10), '\n')
	return headRoom - copy(w.buf[headRoom-len(h):], h)
}

func (w *Writer) write(p []byte) {
	n, err := w.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("write message: %w", err)
	}
}

func (w *Writer) release() {
	if w.buf != nil {
		outBufs.Put(w.buf)
		w.buf = nil
	}
}

// wholeRunes returns the length of p without a UTF-8 sequence cut off at its end. Bytes that are no UTF-8 anyway stay.
func wholeRunes(p []byte) int {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return i
			}
			break
		}
	}
	return len(p)
}
