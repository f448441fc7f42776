package agent_test

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

func Example() {
	var marks landmark.Set
	mainLoop := marks.Loop("main loop", time.Second)
	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: &marks, Logger: slog.Default()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()

	work := make(chan string, 1)
	work <- "one piece of work"
	close(work)
	for {
		select {
		case answer := <-mainLoop.C():
			answer()
		case piece, more := <-work:
			if !more {
				return
			}
			fmt.Println(piece)
		}
	}
	// Output: one piece of work
}

// A program drains before it stops, so that no request is lost.
func ExampleAgent_Drain() {
	var marks landmark.Set
	answering := marks.Deadline("answering", time.Second)
	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: &marks, Logger: slog.Default()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()

	last := answering.Begin() // the last request

	a.Drain()
	<-time.After(10 * time.Millisecond) // in practice seconds, until the balancers have noticed
	last.End()
	fmt.Println("all requests are answered")
	// Output: all requests are answered
}
