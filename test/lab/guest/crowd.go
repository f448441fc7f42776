package main

import (
	"sync"
	"time"
)

const (
	// crowdPause is the time between two connects, and twice the time between two requests or closes. A connection costs the
	// machine's one processor some 15 ms. Without time to spare, main loops would be late, and the servers stalled.
	crowdPause = 20 * time.Millisecond

	// crowdAtOnce is how many requests may be open at once.
	crowdAtOnce = 4

	// crowdSlotTime is the time after which a request without an answer no longer counts as open.
	crowdSlotTime = 200 * time.Millisecond

	// answerTimeout is how long a server may take for an answer.
	answerTimeout = 10 * time.Second
)

// crowd is many clients, each with a connection that stays open.
type crowd []epgConn

// connect connects all clients through the service, and sends one request on each connection, at most crowdAtOnce at a time.
// It returns how many got no programme.
func (c *crowd) connect(v virtualService) (failed int, err error) {
	size := v.crowd()
	slots := make(chan struct{}, crowdAtOnce)
	failures := make(chan bool, size)
	pause := time.NewTicker(crowdPause)
	defer pause.Stop()
	err = namespace(clientName).enter(func() error {
		for range size {
			<-pause.C
			slots <- struct{}{}
			conn, err := dialEPG(v, time.Now().Add(answerTimeout))
			if err != nil {
				return err
			}
			*c = append(*c, conn)
			go func() {
				failures <- conn.request() != nil
				<-slots
			}()
		}
		return nil
	})
	for range *c {
		if <-failures {
			failed++
		}
	}
	return failed, err
}

// request sends a request on every connection. It returns how many got no answer, and one of the errors. A request without an
// answer does not delay the others by more than crowdSlotTime, because many may get none.
func (c crowd) request() (broken int, why error) {
	slots := make(chan struct{}, crowdAtOnce)
	failures := make(chan error, len(c))
	pause := time.NewTicker(crowdPause / 2)
	defer pause.Stop()
	for _, conn := range c {
		<-pause.C
		slots <- struct{}{}
		release := sync.OnceFunc(func() { <-slots })
		time.AfterFunc(crowdSlotTime, release)
		conn.SetDeadline(time.Now().Add(answerTimeout))
		go func() {
			defer release()
			failures <- conn.request()
		}()
	}
	for range c {
		if err := <-failures; err != nil {
			broken, why = broken+1, err
		}
	}
	return broken, why
}

// close closes the connections one after the other. All at once, they would keep the servers from all other work.
func (c crowd) close() {
	pause := time.NewTicker(crowdPause / 2)
	defer pause.Stop()
	for _, conn := range c {
		<-pause.C
		conn.Close()
	}
}
