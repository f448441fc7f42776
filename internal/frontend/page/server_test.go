package page

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	s := New(Config{})
	for _, tt := range []struct {
		method, path string
		code         int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/service/epg", 200, "text/html; charset=utf-8"},
		{"GET", "/service/epg-liveness", 404, ""}, // no service can have this name
		{"GET", "/service/", 404, ""},
		{"GET", "/service/a/b", 404, ""},
		{"GET", "/service/%3Cscript%3E", 404, ""},
		{"GET", "/static/page.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/static/page.css", 200, "text/css; charset=utf-8"},
		{"GET", "/static/icon.svg", 200, "image/svg+xml"},
		{"GET", "/static/uplot/LICENSE", 200, "text/plain; charset=utf-8"},
		{"GET", "/static/", 404, ""},
		{"GET", "/static/../server.go", 404, ""},
		{"GET", "/static/uplot", 404, ""},
		{"GET", "/favicon.ico", 404, ""},
		{"HEAD", "/events", 200, "text/event-stream"},
		{"GET", "/events?service=-", 404, ""},
		{"POST", "/", 405, ""},
		{"DELETE", "/service/epg", 405, ""},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.code || tt.kind != "" && w.Header().Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: got %d, %s, want %d, %s", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), tt.code, tt.kind)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none';") || strings.Contains(p, "unsafe") {
			t.Errorf("%s %s: got the policy %q", tt.method, tt.path, p)
		}
	}
}

// A browser asks whether its copy is the latest.
func TestAssetsAreNotSentTwice(t *testing.T) {
	s := New(Config{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/static/page.js", nil))
	r := httptest.NewRequest("GET", "/static/page.js", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	s.ServeHTTP(again, r)
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("the second time: got %d with %d bytes, want %d", again.Code, again.Body.Len(), http.StatusNotModified)
	}
}

// The files name no other server, and the HTML has no script or style of its own, which
// the policy would refuse.
func TestAssetsNeedNothingElse(t *testing.T) {
	address := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]+[^\s"')]*`)
	for name, a := range assets {
		if a.kind == "" {
			t.Errorf("%s has no media type", name)
		}
		for _, found := range address.FindAllString(string(a.text), -1) {
			// A name space, which is never fetched, and comments of uPlot.
			if !strings.HasPrefix(found, "http://www.w3.org/2000/svg") && !strings.HasPrefix(found, "https://github.com/leeoniya/uPlot") && name != "uplot/LICENSE" {
				t.Errorf("%s refers to %s", name, found)
			}
		}
	}
	html := string(assets["page.html"].text)
	for _, refused := range []string{"<style", " style=", " onclick=", "javascript:"} {
		if strings.Contains(html, refused) {
			t.Errorf("page.html has %q", refused)
		}
	}
	for _, tag := range regexp.MustCompile(`<script[^>]*>`).FindAllString(html, -1) {
		if !strings.Contains(tag, " src=") {
			t.Errorf("page.html has a script of its own: %s", tag)
		}
	}
	for _, path := range regexp.MustCompile(`(?:src|href)="/static/([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if _, ok := assets[path[1]]; !ok {
			t.Errorf("page.html refers to %s, which is no asset", path[1])
		}
	}
}
