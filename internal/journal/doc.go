// Package journal keeps landmarkd's journal: what happened to each service, as lines of
// JSON in files of one directory. docs/journal.md describes the lines.
//
// [Journal] writes. Nothing that is written ever waits for the disk: [Journal.Write] puts
// a line into a bounded queue, and one goroutine writes it. A line for which there is no
// room, or that cannot be written, is dropped and counted. [Read] reads all files of a
// directory. Neither knows what the lines mean: package recorder decides what to write, and
// package replay judges it again.
package journal
