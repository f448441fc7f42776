// Package snippet writes configuration for programs that check landmarkd. It turns an
// operator's flags into text that is ready to paste, with the settings that the program
// needs so that it never takes in a server that is not serving. It reads no file and
// makes no connection.
//
// Every value in the text was validated when its flag was parsed and has no character
// with a meaning in any of the formats, so no name can break out of its place.
package snippet

import (
	"embed"
	"flag"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Program is the flags for one program's configuration.
type Program interface {
	// Flags declares the flags.
	Flags(*flag.FlagSet)

	// Configuration returns the program's configuration, or an error that says which
	// flag is wrong.
	Configuration() (string, error)

	// Warnings returns what is valid but probably not meant, a line each. The
	// configuration has it in its first comment, too.
	Warnings() []string
}

// Kind is a program that configuration can be written for.
type Kind struct {
	Name    string
	Purpose string // in one line
	New     func() Program
}

// Kinds are all kinds, in the order in which they are listed.
var Kinds = []Kind{
	{"keepalived", "LVS by keepalived", func() Program { return new(keepalived) }},
	{"ldirectord", "LVS by ldirectord", func() Program { return new(ldirectord) }},
	{"haproxy", "HAProxy", func() Program { return new(haproxy) }},
	{"bird", "BIRD: a route that follows the service by BFD", func() Program { return &router{template: "bird.conf.tmpl"} }},
	{"frr", "FRR: BFD sessions that follow the service", func() Program { return &router{template: "frr.conf.tmpl"} }},
	{"envoy", "Envoy", func() Program { return new(envoy) }},
	{"kubernetes", "kubelet: a Deployment with its probes", func() Program { return new(kubernetes) }},
	{"prometheus", "Prometheus with its blackbox exporter, and its alerts", func() Program { return new(prometheus) }},
}

//go:embed *.tmpl
var texts embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"seconds":      seconds,
	"milliseconds": time.Duration.Milliseconds,
	"host":         host,
}).ParseFS(texts, "*.tmpl"))

// write fills in the template of that name.
func write(name string, data any) (string, error) {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("writing %s: %w", strings.TrimSuffix(name, ".tmpl"), err)
	}
	return b.String(), nil
}
