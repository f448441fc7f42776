// Command attack tries to make landmarkd answer wrongly, or not at all, or hold
// too much memory. It builds Landmark's programs and plays one attack after the
// other on a landmarkd of its own, with honest programs and honest checkers
// beside the attackers. The honest programs are commanded by an oracle, which
// therefore knows what each answer must be.
//
//	go run ./test/attack [-short] [-only PATTERN] [-programs DIR] [-list]
//
// It prints a line of a Markdown table for each attack, and why it broke on
// standard error. The bounds, for every attack:
//
//   - no checker is ever answered SERVING for a program that is not;
//   - nor NOT_SERVING or unknown for one that is healthy;
//   - 99.9 % of the answers come within 50 ms, unless it is landmarkd itself that
//     is stopped; not in the short form, and only where the same checkers have
//     that without an attack;
//   - landmarkd never holds more than 128 MB, lives on, and logs no more than it
//     says it does.
//
// All is sent to loopback addresses and to sockets in a temporary directory. The
// attacks by other local users need root.
//
// Exit codes: 0 all held, 1 something broke, 2 bad arguments, 75 (EX_TEMPFAIL)
// nothing broke but something could not be shown on this machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// exitInconclusive is EX_TEMPFAIL of sysexits.h, as the laboratory has it.
const exitInconclusive = 75

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	roles := map[string]func([]string) error{programRole: runProgram, attackerRole: runAttacker}
	if len(args) > 0 && roles[args[0]] != nil {
		if err := roles[args[0]](args[1:]); err != nil {
			return complain(1, err)
		}
		return 0
	}
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	short := flags.Bool("short", false, "play each attack for a few seconds, and hold no times")
	only := flags.String("only", "", "play only the attacks whose names match this regular `expression`")
	programs := flags.String("programs", "", "attack the programs in `DIR`, for instance older ones, rather than those built now")
	list := flags.Bool("list", false, "say what each attack does, and exit")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return complain(2, err)
	}
	if *list {
		for _, a := range attacks() {
			fmt.Printf("%s (%s): %s\n", a.name, a.who, a.what)
		}
		return 0
	}
	if *programs == "" {
		dir, err := build()
		if err != nil {
			return complain(1, err)
		}
		defer os.RemoveAll(dir)
		*programs = dir
	}
	return playAll(wanted, *programs, !*short)
}

// playAll plays the attacks and returns the exit code.
func playAll(wanted *regexp.Regexp, programs string, long bool) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "attack: not root, so the attacks by other local users are left out")
	}
	fmt.Println(header)
	worst := held
	var chosen []attack
	for _, a := range attacks() {
		other := a.who == "local user" && os.Geteuid() != 0 // landmarkd's own user has no limits
		if wanted.MatchString(a.name) && (long || !a.onlyLong) && !other {
			chosen = append(chosen, a)
		}
	}
	for r := range results(chosen, programs, long) {
		fmt.Println(r.row())
		if len(r.why) > 0 {
			fmt.Fprintf(os.Stderr, "attack: %s %v: %s\n", r.name, r.outcome, strings.Join(r.why, "; "))
		}
		worst = max(worst, r.outcome)
	}
	return map[outcome]int{held: 0, inconclusive: exitInconclusive, broke: 1}[worst]
}

// atOnce is how many attacks are played at a time where no times are held.
const atOnce = 3

// results plays the attacks and sends what each came to, in their order.
func results(chosen []attack, programs string, long bool) <-chan result {
	places, ordered, out := make(chan struct{}, atOnce), make(chan chan result, len(chosen)), make(chan result)
	if long {
		places = make(chan struct{}, 1)
	}
	go func() {
		defer close(ordered)
		for _, a := range chosen {
			places <- struct{}{}
			one := make(chan result, 1)
			ordered <- one
			go func() {
				one <- playAttack(a, programs, long)
				<-places
			}()
		}
	}()
	go func() {
		defer close(out)
		for one := range ordered {
			out <- <-one
		}
	}()
	return out
}

// build builds Landmark's programs as they are released, and returns their
// directory.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "landmark-attack")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "github.com/landmark-health/landmark/cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("building the programs: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return dir, nil
}

// complain says in one line what is wrong.
func complain(code int, err error) int {
	fmt.Fprintln(os.Stderr, "attack:", err)
	return code
}
