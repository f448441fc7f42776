// Package snippet writes configuration for programs that ask landmarkd: what
// the operator says of a service goes in, text that is ready to paste comes
// out, with the guards that the program needs so as never to take a server in
// that is not serving. It reads nothing and asks nobody.
//
// What stands in the text was checked when it was read from the command line,
// and holds no character that means anything to any of the programs: no name can
// break out of its place.
package snippet
