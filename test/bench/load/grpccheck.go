package load

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// GRPC are calls of grpc.health.v1.
type GRPC struct {
	Server      string // HOST:PORT
	Message     []byte // the request
	Connections int    // each from an address of its own: 127.0.1.1 and so on
}

func (g GRPC) dial(i int, method string) (*grpcConn, error) {
	return dialGRPC(g.Server, net.IPv4(127, 0, 1+byte(i/250), 1+byte(i%250)), "/grpc.health.v1.Health/"+method, g.Message)
}

// Check keeps so many calls of Check open on each connection for the time, or until each has
// an answer, and returns how many were answered, and in what time.
func (g GRPC) Check(ctx context.Context, open int, d time.Duration) (answered int, took time.Duration, err error) {
	counts := make([]int, g.Connections)
	var conns []*grpcConn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range g.Connections {
		c, err := g.dial(i, "Check")
		if err != nil {
			return 0, 0, err
		}
		conns = append(conns, c)
	}
	group, _ := errgroup.WithContext(ctx)
	began := time.Now()
	for i, c := range conns {
		group.Go(func() (err error) {
			counts[i], err = c.check(open, began.Add(d))
			return err
		})
	}
	err = group.Wait()
	took = time.Since(began)
	for _, n := range counts {
		answered += n
	}
	return answered, took, err
}

// check keeps calls open until the time, or until one is answered, and returns how many were
// answered.
func (c *grpcConn) check(open int, until time.Time) (answered int, err error) {
	c.SetDeadline(until.Add(Patience))
	for range open {
		c.call()
	}
	messages := 0
	for {
		if c.in.Buffered() == 0 {
			if err := c.flush(); err != nil {
				return 0, err
			}
			if answered > 0 && !time.Now().Before(until) {
				break
			}
		}
		kind, last, err := c.read()
		if err != nil {
			return 0, err
		}
		if kind == frameData {
			messages++
		}
		if last {
			answered++
			c.call()
		}
	}
	if messages < answered {
		return 0, fmt.Errorf("%d of %d calls had no answer but an error", answered-messages, answered)
	}
	return answered, nil
}
