package main

import (
	"sync"
	"time"
)

const (
	// crowdPause lies between two of them who come; half of it, between two who ask, or leave. A connection costs this machine's
	// one processor some 15 ms, all in all, and if it had no time left, main loops would be late, and the servers be found stalled.
	crowdPause = 20 * time.Millisecond

	// crowdAtOnce is how many of them are on their way to a programme at most.
	crowdAtOnce = 4

	// crowdPatience is how long one of them keeps others from asking.
	crowdPatience = 200 * time.Millisecond

	// answerPatience is how long a server may take for an answer.
	answerPatience = 10 * time.Second
)

// crowd is a crowd of clients, each with its connection, that stay connected.
type crowd []epgConn

// come connects everybody through the service, and has each ask once, some of them at a time. It returns how many got no
// programme.
func (c *crowd) come(v virtualService) (failed int, err error) {
	size := v.crowd()
	places := make(chan struct{}, crowdAtOnce)
	failures := make(chan bool, size)
	pause := time.NewTicker(crowdPause)
	defer pause.Stop()
	err = namespace(clientName).enter(func() error {
		for range size {
			<-pause.C
			places <- struct{}{}
			conn, err := dialEPG(v, time.Now().Add(answerPatience))
			if err != nil {
				return err
			}
			*c = append(*c, conn)
			go func() {
				failures <- conn.ask() != nil
				<-places
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

// ask asks on every connection, some of them at a time, and returns how many got no answer, and why one of them did not. It
// does not wait long for one answer before it asks on: many may never come.
func (c crowd) ask() (broken int, why error) {
	places := make(chan struct{}, crowdAtOnce)
	failures := make(chan error, len(c))
	pause := time.NewTicker(crowdPause / 2)
	defer pause.Stop()
	for _, conn := range c {
		<-pause.C
		places <- struct{}{}
		leave := sync.OnceFunc(func() { <-places })
		time.AfterFunc(crowdPatience, leave)
		conn.SetDeadline(time.Now().Add(answerPatience))
		go func() {
			defer leave()
			failures <- conn.ask()
		}()
	}
	for range c {
		if err := <-failures; err != nil {
			broken, why = broken+1, err
		}
	}
	return broken, why
}

// leave closes every connection, one after the other: all at once they would keep the servers from everything else.
func (c crowd) leave() {
	pause := time.NewTicker(crowdPause / 2)
	defer pause.Stop()
	for _, conn := range c {
		<-pause.C
		conn.Close()
	}
}
