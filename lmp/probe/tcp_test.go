package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// exchangeWith sends e's request over a pipe to server. It returns runTCP's result
// and how long that took on the fake clock.
func exchangeWith(t *testing.T, e *exchange, limit time.Duration, server func(net.Conn)) (a lmp.Answer, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, end := net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer end.Close()
			server(end)
		}()
		start := time.Now()
		a, err = e.runTCP(ctx, client)
		took = time.Since(start)
		client.Close()
		<-done
	})
	return a, took, err
}

// readRequest reads one request from conn and returns the frame of a serving answer.
func readRequest(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	buf := make([]byte, lmp.MaxDatagram)
	n, err := conn.Read(buf)
	if err != nil {
		t.Error(err)
	}
	req, err := lmp.ParseRequest(buf[:n])
	if err != nil {
		t.Error(err)
	}
	a := answerTo(req)
	a.Reason = "a reason"
	return lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
}

// writeSlowly writes b one byte in each interval, until conn ends.
func writeSlowly(conn net.Conn, b []byte, interval time.Duration) {
	for i := range b {
		time.Sleep(interval)
		if _, err := conn.Write(b[i : i+1]); err != nil {
			return
		}
	}
}

func TestTCPAnswerInPieces(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindDescribe})
	a, took, err := exchangeWith(t, e, time.Second, func(conn net.Conn) {
		writeSlowly(conn, readRequest(t, conn), time.Millisecond)
	})
	if err != nil || a.Reason != "a reason" {
		t.Errorf("%+v, %v after %v; want the answer", a, err, took)
	}
}

func TestTCPSlowAnswerTimesOut(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	_, took, err := exchangeWith(t, e, time.Second, func(conn net.Conn) {
		writeSlowly(conn, readRequest(t, conn), 100*time.Millisecond)
	})
	if !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want a timeout after exactly 1 s", err, took)
	}
}

func TestTCPBrokenAnswerIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		server func(net.Conn)
		want   error
	}{
		"closed after the request": {func(conn net.Conn) { readRequest(t, conn) }, ErrRejected},
		"closed at once":           {func(net.Conn) {}, ErrRejected},
		"closed in the header":     {func(conn net.Conn) { conn.Write(readRequest(t, conn)[:31]) }, io.ErrUnexpectedEOF},
		"closed in the fields":     {func(conn net.Conn) { conn.Write(readRequest(t, conn)[:33]) }, io.ErrUnexpectedEOF},
		"closed after the header":  {func(conn net.Conn) { conn.Write(readRequest(t, conn)[:32]) }, io.EOF},
		"another protocol": {func(conn net.Conn) {
			readRequest(t, conn)
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		}, lmp.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			e := mustExchange(t, Request{Kind: lmp.KindDescribe})
			_, took, err := exchangeWith(t, e, time.Second, tt.server)
			if !errors.Is(err, tt.want) || took != 0 {
				t.Errorf("%v after %v, want %v at once", err, took, tt.want)
			}
			if errors.Is(err, ErrRejected) != (tt.want == ErrRejected) {
				t.Errorf("%v: whether it matches ErrRejected is wrong", err)
			}
		})
	}
}

// The kernel resets a connection that is closed before all data in it was read.
func TestTCPResetIsRejection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1))
			conn.Close()
		}
	}()
	_, err = Do(t.Context(), Request{Network: "tcp", Address: l.Addr().String(), Kind: lmp.KindCheck})
	if !errors.Is(err, ErrRejected) {
		t.Errorf("%v, want ErrRejected", err)
	}
}

func TestTCPConnectionRefusedIsNotRejection(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := Do(ctx, Request{Network: "tcp", Address: freeTCPAddress(t), Kind: lmp.KindCheck})
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, errTimeout) || errors.Is(err, ErrRejected) {
		t.Errorf("%v, want ECONNREFUSED and not ErrRejected", err)
	}
	if took := time.Since(start); took < 199*time.Millisecond {
		t.Errorf("Do returned after %v, want 200 ms", took)
	}
}

// freeTCPAddress returns an address without a listener.
func freeTCPAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A server that restarts closes a connection that it had accepted, then refuses
// connections, then answers.
func TestTCPToleratesRestart(t *testing.T) {
	address := freeTCPAddress(t)
	first, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error)
	go func() {
		conn, err := first.Accept()
		first.Close() // before the connection ends, so that the next one is refused
		if err == nil {
			conn.Close()
		}
		dropped <- err
	}()
	answered := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := Do(ctx, Request{Network: "tcp", Address: address, Kind: lmp.KindCheck})
		answered <- err
	}()
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	listen(t, "tcp", address, func(req lmp.Request, _ []byte) []byte {
		a := answerTo(req)
		return lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
	})
	if err := <-answered; err != nil {
		t.Errorf("a request during a restart: %v", err)
	}
}

// Do sends the request twice to a server that closes each connection.
func TestTCPRetriesRejectionOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan int)
	go func() {
		n := 0
		defer func() { accepted <- n }()
		for ; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = Do(ctx, Request{Network: "tcp", Address: l.Addr().String(), Kind: lmp.KindCheck})
	l.Close()
	if n := <-accepted; !errors.Is(err, ErrRejected) || n != 2 || ctx.Err() != nil {
		t.Errorf("%v after %d connections, want ErrRejected after 2", err, n)
	}
}
