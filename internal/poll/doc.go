// Package poll asks the main loops of a service for their state: it keeps track
// of one get-state command on its way, and limits how often commands are sent.
package poll
