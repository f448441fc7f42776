package journal

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"time"
)

// verdictLine is how a line of a change begins.
var verdictLine = []byte(`{"type":"verdict"`)

// recall remembers the changes of the last day that the files hold.
func (j *Journal) recall(names []string) {
	oldest := time.Now().Add(-pastAge)
	var earlier past
	for i, name := range names {
		// A file that another one follows ends where that begins.
		if i+1 < len(names) && names[i+1] <= nextName(oldest, "") {
			continue
		}
		recallFile(filepath.Join(j.config.Dir, name), oldest, &earlier)
	}
	j.past.addEarlier(&earlier)
}

// recallFile adds the changes in the file. Most lines are of another type: these are not
// even decoded, so that a start of landmarkd does not cost seconds.
func recallFile(path string, oldest time.Time, earlier *past) {
	f, err := os.Open(path)
	if err != nil {
		return // landmark replay names it
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	var line []byte
	for {
		line, err = readLine(r, line[:0])
		if err != nil && err != errTooLong && err != io.EOF {
			return
		}
		if bytes.HasPrefix(line, verdictLine) {
			if l, damaged := Decode(line); damaged == nil && !l.Time.Before(oldest) {
				earlier.add(l.Service, Entry{Time: l.Time, Change: l.Verdict})
			}
		}
		if err == io.EOF {
			return
		}
	}
}
