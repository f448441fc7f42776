package agent

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// A blockedLog blocks its writers until the gate is closed.
type blockedLog struct {
	gate chan struct{}
	text strings.Builder
}

func (l *blockedLog) Write(b []byte) (int, error) {
	<-l.gate
	return l.text.Write(b)
}

// The log handler blocks from the first record on.
func TestBlockedLogDoesNotStopReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		s.start()
		var marks landmark.Set
		marks.Alive("a", time.Second)
		log := &blockedLog{gate: make(chan struct{})}
		agent := startAgent(t, &marks, s, log)
		synctest.Wait()
		s.stop() // the agent logs this, too
		s.start()
		time.Sleep(time.Second)
		r.clear()
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if got := r.kinds(); !strings.HasPrefix(got, "RRRR") {
			t.Errorf("messages in a second %q, want a report every 250 ms", got)
		}
		start := time.Now()
		closeAgent(t, agent)
		if took := time.Since(start); took != closeTimeout {
			t.Errorf("Close took %v, want %v", took, closeTimeout)
		}
		close(log.gate)
		synctest.Wait()
		if got := log.text.String(); strings.Count(got, "reporting to landmarkd") != 2 {
			t.Errorf("log, want both connections:\n%s", got)
		}
	})
}

func TestLogQueueCountsDroppedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &blockedLog{gate: make(chan struct{})}
		q := newLogQueue()
		logger := slog.New(q.handler(slog.NewTextHandler(log, nil)))
		logger.Info("first")
		synctest.Wait() // it is in the handler
		for range maxRecords + 3 {
			logger.Info("more")
		}
		close(log.gate)
		synctest.Wait()
		logger.WithGroup("g").With("a", 1).Info("last", "b", 2)
		q.close()
		<-q.ended
		lines := strings.Split(strings.TrimSpace(log.text.String()), "\n")
		if len(lines) != maxRecords+2 {
			t.Errorf("%d lines, want %d", len(lines), maxRecords+2)
		}
		if !strings.HasSuffix(lines[1], "msg=more dropped=3") {
			t.Errorf("line after the dropped ones %q, want dropped=3", lines[1])
		}
		if last := lines[len(lines)-1]; !strings.HasSuffix(last, "msg=last g.a=1 g.b=2") {
			t.Errorf("last line %q, want group and attributes", last)
		}
	})
}

// A slow handler gets every record.
func TestCloseWaitsForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		s.start()
		log := &blockedLog{gate: make(chan struct{})}
		agent := startAgent(t, new(landmark.Set), s, log)
		synctest.Wait()
		time.AfterFunc(closeTimeout/2, func() { close(log.gate) })
		closeAgent(t, agent)
		if !strings.Contains(log.text.String(), "reporting to landmarkd") {
			t.Errorf("log %q, want the connection", log.text.String())
		}
	})
}
