package journal

import (
	"os"
	"regexp"
	"slices"
	"time"
)

const (
	// MaxFile is the size above which a new file is begun, in bytes.
	MaxFile = 64 << 20
	// Keep is the number of files that are kept.
	Keep = 8

	nameLayout = "journal-20060102T150405.jsonl" // in UTC
)

var namePattern = regexp.MustCompile(`^journal-\d{8}T\d{6}\.jsonl$`)

// files returns the names of the journal's files in the directory, the oldest first.
func files(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && namePattern.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// nextName returns the name of a file that begins now. It sorts after the last one, even
// if the machine's time of day was set back.
func nextName(now time.Time, last string) string {
	name := now.UTC().Format(nameLayout)
	if name > last {
		return name
	}
	at, err := time.Parse(nameLayout, last)
	if err != nil {
		return name
	}
	return at.Add(time.Second).Format(nameLayout)
}
