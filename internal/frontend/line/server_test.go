package line

import (
	"context"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/socket"
)

func TestLinesAreAnsweredInOrder(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		go c.Write([]byte("check epg\nagent epg\r\n\ncheck absent\n  check\tepg-liveness \nhelp\ncheck e"))
		for _, want := range []string{"UP 100%", "up ready 100%", "FAIL #", "DOWN # unknown service", "UP 100%", "FAIL #"} {
			if got := c.read(); !strings.HasPrefix(got, want) {
				t.Errorf("the answer is %q, want %q", got, want)
			}
		}
		c.write("pg\n")
		if got := c.read(); got != "UP 100%" {
			t.Errorf("the answer to a line in two parts is %q", got)
		}
		for _, b := range []byte("check epg\n") {
			c.write(string(b))
			synctest.Wait()
		}
		if got := c.read(); got != "UP 100%" {
			t.Errorf("the answer to a line sent byte by byte is %q", got)
		}
		c.disconnect()
	})
}

// Neither a pattern nor HAProxy treats the usage as up.
func TestInvalidRequestIsAnsweredWithUsage(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		for _, line := range []string{
			"", " ", "\r", "help", "check", "agent", "check  ", "CHECK epg", "epg", "check epg 30ms", "up", "UP epg",
			"GET / HTTP/1.1", "\x00\xFF", "check epg\x00 x", strings.Repeat("x", maxLine), strings.Repeat(" ", maxLine),
		} {
			if got := c.request(line); got+"\n" != usage {
				t.Errorf("the answer to %q is %q", line, got)
			}
		}
		c.request("check epg")
		c.disconnect()
		if refused := maps.Collect(f.Refused); refused["malformed"] != 17 || f.Answers().Count() != 1 {
			t.Errorf("counted %v refused and %d answers, want 17 malformed and 1", refused, f.Answers().Count())
		}
	})
}

func TestInvalidNameIsUnknownService(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		for _, name := range []string{"\x00", "../../etc", "epg\xFF", strings.Repeat("x", 100), "up", "#"} {
			if got := c.request("check " + name); !strings.HasPrefix(got, "DOWN # unknown service") {
				t.Errorf("the answer about %q is %q", name, got)
			}
		}
		c.disconnect()
	})
}

func TestTooLongLineClosesConnection(t *testing.T) {
	for _, line := range []string{strings.Repeat("x", maxLine+1), strings.Repeat("x", maxLine+1) + "\n", "check epg" + strings.Repeat(" ", 500) + "\n"} {
		inBubble(t, 0, func(t *testing.T, f *fixture) {
			c := f.connect()
			go c.Write([]byte(line))
			if got := c.read(); got+"\n" != usage {
				t.Errorf("the answer is %q", got)
			}
			c.wantClosedAfter(0)
			c.Close()
		})
	}
}

// halfClosed is a connection whose client sends nothing after sent.
type halfClosed struct {
	net.Conn
	sent io.Reader
}

func (c halfClosed) Read(b []byte) (int, error) { return c.sent.Read(b) }

// The last line needs no newline. ldirectord waits for the end.
func TestHalfClosedConnectionIsAnsweredThenClosed(t *testing.T) {
	for sent, want := range map[string]string{
		"check epg\n":          "UP 100%\n",
		"check epg":            "UP 100%\n",
		"check epg\nagent epg": "UP 100%\nup ready 100%\n",
		"":                     "",
		"\n":                   usage,
	} {
		inBubble(t, 0, func(t *testing.T, f *fixture) {
			conn, server := net.Pipe()
			go f.serveConn(f.ctx, halfClosed{server, strings.NewReader(sent)})
			got, err := io.ReadAll(conn)
			if err != nil || string(got) != want {
				t.Errorf("the answer to %q is %q, %v; want %q", sent, got, err, want)
			}
			conn.Close()
		})
	}
}

// A line must be finished within 5 s of its first byte, even if more bytes keep
// coming. The connection is then closed without an answer.
func TestUnfinishedLineTimesOut(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		time.Sleep(time.Minute) // idle before the line begins
		c.write("check")
		time.Sleep(4 * time.Second)
		c.write(" epg")
		c.wantClosedAfter(socket.FrameTimeout - 4*time.Second)
		c.Close()
	})
}

func TestIdleConnectionTimesOut(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		time.Sleep(4 * time.Minute)
		c.request("check epg")
		c.wantClosedAfter(socket.IdleTimeout)
		c.Close()
	})
}

func TestUnreadAnswerTimesOut(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		c.write("check epg\n")
		c.wantClosedAfter(socket.FrameTimeout)
		c.Close()
	})
}

// A request waits until the program has reported, and at most for the start
// grace.
func TestRequestWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		start := time.Now()
		known, unknown := f.connect(), f.connect()
		known.write("check vod\n")
		unknown.write("agent absent\n")
		time.Sleep(300 * time.Millisecond)
		newProcess(t, f.registry, "vod")
		if got := known.read(); got != "UP 100%" || time.Since(start) != 300*time.Millisecond {
			t.Errorf("the answer is %q after %v", got, time.Since(start))
		}
		if got := unknown.read(); !strings.HasPrefix(got, "down # unknown service") || time.Since(start) != time.Second {
			t.Errorf("the answer is %q after %v", got, time.Since(start))
		}
		known.disconnect()
		unknown.disconnect()
	})
}

// Stopping the server ends every wait: for a line, for an answer, and for a
// client to read.
func TestStopClosesConnections(t *testing.T) {
	inBubble(t, time.Minute, func(t *testing.T, f *fixture) {
		idle, unfinished, waiting, notReading := f.connect(), f.connect(), f.connect(), f.connect()
		unfinished.write("check")
		waiting.write("check absent\n")
		notReading.write("check epg\n")
		synctest.Wait()
		f.stop()
		for _, c := range []*client{idle, unfinished, waiting, notReading} {
			c.wantClosedAfter(0)
			if got, _ := io.ReadAll(c); len(got) > 0 {
				t.Errorf("received %q after the stop", got)
			}
			c.Close()
		}
	})
}

func TestRunClosesListenerAndConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := New(Config{Listener: l, Source: frontendtest.NewRegistry(t, 0), Checkers: frontendtest.NewTracker()})
	stopped := make(chan error)
	go func() { stopped <- server.Run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("check\n"))
	got := make([]byte, len(usage))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != usage {
		t.Errorf("the answer is %q, %v", got, err)
	}
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(got); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
	if late, err := net.Dial("tcp", l.Addr().String()); err == nil {
		late.Close()
		t.Error("the listener is open")
	}
}

func TestCheckersAreRecorded(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := f.connect()
		for _, line := range []string{"check epg", "agent epg-readiness", "check epgg", "no request"} {
			c.request(line)
		}
		if got := f.checkers.ByService("epg"); len(got) != 1 || got[0].Via != checkers.Line || got[0].Total != 2 {
			t.Errorf("the checkers of epg are %+v", got)
		}
		if got := f.checkers.Unknown(); len(got) != 1 || got[0].Name != "epgg" || got[0].Total != 1 {
			t.Errorf("the checkers of unknown names are %+v", got)
		}
	})
}
