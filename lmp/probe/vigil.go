package probe

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// maxLate is how late the end of a silence may be noticed for this program
	// to have been at work all the time.
	maxLate = 50 * time.Millisecond
	// catchUp is how long a program that was not is given to read what has come,
	// by a new connection if need be.
	catchUp = 200 * time.Millisecond
)

// errNothing is what went wrong where nothing else did.
var errNothing = errors.New("it is connected, and says nothing")

// vigil tells what is heard of a server, and once if that is nothing for so long.
type vigil struct {
	address string
	silence time.Duration
	tell    func(Update)

	mu    sync.Mutex
	timer *time.Timer // guarded by mu, as all below
	until time.Time   // when it has been silent for long enough
	late  bool        // this program was: it is catching up
	wrong error       // what went wrong last
	ended bool
}

func newVigil(address string, silence time.Duration, tell func(Update)) *vigil {
	return &vigil{address: address, silence: silence, tell: tell, wrong: errNothing}
}

// begin begins to count the silence.
func (v *vigil) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Now().Add(v.silence)
	v.timer = time.AfterFunc(v.silence, v.elapse)
}

// end makes sure that nothing more is told.
func (v *vigil) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timer.Stop()
	v.ended = true
}

// heard tells an answer, and begins to count anew.
func (v *vigil) heard(a lmp.Answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Now().Add(v.silence)
	v.timer.Reset(v.silence)
	v.late, v.wrong = false, errNothing
	v.tell(Update{Answer: a})
}

// went notes what went wrong, to be told if there is silence.
func (v *vigil) went(wrong error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wrong = wrong
}

// elapse tells of the silence, if there was any: of a program that was itself
// stopped, the timer fires before it has read what came meanwhile.
func (v *vigil) elapse() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch since := time.Since(v.until); {
	case v.ended || since < 0: // something was heard just now
	case since > maxLate && !v.late:
		v.late = true
		v.timer.Reset(catchUp)
	default:
		v.tell(Update{Err: fmt.Errorf("nothing was heard from %s for %v: %w", v.address, v.silence, v.wrong)})
	}
}
