package sdnotify

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// The shared socket needs the name of the service, and a service's own no other.
func TestServiceName(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		if err := f.send("", p.Pid, 0, "READY=1"); err == nil || !strings.Contains(err.Error(), "X_LANDMARK_SERVICE=") {
			t.Errorf("without a name: got %v", err)
		}
		if err := f.send("", p.Pid, 0, "READY=1", "X_LANDMARK_SERVICE=a/b"); err == nil || !strings.Contains(err.Error(), "X_LANDMARK_SERVICE: ") {
			t.Errorf("a wrong name: got %v", err)
		}
		if err := f.send("cache", p.Pid, 0, "READY=1", "X_LANDMARK_SERVICE=other"); err == nil || !strings.Contains(err.Error(), "came to the socket of cache") {
			t.Errorf("another name: got %v", err)
		}
		f.mustSend("", p.Pid, "READY=1", "X_LANDMARK_SERVICE=epg", "X_LANDMARK_INSTANCE=one")
		f.mustSend("cache", p.Pid, "READY=1", "X_LANDMARK_SERVICE=cache")
		f.expect("epg", "named", serving, serving)
		f.expect("cache", "by its socket", serving, serving)
		if got := f.registry.Names(); len(got) != 2 {
			t.Errorf("the services are %q", got)
		}
		f.end(p)
		f.expect("epg", "after the end of its process", "lost", "lost")
		f.expect("cache", "after the end of its process", "lost", "lost")
	})
}

// A datagram that cannot be used changes nothing.
func TestUnusableDatagrams(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		for name, d := range map[string]sdnotify.Datagram{
			"truncated":   {Data: []byte("READY=1"), PID: os.Getpid(), Truncated: true},
			"NUL":         {Data: []byte("READY=1\x00\x00"), PID: os.Getpid()},
			"invisible":   {Data: []byte("READY=1")},
			"not there":   {Data: []byte("READY=1"), PID: 1 << 30},
			"after it":    {Data: []byte("READY=1"), PID: os.Getpid(), Waited: 1000 * time.Hour},
			"main absent": {Data: []byte("READY=1\nMAINPID=1073741824"), PID: os.Getpid()},
		} {
			d.Received = time.Now()
			if _, err := f.handle(&receiver{server: f.Server, service: "cache"}, &d, sender{}); err == nil {
				t.Errorf("%s: got no error", name)
			}
		}
		if _, err := f.handle(&receiver{server: f.Server}, &sdnotify.Datagram{Data: []byte("BARRIER=1"), PID: 1}, sender{}); err != nil {
			t.Errorf("a barrier: %v", err)
		}
		if got := f.registry.Names(); len(got) != 0 || len(f.all()) != 0 || f.total != 0 {
			t.Errorf("the services are %q, %d processes are known", got, f.total)
		}
	})
}
