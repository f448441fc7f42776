// Package frontend is what the front ends share: where their answers come from,
// and the record of who was given one. It knows none of them.
package frontend
