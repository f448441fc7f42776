package probe

import (
	"fmt"
	"strconv"
	"strings"
)

// How much is shown of what is received, in bytes, and of what is expected, in
// characters. With the rest of a reason that is less than the 255 bytes that the
// protocols carry.
const (
	maxReceivedShown = 32
	maxExpectedShown = 64
)

// showText returns bytes as quoted ASCII text.
func showText(b []byte) string {
	return strconv.QuoteToASCII(string(b[:min(len(b), maxReceivedShown)])) + cutMark(b)
}

// showHex returns bytes in hex.
func showHex(b []byte) string {
	return strings.ToUpper(fmt.Sprintf("% x", b[:min(len(b), maxReceivedShown)])) + cutMark(b)
}

func cutMark(b []byte) string {
	if len(b) > maxReceivedShown {
		return "…"
	}
	return ""
}

// showPattern returns the beginning of a pattern.
func showPattern(p Pattern) string {
	if s := p.String(); len(s) > maxExpectedShown { // it is ASCII
		return s[:maxExpectedShown] + "…"
	}
	return p.String()
}
