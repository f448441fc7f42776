package lmp

const (
	// maxLarge is how many connections may have a frame at once that is longer
	// than an ordinary request or answer: 64 KiB each, at the most.
	maxLarge = 64
	// fullBuffer is how many bytes of answers are kept before they are sent.
	fullBuffer = 4 << 10
)

// large holds a token for each large frame that there is. A nil one sets no bound.
type large chan struct{}

// take takes a token if one is left.
func (l large) take() bool {
	if l == nil {
		return true
	}
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// give gives a token back.
func (l large) give() {
	if l != nil {
		<-l
	}
}
