// Package streams is what front ends that are asked over TCP have in common:
// how connections are accepted, how long each may take, and how they end.
package streams
