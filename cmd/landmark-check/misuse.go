package main

import (
	"errors"
	"flag"
	"strings"
)

// misuse is how bad arguments are told: to a person on standard error, to Nagios on
// standard output, which is all that it reads. Whoever asks for help gets it, and the
// same exit code: a checker with a stray -h must not pass for serving.
func misuse(args []string, err error) (code int, stdout, stderr string) {
	code = 1
	if forNagios(args) {
		code = nagiosUnknown
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return code, "", usage()
	case code == nagiosUnknown:
		return code, nagiosText(code, err.Error()) + "\n", ""
	}
	return code, "", "landmark-check: " + err.Error() + "\n"
}

// forNagios reports whether the mode is Nagios's in arguments that may be too bad to
// be parsed.
func forNagios(args []string) bool {
	for i, arg := range args {
		name, value, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		if arg[:min(1, len(arg))] == "-" && name == "as" && value == "nagios" {
			return true
		}
	}
	return false
}
