package agents

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

type messages = []*reportv1.StreamRequest

// with returns a declaration of a Loop and of a valid landmark that change has changed.
func with(change func(*reportv1.Landmark)) *reportv1.StreamRequest {
	l := &reportv1.Landmark{Name: "pass", Kind: reportv1.Kind_KIND_ALIVE, WithinUs: 1_000_000}
	change(l)
	return declaration(loop("main"), l)
}

func TestInvalidMessageEndsTheStream(t *testing.T) {
	const day = 24 * 3600 * 1_000_000
	s := newSidecar(t)
	good := messages{hello("epg", "a"), declaration(loop("main")), report(0, fact(0))}
	for _, tt := range []struct {
		name     string
		messages messages
		field    string
	}{
		{"declaration first", messages{good[1]}, "hello"},
		{"report first", messages{report(0)}, "hello"},
		{"goodbye first", messages{goodbye()}, "hello"},
		{"nothing in the first", messages{{}}, "hello"},
		{"service empty", messages{hello("", "a")}, "hello.service"},
		{"service too long", messages{hello(strings.Repeat("s", 91), "a")}, "hello.service"},
		{"service begins with a dash", messages{hello("-epg", "a")}, "hello.service"},
		{"service with a blank", messages{hello("e pg", "a")}, "hello.service"},
		{"service is not ASCII", messages{hello("épg", "a")}, "hello.service"},
		{"service is liveness", messages{hello("liveness", "a")}, "hello.service"},
		{"service is readiness", messages{hello("readiness", "a")}, "hello.service"},
		{"service is startup", messages{hello("startup", "a")}, "hello.service"},
		{"service ends in -liveness", messages{hello("epg-liveness", "a")}, "hello.service"},
		{"service ends in -readiness", messages{hello("epg-readiness", "a")}, "hello.service"},
		{"service ends in -startup", messages{hello("epg-startup", "a")}, "hello.service"},
		{"instance empty", messages{hello("epg", "")}, "hello.instance"},
		{"instance too long", messages{hello("epg", strings.Repeat("i", 129))}, "hello.instance"},
		{"instance is not ASCII", messages{hello("epg", "é")}, "hello.instance"},
		{"instance with a control character", messages{hello("epg", "a\n")}, "hello.instance"},
		{"instance with a delete", messages{hello("epg", "a\x7f")}, "hello.instance"},
		{"hello twice", messages{good[0], good[0]}, "hello"},
		{"hello again", append(good[:3:3], good[0]), "hello"},
		{"report before the declaration", messages{good[0], report(0)}, "report"},
		{"nothing in a message", append(good[:3:3], &reportv1.StreamRequest{}), "message"},
		{"too many landmarks", messages{good[0], declaration(many(1025)...)}, "declaration.landmarks"},
		{"landmark twice", messages{good[0], declaration(loop("a"), loop("b"), loop("a"))}, "declaration.landmarks[2].name"},
		{"landmark without a name", messages{good[0], with(func(l *reportv1.Landmark) { l.Name = "" })}, "declaration.landmarks[1].name"},
		{"landmark's name too long", messages{good[0], with(func(l *reportv1.Landmark) { l.Name = strings.Repeat("n", 129) })}, "declaration.landmarks[1].name"},
		{"landmark's name with a control character", messages{good[0], with(func(l *reportv1.Landmark) { l.Name = "a\tb" })}, "declaration.landmarks[1].name"},
		{"landmark's name with a C1 control character", messages{good[0], with(func(l *reportv1.Landmark) { l.Name = "a\u009bb" })}, "declaration.landmarks[1].name"},
		{"landmark's name that turns the text around", messages{good[0], with(func(l *reportv1.Landmark) { l.Name = "a\u202eb" })}, "declaration.landmarks[1].name"},
		{"no kind", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind = 0 })}, "declaration.landmarks[1].kind"},
		{"kind unknown", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind = 200 })}, "declaration.landmarks[1].kind"},
		// In eight bits it is a Loop.
		{"kind overflowing", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind = 256 + 3 })}, "declaration.landmarks[1].kind"},
		{"impact unknown", messages{good[0], with(func(l *reportv1.Landmark) { l.Impact = 5 })}, "declaration.landmarks[1].impact"},
		{"impact below all", messages{good[0], with(func(l *reportv1.Landmark) { l.Impact = -1 })}, "declaration.landmarks[1].impact"},
		{"impact overflowing", messages{good[0], with(func(l *reportv1.Landmark) { l.Impact = 256 + 4 })}, "declaration.landmarks[1].impact"},
		{"no within", messages{good[0], with(func(l *reportv1.Landmark) { l.WithinUs = 0 })}, "declaration.landmarks[1].within_us"},
		{"within too short", messages{good[0], with(func(l *reportv1.Landmark) { l.WithinUs = 99_999 })}, "declaration.landmarks[1].within_us"},
		{"within too long", messages{good[0], with(func(l *reportv1.Landmark) { l.WithinUs = day + 1 })}, "declaration.landmarks[1].within_us"},
		{"within overflowing", messages{good[0], with(func(l *reportv1.Landmark) { l.WithinUs = math.MaxUint64/1000 + 2000 })}, "declaration.landmarks[1].within_us"},
		{"level without limits", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind, l.WithinUs = reportv1.Kind_KIND_LEVEL, 0 })}, "declaration.landmarks[1].limits"},
		{"limits that are not finite", messages{good[0], with(func(l *reportv1.Landmark) {
			l.Kind, l.WithinUs = reportv1.Kind_KIND_LEVEL, 0
			l.Limits = &reportv1.Limits{DegradeAt: 1, FailAt: math.Inf(1)}
		})}, "declaration.landmarks[1].limits.fail_at"},
		{"limits that are no numbers", messages{good[0], with(func(l *reportv1.Landmark) {
			l.Kind, l.WithinUs = reportv1.Kind_KIND_LEVEL, 0
			l.Limits = &reportv1.Limits{DegradeAt: math.NaN(), FailAt: 1}
		})}, "declaration.landmarks[1].limits.degrade_at"},
		{"limits of another kind", messages{good[0], with(func(l *reportv1.Landmark) { l.Limits = &reportv1.Limits{DegradeAt: 1, FailAt: 2} })}, "declaration.landmarks[1].limits"},
		{"within of a level", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind, l.Limits = reportv1.Kind_KIND_LEVEL, &reportv1.Limits{FailAt: 1} })}, "declaration.landmarks[1].within_us"},
		{"ttl of another kind", messages{good[0], with(func(l *reportv1.Landmark) { l.TtlUs = 1_000_000 })}, "declaration.landmarks[1].ttl_us"},
		{"ttl too long", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind, l.WithinUs, l.TtlUs = reportv1.Kind_KIND_CONDITION, 0, day+1 })}, "declaration.landmarks[1].ttl_us"},
		{"ttl too short", messages{good[0], with(func(l *reportv1.Landmark) { l.Kind, l.WithinUs, l.TtlUs = reportv1.Kind_KIND_CONDITION, 0, 999 })}, "declaration.landmarks[1].ttl_us"},
		{"start_within too short", messages{good[0], with(func(l *reportv1.Landmark) { l.StartWithinUs = 999 })}, "declaration.landmarks[1].start_within_us"},
		{"start_within too long", messages{good[0], with(func(l *reportv1.Landmark) { l.StartWithinUs = day + 1 })}, "declaration.landmarks[1].start_within_us"},
		{"a declaration that follows", append(good[:3:3], with(func(l *reportv1.Landmark) { l.WithinUs = 0 })), "declaration.landmarks[1].within_us"},
		{"too few facts", messages{good[0], good[1], report(0)}, "report.facts"},
		{"too many facts", messages{good[0], good[1], report(0, fact(0), fact(0))}, "report.facts"},
		{"facts of the declaration before", append(good[:3:3], declaration(loop("a"), loop("b")), good[2]), "report.facts"},
		{"age overflowing", messages{good[0], good[1], report(0, fact(math.MaxUint64))}, "report.facts[0].age_us"},
		{"lag overflowing", messages{good[0], good[1], report(0, &reportv1.Fact{LagUs: math.MaxInt64})}, "report.facts[0].lag_us"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := status.Convert(s.dial(tt.messages...).ended())
			if st.Code() != codes.InvalidArgument || !strings.HasPrefix(st.Message(), tt.field+": ") {
				t.Errorf("the stream ended with %v %q, want InvalidArgument naming %s", st.Code(), st.Message(), tt.field)
			}
		})
	}
}

