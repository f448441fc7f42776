package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

func TestAdvice(t *testing.T) {
	request := probe.Request{Address: "[2001:db8::7]:19533"}
	signed := request
	signed.Key = new(lmp.Key)
	for _, tt := range []struct {
		request probe.Request
		err     error
		want    string
	}{
		{request, syscall.ECONNREFUSED, "is landmarkd running on 2001:db8::7, with its -monitor at port 19533?"},
		{request, errors.New("no answer"), "is landmarkd running on 2001:db8::7, without -monitor-keys"},
		{signed, errors.New("no answer"), "is landmarkd running on 2001:db8::7, and does the network"},
		{signed, lmp.ErrUnauthenticated, "is -key-file one of landmarkd's -monitor-keys?"},
		{request, probe.ErrRejected, "is port 19533 landmarkd's -monitor"},
		{request, &net.DNSError{}, "check the name in -addr"},
	} {
		if got := advice(tt.request, fmt.Errorf("wrapped: %w", tt.err)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

// The last word of a check against nothing is what to do.
func TestRefusedCheckAdvises(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		address := freeUDP(t)
		_, port, _ := net.SplitHostPort(address)
		r := execute(t, program, "-addr", address, "-"+network, "-service", "epg", "-timeout", "200ms")
		if want := "connection refused; is landmarkd running on 127.0.0.1, with its -monitor at port " + port + "?\n"; r.code != 2 || !strings.HasSuffix(r.stdout, want) {
			t.Errorf("%s: exit code %d, %q, want 2 and %q", network, r.code, r.stdout, want)
		}
	}
}
