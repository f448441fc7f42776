package judge

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// arguments are the words after a command's verb, bare ones and key=value. The
// methods take them; none may be left over.
type arguments struct {
	t     *testing.T
	line  string
	words []string
}

// word takes the next word, "" if there is none.
func (a *arguments) word() string {
	if len(a.words) == 0 {
		return ""
	}
	word := a.words[0]
	a.words = a.words[1:]
	return word
}

// has takes the bare word, and reports whether it is there.
func (a *arguments) has(word string) bool {
	i := slices.Index(a.words, word)
	if i >= 0 {
		a.words = slices.Delete(a.words, i, i+1)
	}
	return i >= 0
}

// value takes the value of the key, "" if there is none.
func (a *arguments) value(key string) string {
	i := slices.IndexFunc(a.words, func(w string) bool { return strings.HasPrefix(w, key+"=") })
	if i < 0 {
		return ""
	}
	value := strings.TrimPrefix(a.words[i], key+"=")
	a.words = slices.Delete(a.words, i, i+1)
	return value
}

// duration sets to from the value of the key, if there is one.
func (a *arguments) duration(key string, to *time.Duration) {
	if v := a.value(key); v != "" {
		*to = a.parse(v)
	}
}

// number takes the value of the key, 0 if there is none.
func (a *arguments) number(key string) float64 {
	v := a.value(key)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return n
}

func (a *arguments) parse(duration string) time.Duration {
	d, err := time.ParseDuration(duration)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return d
}

// lookUp returns the value with the name word. It fails the test if there is none.
func lookUp[T any](a *arguments, named map[string]T, word string) T {
	value, known := named[word]
	if !known {
		a.t.Fatalf("%s: unknown word %q", a.line, word)
	}
	return value
}

// done fails the test if a word is left over.
func (a *arguments) done() {
	if len(a.words) > 0 {
		a.t.Fatalf("%s: unknown word %q", a.line, a.words)
	}
}
