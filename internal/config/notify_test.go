package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseNotifySockets(t *testing.T) {
	file, err := parse("landmarkd.yaml", []byte(`
services:
  cache: {notify_socket: /run/landmark/cache.sock}
  fpm: {notify_socket: /run/landmark/fpm.sock, watchdog: 10s}
  epg: {watchdog: 1s}
  none: {fall_after: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Notify{
		"cache": {Socket: "/run/landmark/cache.sock"},
		"fpm":   {Socket: "/run/landmark/fpm.sock", Watchdog: 10 * time.Second},
		"epg":   {Watchdog: time.Second},
	}
	if diff := cmp.Diff(want, file.Notify); diff != "" {
		t.Errorf("what is configured differs (-want +got):\n%s", diff)
	}
	if len(file.Services) != 4 || file.NotifySockets() != 2 {
		t.Errorf("%d services and %d sockets, want 4 and 2", len(file.Services), file.NotifySockets())
	}
}

func TestWrongNotifySockets(t *testing.T) {
	many := "services:\n"
	for i := range MaxNotifySockets + 1 {
		many += "  s" + strings.Repeat("x", i) + ": {notify_socket: /run/" + strings.Repeat("x", i+1) + "}\n"
	}
	for src, says := range map[string]string{
		"services: {a: {notify_socket: notify.sock}}":                                  "is not the path of a socket: write an absolute path",
		"services: {a: {notify_socket: /run/a/../b.sock}}":                             "is not the path of a socket",
		"services: {a: {notify_socket: /" + strings.Repeat("a", 107) + "}}":            "of at most 107 bytes",
		"services: {a: {notify_socket: {path: /run/a}}}":                               "is a mapping: write an absolute path",
		"services: {a: {notify_socket: \"@abstract\"}}":                                "is not the path of a socket",
		"services: {a: {watchdog: 10ms}}":                                              "is out of range: write a duration from 100ms to 24h",
		"services: {a: {notify_socket: /run/a.sock}, b: {notify_socket: /run/a.sock}}": "services.b.notify_socket: is the socket of a, too",
		"services: {a: {notify_socket: /run/landmark/notify.sock}}":                    "is landmarkd's own -notify-socket: choose another path",
		many: "has 65 notify sockets: use 64 at most",
	} {
		_, err := parse("f", []byte(src), Listener{Flag: "notify-socket", Path: "/run/landmark/notify.sock"})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s: got %v, want an error that contains %q", src, err, says)
		}
	}
}
