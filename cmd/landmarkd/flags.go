//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/sidecar"
)

// runMode says what to do instead of serving.
type runMode struct{ version, check bool }

// parse parses the command line. The error is one line.
func parse(args []string, help io.Writer) (c sidecar.Config, mode runMode, err error) {
	c = sidecar.DefaultConfig()
	flags := flag.NewFlagSet("landmarkd", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is one line, without the help
	flags.StringVar(&c.AgentSocket, "agent-socket", c.AgentSocket, "`PATH` of the Unix socket that agents report to; \"\" = off")
	flags.StringVar(&c.NotifySocket, "notify-socket", c.NotifySocket, "`PATH` of the Unix socket that receives notifications (sd_notify), by default beside the agents'; \"\" = off")
	flags.StringVar(&c.AdminSocket, "admin-socket", c.AdminSocket, "`PATH` of the Unix socket on which operators drain and resume services, by default beside the agents'; \"\" = off")
	flags.StringVar(&c.Monitor, "monitor", c.Monitor, "`HOST:PORT` of the monitoring protocol, UDP and TCP; \"\" = off")
	flags.StringVar(&c.Line, "line", c.Line, "`HOST:PORT` of the line protocol, TCP, such as :19536; it has no keys; \"\" = off")
	flags.StringVar(&c.GRPC, "grpc", c.GRPC, "`ADDRESS`, HOST:PORT or unix:PATH, of grpc.health.v1 and landmark.status.v1; \"\" = off")
	flags.StringVar(&c.HTTP, "http", c.HTTP, "`HOST:PORT` of health checks, metrics and the page over HTTP; \"\" = off")
	flags.StringVar(&c.WebConfig, "web-config", "", "YAML `FILE` with TLS, client certificates and users for -http, in the format of Prometheus's exporters; each request reads it again")
	keys := flags.String("monitor-keys", "", "`FILE` of NUMBER:HEX lines; monitoring requests must be signed with one of these keys")
	flags.StringVar(&c.File, "config", "", "YAML `FILE` of the services' policies, gates and notify sockets, and the BFD sessions; SIGHUP reads it again")
	flags.StringVar(&c.Journal, "journal", "", "`DIR` of the journal: what happens to each service, for landmark history and landmark replay; \"\" = none")
	duration.Var(flags, &c.DrainOnStop, "drain-on-stop", 0, "drain all services for this `time`, such as 10s, before stopping; 0 = stop at once")
	flags.BoolVar(&mode.check, "check-config", false, "report errors in the -config and -web-config files, and whether -journal can be written, and exit")
	flags.BoolVar(&mode.version, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprintln(help, "usage: landmarkd [flags]")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return c, mode, err
	case err != nil:
		return c, mode, fmt.Errorf("%w; landmarkd -h lists the flags", err)
	case flags.NArg() > 0:
		return c, mode, fmt.Errorf("unexpected argument %q; landmarkd takes only flags, and -h lists them", flags.Arg(0))
	}
	if c.DrainOnStop < 0 {
		return c, mode, fmt.Errorf("-drain-on-stop %v: give how long to drain, such as 15s, or 0 not to", c.DrainOnStop)
	}
	if !given(flags, "notify-socket") {
		c.NotifySocket = beside(c.AgentSocket, "notify.sock")
	}
	if !given(flags, "admin-socket") {
		c.AdminSocket = beside(c.AgentSocket, "admin.sock")
	}
	if c.File == "" && c.AgentSocket+c.NotifySocket+c.AdminSocket+c.Monitor+c.Line+c.GRPC+c.HTTP == "" && !mode.version {
		return c, mode, errors.New("every listener is off, so landmarkd would get no report and no request: leave -agent-socket out, and one of -monitor, -grpc and -http, or give -config FILE")
	}
	if given(flags, "config") && c.File == "" {
		return c, mode, errors.New("-config is empty: give the path of a YAML file, or leave -config out to use the default policies")
	}
	if given(flags, "web-config") && c.WebConfig == "" {
		return c, mode, errors.New("-web-config is empty: give the path of a YAML file, or leave -web-config out to serve plain HTTP")
	}
	if c.WebConfig != "" && c.HTTP == "" {
		return c, mode, errors.New("-web-config has no effect while -http is off: give -http HOST:PORT, or leave -web-config out")
	}
	if given(flags, "journal") && c.Journal == "" {
		return c, mode, errors.New("-journal is empty: give the path of a directory, or leave -journal out to keep no journal")
	}
	if mode.check && c.File == "" && c.WebConfig == "" {
		return c, mode, errors.New("-check-config needs the file to check: give -config FILE or -web-config FILE")
	}
	if !given(flags, "monitor-keys") {
		return c, mode, nil
	}
	if *keys == "" {
		return c, mode, errors.New("-monitor-keys is empty: give the path of a key file, or leave -monitor-keys out to answer unsigned requests")
	}
	if c.MonitorKeys, err = lmp.ReadKeys(*keys); err != nil {
		return c, mode, fmt.Errorf("-monitor-keys: %w", err)
	}
	return c, mode, nil
}

// given reports whether the command line has the flag.
func given(flags *flag.FlagSet, name string) (yes bool) {
	flags.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// beside returns the path of a socket in the directory of another socket, or "" if that is
// off. So -agent-socket moves both.
func beside(socket, name string) string {
	if socket == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(socket), name)
}
