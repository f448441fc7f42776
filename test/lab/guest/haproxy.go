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

// haproxyChecks starts an HAProxy with its snippet. It checks the real servers and carries the connections itself.
func haproxyChecks(check string) starter {
	return func(l *lab, v virtualService) error {
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

// haproxySocket returns the path of the statistics socket of the service's HAProxy.
func haproxySocket(v virtualService) string { return filepath.Join("/run", "haproxy-"+v.name+".sock") }

// watchHAProxy enters HAProxy's weights into the table until the context ends. It then returns nil.
func (l *lab) watchHAProxy(ctx context.Context, v virtualService) error {
	for {
		// There is no answer until HAProxy has started.
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

// haproxyServer is a line of HAProxy's statistics, by column.
type haproxyServer map[string]string

// haproxyName returns the name of a server in the snippet.
func haproxyName(s *realServer) string { return fmt.Sprintf("%s:%d", s.address, epgPort) }

// weight returns the server's weight, or 0 if it gets no new connections.
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

// haproxyServers returns the statistics of the service's HAProxy, by server.
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
