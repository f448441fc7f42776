// Package recorder decides what of a running landmarkd goes into the journal and into the
// log: each change of a verdict into both, and into the journal the facts from which
// package replay can judge again.
//
// Reports come several times a second from each process, and most say that nothing has
// changed but a few instants. age.go is how these are left out so that every policy whose
// limits are not below a known floor can still be judged exactly; docs/journal.md says it
// to users.
package recorder
