package journal

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

// verdictLine is how a line of a change begins.
var verdictLine = []byte(`{"type":"verdict"`)

const (
	// recallBlock is how many bytes are read between two rests.
	recallBlock = 1 << 20
	// recallRest is the ratio of the rest to the reading before it: so reading a large
	// journal takes a quarter of a core, and the answers have the others.
	recallRest = 3
)

// recall remembers the changes of the last day that the files hold. It runs beside the
// writer, rests while it reads, and ends without a result when ctx is done.
func (j *Journal) recall(ctx context.Context, names []string) {
	oldest := time.Now().Add(-PastAge)
	r := recaller{ctx: ctx, oldest: oldest, began: time.Now()}
	for i, name := range names {
		// A file that another one follows ends where that begins.
		if i+1 < len(names) && names[i+1] <= nextName(oldest, "") {
			continue
		}
		r.file(filepath.Join(j.config.Dir, name))
	}
	if ctx.Err() == nil {
		j.past.addEarlier(&r.earlier)
	}
}

// recaller reads the changes of earlier runs.
type recaller struct {
	ctx     context.Context
	oldest  time.Time
	earlier past
	read    int       // bytes since the last rest
	began   time.Time // the end of that
}

// file adds the changes in the file. Most lines are of another type: these are not even
// decoded.
func (r *recaller) file(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // landmark replay names it
	}
	defer f.Close()
	b := bufio.NewReaderSize(f, recallBlock)
	var line []byte
	for r.ctx.Err() == nil {
		line, err = readLine(b, line[:0])
		if err != nil && err != errTooLong && err != io.EOF {
			return
		}
		if bytes.HasPrefix(line, verdictLine) {
			if l, damaged := Decode(line); damaged == nil && !l.Time.Before(r.oldest) {
				r.earlier.add(l.Service, l.owner(), Entry{Time: l.Time, Change: l.Verdict})
			}
		}
		if err == io.EOF {
			return
		}
		r.rest(len(line))
	}
}

// rest counts what was read, and rests after each block.
func (r *recaller) rest(n int) {
	if r.read += n; r.read < recallBlock {
		return
	}
	r.read = 0
	sleep.For(r.ctx, recallRest*time.Since(r.began))
	r.began = time.Now()
}
