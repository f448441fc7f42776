package snippet

import (
	"embed"
	"flag"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Program is what is said of a service to one program.
type Program interface {
	// Flags declares what may be said.
	Flags(*flag.FlagSet)

	// Configuration returns the program's configuration, or an error that says
	// what is wrong with what was said.
	Configuration() (string, error)
}

// Kind is a program that configuration can be written for.
type Kind struct {
	Name    string
	Purpose string // in one line
	New     func() Program
}

// Kinds are all of them, in the order in which they are listed.
var Kinds = []Kind{
	{"keepalived", "LVS by keepalived", func() Program { return new(keepalived) }},
	{"ldirectord", "LVS by ldirectord", func() Program { return new(ldirectord) }},
	{"haproxy", "HAProxy", func() Program { return new(haproxy) }},
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
