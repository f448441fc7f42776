package sidecar

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

// Config says how a sidecar is to be. Each listener is off where its address
// is empty.
type Config struct {
	// File is the path of the YAML file with the services' policies
	// (docs/configuration.md); "" = every service has the default one.
	File string
	// AgentSocket is the path of the Unix socket that agents report to.
	AgentSocket string
	// AdminSocket is the path of the Unix socket on which operators drain and
	// resume services.
	AdminSocket string
	// Monitor is the HOST:PORT of the monitoring protocol (docs/lmp.md), UDP
	// and TCP.
	Monitor string
	// MonitorKeys are the keys that monitoring requests must be signed with;
	// without any, everyone may ask.
	MonitorKeys lmp.Keys
	// Line is the HOST:PORT of the line protocol (docs/line.md), TCP. It has no
	// keys: whoever reaches it is answered.
	Line string
	// GRPC is the HOST:PORT, or unix:PATH, of grpc.health.v1 and
	// landmark.status.v1.
	GRPC string
	// StartGrace is how long after the start questions about services that
	// have not reported are held, so that agents have the time to come back.
	StartGrace time.Duration
	// DrainOnStop is for how long all services are drained before the sidecar
	// stops; 0 = they are not: it stops at once, and tells nobody anything.
	DrainOnStop time.Duration
	// Logger is told what happens; nil = nobody is.
	Logger *slog.Logger
}

// CheckFile reads a file as New and Reload would, and returns the error that
// they would.
func CheckFile(path string) error {
	_, err := config.Read(path)
	return err
}

// DefaultConfig returns what landmarkd runs with when nothing else is said.
// The sockets lie in $RUNTIME_DIRECTORY, else in /run/landmark as root, else in
// $XDG_RUNTIME_DIR/landmark.
func DefaultConfig() Config {
	return Config{
		AgentSocket: contract.AgentSocket(),
		AdminSocket: contract.AdminSocket(),
		Monitor:     fmt.Sprint(":", lmp.Port),
		GRPC:        fmt.Sprint(":", contract.GRPCPort),
		StartGrace:  time.Second,
	}
}
