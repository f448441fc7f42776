package line

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// Several lines are answered in their order, however they come.
func TestLinesInOrder(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		a := b.connect()
		go a.Write([]byte("check epg\nagent epg\r\n\ncheck nobody\n  check\tepg-liveness \nhelp\ncheck e"))
		for _, want := range []string{"UP 100%", "up ready 100%", "FAIL #", "DOWN # unknown service", "UP 100%", "FAIL #"} {
			if got := a.read(); !strings.HasPrefix(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		a.write("pg\n")
		if got := a.read(); got != "UP 100%" {
			t.Errorf("told %q", got)
		}
		for _, c := range []byte("check epg\n") {
			a.write(string(c))
			synctest.Wait()
		}
		if got := a.read(); got != "UP 100%" {
			t.Errorf("told %q", got)
		}
		a.leave()
	})
}

// What is no request is told what one looks like, and neither a pattern nor
// HAProxy takes that for up.
func TestWhatIsNoRequest(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		a := b.connect()
		for _, line := range []string{
			"", " ", "\r", "help", "check", "agent", "check  ", "CHECK epg", "epg", "check epg 30ms", "up", "UP epg",
			"GET / HTTP/1.1", "\x00\xFF", "check epg\x00 x", strings.Repeat("x", maxLine), strings.Repeat(" ", maxLine),
		} {
			if got := a.ask(line); got+"\n" != usage {
				t.Errorf("to %q told %q", line, got)
			}
		}
		// A name that nobody could have is one that nobody knows.
		for _, name := range []string{"\x00", "../../etc", "epg\xFF", strings.Repeat("x", 100), "up", "#"} {
			if got := a.ask("check " + name); !strings.HasPrefix(got, "DOWN # unknown service") {
				t.Errorf("of %q told %q", name, got)
			}
		}
		a.leave()
	})
}

func TestLineThatIsTooLong(t *testing.T) {
	for _, line := range []string{strings.Repeat("x", maxLine+1), strings.Repeat("x", maxLine+1) + "\n", "check epg" + strings.Repeat(" ", 500) + "\n"} {
		inBubble(t, 0, func(t *testing.T, b *bubble) {
			a := b.connect()
			go a.Write([]byte(line))
			if got := a.read(); got+"\n" != usage {
				t.Errorf("told %q", got)
			}
			a.closedAfter(0)
			a.Close()
		})
	}
}

// halfClosed is an end of a pipe that the other end sends nothing to any more.
type halfClosed struct {
	net.Conn
	sent io.Reader
}

func (c halfClosed) Read(b []byte) (int, error) { return c.sent.Read(b) }

// A checker that has said all that it wants to is answered, also what it left
// without an end; and then there is the end, for which ldirectord waits.
func TestHalfClose(t *testing.T) {
	for sent, want := range map[string]string{
		"check epg\n":          "UP 100%\n",
		"check epg":            "UP 100%\n",
		"check epg\nagent epg": "UP 100%\nup ready 100%\n",
		"":                     "",
		"\n":                   usage,
	} {
		inBubble(t, 0, func(t *testing.T, b *bubble) {
			conn, server := net.Pipe()
			go b.serve(b.ctx, halfClosed{server, strings.NewReader(sent)})
			got, err := io.ReadAll(conn)
			if err != nil || string(got) != want {
				t.Errorf("to %q told %q, %v; want %q", sent, got, err, want)
			}
			conn.Close()
		})
	}
}

// A line has 5 s to come, however busily it does, and then nobody is told
// anything.
func TestLineThatIsNotFinished(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		a := b.connect()
		time.Sleep(time.Minute) // idle before it begins
		a.write("check")
		time.Sleep(4 * time.Second)
		a.write(" epg")
		a.closedAfter(socket.FrameTimeout - 4*time.Second)
		a.Close()
	})
}

func TestIdleConnection(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		a := b.connect()
		time.Sleep(4 * time.Minute)
		a.ask("check epg")
		a.closedAfter(socket.IdleTimeout)
		a.Close()
	})
}

// A checker that does not take its answer is left after 5 s.
func TestAnswerThatIsNotTaken(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		a := b.connect()
		a.write("check epg\n")
		a.closedAfter(socket.FrameTimeout)
		a.Close()
	})
}

// A question that is held after the start is answered once the program is
// there, and one that has to wait longer when it is over.
func TestHeldQuestions(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, b *bubble) {
		begun := time.Now()
		known, unknown := b.connect(), b.connect()
		known.write("check vod\n")
		unknown.write("agent nobody\n")
		time.Sleep(300 * time.Millisecond)
		newProgram(t, b.registry, "vod")
		if got := known.read(); got != "UP 100%" || time.Since(begun) != 300*time.Millisecond {
			t.Errorf("told %q after %v", got, time.Since(begun))
		}
		if got := unknown.read(); !strings.HasPrefix(got, "down # unknown service") || time.Since(begun) != time.Second {
			t.Errorf("told %q after %v", got, time.Since(begun))
		}
		known.leave()
		unknown.leave()
	})
}

// The end of the server ends what waits: for a line, for an answer, and for one
// to be taken.
func TestStop(t *testing.T) {
	inBubble(t, time.Minute, func(t *testing.T, b *bubble) {
		idle, begun, held, deaf := b.connect(), b.connect(), b.connect(), b.connect()
		begun.write("check")
		held.write("check nobody\n")
		deaf.write("check epg\n")
		synctest.Wait()
		b.stop()
		for _, a := range []*checker{idle, begun, held, deaf} {
			a.closedAfter(0)
			if got, _ := io.ReadAll(a); len(got) > 0 {
				t.Errorf("told %q at the end", got)
			}
			a.Close()
		}
	})
}

// Run closes its listener and waits for its connections.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error)
	go func() { served <- New(registry.New(clock.New(), 0), newMemory()).Run(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("check\n"))
	got := make([]byte, len(usage))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != usage {
		t.Errorf("told %q, %v", got, err)
	}
	stop()
	if err := <-served; err != nil {
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

func TestCheckersAreRemembered(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		m := newMemory()
		b.Server.checkers = m
		b.program.report()
		a := b.connect()
		for _, line := range []string{"check epg", "agent epg-readiness", "check epgg", "no question"} {
			a.ask(line)
		}
		if told := m.ByService("epg"); len(told) != 1 || told[0].Via != checkers.Line || told[0].Total != 2 {
			t.Errorf("of epg, remembered is %+v", told)
		}
		if told := m.Unknown(); len(told) != 1 || told[0].Name != "epgg" || told[0].Total != 1 {
			t.Errorf("of what is unknown, remembered is %+v", told)
		}
	})
}
