// Package lab tests ways of checking on a real LVS, in user-mode Linux, and
// asserts what happens to the servers behind it.
//
// The tests have the build tag lab, because they need Debian packages and take
// long. make lab-short runs the shortest, make lab all of them; to run one:
//
//	go test -tags=lab -v -run=TestKeepalived ./test/lab
package lab
