package gate

import (
	"context"
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

// keeper keeps one gate.
type keeper struct {
	*Server
	gate   Gate
	name   []byte
	port   *port // nil if it cannot be reserved
	open   bool
	log    failureLog
	cancel context.CancelFunc
	tasks  sync.WaitGroup // the keeper's, and that of the port
}

// keep starts a keeper, which ends with ctx or stop.
func (s *Server) keep(ctx context.Context, g Gate) *keeper {
	ctx, cancel := context.WithCancel(ctx)
	k := &keeper{
		Server: s, gate: g, name: g.name(), cancel: cancel,
		log: failureLog{logger: s.config.Logger.With("service", g.Service, "gate", g.Address.String())},
	}
	k.tasks.Go(func() { k.run(ctx) })
	return k
}

// stop closes the gate and returns when its port is free.
func (k *keeper) stop() {
	k.cancel()
	k.tasks.Wait()
}

// run opens and closes the port as the answer changes, until ctx is done. It follows
// only final answers, as a watch does: so a landmarkd that has just started opens the
// port with the first answer that is certain, and one that was paused leaves the port
// as it is until it has read what happened meanwhile.
func (k *keeper) run(ctx context.Context) {
	// Subscribe before the first answer, so that no change is missed.
	sub := k.config.Source.Subscribe(k.name)
	defer sub.Close()
	defer k.release()
	k.config.Checkers.SetGate(k.gate.Service, false)
	k.set(ctx, false) // reserve the port before there is an answer
	for {
		var retry <-chan time.Time
		if !k.follow(ctx) {
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

// follow waits for the final answer and sets the port by it. It reports whether the
// port is as it must be.
func (k *keeper) follow(ctx context.Context) bool {
	answer, err := k.config.Source.Await(ctx, k.name, registry.AnyAge)
	return err == nil && k.set(ctx, answer.Status == judge.Serving)
}

// set opens or closes the port, and reserves it first if it is not reserved yet. It
// reports whether the port is as it must be.
func (k *keeper) set(ctx context.Context, open bool) bool {
	if k.port == nil {
		p, err := reserve(k.gate.Address)
		if err != nil {
			k.log.failed(bindFailure(err), err)
			return false
		}
		k.port = p
		k.tasks.Go(func() { k.accept(ctx, p) })
	}
	if open != k.open {
		if err := k.port.set(open); err != nil {
			k.log.failed(bindFailure(err), err)
			k.release()
			return false
		}
		k.open = open
		k.config.Checkers.SetGate(k.gate.Service, open)
	}
	k.log.succeeded("the port of the gate is bound")
	return true
}

// release gives up the port.
func (k *keeper) release() {
	if k.port == nil {
		return
	}
	k.port.close()
	k.port = nil
	if k.open {
		k.open = false
		k.config.Checkers.SetGate(k.gate.Service, false)
	}
}

// accept accepts the connections to the port until it is given up, and records who
// made them. It needs no goroutine for a connection, because it reads nothing.
func (k *keeper) accept(ctx context.Context, p *port) {
	log := failureLog{logger: k.log.logger}
	p.accept(ctx, func(from netip.Addr) {
		log.succeeded("the gate accepts connections again")
		answer, _ := k.config.Source.Lookup(k.name, registry.AnyAge)
		k.config.Checkers.Record(frontend.CheckOf(k.name, &answer), checkers.Checker{From: from, Via: checkers.Gate}, time.Duration(answer.At()))
	}, func(err error) {
		log.failed("connections to the gate cannot be accepted; trying again", err)
	})
}
