package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/terminal"
)

func TestBadArguments(t *testing.T) {
	for args, says := range map[string]string{
		"":                             "usage: landmark COMMAND",
		"state":                        `there is no command "state": did you mean "status"? landmark help lists all`,
		"staus":                        `did you mean "status"?`,
		"hist":                         `there is no command "hist": landmark help lists all`,
		"help state":                   `there is no command "state"`,
		"version status":               `unexpected argument "status"`,
		"snippet keepalive":            `there is no command "snippet keepalive": did you mean "snippet keepalived"? landmark help snippet lists all`,
		"-addr 127.0.0.1:1 status":     "write landmark COMMAND -addr, not landmark -addr",
		"status -o xml":                "give table or json; landmark help status lists the flags",
		"status -x":                    "-x; landmark help status lists the flags",
		"status epg vod":               `unexpected argument "vod"`,
		"status EMPTY":                 "name is empty",
		"status -addr 127.0.0.1":       `-addr "127.0.0.1" is neither HOST:PORT`,
		"watch -addr 127.0.0.1:":       "neither HOST:PORT",
		"status -addr unix:":           "-addr has no path: give that of",
		"drain epg -admin-socket=":     "-admin-socket has no path: give that of",
		"watch epg -o table vod":       `unexpected argument "vod"`,
		"history":                      "which service?",
		"history EMPTY":                "name is empty",
		"drain":                        "which service?",
		"drain epg -wait soon":         `invalid value "soon" for flag -wait: write it as 800ms or 3s`,
		"drain -wait -1s epg":          "-wait -1s is less than 0",
		"resume a b":                   `unexpected argument "b"`,
		"resume -addr 127.0.0.1:1 epg": "-addr; landmark help resume",
		"bad\x1b[31m":                  `"bad\x1b[31m"`,
		"snippet nginx":                `there is no command "snippet nginx": landmark help snippet lists all`,
		"snippet -service epg":         "-service; landmark help snippet",
		"snippet keepalived":           "which service? Give -service NAME",
		"snippet keepalived -agent":    "-agent; landmark help snippet keepalived lists the flags",
		"snippet keepalived epg":       `unexpected argument "epg"; landmark snippet keepalived takes only flags`,
	} {
		fields := strings.Fields(args)
		for i, f := range fields {
			if f == "EMPTY" {
				fields[i] = ""
			}
		}
		got := runTo(fields...)
		if got.code != exitArguments || got.out != "" || !strings.Contains(got.err, says) {
			t.Errorf("%q: %+v, want exit code %d and %q", args, got, exitArguments, says)
		}
		if args != "" && strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: %q is not one line", args, got.err)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "-h", "--help"} {
		got := runTo(args)
		for _, c := range commands {
			if got.code != 0 || got.err != "" || !strings.Contains(got.out, "  "+c.name+" ") {
				t.Errorf("%s: %+v, want a line of %s", args, got, c.name)
			}
		}
	}
	for _, words := range leaves(commands) {
		for _, args := range [][]string{append([]string{"help"}, words...), append(words, "-h")} {
			got := runTo(args...)
			if got.code != 0 || got.err != "" || !strings.HasPrefix(got.out, "usage: landmark "+strings.Join(words, " ")) || words[0] != "version" && !strings.Contains(got.out, "\n  -") {
				t.Errorf("%q: %+v", args, got)
			}
		}
	}
}

func TestHelpFitsScreen(t *testing.T) {
	const width = 60
	for _, words := range leaves(commands) {
		var out strings.Builder
		if code := run(t.Context(), append(words, "-h"), output{out: &out, Screen: terminal.Screen{Width: width}}); code != 0 {
			t.Errorf("%q: exit code %d", words, code)
		}
		_, flags, _ := strings.Cut(out.String(), ".\n\n")
		for line := range strings.Lines(flags) {
			if len(line) > width+len("\n") {
				t.Errorf("%q: a line of %d characters: %s", words, len(line), line)
			}
		}
	}
}

// leaves returns the words that name each command without subcommands.
func leaves(commands []command) (all [][]string) {
	for _, c := range commands {
		if len(c.commands) == 0 {
			all = append(all, []string{c.name})
		}
		for _, words := range leaves(c.commands) {
			all = append(all, append([]string{c.name}, words...))
		}
	}
	return all
}

func TestVersion(t *testing.T) {
	for _, args := range []string{"-version", "--version", "version"} {
		if got, want := runTo(args), (result{0, "landmark devel\n", ""}); got != want {
			t.Errorf("%s: %+v, want %+v", args, got, want)
		}
	}
}

func TestCallErrorsSayWhatToDo(t *testing.T) {
	c, err := connect("unix:/run/landmark/admin.sock", "admin-socket")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	interrupted, interrupt := context.WithCancelCause(t.Context())
	interrupt(errors.New("interrupt signal received")) // as signal.NotifyContext does
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{t.Context(), status.Error(codes.NotFound, "no such service"), exitRefused, "no such service"},
		{t.Context(), status.Error(codes.PermissionDenied, "only its owner may"), exitRefused, "only its owner may"},
		{t.Context(), status.Error(codes.Unimplemented, "unknown service"), exitRefused, "a landmarkd of this version, devel"},
		{t.Context(), status.Error(codes.DeadlineExceeded, ""), exitNoAnswer, "did not answer within 5 s"},
		{t.Context(), status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial unix: no such file"`), exitNoAnswer,
			"no answer from a landmarkd at /run/landmark/admin.sock: dial unix: no such file: check that it runs and listens there, or give -admin-socket"},
		{t.Context(), status.Error(codes.Unavailable, "name resolver error: produced zero addresses"), exitNoAnswer, "its name has no address"},
		{t.Context(), status.Error(codes.Unavailable, "landmarkd is stopping"), exitNoAnswer, "landmarkd is stopping"},
		{t.Context(), status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: EOF"`), exitNoAnswer, "as at a port that is not landmarkd's -grpc: check"},
		{t.Context(), os.ErrClosed, exitNoAnswer, "closed"},
		{interrupted, status.Error(codes.Canceled, ""), exitInterrupted, "interrupted"},
	} {
		err := c.explain(tt.ctx, tt.err)
		if exitCode(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v: %v, exit code %d, want %q, %d", tt.err, err, exitCode(err), tt.says, tt.code)
		}
	}
}

// Every form of address is dialled as given.
func TestAddressesAreDialledAsGiven(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "[::1]:1", "[fe80::1%lo]:1"} {
		if got := runTo("status", "-addr", address); got.code != exitNoAnswer || !strings.Contains(got.err, "at "+address+": dial tcp "+address+": connect: ") {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// brokenWriter fails like a full disk.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputErrorIsReported(t *testing.T) {
	path := socketPath(t)
	d := &landmarkd{list: services(t), history: stalledHistory(t)}
	d.serve(t, path)
	for _, args := range []string{"status", "status epg", "status -o json", "history epg", "history epg -o json", "snippet kubernetes -service epg"} {
		var errs strings.Builder
		words := strings.Fields(args)
		if words[0] != "snippet" {
			words = append(words, "-addr", "unix:"+path)
		}
		code := run(t.Context(), words, output{out: brokenWriter{}, err: &errs})
		if code != exitNoAnswer || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, %q", args, code, errs.String())
		}
	}
}
