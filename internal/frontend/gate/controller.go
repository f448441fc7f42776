package gate

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// retryInterval is the time after which a port that could not be reserved or opened,
// or an answer that could not be had, is tried again.
const retryInterval = 250 * time.Millisecond

// controller opens and closes one gate.
type controller struct {
	*Server
	gate     Gate
	wildcard netip.AddrPort // what must be bound besides the port; invalid = nothing
	name     []byte
	port     *port // nil if it cannot be reserved
	open     bool
	problem  bool // the record says one
	log      failureLog
	cancel   context.CancelFunc
	tasks    sync.WaitGroup // the controller's, and that of the port
}

// control starts a controller, which ends with ctx or stop.
func (s *Server) control(ctx context.Context, g Gate) *controller {
	ctx, cancel := context.WithCancel(ctx)
	c := &controller{
		Server: s, gate: g, wildcard: wildcardOf(g.Address), name: g.name(), cancel: cancel,
		log: failureLog{logger: s.config.Logger.With("service", g.Service, "gate", g.Address.String())},
	}
	c.tasks.Go(func() { c.run(ctx) })
	return c
}

// stop closes the gate and returns when its port is free.
func (c *controller) stop() {
	c.cancel()
	c.tasks.Wait()
}

// run opens and closes the port as the answer changes, until ctx is done. It follows
// only final answers, as a watch does: so a landmarkd that has just started opens the
// port with the first answer that is certain, and one that was paused leaves the port
// as it is until it has read what happened meanwhile.
func (c *controller) run(ctx context.Context) {
	// Subscribe before the first answer, so that no change is missed.
	sub := c.config.Source.Subscribe(c.name)
	defer sub.Close()
	defer c.config.Checkers.SetGate(c.gate.Service, checkers.GateState{}) // there is none then
	defer c.release()
	c.record("")
	for {
		var retry <-chan time.Time
		if !c.follow(ctx) {
			retry = time.After(retryInterval)
		}
		select {
		case <-sub.Changed():
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// follow reserves the port, if it is not reserved yet, then waits for the final answer
// and sets the port by it. It reports whether the port is as it must be.
func (c *controller) follow(ctx context.Context) bool {
	if !c.reserve(ctx) {
		return false // do not wait: an answer may take as long as the start grace
	}
	alone := c.isAlone()
	answer, err := c.config.Source.Await(ctx, c.name, registry.AnyAge)
	return err == nil && c.set(answer.Status == judge.Serving) && alone
}

// reserve reserves the port, closed, if it is not reserved yet. It reports whether it
// is.
func (c *controller) reserve(ctx context.Context) bool {
	if c.port != nil {
		return true
	}
	p, err := c.bind()
	if err != nil {
		c.failed(err)
		return false
	}
	c.port = p
	c.tasks.Go(func() { c.accept(ctx, p) })
	c.log.succeeded("the port of the gate is bound")
	c.record("")
	return true
}

// bind reserves the port, and the wildcard that it needs.
func (c *controller) bind() (*port, error) {
	if err := c.wildcards.take(c.wildcard); err != nil {
		return nil, err
	}
	p, err := reserve(c.gate.Address)
	if err != nil {
		c.wildcards.release(c.wildcard)
	}
	return p, err
}

// isAlone reports whether no other program has bound the port. Else such a program may
// open it, on some kernels, and the gate cannot.
func (c *controller) isAlone() bool {
	if c.port.alone {
		return true
	}
	if err := c.port.tryListen(); err != nil {
		c.failed(err)
		return false
	}
	return true
}

// set opens or closes the port. If it cannot close the port, it gives it up. If it
// cannot open the port, it keeps it, so that no other program can.
func (c *controller) set(open bool) bool {
	if open == c.open {
		c.recordSuccess()
		return true
	}
	if err := c.port.set(open); err != nil {
		if !open {
			c.release()
		}
		c.failed(err)
		return false
	}
	c.log.succeeded("the gate opens and closes again")
	c.open = open
	c.record("")
	return true
}

// recordSuccess records that there is no problem any more: a port that could not be
// opened must be closed now.
func (c *controller) recordSuccess() {
	if c.problem && c.port.alone {
		c.record("")
	}
}

// failed logs and records that the port cannot be reserved, opened or closed.
func (c *controller) failed(err error) {
	failure := bindFailure(err)
	c.log.failed(failure, err)
	c.record(fmt.Sprintf("%s (%v)", failure, err))
}

// record records the state of the gate, "" if there is no problem.
func (c *controller) record(problem string) {
	c.problem = problem != ""
	c.config.Checkers.SetGate(c.gate.Service, checkers.GateState{
		Name: string(c.name), Address: c.gate.Address, Open: c.open, Problem: problem,
	})
}

// release gives up the port.
func (c *controller) release() {
	if c.port == nil {
		return
	}
	c.port.close()
	c.port = nil
	c.wildcards.release(c.wildcard)
	if c.open {
		c.open = false
		c.record("")
	}
}

// accept accepts the connections to the port until it is given up, and records who
// made them. It needs no goroutine for a connection, because it reads nothing.
func (c *controller) accept(ctx context.Context, p *port) {
	log := failureLog{logger: c.log.logger}
	p.accept(ctx, func(from netip.Addr) {
		log.succeeded("the gate accepts connections again")
		answer, _ := c.config.Source.Lookup(c.name, registry.AnyAge)
		c.config.Checkers.Record(frontend.CheckOf(c.name, &answer), checkers.Checker{From: from, Via: checkers.Gate}, time.Duration(answer.At()))
	}, func(err error) {
		log.failed("connections to the gate cannot be accepted; trying again", err)
	})
}
