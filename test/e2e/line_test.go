//go:build e2e

package e2e_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// sendLine sends text to the address, closes its side of the connection, and
// returns all that the server sends.
func sendLine(address, text string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// checkLine checks by the line protocol.
func checkLine(e *env, service string) string {
	answer, err := sendLine(e.line, "check "+service+"\n")
	word, reason, _ := strings.Cut(strings.TrimSpace(answer), " # ")
	cause, _, _ := strings.Cut(reason, ":")
	switch {
	case err != nil:
		return "error: " + err.Error()
	case strings.HasPrefix(word, "UP "):
		return "SERVING none"
	case word == "DOWN" || word == "DRAIN":
		return "NOT_SERVING " + cause
	}
	return "error: " + answer
}

// Each request of the line protocol gets its answer, with any line ending.
func TestLineProtocolAnswers(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("5s")
	for text, want := range map[string]string{
		"check epg\n":                         "UP 100%\n",
		"check epg\r\nagent epg\r\n":          "UP 100%\nup ready 100%\n",
		"check epg-liveness":                  "UP 100%\n", // printf without \n, into nc
		"check nobody\n":                      "DOWN # unknown service: no program has reported a service of this name\n",
		"help\n":                              "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n",
		strings.Repeat("x", 300) + "\n":       "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n",
		strings.Repeat("check epg\n", 10_000): strings.Repeat("UP 100%\n", 10_000),
	} {
		if got, err := sendLine(e.line, text); err != nil || got != want {
			t.Errorf("answer to %.40q: got %.80q, %v, want %.80q", text, got, err, want)
		}
	}
}
