package sidecar

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend/web"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/lmp"
)

// Config configures a sidecar. A listener is off if its address is empty.
type Config struct {
	// File is the path of the YAML file with the services' policies, gates and notify
	// sockets, and the BFD sessions (docs/configuration.md); "" = every service has the default policy.
	File string
	// AgentSocket is the path of the Unix socket that agents report to.
	AgentSocket string
	// NotifySocket is the path of the Unix socket that receives notifications
	// (docs/sdnotify.md). They must name their service.
	NotifySocket string
	// AdminSocket is the path of the Unix socket on which operators drain and
	// resume services.
	AdminSocket string
	// Monitor is the HOST:PORT of the monitoring protocol (docs/lmp.md), UDP
	// and TCP.
	Monitor string
	// MonitorKeys are the keys with which monitoring requests must be signed;
	// without any, unsigned requests are answered.
	MonitorKeys lmp.Keys
	// Line is the HOST:PORT of the line protocol (docs/line.md), TCP. It has no
	// keys: every client that reaches it is answered.
	Line string
	// GRPC is the HOST:PORT, or unix:PATH, of grpc.health.v1 and
	// landmark.status.v1.
	GRPC string
	// HTTP is the HOST:PORT of health checks, metrics and the page over HTTP
	// (docs/http.md).
	HTTP string
	// WebConfig is the path of the file with TLS and users for HTTP, in the format of
	// Prometheus's exporters; "" = plain HTTP for every client that reaches it.
	WebConfig string
	// StartGrace is how long after the start requests about services that have not
	// reported are held, so that agents have time to reconnect.
	StartGrace time.Duration
	// DrainOnStop is how long all services are drained before the sidecar stops;
	// 0 = it stops at once, and drains none.
	DrainOnStop time.Duration
	// Journal is the directory of the journal (docs/journal.md); "" = none is kept.
	Journal string
	// LogDropped returns how many lines are missing in the log, for the metrics; nil =
	// that is not known.
	LogDropped func() uint64
	// ServiceManager makes the sidecar report to the service manager that started the
	// process, such as systemd: that it is ready, reloads, works, and stops.
	ServiceManager bool
	// Version is landmarkd's, shown to people, in the metrics and in the journal.
	Version string
	// Logger receives the log; nil = nothing is logged.
	Logger *slog.Logger
}

// CheckFile reads the file, and returns the error that New and Reload would return
// because of what it says.
func (c Config) CheckFile() error {
	_, err := config.Read(c.File, c.listeners()...)
	return err
}

// CheckWebConfig reads the file with TLS and users for HTTP, and returns the error that
// New would return because of what it says.
func (c Config) CheckWebConfig() error { return web.CheckFile(c.WebConfig) }

// CheckJournal returns an error if the directory of the journal cannot be used now. New
// takes such a directory nevertheless: what cannot be written is lost, and nothing else.
func (c Config) CheckJournal() error { return journal.CheckDir(c.Journal) }

// listeners returns the listeners whose ports no gate may have, and whose paths no
// service may have.
func (c Config) listeners() []config.Listener {
	return []config.Listener{
		{Flag: "monitor", Address: c.Monitor}, {Flag: "grpc", Address: c.GRPC}, {Flag: "line", Address: c.Line}, {Flag: "http", Address: c.HTTP},
		{Flag: "agent-socket", Path: c.AgentSocket}, {Flag: "notify-socket", Path: c.NotifySocket}, {Flag: "admin-socket", Path: c.AdminSocket},
	}
}

// DefaultConfig returns the configuration of landmarkd without flags. The sockets
// are in $RUNTIME_DIRECTORY, else in /run/landmark as root, else in
// $XDG_RUNTIME_DIR/landmark, else in /run/landmark.
func DefaultConfig() Config {
	return Config{
		AgentSocket:  contract.AgentSocket(),
		NotifySocket: contract.NotifySocket(),
		AdminSocket:  contract.AdminSocket(),
		Monitor:      fmt.Sprint(":", lmp.Port),
		GRPC:         fmt.Sprint(":", contract.GRPCPort),
		HTTP:         fmt.Sprint("127.0.0.1:", contract.HTTPPort),
		StartGrace:   time.Second,
	}
}
