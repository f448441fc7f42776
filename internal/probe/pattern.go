package probe

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pattern is what a step expects. Each pattern matches one byte at least, so that it
// never matches what has not been received.
type Pattern interface {
	// match matches the beginning of b; whole says that nothing follows b. If it
	// matches, n is the number of bytes that it takes.
	match(b []byte, whole bool) (n int, r result)
	// show returns received bytes as the pattern's own text is written.
	show(received []byte) string
	// String returns the pattern as a person writes it, with its kind.
	String() string
}

// result is the result of matching.
type result int

const (
	undecided result = iota // more bytes may match
	matched
	mismatched
)

// bytesPattern is text, or bytes in hex; some of them may be any byte.
type bytesPattern struct {
	want, mask []byte // a byte b matches if b&mask == want
	hex        bool
}

// Text returns the pattern of exactly these bytes.
func Text(text string) (Pattern, error) {
	if err := checkLength(len(text)); err != nil {
		return nil, err
	}
	return &bytesPattern{want: []byte(text), mask: bytes.Repeat([]byte{0xff}, len(text))}, nil
}

// Hex returns the pattern of bytes in hex, such as "81 00 XX". XX is any byte. White
// space between bytes has no meaning.
func Hex(text string) (Pattern, error) {
	p := &bytesPattern{hex: true}
	digits := withoutSpace(text)
	if len(digits)%2 != 0 {
		return nil, fmt.Errorf("%.40q has an odd number of digits: write two for each byte, and XX for any byte", text)
	}
	for ; len(digits) > 0; digits = digits[2:] {
		b, mask := []byte{0}, byte(0)
		if !strings.EqualFold(digits[:2], "xx") {
			var err error
			if b, err = hex.DecodeString(digits[:2]); err != nil {
				return nil, fmt.Errorf("has %.20q, which is no byte in hex: write two digits, or XX for any byte", digits[:2])
			}
			mask = 0xff
		}
		p.want, p.mask = append(p.want, b[0]), append(p.mask, mask)
	}
	if err := checkLength(len(p.want)); err != nil {
		return nil, err
	}
	return p, nil
}

// Bytes returns the bytes that text has in hex.
func Bytes(text string) ([]byte, error) {
	b, err := hex.DecodeString(withoutSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%.40q is not bytes in hex: write two digits for each byte, such as \"80 01 ff\"", text)
	}
	return b, checkLength(len(b))
}

// CheckSend returns an error if a step cannot send text.
func CheckSend(text string) error { return checkLength(len(text)) }

func withoutSpace(text string) string { return strings.Join(strings.Fields(text), "") }

func checkLength(n int) error {
	switch {
	case n == 0:
		return errors.New("is empty: write one byte at least")
	case n > MaxStep:
		return fmt.Errorf("has %d bytes: use %d at most", n, MaxStep)
	}
	return nil
}

func (p *bytesPattern) match(b []byte, whole bool) (n int, r result) {
	for i, want := range p.want {
		switch {
		case i == len(b) && whole:
			return 0, mismatched
		case i == len(b):
			return 0, undecided
		case b[i]&p.mask[i] != want:
			return 0, mismatched
		}
	}
	return len(p.want), matched
}

func (p *bytesPattern) show(received []byte) string {
	if p.hex {
		return showHex(received)
	}
	return showText(received)
}

func (p *bytesPattern) String() string {
	if !p.hex {
		return strconv.QuoteToASCII(string(p.want))
	}
	var b strings.Builder
	for i, want := range p.want {
		if p.mask[i] == 0 {
			b.WriteString(" XX")
		} else {
			fmt.Fprintf(&b, " %02X", want)
		}
	}
	return b.String()[1:]
}

// regexpPattern is an RE2 pattern, which may match anywhere in what is received.
type regexpPattern struct {
	*regexp.Regexp
	parsed *syntax.Regexp
}

const (
	maxRegexp = 1 << 10 // bytes of a pattern
	// maxProgram is the size of a compiled pattern, in instructions. It bounds the
	// time for each byte that is matched.
	maxProgram = 250
)

// Regexp returns the pattern of the syntax RE2. It finds the shortest beginning of
// what is received that has a match; what follows is left to the next step. ^ is where
// the step before ended.
func Regexp(text string) (Pattern, error) {
	if len(text) > maxRegexp {
		return nil, fmt.Errorf("has %d bytes: use %d at most", len(text), maxRegexp)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%.40q is not an RE2 pattern: %w", text, cause(err))
	}
	if compiled, err := syntax.Compile(parsed.Simplify()); err != nil || len(compiled.Inst) > maxProgram {
		return nil, fmt.Errorf("%.40q is too large a pattern: use fewer or smaller repetitions", text)
	}
	r, err := regexp.Compile(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%.40q is not an RE2 pattern: %w", text, cause(err))
	case r.MatchString(""):
		return nil, fmt.Errorf("%.40q matches even if nothing is received: write a pattern of one byte at least", text)
	}
	return &regexpPattern{r, parsed}, nil
}

// cause returns what is wrong, without the prefix "error parsing regexp".
func cause(err error) error {
	if e := new(syntax.Error); errors.As(err, &e) {
		return fmt.Errorf("%s: %q", e.Code, e.Expr)
	}
	return err
}

// checkStream returns an error if the pattern looks at what follows a match, which a
// stream may not have sent yet. Without that, a match stays one whatever follows.
func (p *regexpPattern) checkStream() error {
	if looksAhead(p.parsed) {
		return fmt.Errorf("%.40q looks at what follows, by $, \\z or \\b, and a stream has no end: write the characters that follow instead, such as \\n", p.Regexp)
	}
	return nil
}

func looksAhead(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpEndLine, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	for _, sub := range r.Sub {
		if looksAhead(sub) {
			return true
		}
	}
	return false
}

func (p *regexpPattern) match(b []byte, whole bool) (n int, r result) {
	if whole {
		if !p.Match(b) {
			return 0, mismatched
		}
		return len(b), matched
	}
	b = b[:len(b)-incomplete(b)]
	if !p.Match(b) {
		return 0, undecided
	}
	ends := []int{0} // of characters
	for n := 0; n < len(b); ends = append(ends, n) {
		_, size := utf8.DecodeRune(b[n:])
		n += size
	}
	return ends[sort.Search(len(ends)-1, func(i int) bool { return p.Match(b[:ends[i]]) })], matched
}

// incomplete returns how many bytes at the end of b are the beginning of a character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

func (p *regexpPattern) show(received []byte) string { return showText(received) }

func (p *regexpPattern) String() string {
	return "a match of " + strconv.QuoteToASCII(p.Regexp.String())
}
