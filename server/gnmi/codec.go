package gnmi

import (
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what wireCodec builds on
	"google.golang.org/grpc/mem"
)

// frame is a message in wire form that is to be sent as it is.
type frame struct{ data mem.Buffer }

// shared makes a frame of octets that several streams send and nobody changes.
func shared(data []byte) frame { return frame{mem.SliceBuffer(data)} }

// wireCodec is the codec of protobuf messages that lets frames pass.
type wireCodec struct{ encoding.CodecV2 }

func newCodec() wireCodec { return wireCodec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c wireCodec) Marshal(m any) (mem.BufferSlice, error) {
	if f, ok := m.(frame); ok {
		return mem.BufferSlice{f.data}, nil
	}
	return c.CodecV2.Marshal(m)
}

// inbound is a message that is read, and what is wrong with it. gRPC has no
// other way to tell a client that its message is no protobuf than INTERNAL,
// which would be this server's fault.
type inbound struct {
	message any
	err     error
}

// Unmarshal implements encoding.CodecV2.
func (c wireCodec) Unmarshal(data mem.BufferSlice, m any) error {
	if in, ok := m.(*inbound); ok {
		in.err = c.CodecV2.Unmarshal(data, in.message)
		return nil
	}
	return c.CodecV2.Unmarshal(data, m)
}

// receive reads a message of a stream that has the wireCodec.
func receive(stream grpc.ServerStream, m any) error {
	in := inbound{message: m}
	if err := stream.RecvMsg(&in); err != nil {
		return err
	}
	if in.err != nil { // gnmi.md 110
		return fault{code: codes.InvalidArgument, reason: "the message cannot be read: " + in.err.Error()}.err()
	}
	return nil
}

// recycler is a mem.BufferPool of the memory of notices.
type recycler struct{ pool sync.Pool }

var recycled recycler

const (
	newNotice  = 4 << 10  // room for the leaves of most records
	maxRecycle = 64 << 10 // what is larger is not kept
)

// Get implements mem.BufferPool. What the slice holds is undefined.
func (r *recycler) Get(length int) *[]byte {
	if b, ok := r.pool.Get().(*[]byte); ok && cap(*b) >= length {
		*b = (*b)[:length]
		return b
	}
	b := make([]byte, length, max(length, newNotice))
	return &b
}

// Put implements mem.BufferPool.
func (r *recycler) Put(b *[]byte) {
	if cap(*b) <= maxRecycle {
		r.pool.Put(b)
	}
}

// once makes a frame of what a notice says. Its memory comes back when gRPC has
// sent it.
func once(n *notice) frame {
	data := n.bytes()
	all := mem.NewBuffer(&n.buf, &recycled)
	defer all.Free()
	return frame{all.Slice(len(n.buf)-len(data), len(n.buf))}
}
