package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/landmark-health/landmark/internal/frontend"
)

// seesEvidence answers whether the client may see evidence.
var seesEvidence = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, frontend.MaySeeEvidence(r.Context()))
})

// Without TLS and users, evidence is for clients on this host that ask for themselves.
func TestEvidenceIsForClientsOfThisHost(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.Page = seesEvidence }, func(t *testing.T, f *fixture) {
		for _, tt := range []struct {
			from, host, header string
			want               bool
		}{
			{"127.0.0.1", "127.0.0.1:19535", "", true},
			{"127.8.7.6", "localhost:19535", "", true},
			{"127.0.0.1", "localhost", "", true},
			{"::1", "[::1]:19535", "", true},
			{"::1", "[::1]", "", true},
			{"::ffff:127.0.0.1", "[::ffff:127.0.0.1]:19535", "", true},
			{remote, "127.0.0.1:19535", "", false},
			{remote, "localhost", "", false},
			{"fe80::1", "[::1]", "", false},
			{"127.0.0.1", "epg.example:19535", "", false}, // a name of another site
			{"127.0.0.1", "localhost.epg.example", "", false},
			{"127.0.0.1", "192.0.2.7:19535", "", false},
			{"127.0.0.1", "[", "", false},
			{"127.0.0.1", "", "", false},
			{"127.0.0.1", "localhost", "X-Forwarded-For: 192.0.2.1\r\n", false},
			{"127.0.0.1", "localhost", "X-Forwarded-For:\r\n", false},
			{"127.0.0.1", "localhost", "Forwarded: for=192.0.2.1\r\n", false},
			{"127.0.0.1", "localhost", "Via: 1.1 proxy\r\n", false},
			{"127.0.0.1", "localhost", "X-Real-IP: 192.0.2.1\r\n", false},
			{remote, "127.0.0.1", "Authorization: Basic dTpw\r\n", false}, // there are no users
		} {
			c := f.connectFrom(tt.from)
			go fmt.Fprintf(c, "GET /static/page HTTP/1.1\r\nHost: %s\r\n%s\r\n", tt.host, tt.header)
			if a := c.read("GET"); a.body != fmt.Sprint(tt.want) {
				t.Errorf("%+v: %s", tt, a.body)
			}
			c.Close()
		}
	})
}
