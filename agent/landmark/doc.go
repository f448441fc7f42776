// Package landmark lets a program show that it does its work. A landmark is a
// named place in the program. The program records how it passes its landmarks,
// and an agent reports that.
//
// Declare landmarks in a [Set], give each to the code that does the work, and
// start an agent with the set (package
// [github.com/landmark-health/landmark/agent]), which reports it to the sidecar:
//
//   - [Alive] is for a loop that never sleeps for long: it calls Reach in each
//     iteration.
//   - [Loop] is for a loop that may sleep while there is nothing to do: it
//     answers the get-state command whenever one arrives. An idle loop is healthy.
//   - [Deadline] is for pieces of work that begin and end, many at once.
//   - [Level] is for a number with limits, such as the length of a queue.
//   - [Condition] is for what is true or false, such as whether a dependency
//     answers.
//
// The first three show whether the program still works. By default their failure
// fails liveness and readiness, so that a supervisor restarts the program. By
// default a Level only lowers the program's share of new work, and a Condition
// only decides whether it gets any.
//
// Only the code that does the work may reach a landmark. This package has no
// timer and no goroutine that reports that something is healthy. A Level with
// [Poll] and a Condition with [Check] call a function of the program on the
// agent's goroutine, and the program is responsible for what it returns. This
// package adds only one fact: that a Check did not return in time. For the same
// reason, do not start a goroutine only to reach a landmark or to answer for
// another goroutine: it keeps reporting after the code that it stands for hangs.
//
// A landmark does not disturb the code that uses it. The methods do nothing on a
// nil landmark, never fail and never block.
//
// This package depends only on the standard library, so any part of a program can
// import it. It records facts. The sidecar judges them.
package landmark
