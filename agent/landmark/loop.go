package landmark

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// KindLoop is the kind of a [Loop].
const KindLoop Kind = 3

// A Loop is a landmark in a main loop that may sleep while there is nothing to
// do. A carrier puts the get-state command to the loop, again and again, and
// the loop answers by running it: the landmark fails when a command is open and
// the last answer is older than it may be. The answers also measure the loop's
// lag, from the putting of a command to its answer.
//
// A command is a func(). It comes on the channel [Loop.C] for a loop that can
// select, or through [Post] for any other event loop. At most one command is
// open at a time, each counts once however often it is run, and it must be run
// on the main loop itself: a goroutine that takes commands and runs them in the
// loop's stead would vouch for a loop that it knows nothing of.
//
// A Loop is safe for concurrent use, and does nothing when nil.
type Loop struct {
	declaration Declaration
	set         *Set
	commands    chan func()  // nil when there is a post
	post        func(func()) // nil when there are commands

	mu         sync.Mutex // guards what follows
	open       bool       // a command is put and not yet answered
	putAt      time.Time  // of the last command
	answers    uint64
	answeredAt time.Time // of the last answer; at first, when the landmark was made
	lag        time.Duration
	waiting    func() // an open command that post does not have yet
	posting    bool   // the goroutine that hands commands to post is alive
}

// A LoopOption sets something of a [Loop].
type LoopOption interface {
	applyLoop(*Loop)
}

// postOption is the option that Post makes.
type postOption func(func())

func (p postOption) applyLoop(l *Loop) { l.commands, l.post = nil, p }

// Post makes each command go to post, which must have the main loop run it
// soon, and must not drop it: a command that is never run looks like a loop
// that hangs. For instance GLib's idle_add, Qt's invokeMethod and libuv's
// async_send do this. post is called on a goroutine of its own, one call at a
// time, so it may block without harm to the program's other landmarks.
func Post(post func(func())) LoopOption { return postOption(post) }

// Loop declares a landmark for a main loop that answers each command within
// the given time, 100 ms to 24 h.
func (s *Set) Loop(name string, within time.Duration, opts ...LoopOption) *Loop {
	if s == nil {
		return nil
	}
	l := &Loop{
		declaration: Declaration{Name: name, Kind: KindLoop, Impact: Critical, Within: within},
		set:         s,
		commands:    make(chan func(), 1), // room for the one open command
		answeredAt:  time.Now(),
	}
	for _, o := range opts {
		o.applyLoop(l)
	}
	s.declare(l.declaration, l)
	return l
}

// C returns the channel on which the main loop receives its commands, to be run
// at once:
//
//	select {
//	case answer := <-loop.C():
//		answer()
//	case …
//	}
//
// It is nil, and so never ready, for a nil Loop and for one with a [Post].
func (l *Loop) C() <-chan func() {
	if l == nil {
		return nil
	}
	return l.commands
}

// put opens a command unless one is open, and returns how many have been
// answered before it.
func (l *Loop) put(now time.Time) (answers uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		return l.answers
	}
	// Each command is a closure of its own, for only so can it be told from
	// the commands before it. Its number is the count of the answers so far.
	number := l.answers
	command := func() { l.answer(number) }
	l.open, l.putAt = true, now
	if l.commands != nil {
		l.commands <- command // never blocks: the command before was taken
		return number
	}
	l.waiting = command
	if !l.posting {
		l.posting = true
		go l.deliver()
	}
	return number
}

// deliver hands waiting commands to post until there is none. While post
// blocks, the next command waits here, open.
func (l *Loop) deliver() {
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

// answer is what the main loop runs. Only the open command counts: one that was
// run before, or is run again, says nothing.
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
	l.lag = max(0, now.Sub(l.putAt))
	l.mu.Unlock()
	l.set.wake()
}

func (l *Loop) validate() error {
	if l.commands == nil && l.post == nil {
		return errors.New("Post was given a nil function; give it the event loop's own")
	}
	return cmp.Or(l.declaration.validate(), checkWithin(l.declaration.Within))
}

func (l *Loop) read(now time.Time) Reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Reading{
		Reached: l.answers > 0,
		Age:     max(0, now.Sub(l.answeredAt)),
		Count:   l.answers,
		Open:    l.open,
		Lag:     l.lag,
	}
}
