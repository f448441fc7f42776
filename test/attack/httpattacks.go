package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// httpAttacks are what any host can send to the HTTP port.
func httpAttacks() []attack {
	network := func(name, what string) attack {
		return attack{name: "HTTP: " + name, what: what, who: "network", measured: true, play: func(s *scene) {
			s.startPair()
			s.attack("HTTP "+name, s.sidecar.http, attackerUID)
			s.runFor(2*time.Second, 12*time.Second)
		}}
	}
	return []attack{
		network("10,000 connections", "10,000 connections send nothing, and connect again when they are closed"),
		network("slow requests", "500 connections send a request byte by byte"),
		network("slow bodies", "500 connections promise a body, and send it byte by byte"),
		network("large requests", "20 connections send requests of a megabyte, in the query and in the headers"),
		network("slow readers", "500 connections send as many requests as they can, and read a byte a second"),
		network("wrong requests", "20 connections send wrong methods, paths, queries and bytes, as many as they can"),
		network("unknown names", "20 connections check unknown names, as many as they can"),
		{name: "HTTP: passwords", what: "20 connections send wrong passwords, as many as they can", who: "network", measured: true, play: guessPasswords},
		network("pages", "100 connections open a page and read a byte a second, and 100 open and close one as often as they can"),
		network("metrics", "50 connections ask for the metrics, as often as they can, and half of them read nothing"),
		network("max age", "100 connections check with a maximum age of 1 ms, as often as they can"),
	}
}

// honestUser and honestPassword are those of the honest checkers over HTTP, where HTTP has
// users. The hash is that of the password by bcrypt, with the usual cost of 10.
const (
	honestUser     = "kubelet"
	honestPassword = "correct horse"
	honestHash     = "$2a$10$NlAdE42e.szRUAPmnnCKv.39bxvs.cuS113MdqHlIVRbW507Ud7fC"
)

// guessPasswords sends wrong passwords to a landmarkd whose HTTP has users.
func guessPasswords(s *scene) {
	file := filepath.Join(s.dir, "web.yaml")
	s.must(os.WriteFile(file, []byte("basic_auth_users:\n  "+honestUser+": \""+honestHash+"\"\n"), 0o600))
	s.startPair("-web-config", file)
	s.attack("HTTP passwords", s.sidecar.http, attackerUID)
	s.runFor(2*time.Second, 12*time.Second)
}

func sendPasswords(ctx context.Context, target string) error {
	return pipeline(ctx, target, 20, func(i int) string {
		password := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", honestUser, i))
		return "GET /readyz?service=well HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + password + "\r\n\r\n"
	})
}

