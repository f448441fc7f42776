package line

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
)

// Whatever comes, each line has one answer, and none of them says UP of a service
// that nobody reported.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"check epg\n", "agent epg\r\ncheck epg", "\n\n", "help\n", "check epg extra\n", "check\x00 epg\n", strings.Repeat("x", 300), "\xFF\n",
	} {
		f.Add([]byte(seed))
	}
	clock := clock.New()
	go clock.Run(f.Context(), func() bool { return true })
	server := New(registry.New(clock, 0), newMemory())
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn := &recorder{sent: bytes.NewReader(sent)}
		server.serve(t.Context(), conn)
		answers := strings.SplitAfter(conn.answers.String(), "\n")
		if last := answers[len(answers)-1]; last != "" {
			t.Errorf("an answer without an end: %q", last)
		}
		answers = answers[:len(answers)-1]
		for _, answer := range answers {
			if answer != usage && !strings.HasPrefix(strings.ToLower(answer), "down # un") {
				t.Errorf("told %q", answer)
			}
		}
		if lines := lines(sent); len(answers) != lines {
			t.Errorf("%d answers to %d lines", len(answers), lines)
		}
	})
}

// lines counts what is to be answered: up to the first line that is too long.
func lines(sent []byte) (n int) {
	for len(sent) > 0 {
		line, rest, _ := bytes.Cut(sent, []byte("\n"))
		if n++; len(line) > maxLine {
			break
		}
		sent = rest
	}
	return n
}

// recorder is a connection on which all that is sent is there, and then the end.
type recorder struct {
	net.Conn
	sent    io.Reader
	answers strings.Builder
}

func (r *recorder) RemoteAddr() net.Addr { return nil }

func (r *recorder) Read(b []byte) (int, error)       { return r.sent.Read(b) }
func (r *recorder) Write(b []byte) (int, error)      { return r.answers.Write(b) }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
func (r *recorder) Close() error                     { return nil }
