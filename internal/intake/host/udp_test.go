package host

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func atUDP(port string) registry.HostLandmark {
	l := atPort(port)
	l.UDP = true
	return l
}

func atReceiveQueue(port string, within time.Duration) registry.HostLandmark {
	l := atQueue(port, within)
	l.UDP = true
	return l
}

func bindUDP(t *testing.T, network, address string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func dialUDP(t *testing.T, address string) *net.UDPConn {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// A landmark of a UDP port fails unless a socket is bound to its address that receives
// from everywhere.
func TestUDPPortLandmarkFollowsTheHost(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "addr add 10.0.0.7/32 dev lo")
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atUDP("10.0.0.7:5400"))
	e.becomes(judge.Failed, "nothing is bound to UDP 10.0.0.7:5400")
	listenOn(t, "tcp", ":5400")
	elsewhere := bindUDP(t, "udp4", "127.0.0.1:5400")
	e.becomes(judge.Failed, "nothing is bound to UDP 10.0.0.7:5400, only at 127.0.0.1")
	elsewhere.Close()
	connected, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.7:5400")), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.7:5401")))
	if err != nil {
		t.Fatal(err)
	}
	e.becomes(judge.Failed, "nothing is bound to UDP 10.0.0.7:5400")
	connected.Close()
	everywhere := bindUDP(t, "udp", ":5400")
	e.becomes(judge.None, "")
	everywhere.Close()
	e.becomes(judge.Failed, "nothing is bound")
}

// A program that does not read its datagrams is stalled, whether they filled its queue
// at once or arrive one by one, until it reads one.
func TestStuckReceiveQueueIsStalled(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atReceiveQueue("[::]:5400", 200*time.Millisecond))
	e.becomes(judge.Failed, "queue cannot be read: nothing is bound to UDP [::]:5400")
	if alive, _ := e.registry.Lookup([]byte("epg-liveness"), 0); alive.Status != judge.Serving {
		t.Errorf("liveness fails because nothing is bound: %s", alive.Reason())
	}
	server := bindUDP(t, "udp", ":5400")
	e.becomes(judge.None, "")
	client := dialUDP(t, "127.0.0.1:5400")
	send := func() { client.Write([]byte("hello")) }
	read := func() { server.Read(make([]byte, 9)) }

	for range 1000 {
		send()
	}
	e.becomes(judge.Stalled, "bytes wait on UDP [::]:5400, and no datagram has been read for ")
	if alive, _ := e.registry.Lookup([]byte("epg-liveness"), 0); alive.Cause != judge.Stalled {
		t.Errorf("the liveness of a stuck program has the cause %q", alive.Cause)
	}
	read()
	e.becomes(judge.None, "")
	e.becomes(judge.Stalled, "") // it still waits
	for server.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); ; {
		if _, err := server.Read(make([]byte, 9)); err != nil {
			break
		}
	}
	server.SetReadDeadline(time.Time{})
	e.becomes(judge.None, "")

	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(30 * time.Millisecond):
				send()
			}
		}
	}()
	e.becomes(judge.Stalled, "")
	close(stop)
}

// That a program reads is seen, though its queue is full all the time. A queue in which
// one datagram always waits is never stuck.
func TestReadingFromUDPQueueIsSeen(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := diag(t)
	flooded, one := bindUDP(t, "udp4", "127.0.0.1:5400"), bindUDP(t, "udp4", "127.0.0.1:5401")
	client, other := dialUDP(t, "127.0.0.1:5400"), dialUDP(t, "127.0.0.1:5401")
	for range 2 {
		other.Write([]byte("hello"))
	}
	full, waits := new(receiveQueue), new(receiveQueue)
	count := func(q *receiveQueue, port uint16, at int) {
		sockets, err := udpSockets(n, port)
		if err != nil {
			t.Fatal(err)
		}
		q.count(sockets, time.Duration(at))
	}
	seen, readings := 0, 100
	for i := range readings {
		for range i % 7 {
			flooded.Read(make([]byte, 9))
			one.Read(make([]byte, 9))
			other.Write([]byte("hello"))
		}
		for range 1000 {
			client.Write([]byte("hello"))
		}
		count(full, 5400, i)
		count(waits, 5401, i)
		since, _, ok := full.stuck()
		if !ok {
			t.Fatalf("reading %d: a full queue is never stuck", i)
		}
		if since == time.Duration(i) {
			seen++
		}
		if _, _, ok := waits.stuck(); ok {
			t.Fatalf("reading %d: a queue in which one datagram waits is stuck", i)
		}
	}
	// At every seventh reading nothing was read since the one before.
	if want := readings - (readings+6)/7 + 1; seen < want-2 || seen > want {
		t.Errorf("at %d readings it was seen that datagrams were read, want %d", seen, want)
	}
}
