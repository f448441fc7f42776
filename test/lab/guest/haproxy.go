package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// haproxyChecks has a HAProxy of its own check the real servers as its snippet says. It carries the connections itself.
func haproxyChecks(check string) starter {
	return func(l *laboratory, v virtualService) error {
		configuration, err := l.snippet("haproxy", v, "-check", check)
		if err != nil {
			return err
		}
		configuration = fmt.Sprintf("global\n    stats socket %s level admin\n", haproxySocket(v)) + configuration
		path := filepath.Join("/run", "haproxy-"+v.name+".cfg")
		if err := os.WriteFile(path, []byte(configuration), 0o644); err != nil {
			return fmt.Errorf("writing HAProxy's configuration: %w", err)
		}
		if _, err := l.director.start("haproxy-"+v.name, nil, "haproxy", "-db", "-f", path); err != nil {
			return err
		}
		l.background(func(ctx context.Context) error { return l.watchHAProxy(ctx, v) })
		return nil
	}
}

// haproxySocket is where the service's HAProxy tells how it sees its servers.
func haproxySocket(v virtualService) string { return filepath.Join("/run", "haproxy-"+v.name+".sock") }

// watchHAProxy enters what HAProxy says into the table until the context ends, and returns nil then.
func (l *laboratory) watchHAProxy(ctx context.Context, v virtualService) error {
	for {
		// There is no answer until it has started.
		if servers, err := haproxyServers(v); err == nil {
			weights := map[string]int{}
			for _, s := range l.servers() {
				weights[string(s.namespace)] = servers[haproxyName(s)].weight()
			}
			l.table.set(v.name, weights, l.journal.Now())
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil
		}
	}
}

// haproxyServer is a line of HAProxy's statistics, by the names of their columns.
type haproxyServer map[string]string

// haproxyName is the name that the snippet gives a server.
func haproxyName(s *realServer) string { return fmt.Sprintf("%s:%d", s.address, epgPort) }

// weight is the weight that new connections are shared out by, 0 if the server gets none.
func (h haproxyServer) weight() int {
	if !strings.HasPrefix(h["status"], "UP") {
		return 0
	}
	weight, err := strconv.Atoi(h["weight"])
	if err != nil {
		return 0
	}
	return weight
}

// haproxyServers returns what the service's HAProxy says of its servers, by their names.
func haproxyServers(v virtualService) (map[string]haproxyServer, error) {
	conn, err := net.DialTimeout("unix", haproxySocket(v), time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "show stat\n"); err != nil {
		return nil, err
	}
	table := csv.NewReader(conn)
	table.FieldsPerRecord = -1
	lines, err := table.ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("reading HAProxy's statistics: %w", err)
	}
	servers := map[string]haproxyServer{}
	for _, line := range lines[1:] {
		s := haproxyServer{}
		for i, value := range line[:min(len(line), len(lines[0]))] {
			s[lines[0][i]] = value
		}
		servers[s["svname"]] = s
	}
	return servers, nil
}

// haproxyConnections returns how many connections HAProxy has sent to the server.
func haproxyConnections(v virtualService, s *realServer) (int, error) {
	servers, err := haproxyServers(v)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(servers[haproxyName(s)]["stot"])
}
