package probe

import (
	"bytes"
	"testing"
)

// BenchmarkSearch searches as many bytes as a check may receive, without a match.
func BenchmarkSearch(b *testing.B) {
	received := bytes.Repeat([]byte("220-mail "), MaxReceived/9)
	for _, pattern := range []string{`^220 .*\n`, `2[0-9]+ .*\n`, `(?i)[a-z]+\d{3}`, `(a|b|[^c]*x|mail.*y)+z`} {
		p := regexps(b, pattern)
		b.Run(pattern, func(b *testing.B) {
			for b.Loop() {
				p.match(received, false)
			}
		})
	}
}

// BenchmarkConversation takes the steps of a short check.
func BenchmarkConversation(b *testing.B) {
	c := &Check{Network: TCP, Steps: []Step{send("version\r\n"), expect(text(b, "VERSION "))}}
	for b.Loop() {
		v := c.Converse()
		v.Sent()
		if err := v.Receive([]byte("VERSION 1.6.18\r\n")); err != nil || !v.Done() {
			b.Fatal(err)
		}
	}
}
