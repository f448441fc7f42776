package e2e_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sendLine sends text to the address, as a checker that then half-closes, and
// returns all that comes back.
func sendLine(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	told, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("after %q: %v", told, err)
	}
	return string(told)
}

// lineAsker asks by the line protocol.
func lineAsker(t *testing.T, address string) asker {
	return func(_ *house, service string) string {
		told := sendLine(t, address, "check "+service+"\n")
		word, why, _ := strings.Cut(strings.TrimSpace(told), " # ")
		cause, _, _ := strings.Cut(why, ":")
		switch {
		case strings.HasPrefix(word, "UP "):
			return "SERVING none"
		case word == "DOWN" || word == "DRAIN":
			return "NOT_SERVING " + cause
		}
		return "error: " + told
	}
}

// The line protocol tells the truth as soon as the others do.
func TestLineProtocol(t *testing.T) {
	line := freeAddress(t)
	h := newHouse(t, "-line", line)
	server, _ := h.epg("500ms")
	for text, want := range map[string]string{
		"check epg\n":                         "UP 100%\n",
		"check epg\r\nagent epg\r\n":          "UP 100%\nup ready 100%\n",
		"check epg-liveness":                  "UP 100%\n", // printf without \n, into nc
		"check nobody\n":                      "DOWN # unknown service: nobody has reported a service of this name\n",
		"help\n":                              "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n",
		strings.Repeat("x", 300) + "\n":       "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n",
		strings.Repeat("check epg\n", 10_000): strings.Repeat("UP 100%\n", 10_000),
	} {
		if told := sendLine(t, line, text); told != want {
			t.Errorf("to %.40q told %.80q, want %.80q", text, told, want)
		}
	}
	ask := map[string]asker{"line": lineAsker(t, line)}
	turns(t, h, ask, "NOT_SERVING stalled", server.signal(syscall.SIGUSR1), 600*time.Millisecond)
	turns(t, h, ask, "SERVING none", server.signal(syscall.SIGUSR2), 600*time.Millisecond)
	turns(t, h, ask, "NOT_SERVING lost", server.kill(), 50*time.Millisecond)
}
