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

// askServer asks a server that does as it likes with its end of the connection.
func askServer(t *testing.T, e *exchange, limit time.Duration, server func(net.Conn)) (a lmp.Answer, took time.Duration, err error) {
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
		begun := time.Now()
		a, err = exchangeTCP(ctx, client, e)
		took = time.Since(begun)
		client.Close()
		<-done
	})
	return a, took, err
}

// read reads one request and returns a serving answer to it.
func read(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	buf := make([]byte, lmp.MaxDatagram)
	n, err := conn.Read(buf)
	if err != nil {
		t.Error(err)
	}
	q, err := lmp.ParseRequest(buf[:n])
	if err != nil {
		t.Error(err)
	}
	a := answerTo(q)
	a.Reason = "a reason"
	return lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
}

// trickle writes a byte at a time until conn ends.
func trickle(conn net.Conn, b []byte, gap time.Duration) {
	for i := range b {
		<-time.After(gap) // by the bubble's clock
		if _, err := conn.Write(b[i : i+1]); err != nil {
			return
		}
	}
}

func TestStreamInPieces(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindDescribe})
	a, took, err := askServer(t, e, time.Second, func(conn net.Conn) {
		trickle(conn, read(t, conn), time.Millisecond)
	})
	if err != nil || a.Reason != "a reason" {
		t.Errorf("%+v, %v after %v", a, err, took)
	}
}

func TestStreamThatTricklesPastTheDeadline(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	_, took, err := askServer(t, e, time.Second, func(conn net.Conn) {
		trickle(conn, read(t, conn), 100*time.Millisecond)
	})
	if !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want silence after exactly 1 s", err, took)
	}
}

func TestStreamsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		server func(net.Conn)
		want   error
	}{
		"closed without a word": {func(conn net.Conn) { read(t, conn) }, ErrRejected},
		"closed unread":         {func(net.Conn) {}, ErrRejected},
		"closed in the header":  {func(conn net.Conn) { conn.Write(read(t, conn)[:31]) }, io.ErrUnexpectedEOF},
		"closed in the fields":  {func(conn net.Conn) { conn.Write(read(t, conn)[:33]) }, io.ErrUnexpectedEOF},
		"closed before them":    {func(conn net.Conn) { conn.Write(read(t, conn)[:32]) }, io.EOF},
		"another protocol": {func(conn net.Conn) {
			read(t, conn)
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		}, lmp.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			e := mustExchange(t, Request{Kind: lmp.KindDescribe})
			_, took, err := askServer(t, e, time.Second, tt.server)
			if !errors.Is(err, tt.want) || took != 0 {
				t.Errorf("%v after %v, want %v at once", err, took, tt.want)
			}
			if errors.Is(err, ErrRejected) != (tt.want == ErrRejected) {
				t.Errorf("%v: matches ErrRefused wrongly", err)
			}
		})
	}
}

// A server that closes with the question unread resets a real connection.
func TestResetIsARefusal(t *testing.T) {
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
		t.Errorf("%v, want ErrRefused", err)
	}
}

func TestNobodyListeningIsNoRefusal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := Do(ctx, Request{Network: "tcp", Address: freeTCP(t), Kind: lmp.KindCheck})
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, errTimeout) || errors.Is(err, ErrRejected) {
		t.Errorf("%v, want the kernel's refusal and not ErrRefused", err)
	}
	if took := time.Since(begun); took < 199*time.Millisecond {
		t.Errorf("given up after %v of 200 ms", took)
	}
}

// freeTCP returns an address that nobody listens at.
func freeTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A server that is being restarted refuses connections, or closes one that it had
// accepted, and then is there again.
func TestRestartIsNoEvent(t *testing.T) {
	address := freeTCP(t)
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
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := Do(ctx, Request{Network: "tcp", Address: address, Kind: lmp.KindCheck})
		answered <- err
	}()
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	listen(t, "tcp", address, func(q lmp.Request, _ []byte) []byte {
		a := answerTo(q)
		return lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
	})
	if err := <-answered; err != nil {
		t.Errorf("a question through a restart: %v", err)
	}
}

// A server that closes each connection without a word is asked twice.
func TestRefusalIsForgivenOnce(t *testing.T) {
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = Do(ctx, Request{Network: "tcp", Address: l.Addr().String(), Kind: lmp.KindCheck})
	l.Close()
	if n := <-accepted; !errors.Is(err, ErrRejected) || n != 2 || ctx.Err() != nil {
		t.Errorf("%v after %d connections, want ErrRefused after 2", err, n)
	}
}
