package web

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
)

// A query that parses has the same meaning when it is written again, and names one
// aspect. Every error is one printable line.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"", "service=epg", "service=epg&max_age=250ms&drain=404", "max_age=1h1ns", "max_age=-0s", "service=%00&service", "&&&", "a=b", "service=%C3%A9", "service=a;b", "drain=404&drain=404", "max_age=1e9s",
	} {
		f.Add(0, query)
		f.Add(1, query)
	}
	f.Fuzz(func(t *testing.T, aspect int, query string) {
		if aspect < healthz || aspect >= judge.Aspects {
			return
		}
		q, err := parse(aspect, query)
		if err != nil {
			if text := err.Error(); strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 300 {
				t.Errorf("the error is %q", text)
			}
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q parses as %+v", query, q)
		}
		again := url.Values{"service": {values.Get("service")}, "max_age": {q.maxAge.String()}}
		if q.drainingIs404 {
			again.Set("drain", "404")
		}
		same, err := parse(aspect, again.Encode())
		if err != nil || string(same.name) != string(q.name) || same.maxAge != q.maxAge || same.drainingIs404 != q.drainingIs404 {
			t.Errorf("%q is %+v, and %q is %+v, %v", query, q, again.Encode(), same, err)
		}
		if q.maxAge < 0 || aspect != healthz && !strings.HasSuffix(string(q.name), judge.Aspect(aspect).String()) {
			t.Errorf("%q is %+v", query, q)
		}
	})
}

// Whatever the request, no answer is a success, or a redirect, unless the request is one
// about landmarkd itself: no service exists.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{"/readyz", "/readyz?service=epg", "/service/epg", "/%2e%2e/", "//", "*", "/-/ready", "/livez?max_age=1s", "/metrics", "http://x/readyz"} {
		f.Add("GET", seed, "text/html")
		f.Add("HEAD", seed, "application/json")
		f.Add("OPTIONS", seed, "")
	}
	s, err := New(Config{Listener: newPipes(), Source: frontendtest.NewRegistry(f, 0), Checkers: frontendtest.NewTracker()})
	if err != nil {
		f.Fatal(err)
	}
	client, server := net.Pipe()
	f.Cleanup(func() { client.Close() })
	from := pipe{server, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1}}
	conn := newConn(from, newPacer())
	f.Fuzz(func(t *testing.T, method, target, accept string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, RequestURI: target, Header: http.Header{"Accept": {accept}}, Body: io.NopCloser(strings.NewReader(""))}
		w := httptest.NewRecorder()
		s.beforeToolkit(s).ServeHTTP(w, r.WithContext(withConn(t.Context(), conn)))
		own := u.Path == "/-/healthy" || u.Path == "/-/ready"
		if w.Code < 400 && !own || w.Code == 500 {
			t.Errorf("%s %q: %d %q", method, target, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %q: it may be cached", method, target)
		}
	})
}
