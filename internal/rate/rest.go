package rate

import "time"

// RestAfter returns how long a worker rests after work that took so long. So it uses a tenth
// of a processor, however much there is to do.
func RestAfter(work time.Duration) time.Duration { return 9 * work }
