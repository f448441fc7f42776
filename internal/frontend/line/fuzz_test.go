package line

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

// Each line gets one answer, and no answer about an unknown service says UP.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"check epg\n", "agent epg\r\ncheck epg", "\n\n", "help\n", "check epg extra\n", "check\x00 epg\n", strings.Repeat("x", 300), "\xFF\n",
	} {
		f.Add([]byte(seed))
	}
	server := New(Config{Source: frontendtest.NewRegistry(f, 0), Checkers: frontendtest.NewTracker()})
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn := &recorder{sent: bytes.NewReader(sent)}
		server.serveConn(t.Context(), conn)
		answers := strings.SplitAfter(conn.answers.String(), "\n")
		if last := answers[len(answers)-1]; last != "" {
			t.Errorf("an answer without a newline: %q", last)
		}
		answers = answers[:len(answers)-1]
		for _, answer := range answers {
			if answer != usage && !strings.HasPrefix(strings.ToLower(answer), "down # un") {
				t.Errorf("the answer is %q", answer)
			}
		}
		if n := countLines(sent); len(answers) != n {
			t.Errorf("%d answers to %d lines", len(answers), n)
		}
	})
}

// countLines counts the lines that get an answer: up to the first that is too
// long.
func countLines(sent []byte) (n int) {
	for len(sent) > 0 {
		line, rest, _ := bytes.Cut(sent, []byte("\n"))
		if n++; len(line) > maxLine {
			break
		}
		sent = rest
	}
	return n
}

// recorder is a connection that delivers sent, and records the answers.
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
