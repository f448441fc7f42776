package landmark

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
)

// A Loop is a landmark in a main loop that may sleep while there is nothing to
// do. The agent sends the get-state command to the loop again and again, and the
// loop answers by running it. The landmark fails when a command is open and the
// last answer is older than the given time. The answers also measure the loop's
// lag, the time from sending a command to its answer.
//
// A command is a func(). It arrives on the channel [Loop.C] for a loop that can
// select, or through [Post] for any other event loop. At most one command is open
// at a time, and it counts once, however often it is run. Run it on the main loop
// itself: another goroutine that runs the commands would report a healthy loop
// without knowing whether the loop still runs.
//
// A Loop is safe for concurrent use, and does nothing when nil.
type Loop struct {
	declaration collector.Declaration
	set         *Set
	commands    chan func()  // nil with Post
	post        func(func()) // nil without Post

	mu         sync.Mutex // guards the fields below
	open       bool       // a command was sent and is not answered yet
	sentAt     time.Time  // of the last command
	site       site       // has a lock of its own
	answers    uint64
	answeredAt time.Time // of the last answer; at first, when the landmark was declared
	lag        time.Duration
	waiting    func() // an open command that was not passed to post yet
	wakes      bool   // the next answer is worth a look: the first, a late one, or one that is waited for
	posting    bool   // the goroutine that passes commands to post is running
}

// A LoopOption sets a property of a [Loop].
type LoopOption interface {
	applyLoop(*Loop)
}

// postOption implements Post.
type postOption func(func())

func (p postOption) applyLoop(l *Loop) { l.commands, l.post = nil, p }

// Post sends each command to the function post instead of [Loop.C]. post must
// make the main loop run the command soon, as GLib's idle_add, Qt's invokeMethod
// and libuv's async_send do. It must not drop the command: a command that is never
// run looks like a loop that hangs. post is called on a goroutine of its own, one
// call at a time, so it may block without affecting other landmarks.
func Post(post func(func())) LoopOption { return postOption(post) }

// Loop declares a landmark for a main loop that answers each command within the
// given time, 100 ms to 24 h.
func (s *Set) Loop(name string, within time.Duration, opts ...LoopOption) *Loop {
	if s == nil {
		return nil
	}
	l := &Loop{
		declaration: collector.Declaration{
			Name: name, Kind: collector.KindLoop, Impact: uint8(Critical), Within: within,
		},
		set:        s,
		commands:   make(chan func(), 1), // holds the one open command
		answeredAt: time.Now(),
		wakes:      true,
	}
	l.site.due.Store(true)
	for _, o := range opts {
		o.applyLoop(l)
	}
	s.declare(collector.Landmark{
		Declaration:  l.declaration,
		Sample:       l.sample,
		SendCommand:  l.send,
		RequestState: l.request,
		Stack:        l.site.stack,
	}, l.validate())
	return l
}

// C returns the channel on which the main loop receives its commands. The loop
// must run each command at once:
//
//	select {
//	case answer := <-loop.C():
//		answer()
//	case …
//	}
//
// C returns nil, which is never ready, for a nil Loop and for a Loop with [Post].
func (l *Loop) C() <-chan func() {
	if l == nil {
		return nil
	}
	return l.commands
}

// send opens a command unless one is open, and returns the number of answers
// before it.
func (l *Loop) send(now time.Time) (answers uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sendLocked(now)
}

// request is send for a caller who waits for the answer.
func (l *Loop) request(now time.Time) (answers uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakes = true
	return l.sendLocked(now)
}

// sendLocked is send for a caller who holds mu.
func (l *Loop) sendLocked(now time.Time) (answers uint64) {
	if l.open {
		return l.answers
	}
	// Each command is a closure of its own, so that an earlier command that is run
	// again is recognized. Its number is the count of the answers before it.
	number := l.answers
	command := func() { l.answer(number) }
	l.open, l.sentAt = true, now
	if l.commands != nil {
		l.commands <- command // never blocks: the previous command was received
		return number
	}
	l.waiting = command
	if !l.posting {
		l.posting = true
		go l.callPost()
	}
	return number
}

// callPost passes waiting commands to post until there is none. While post
// blocks, the next command waits, open.
func (l *Loop) callPost() {
	for {
		l.mu.Lock()
		command := l.waiting
		l.waiting = nil
		l.posting = command != nil
		l.mu.Unlock()
		if command == nil {
			return
		}
		l.post(command)
	}
}

// answer is what a command runs. Only the open command counts: an earlier one
// that is run again does nothing.
func (l *Loop) answer(number uint64) {
	l.mu.Lock()
	if !l.open || number != l.answers {
		l.mu.Unlock()
		return
	}
	now := time.Now()
	l.open = false
	l.answers++
	l.answeredAt = now
	l.lag = max(0, now.Sub(l.sentAt))
	wakes := l.wakes
	l.wakes = false
	l.mu.Unlock()
	if l.site.due.Load() {
		l.site.record()
	}
	if wakes {
		l.set.wake()
	}
}

func (l *Loop) validate() error {
	if l.commands == nil && l.post == nil {
		return errors.New("Post was given a nil function; give it one that makes the event loop run its argument")
	}
	return cmp.Or(validate(l.declaration), checkWithin(l.declaration.Within))
}

func (l *Loop) sample(now time.Time) collector.Sample {
	l.site.refresh(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	age := max(0, now.Sub(l.answeredAt))
	if l.open && age >= l.declaration.Within/2 {
		l.wakes = true
	}
	return collector.Sample{
		Reached: l.answers > 0,
		Age:     age,
		Count:   l.answers,
		Open:    l.open,
		Lag:     l.lag,
	}
}
