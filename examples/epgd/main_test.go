package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-listen :1 -agent-socket /a.sock -service tv -instance 7 -within 2s -notify"))
	if err != nil {
		t.Fatal(err)
	}
	if o.listen != ":1" || o.agent.Socket != "/a.sock" || o.agent.Service != "tv" || o.agent.Instance != "7" ||
		o.within != 2*time.Second || !o.agent.ServiceManager {
		t.Errorf("parsed %+v", o)
	}
	for _, bad := range []string{"-no-such-flag", "-within soon", "epg"} {
		_, err := parse(strings.Fields(bad))
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("parse(%s): error %v, want one line", bad, err)
		}
	}
}

// The server accepts and never answers.
func TestFetchTimesOut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	start := time.Now()
	if p, err := fetch(listener.Addr().String()); err == nil {
		t.Errorf("got %v from a silent server", p)
	}
	if took := time.Since(start); took < clientTimeout {
		t.Errorf("gave up after %v, want at least %v", took, clientTimeout)
	}
}
