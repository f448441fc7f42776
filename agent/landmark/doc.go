// Package landmark is the vocabulary in which a program shows that it does its
// work: landmarks, and the recording of how the program passes them.
//
// A landmark is a named place in the program. Declare landmarks in a [Set],
// hand each to the code that does the work, and let an agent (package
// [github.com/landmark-health/landmark/agent]) carry the set to the sidecar:
//
//   - [Alive] is for a loop that turns by itself: it calls Reach at each turn.
//   - [Loop] is for a loop that may sleep while there is nothing to do: it
//     answers the get-state command whenever one comes. To be idle is healthy.
//   - [Deadline] is for pieces of work that begin and end, many at once.
//   - [Level] is for a number with limits, as the length of a queue.
//   - [Condition] is for what holds or does not, as that a dependency answers.
//
// The first three say whether the program still works, and by default the
// program is started anew when they fail; a Level by default only lowers the
// share of work that it gets, and a Condition only whether it gets any.
//
// Only the code that does the work may reach a landmark. Nothing in this
// package vouches for the program: no timer and no goroutine of ours ever says
// that something is well. A Level that is [Asked] and a Condition with a [Check]
// have the program's own function called on an agent's goroutine, and it is the
// program that answers for what that function returns; the only word of ours is
// that it did not return in time. For the same reason a goroutine that exists
// only to reach a landmark, or to answer for another, is a lie.
//
// A landmark is never a burden to the code that holds it. Its methods do
// nothing on a nil landmark, never fail, and what deep code calls never waits.
//
// This package needs the standard library alone, so any part of a program can
// import it. What is recorded here is a fact; whether it is good or bad is for
// the sidecar to judge.
package landmark