func TestStreamWithoutAMessageFails(t *testing.T) {
	a := newSidecar(t).dial()
	a.CloseSend()
	if st := status.Convert(a.ended()); st.Code() != codes.InvalidArgument || !strings.HasPrefix(st.Message(), "hello: ") {
		t.Errorf("the stream ended with %v", st)
	}
}

func many(n int) []*reportv1.Landmark {
	landmarks := make([]*reportv1.Landmark, n)
	for i := range landmarks {
		landmarks[i] = loop(fmt.Sprintf("%0128d", i))
	}
	return landmarks
}

// Messages exactly at the limits are accepted.
func TestMessagesAtTheLimitsAreAccepted(t *testing.T) {
	const day = 24 * 3600 * 1_000_000
	s := newSidecar(t)
	long := strings.Repeat("s", 90)
	facts := make([]*reportv1.Fact, 1024)
	for i := range facts {
		facts[i] = fact(0)
	}
	for i, m := range []messages{
		{hello(long, " "+strings.Repeat("~", 127)), declaration(many(1024)...), report(0, facts...)},
		{hello("7._-", "a"), with(func(l *reportv1.Landmark) { l.Name, l.WithinUs, l.StartWithinUs = "ä – \u65e5", 100_000, day }), report(0, fact(0), fact(0))},
		{hello("livenesses", "a"), with(func(l *reportv1.Landmark) { l.WithinUs, l.Impact = day, 4 }), report(math.MaxUint64, fact(0), fact(0))},
		{hello("epg", "a"), declaration(), declaration(loop("main")), report(0, &reportv1.Fact{Reached: true, Count: math.MaxUint64, LagUs: day})},
	} {
		a := s.dial(m...)
		a.welcomed()
		s.await(m[0].GetHello().Service, judge.Serving, judge.None)
		a.send(goodbye())
		if err := a.ended(); err != nil {
			t.Errorf("stream %d ended with %v", i, err)
		}
	}
}

