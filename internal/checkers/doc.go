// Package checkers remembers who asks about each service, by which front end, how
// often and when last, so that a director that is dead, or asks for the wrong
// name, is seen before the other one dies too. Front ends note each question
// once it is answered; nothing that is noted here bears on any answer.
//
// What is remembered is bounded, for the source of a datagram can be forged:
// see list. It is gone when the sidecar ends.
package checkers
