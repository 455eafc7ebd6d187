package gnmi

import (
	"sync"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what wireCodec builds on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
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
	switch m := m.(type) {
	case frame:
		return mem.BufferSlice{m.data}, nil
	case *gpb.GetResponse:
		if head, text, ok := cut(m); ok {
			return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(text)}, nil
		}
	}
	return c.CodecV2.Marshal(m)
}

// cutFrom is from how many octets on the JSON of an answer is sent from where it
// was written. Everything of 100,000 peers is 150 MB, which nobody wants twice.
const cutFrom = 64 << 10

// cut returns the wire form of an answer of one long JSON text, as the text and
// what stands before it; false for other answers.
func cut(r *gpb.GetResponse) (head, text []byte, ok bool) {
	if len(r.GetNotification()) != 1 || len(r.GetNotification()[0].GetUpdate()) != 1 || len(r.GetExtension()) > 0 {
		return nil, nil, false
	}
	n := r.GetNotification()[0]
	u := n.GetUpdate()[0]
	if len(n.GetDelete()) > 0 || u.GetDuplicates() > 0 {
		return nil, nil, false
	}
	var field protowire.Number
	switch v := u.GetVal().GetValue().(type) {
	case *gpb.TypedValue_JsonIetfVal:
		field, text = valJSONIETF, v.JsonIetfVal
	case *gpb.TypedValue_JsonVal:
		field, text = valJSON, v.JsonVal
	}
	if len(text) < cutFrom {
		return nil, nil, false
	}
	rest, err := proto.Marshal(&gpb.Notification{Timestamp: n.GetTimestamp(), Prefix: n.GetPrefix(), Atomic: n.GetAtomic()})
	path, err2 := proto.Marshal(u.GetPath())
	if err != nil || err2 != nil {
		return nil, nil, false // Marshal of the whole says why
	}
	val := bytesSize(field, len(text))
	update := bytesSize(updatePath, len(path)) + bytesSize(updateVal, val)
	head = appendLength(nil, getNotification, len(rest)+bytesSize(notificationUpdate, update))
	head = append(head, rest...)
	head = appendLength(head, notificationUpdate, update)
	head = appendBytes(head, updatePath, path)
	head = appendLength(head, updateVal, val)
	return appendLength(head, field, len(text)), text, true
}

// appendLength begins a field of n octets.
func appendLength(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
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
