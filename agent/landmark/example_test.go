package landmark_test

import (
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

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

func ExamplePost() {
	tasks := make(chan func(), 16) // stands for the queue of any event loop

	var marks landmark.Set
	marks.Loop("main loop", time.Second, landmark.Post(func(answer func()) { tasks <- answer }))

	close(tasks)
	for task := range tasks { // the event loop
		task()
	}
}
