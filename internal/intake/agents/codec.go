package agents

import (
	"math"
	"sync"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/landmark-health/landmark/internal/contract"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// codec is gRPC's own codec, except that it reads reports into reused messages.
// Nearly all messages are reports. Their facts, each a message by itself, would be
// most of the sidecar's garbage.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	request, ok := v.(*reportv1.StreamRequest)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	r := reports.Get().(*reportv1.Report)
	if !unmarshalReport(buffer.ReadOnlyData(), r) {
		recycle(r)
		return c.CodecV2.Unmarshal(data, v)
	}
	request.Message = &reportv1.StreamRequest_Report{Report: r}
	return nil
}

// reports holds reports, with their facts, for reuse.
var reports = sync.Pool{New: func() any { return new(reportv1.Report) }}

// recycle makes a report of the codec available for reuse. The caller must not use
// it, or its facts, afterwards.
func recycle(r *reportv1.Report) {
	r.Evidence = nil
	if cap(r.Facts) <= contract.MaxLandmarks {
		reports.Put(r)
	}
}

// unmarshalReport reads a StreamRequest that consists of one Report into r, and
// overwrites all of r. It reports whether it could. The caller leaves everything
// else, including every error, to protobuf.
func unmarshalReport(b []byte, r *reportv1.Report) bool {
	f, rest, ok := consumeField(b)
	if !ok || f.key != (key{3, protowire.BytesType}) || len(rest) > 0 {
		return false
	}
	r.Facts, r.Answered, r.Draining, r.ReadAtUs, r.Evidence = r.Facts[:0], 0, false, 0, nil
	for b = f.bytes; len(b) > 0; {
		if f, b, ok = consumeField(b); !ok {
			return false
		}
		switch f.key {
		case key{1, protowire.BytesType}:
			if !unmarshalFact(f.bytes, addFact(r)) {
				return false
			}
		case key{2, protowire.VarintType}:
			r.Answered = f.number
		case key{3, protowire.VarintType}:
			r.Draining = protowire.DecodeBool(f.number)
		case key{4, protowire.VarintType}:
			r.ReadAtUs = f.number
		default:
			return false
		}
	}
	return true
}

// addFact appends a fact to the report, and returns it. It reuses an earlier fact if
// there is one.
func addFact(r *reportv1.Report) *reportv1.Fact {
	n := len(r.Facts)
	if n == cap(r.Facts) {
		r.Facts = append(r.Facts, nil)
	}
	r.Facts = r.Facts[:n+1]
	if r.Facts[n] == nil {
		r.Facts[n] = new(reportv1.Fact)
	}
	return r.Facts[n]
}

// unmarshalFact reads a Fact into to, and overwrites all of to. It reports whether it
// could.
func unmarshalFact(b []byte, to *reportv1.Fact) bool {
	to.Reached, to.AgeUs, to.Count, to.Open, to.LagUs = false, 0, 0, false, 0
	to.Pending, to.Value, to.Met = 0, 0, false
	var reason []byte
	for len(b) > 0 {
		var f field
		var ok bool
		if f, b, ok = consumeField(b); !ok {
			return false
		}
		switch f.key {
		case key{1, protowire.VarintType}:
			to.Reached = protowire.DecodeBool(f.number)
		case key{2, protowire.VarintType}:
			to.AgeUs = f.number
		case key{3, protowire.VarintType}:
			to.Count = f.number
		case key{4, protowire.VarintType}:
			to.Open = protowire.DecodeBool(f.number)
		case key{5, protowire.VarintType}:
			to.LagUs = f.number
		case key{6, protowire.VarintType}:
			to.Pending = f.number
		case key{7, protowire.Fixed64Type}:
			to.Value = math.Float64frombits(f.number)
		case key{8, protowire.VarintType}:
			to.Met = protowire.DecodeBool(f.number)
		case key{9, protowire.BytesType}:
			reason = f.bytes
			if !utf8.Valid(reason) {
				return false
			}
		default:
			return false
		}
	}
	if to.Reason != string(reason) {
		to.Reason = string(reason)
	}
	return true
}

// field is one field of a message on the wire.
type field struct {
	key    key
	number uint64 // the value of a varint or fixed 64-bit field
	bytes  []byte // the value of a length-delimited field
}

// key is the number and the wire type of a field.
type key struct {
	number protowire.Number
	kind   protowire.Type
}

// consumeField reads the first field of b, and returns the rest. It supports the
// wire types of reports only.
func consumeField(b []byte) (f field, rest []byte, ok bool) {
	var n, m int
	f.key.number, f.key.kind, n = protowire.ConsumeTag(b)
	if n < 0 {
		return f, nil, false
	}
	switch f.key.kind {
	case protowire.VarintType:
		f.number, m = protowire.ConsumeVarint(b[n:])
	case protowire.Fixed64Type:
		f.number, m = protowire.ConsumeFixed64(b[n:])
	case protowire.BytesType:
		f.bytes, m = protowire.ConsumeBytes(b[n:])
	default:
		return f, nil, false
	}
	if m < 0 {
		return f, nil, false
	}
	return f, b[n+m:], true
}
