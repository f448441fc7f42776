// Package line is the front end for checkers that can only print: it speaks the
// line protocol of docs/line.md, and HAProxy's agent-check, over TCP.
package line
