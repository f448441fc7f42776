package terminal

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	indent = "    "
	// minColumn and minLastColumn are the least widths to which columns, and the last
	// one, are wrapped while the last one can be written below the rows instead.
	minColumn     = 14
	minLastColumn = 24
)

// painted is what Paint adds. All other text is printable.
var painted = regexp.MustCompile("\x1b\\[[0-9]*m")

// visible returns how many characters of the text a screen shows.
func visible(text string) int {
	if strings.Contains(text, "\x1b") {
		text = painted.ReplaceAllString(text, "")
	}
	return utf8.RuneCountInString(text)
}

// wrap breaks the text at spaces into lines of at most width characters, or leaves
// it whole if width is 0. A word that is longer has a line of its own.
func wrap(text string, width int) []string {
	if width <= 0 || visible(text) <= width {
		return []string{text}
	}
	var lines []string
	var line string
	for _, word := range words(text) {
		switch {
		case line == "":
			line = word
		case visible(line)+1+visible(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// unit matches a unit of time as it stands behind its number.
var unit = regexp.MustCompile(`^(ms|s|min|h|d)[[:punct:]]?$`)

// words returns the words of the text. A number and its unit of time are one word.
func words(text string) []string {
	var all []string
	for _, word := range strings.Fields(text) {
		if n := len(all); n > 0 && unit.MatchString(word) && strings.ContainsAny(all[n-1][len(all[n-1])-1:], "0123456789") {
			all[n-1] += " " + word
			continue
		}
		all = append(all, word)
	}
	return all
}

// longestWord returns the length of the longest word.
func longestWord(text string) int {
	longest := 0
	for _, word := range words(text) {
		longest = max(longest, visible(word))
	}
	return longest
}

// Hang returns the text behind the start of a line. Text that does not fit is
// wrapped behind the start, or, where little room is left, below it and indented.
func (s Screen) Hang(start, text string) string {
	all := start + text
	if s.Width == 0 || visible(all) <= s.Width {
		return all
	}
	below := strings.Repeat(" ", visible(start))
	if s.Width-visible(start) < minLastColumn {
		start, below = strings.TrimRight(start, " ")+"\n"+indent, indent
	}
	return start + strings.Join(wrap(text, s.Width-len(below)), "\n"+below)
}