// An Alive without an impact is critical: if it fails, liveness fails.
func TestUnspecifiedImpactIsCritical(t *testing.T) {
	s := newSidecar(t)
	a := s.dial(hello("epg", "a"),
		with(func(l *reportv1.Landmark) { l.WithinUs = 100_000 }),
		report(0, fact(0), fact(longAgo)))
	a.welcomed()
	s.await("epg-liveness", judge.NotServing, judge.Stalled)
}

func TestTooLargeMessageEndsTheStream(t *testing.T) {
	s := newSidecar(t)
	a := s.reporting("epg", "a", 0)
	a.send(with(func(l *reportv1.Landmark) { l.Name = strings.Repeat("n", maxMessage) }))
	if err := a.ended(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the stream ended with %v", err)
	}
	s.await("epg", judge.NotServing, judge.Lost)
}

// rawCodec sends bytes unchanged.
type rawCodec struct{ encoding.CodecV2 }

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(b any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*b.(*[]byte))}, nil
}

// Bytes that protobuf rejects, such as a name that is not UTF-8, never reach the
// registry.
func TestUndecodableMessageEndsTheStream(t *testing.T) {
	s := newSidecar(t)
	for name, b := range map[string][]byte{
		"garbage":   {0xFF, 0xFF, 0xFF},
		"not UTF-8": {0x0A, 0x03, 0x0A, 0x01, 0x80}, // Hello.service
	} {
		t.Run(name, func(t *testing.T) {
			stream := open(t, s.dial().conn, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
			if err := stream.SendMsg(&b); err != nil {
				t.Fatal(err)
			}
			_, err := stream.Recv()
			if status.Code(err) != codes.Internal {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
	if names := s.registry.Names(); len(names) > 0 {
		t.Errorf("there are the services %v, want none", names)
	}
}
