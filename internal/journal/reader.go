package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// maxLine is the length of the longest line that is read, in bytes.
const maxLine = 16 << 20

// Problem is a line that was not understood, or a file that could not be read to its end.
type Problem struct {
	File string // without its directory
	Line int    // 0 = the whole file
	Err  error
}

func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %v", p.File, p.Err)
	}
	return fmt.Sprintf("%s:%d: %v", p.File, p.Line, p.Err)
}

// Read returns the lines of all files of the directory, the oldest first. A damaged line
// comes as a [Problem], and reading goes on after it. Lines of types that this version
// does not know are skipped. The error is that of reading the directory itself.
func Read(dir string) (iter.Seq2[Line, *Problem], error) {
	names, err := files(dir)
	if err != nil {
		return nil, err
	}
	return func(yield func(Line, *Problem) bool) {
		for _, name := range names {
			if !readFile(dir, name, yield) {
				return
			}
		}
	}, nil
}

// readFile reads one file, and reports whether to go on.
func readFile(dir, name string, yield func(Line, *Problem) bool) bool {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return yield(Line{}, &Problem{File: name, Err: err})
	}
	defer f.Close()
	return readLines(f, name, yield)
}

// readLines reads the lines of one file, and reports whether to go on.
func readLines(r io.Reader, name string, yield func(Line, *Problem) bool) bool {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for number, more := 1, true; more; number++ {
		var err error
		line, err = readLine(buffered, line[:0])
		switch {
		case err == io.EOF && len(line) == 0:
			return true
		case err == io.EOF:
			more = false // the last line has no end: it may be whole nevertheless
		case err == errTooLong:
			if !yield(Line{}, &Problem{name, number, err}) {
				return false
			}
			continue
		case err != nil:
			return yield(Line{}, &Problem{name, number, err})
		}
		l, err := Decode(line)
		switch {
		case errors.Is(err, errUnknownType):
		case err != nil:
			if !yield(Line{}, &Problem{name, number, err}) {
				return false
			}
		case !yield(l, nil):
			return false
		}
	}
	return true
}

var (
	errTooLong     = fmt.Errorf("the line has more than %d bytes", maxLine)
	errUnknownType = errors.New("the type of the line is not known")
)

// readLine appends the next line to b, without its end. It skips the rest of a line that
// is too long.
func readLine(r *bufio.Reader, b []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(b)+len(part) > maxLine {
			for err == bufio.ErrBufferFull {
				_, err = r.ReadSlice('\n')
			}
			if err == nil || err == io.EOF {
				err = errTooLong
			}
			return b[:0], err
		}
		b = append(b, part...)
		if err != bufio.ErrBufferFull {
			return bytes.TrimSuffix(b, []byte("\n")), err
		}
	}
}

// Decode decodes a line.
func Decode(line []byte) (Line, error) {
	var l Line
	if err := json.Unmarshal(line, &l); err != nil {
		// A type of a later version may use a field in another way.
		var head struct{ Type Type }
		if json.Unmarshal(line, &head) == nil && head.Type != "" && !head.Type.known() {
			return Line{}, errUnknownType
		}
		return Line{}, fmt.Errorf("the line is damaged: %w", err)
	}
	return l, l.check()
}

func (t Type) known() bool {
	switch t {
	case TypeJournal, TypeStop, TypeAlive, TypeReload, TypePolicy, TypeFacts, TypeAges, TypeCheck, TypeVerdict, TypeSession, TypeDrain, TypeGone, TypeGap:
		return true
	}
	return false
}

// check returns an error if the line lacks what its type must have.
func (l *Line) check() error {
	missing := func(what string) error { return fmt.Errorf("the line is damaged: it has no %s", what) }
	switch {
	case l.Type == "":
		return missing("type")
	case !l.Type.known():
		return errUnknownType
	}
	var has, ofService bool
	switch l.Type {
	case TypeJournal:
		has = l.Journal != nil
	case TypeReload:
		has = l.Reload != nil
	case TypePolicy:
		has, ofService = l.Policy != nil, true
	case TypeFacts:
		has, ofService = l.Facts != nil, true
	case TypeAges:
		has, ofService = l.Ages != nil, true
	case TypeCheck:
		has, ofService = l.Check != nil, true
	case TypeVerdict:
		has, ofService = l.Verdict != nil, true
	case TypeSession:
		has, ofService = l.Session != nil, true
	case TypeDrain:
		has, ofService = l.Drain != nil, true
	case TypeGone, TypeGap:
		has, ofService = true, true
	default: // TypeStop, TypeAlive
		has = true
	}
	switch {
	case !has:
		return missing(string(l.Type))
	case ofService && l.Service == "":
		return missing("service")
	}
	return l.checkValues()
}
