// Package journal keeps landmarkd's journal: what happened to each service, as lines of
// JSON in files of one directory. docs/journal.md describes the lines.
//
// [Journal] writes. Nothing that is written ever waits for the disk: [Journal.Write] puts
// a line into a bounded queue, and one goroutine writes it. A line for which there is no
// room, or that cannot be written, is dropped and counted. [Read] reads all files of a
// directory. Both end where the lines end: what to write is package recorder's, and what
// follows from the lines is package replay's.
package journal
