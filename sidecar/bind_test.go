package sidecar

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An address that cannot be bound is told with the flag that it came from, and
// with what to do.
func TestBindErrorsNameTheFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config Config
		says   []string
	}{
		"monitor":      {Config{Monitor: taken.Addr().String()}, []string{"-monitor: ", taken.Addr().String(), "give another address"}},
		"grpc":         {Config{GRPC: taken.Addr().String()}, []string{"-grpc: ", taken.Addr().String(), "give another address"}},
		"line":         {Config{Line: taken.Addr().String()}, []string{"-line: ", taken.Addr().String(), "give another address"}},
		"no port":      {Config{GRPC: "127.0.0.1"}, []string{"-grpc: ", "127.0.0.1", "write HOST:PORT"}},
		"agent socket": {Config{AgentSocket: file}, []string{"-agent-socket: ", file, "give another path"}},
		"admin socket": {Config{AdminSocket: file}, []string{"-admin-socket: ", file, "give another path"}},
	} {
		s, err := New(tt.config)
		if err == nil {
			s.Close()
			t.Errorf("%s: it was bound", name)
			continue
		}
		for _, says := range tt.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q does not say %q", name, err, says)
			}
		}
	}
}
