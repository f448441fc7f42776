package agent

import "time"

// slack is how much earlier than due something may be done, if there is a step then.
const slack = time.Millisecond

// An alarm is ready when the next step is due. It is a ticker because that goes on by itself.
// To set a timer again while the program is idle makes Go's runtime wake another thread,
// which then waits for the timer.
type alarm struct {
	*time.Ticker
	at     time.Time     // of the next tick
	period time.Duration // of the ticks after it
}

func newAlarm() *alarm { return &alarm{Ticker: time.NewTicker(time.Hour)} }

// set sets the alarm to the time at, or leaves it if it ticks just before.
func (a *alarm) set(at, now time.Time) {
	if late := at.Sub(a.at); late >= 0 && late <= slack {
		return
	}
	a.at, a.period = at, max(at.Sub(now), 1)
	a.Reset(a.period)
}

// ticked is called for each tick.
func (a *alarm) ticked() { a.at = a.at.Add(a.period) }
