// Package keepalived has what landmark-check, landmark-watch and landmark snippet
// know in common of keepalived.
package keepalived

// MaxWeight is the greatest weight of a real server.
const MaxWeight = 253

// Weight returns the weight of a serving server with the given percentage of its
// capacity: that part of the configured weight, rounded up. It is at least 1, because
// a server at weight 0 gets no new connections. A percentage above 100 counts as 100.
func Weight(configured int, percent uint8) int {
	return max(1, (configured*int(min(percent, 100))+99)/100)
}
