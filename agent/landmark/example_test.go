package landmark_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
)

// only returns the set's only landmark as an agent gets it.
func only(marks *landmark.Set) collector.Landmark { return collector.Of(marks).Landmarks()[0] }

// show prints what an agent would report of the set's only landmark.
func show(marks *landmark.Set) {
	mark := only(marks)
	s := mark.Sample(time.Now())
	fmt.Printf("%s: reached %t, count %d, open %t, pending %d, value %v, met %t, reason %q\n",
		mark.Name, s.Reached, s.Count, s.Open, s.Pending, s.Value, s.Met, s.Reason)
}

// sendCommand sends the get-state command, as the agent does again and again.
func sendCommand(marks *landmark.Set) { only(marks).SendCommand(time.Now()) }

// poll calls the program's function, as the agent does.
func poll(marks *landmark.Set) { only(marks).CallProgram(context.Background()) }

func Example() {
	var marks landmark.Set
	mainLoop := marks.Loop("main loop", 2*time.Second)
	reader := marks.Alive("tuner reader", 500*time.Millisecond, landmark.StartWithin(time.Minute))

	packets := make(chan []byte)
	go func() {
		for range time.Tick(100 * time.Millisecond) { // with or without a packet
			reader.Reach()
			select {
			case packets <- []byte("…"):
			default:
			}
		}
	}()
	for {
		select {
		case answer := <-mainLoop.C():
			answer()
		case packet := <-packets:
			_ = packet // the main loop's own work
		}
	}
}

// The loop reads with a timeout, so that it also runs while no packet arrives.
func ExampleAlive() {
	var marks landmark.Set
	reader := marks.Alive("tuner reader", 500*time.Millisecond)

	packets := make(chan string, 1)
	packets <- "packet"
	for range 3 {
		reader.Reach()
		select {
		case p := <-packets:
			fmt.Println(p)
		case <-time.After(10 * time.Millisecond):
		}
	}
	show(&marks)
	// Output:
	// packet
	// tuner reader: reached true, count 3, open false, pending 0, value 0, met false, reason ""
}

func ExampleLoop() {
	var marks landmark.Set
	mainLoop := marks.Loop("main loop", time.Second)
	sendCommand(&marks)

	work := make(chan string, 1)
	work <- "one piece of work"
	for range 2 { // two iterations of the main loop
		select {
		case answer := <-mainLoop.C():
			answer()
		case piece := <-work:
			fmt.Println(piece)
		}
	}
	show(&marks)
	// Output:
	// one piece of work
	// main loop: reached true, count 1, open false, pending 0, value 0, met false, reason ""
}

func ExamplePost() {
	tasks := make(chan func(), 16) // the queue of an event loop

	var marks landmark.Set
	marks.Loop("main loop", time.Second, landmark.Post(func(answer func()) { tasks <- answer }))

	close(tasks)
	for task := range tasks { // the event loop
		task()
	}
}

// Each worker of a pool brackets its work. The landmark is healthy while all
// workers are idle, and fails when one of them hangs.
func ExampleDeadline() {
	var marks landmark.Set
	transcoding := marks.Deadline("transcoding", time.Minute)

	transcode := func(film string) {
		defer transcoding.Begin().End()
		fmt.Println(film)
		show(&marks)
	}
	transcode("Metropolis")
	show(&marks)
	// Output:
	// Metropolis
	// transcoding: reached true, count 1, open true, pending 1, value 0, met false, reason ""
	// transcoding: reached true, count 1, open false, pending 0, value 0, met false, reason ""
}

// Work that begins on one goroutine ends on another.
func ExampleWork() {
	type request struct {
		query string
		work  landmark.Work
	}
	var marks landmark.Set
	answering := marks.Deadline("answering", 2*time.Second)

	requests := make(chan request, 8)
	requests <- request{"what is on?", answering.Begin()} // the time in the queue counts
	close(requests)
	for r := range requests {
		fmt.Println(r.query)
		r.work.End()
	}
	show(&marks)
	// Output:
	// what is on?
	// answering: reached true, count 1, open false, pending 0, value 0, met false, reason ""
}

func ExampleLevel() {
	var marks landmark.Set
	sessions := marks.Level("sessions", landmark.Above(800, 1000))

	sessions.Set(412)
	show(&marks)
	// Output: sessions: reached true, count 1, open false, pending 0, value 412, met false, reason ""
}

func ExamplePoll() {
	queue := make(chan string, 1000)

	var marks landmark.Set
	marks.Level("queue", landmark.Above(500, 900), landmark.Poll(func() float64 { return float64(len(queue)) }))

	queue <- "a job"
	poll(&marks) // as the agent does for each report
	show(&marks)
	// Output: queue: reached true, count 1, open false, pending 0, value 1, met false, reason ""
}

// An Impact is an option, too.
func ExampleImpact() {
	var marks landmark.Set
	space := marks.Level("free disk space", landmark.Below(10, 5), landmark.Critical)

	space.Set(42)
	show(&marks)
	// Output: free disk space: reached true, count 1, open false, pending 0, value 42, met false, reason ""
}

func ExampleCondition() {
	var marks landmark.Set
	guide := marks.Condition("guide", landmark.TTL(time.Hour)) // it is fetched every 20 minutes

	fetch := func() error { return errors.New("the guide is from yesterday") }
	if err := fetch(); err != nil {
		guide.Set(false, err.Error())
	} else {
		guide.Set(true, "")
	}
	show(&marks)
	// Output: guide: reached true, count 1, open false, pending 0, value 0, met false, reason "the guide is from yesterday"
}

func ExampleCheck() {
	var marks landmark.Set
	marks.Condition("cache", landmark.Check(time.Second, 500*time.Millisecond, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", "/nonexistent/cache.sock")
		if errors.Is(err, os.ErrNotExist) {
			return errors.New("the cache was not started")
		}
		if err != nil {
			return err
		}
		return conn.Close()
	}))
	poll(&marks) // as the agent does every second
	show(&marks)
	// Output: cache: reached true, count 1, open false, pending 0, value 0, met false, reason "the cache was not started"
}
