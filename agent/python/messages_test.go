// Package python_test tests that the messages in Python are those of the schema. What
// landmark.py does is tested in test/e2e, with Debian's Python.
package python_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// generate makes report_pb2.py, with Debian's protobuf-compiler.
const generate = "protoc -I proto/landmark/report/v1 --python_out=agent/python report.proto"

// TestMessagesMatchTheSchema compares the descriptor in report_pb2.py with that of the
// generated Go code, which make checkgenerate compares with the schema.
func TestMessagesMatchTheSchema(t *testing.T) {
	code, err := os.ReadFile("report_pb2.py")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`AddSerializedFile\(b'(.*)'\)`).FindSubmatch(code)
	if literal == nil {
		t.Fatalf("report_pb2.py has no descriptor; generate it by\n%s", generate)
	}
	serialized, err := strconv.Unquote(`"` + strings.ReplaceAll(string(literal[1]), `\'`, `'`) + `"`)
	if err != nil {
		t.Fatal(err)
	}
	got := new(descriptorpb.FileDescriptorProto)
	if err := proto.Unmarshal([]byte(serialized), got); err != nil {
		t.Fatal(err)
	}
	want := protodesc.ToFileDescriptorProto(reportv1.File_landmark_report_v1_report_proto)
	want.Name = proto.String("report.proto") // without a path, so that Python finds it beside landmark.py
	clearJSONNames(want.MessageType)         // protoc does not write them
	if !proto.Equal(got, want) {
		t.Errorf("report_pb2.py is stale; generate it by\n%s\ngot  %v\nwant %v", generate, got, want)
	}
}

func clearJSONNames(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		for _, f := range m.Field {
			f.JsonName = nil
		}
		clearJSONNames(m.NestedType)
	}
}
