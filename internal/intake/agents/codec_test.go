package agents

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// everything returns a report in which no field is zero.
func everything() *reportv1.StreamRequest {
	r := &reportv1.Report{Answered: 1 << 63, Draining: true, ReadAtUs: 1 << 62}
	for i := range uint64(3) {
		r.Facts = append(r.Facts, &reportv1.Fact{
			Reached: true, AgeUs: 1 + i, Count: math.MaxUint64, Open: true, LagUs: 2 + i,
			Pending: 3 + i, Value: -math.Pi, Met: true, Reason: strings.Repeat("größer", int(1+i)),
		})
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: r}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A report overwrites all of the reused message that it is read into. The test fails
// for a field of the schema that everything does not set.
func TestCodecReadsReports(t *testing.T) {
	fields := new(reportv1.Fact).ProtoReflect().Descriptor().Fields().Len()
	everything().GetReport().Facts[0].ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		fields--
		return true
	})
	if fields != 0 {
		t.Errorf("%d fields of a fact are not tested", fields)
	}
	var r reportv1.Report
	for i, want := range []*reportv1.StreamRequest{
		everything(),
		report(7, fact(0)),
		report(0),
		everything(),
	} {
		if !unmarshalReport(marshal(t, want), &r) {
			t.Errorf("report %d was not read", i)
		}
		if !proto.Equal(&r, want.GetReport()) {
			t.Errorf("report %d was read as %v, want %v", i, &r, want.GetReport())
		}
	}
}

// Other messages, and invalid ones, are left to protobuf.
func TestCodecLeavesTheRestToProtobuf(t *testing.T) {
	good := marshal(t, report(7, fact(0)))
	unknown := marshal(t, &reportv1.Report{})
	unknown = protowire.AppendTag(unknown, 99, protowire.VarintType)
	unknown = protowire.AppendVarint(unknown, 1)
	for name, b := range map[string][]byte{
		"nothing":          {},
		"a hello":          marshal(t, hello("epg", "a")),
		"cut short":        good[:len(good)-1],
		"twice":            append(good[:len(good):len(good)], good...),
		"an unknown field": protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), unknown),
		"not UTF-8":        {0x1a, 5, 0x0a, 3, 0x4a, 1, 0xff},
		"another kind":     {0x18, 1},
	} {
		if unmarshalReport(b, new(reportv1.Report)) {
			t.Errorf("%s was read", name)
		}
		var want, got reportv1.StreamRequest
		wantErr := proto.Unmarshal(b, &want)
		gotErr := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &got)
		if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !proto.Equal(&got, &want) {
			t.Errorf("%s was read as %v, %v; want %v, %v", name, &got, gotErr, &want, wantErr)
		}
	}
}

// FuzzCodec compares the codec with protobuf: what it reads by itself, protobuf reads
// in the same way.
func FuzzCodec(f *testing.F) {
	for _, m := range []*reportv1.StreamRequest{everything(), report(7, fact(0)), report(0), hello("epg", "a"), goodbye()} {
		b := marshal(f, m)
		f.Add(b)
		f.Add(append(b[:len(b):len(b)], b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		used := everything().GetReport()
		if !unmarshalReport(b, used) {
			return
		}
		var want reportv1.StreamRequest
		if err := proto.Unmarshal(b, &want); err != nil {
			t.Fatalf("% x was read as %v, where protobuf says %v", b, used, err)
		}
		if !proto.Equal(used, want.GetReport()) {
			t.Fatalf("% x was read as %v, want %v", b, used, want.GetReport())
		}
	})
}

// BenchmarkReadReport reads a report of 20 landmarks from the wire. The reference is
// protobuf.
func BenchmarkReadReport(b *testing.B) {
	m := report(7)
	for range 20 {
		m.GetReport().Facts = append(m.GetReport().Facts, &reportv1.Fact{Reached: true, AgeUs: 250_000, Count: 1000, LagUs: 150})
	}
	data := mem.BufferSlice{mem.SliceBuffer(marshal(b, m))}
	own := newCodec()
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var read reportv1.StreamRequest
			if err := own.Unmarshal(data, &read); err != nil {
				b.Fatal(err)
			}
			recycle(read.GetReport())
		}
	})
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var read reportv1.StreamRequest
			if err := own.CodecV2.Unmarshal(data, &read); err != nil {
				b.Fatal(err)
			}
		}
	})
}
