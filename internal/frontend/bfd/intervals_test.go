package bfd

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/logtest"
)

// After a restart landmarkd waits for a peer whose packets are rarer than its own, for as
// long as it takes to miss them.
func TestRestartWaitsForASlowPeer(t *testing.T) {
	const slow = 30 * time.Second
	file := filepath.Join(t.TempDir(), "bfd.json")
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	p := newPeer(t, newPair())
	own := peering(p.pair)
	up := p.packet(bfd.Up)
	up.DesiredMinTX = slow
	f := newFixtureWith(t, r, file, own)
	p.begin()
	p.sendAs(p.send, up.Append(nil))
	p.await(bfd.Up, bfd.Init)
	f.stop()

	f = newFixtureWith(t, r, file, own)
	var next time.Duration
	await(t, "the session knows the verdict", func() (ok bool) {
		f.Server.mu.Lock()
		one := f.open.sessions[p.pair]
		f.Server.mu.Unlock()
		one.mu.Lock()
		defer one.mu.Unlock()
		next, ok = one.machine.Next()
		return ok
	})
	if shortest := time.Duration(own.Multiplier) * slow / 2; next < shortest {
		t.Errorf("it waits for %v, want more than %v", next, shortest)
	}
	p.drain()
	p.sendAs(p.send, up.Append(nil))
	p.await(bfd.Up, bfd.Up)

	// A session that is not configured any more is forgotten.
	if err := f.Configure(nil); err != nil {
		t.Fatal(err)
	}
	f.stop()
	if got := newIntervals(file, slog.New(slog.DiscardHandler)).of(p.pair); got != 0 {
		t.Errorf("the interval of a session that was removed is %v", got)
	}
}

// The file is of this boot, and no interval in it is too long. One that cannot be used is
// ignored, and the log says why.
func TestFileOfIntervals(t *testing.T) {
	one := bfd.Pair{Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.2")}
	file := filepath.Join(t.TempDir(), "bfd.json")
	var log logtest.Buffer
	open := func() *intervals { return newIntervals(file, slog.New(slog.NewTextHandler(&log, nil))) }
	if i := open(); i.of(one) != 0 || log.String() != "" {
		t.Errorf("without a file the interval is %v, and the log is %s", i.of(one), log.String())
	}
	i := open()
	i.set(one, time.Hour)
	if err := i.write(); err != nil {
		t.Fatal(err)
	}
	if got := open().of(one); got != time.Minute {
		t.Errorf("an interval of an hour is remembered as %v, want %v", got, time.Minute)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ contents, logged string }{
		"another boot":    {strings.Replace(string(written), `"boot":"`, `"boot":"x`, 1), ""},
		"another version": {strings.Replace(string(written), `"version":1`, `"version":2`, 1), "it has version 2, and this landmarkd reads 1"},
		"nonsense":        {"nonsense", "invalid character"},
	} {
		if err := os.WriteFile(file, []byte(tt.contents), 0o600); err != nil {
			t.Fatal(err)
		}
		before := log.Count("\n")
		if got := open().of(one); got != 0 {
			t.Errorf("%s: the interval is %v, want none", name, got)
		}
		if lines := log.Count("\n") - before; (lines > 0) != (tt.logged != "") || !strings.Contains(log.String(), tt.logged) {
			t.Errorf("%s: the log is\n%s", name, log.String())
		}
	}
}

// That the file cannot be written is logged once.
func TestFailedWriteOfIntervalsIsLogged(t *testing.T) {
	var log logtest.Buffer
	i := newIntervals(filepath.Join(t.TempDir(), "none", "bfd.json"), slog.New(slog.NewTextHandler(&log, nil)))
	i.change()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	i.run(ctx)
	if log.Count("cannot be written") != 1 || log.Count("no such file or directory") != 1 {
		t.Errorf("the log is\n%s", log.String())
	}
}