// checkHTTP checks once over HTTP, as kubelet does: over a connection of its own.
func checkHTTP(ctx context.Context, address, service string) (answer, string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz?service="+service, nil)
	if err != nil {
		return none, err.Error()
	}
	r.SetBasicAuth(honestUser, honestPassword)
	transport := &http.Transport{DisableKeepAlives: true}
	a, err := transport.RoundTrip(r)
	if err != nil {
		return none, err.Error()
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	switch {
	case err != nil:
		return none, err.Error()
	case a.StatusCode == http.StatusOK:
		return serving, string(body)
	default:
		return notServing, fmt.Sprintf("%d %s", a.StatusCode, body)
	}
}

// crowdHTTP holds more connections than landmarkd may have by far.
func crowdHTTP(ctx context.Context, target string) error {
	return each(ctx, 10_000, func(ctx context.Context, _ int) {
		hold(ctx, target, "")
		time.Sleep(time.Second)
	})
}

// trickle sends each of n connections the text at once and then the rest byte by byte,
// again and again.
func trickle(ctx context.Context, target string, n int, begin, rest string) error {
	return each(ctx, n, func(ctx context.Context, _ int) {
		conn, err := dialFromAttacker(ctx, target)
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, begin); err != nil {
			return
		}
		for i := 0; ctx.Err() == nil; i = (i + 1) % len(rest) {
			if _, err := io.WriteString(conn, rest[i:i+1]); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func sendSlowRequests(ctx context.Context, target string) error {
	return trickle(ctx, target, 500, "GET /readyz?service=well HTTP/1.1\r\n", "X-A: b\r\n")
}

func sendSlowBodies(ctx context.Context, target string) error {
	return trickle(ctx, target, 500, "POST /readyz?service=well HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "x")
}

// pipeline sends the requests on n connections, again and again, and reads what comes.
func pipeline(ctx context.Context, target string, n int, request func(i int) string) error {
	return each(ctx, n, func(ctx context.Context, i int) {
		conn, err := dialFromAttacker(ctx, target)
		if err != nil {
			return
		}
		defer conn.Close()
		go io.Copy(io.Discard, conn)
		for ; ctx.Err() == nil; i++ {
			if _, err := io.WriteString(conn, request(i)); err != nil {
				return
			}
		}
	})
}

func sendLargeHTTPRequests(ctx context.Context, target string) error {
	large := strings.Repeat("x", 1<<20)
	requests := []string{
		"GET /readyz?service=" + large + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /readyz HTTP/1.1\r\nHost: x\r\nCookie: " + large + "\r\n\r\n",
		"GET /readyz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", len(large)/6) + "\r\n",
		"GET /readyz?" + strings.Repeat("a=b&", 4000) + " HTTP/1.1\r\nHost: x\r\n\r\n", // as large as a request may be
	}
	return pipeline(ctx, target, 20, func(i int) string { return requests[i%len(requests)] })
}

func sendWrongHTTPRequests(ctx context.Context, target string) error {
	requests := []string{
		"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"GET /readyz?max_age=never HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET //readyz/%2e%2e HTTP/1.0\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /readyz HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"\x00\xff\n\n",
	}
	return pipeline(ctx, target, 20, func(i int) string { return requests[i%len(requests)] })
}

func checkUnknownNamesByHTTP(ctx context.Context, target string) error {
	return pipeline(ctx, target, 20, func(i int) string {
		return fmt.Sprintf("GET /readyz?service=unknown%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	})
}

func checkMaxAgeByHTTP(ctx context.Context, target string) error {
	return pipeline(ctx, target, 100, func(int) string {
		return "GET /readyz?service=well&max_age=1ms HTTP/1.1\r\nHost: x\r\n\r\n"
	})
}

func scrapeMetrics(ctx context.Context, target string) error {
	const request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
	go each(ctx, 25, func(ctx context.Context, _ int) { sendAndReadNothing(ctx, target, request) })
	return pipeline(ctx, target, 25, func(int) string { return request })
}

// sendAndReadNothing sends the request again and again until the other end closes.
func sendAndReadNothing(ctx context.Context, target, request string) {
	conn, err := dialFromAttacker(ctx, target)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		if _, err := io.WriteString(conn, request); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// readSlowly sends requests and reads a byte a second.
func readSlowly(ctx context.Context, target string) error {
	requests := bytes.Repeat([]byte("GET /readyz?service=well HTTP/1.1\r\nHost: x\r\n\r\n"), 100)
	return each(ctx, 500, func(ctx context.Context, _ int) {
		conn, err := dialFromAttacker(ctx, target)
		if err != nil {
			return
		}
		defer conn.Close()
		go func() {
			for one := make([]byte, 1); ; time.Sleep(time.Second) {
				if _, err := conn.Read(one); err != nil {
					return
				}
			}
		}()
		for {
			if _, err := conn.Write(requests); err != nil {
				return
			}
		}
	})
}

// openPages opens pages that it does not read, and others that it closes at once.
func openPages(ctx context.Context, target string) error {
	return each(ctx, 200, func(ctx context.Context, i int) {
		conn, err := dialFromAttacker(ctx, target)
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /events?service=well HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return
		}
		first := make([]byte, 1)
		for i%2 == 0 && ctx.Err() == nil {
			if _, err := conn.Read(first); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
		conn.Read(first)
	})
}
