package landmark_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// show prints what an agent would report of the set's only landmark.
func show(marks *landmark.Set) {
	mark := marks.Landmarks()[0]
	r := mark.Read(time.Now())
	fmt.Printf("%s: reached %t, count %d, open %t, pending %d, value %v, met %t, reason %q\n",
		mark.Name, r.Reached, r.Count, r.Open, r.Pending, r.Value, r.Met, r.Reason)
}

func Example() {
	var marks landmark.Set
	mainLoop := marks.Loop("main loop", 2*time.Second)
	reader := marks.Alive("tuner reader", 500*time.Millisecond, landmark.StartWithin(time.Minute))

	packets := make(chan []byte)
	go func() {
		for range time.Tick(100 * time.Millisecond) { // it turns whether or not there is a packet
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

// A loop that turns by itself: it reads with a timeout, so that it also turns
// while nothing comes.
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
	marks.Landmarks()[0].PutCommand(time.Now()) // as the agent does again and again

	work := make(chan string, 1)
	work <- "one piece of work"
	for range 2 { // two turns of the main loop
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
	tasks := make(chan func(), 16) // stands for the queue of any event loop

	var marks landmark.Set
	marks.Loop("main loop", time.Second, landmark.Post(func(answer func()) { tasks <- answer }))

	close(tasks)
	for task := range tasks { // the event loop
		task()
	}
}

// Each worker of a pool brackets its work. That all of them are idle is well;
// that one of them hangs is not.
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
		question string
		work     landmark.Work
	}
	var marks landmark.Set
	answering := marks.Deadline("answering", 2*time.Second)

	requests := make(chan request, 8)
	requests <- request{"what is on?", answering.Begin()} // its wait in the queue counts
	close(requests)
	for r := range requests {
		fmt.Println(r.question)
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

func ExampleAsked() {
	queue := make(chan string, 1000)

	var marks landmark.Set
	marks.Level("queue", landmark.Above(500, 900), landmark.Asked(func() float64 { return float64(len(queue)) }))

	queue <- "a job"
	marks.Landmarks()[0].Ask(context.Background()) // as the agent does for each report
	show(&marks)
	// Output: queue: reached true, count 1, open false, pending 0, value 1, met false, reason ""
}

func ExampleCondition() {
	var marks landmark.Set
	guide := marks.Condition("guide", landmark.TTL(time.Hour)) // it is fetched every 20 minutes

	fetch := func() error { return errors.New("the guide is of yesterday") }
	if err := fetch(); err != nil {
		guide.Set(false, err.Error())
	} else {
		guide.Set(true, "")
	}
	show(&marks)
	// Output: guide: reached true, count 1, open false, pending 0, value 0, met false, reason "the guide is of yesterday"
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
	marks.Landmarks()[0].Ask(context.Background()) // as the agent does every second
	show(&marks)
	// Output: cache: reached true, count 1, open false, pending 0, value 0, met false, reason "the cache was not started"
}
