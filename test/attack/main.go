// Command attack tries to make landmarkd answer wrongly, answer not at all, or use
// too much memory. It builds Landmark's programs and runs one attack after the
// other, each on a landmarkd of its own, with honest programs and honest checkers
// beside the attackers. An oracle controls the honest programs, and so knows what
// each answer must be.
//
//	go run ./test/attack [-short] [-only PATTERN] [-programs DIR] [-list]
//
// It prints a line of a Markdown table for each attack. If a bound is broken, it
// prints why to standard error. The bounds of every attack:
//
//   - no checker ever gets SERVING for a program that does not serve;
//   - none gets NOT_SERVING or unknown for a healthy one;
//   - 99.9 % of the answers come within 50 ms, unless the attack stops landmarkd
//     itself. The short form does not check that, and it counts only if the same
//     checkers get it without an attack;
//   - landmarkd never uses more than 128 MB, does not die, and logs no more than
//     documented;
//   - with -journal, its files stay within the attacker's share, and the history of
//     the honest programs is there after a restart.
//
// All traffic goes to loopback addresses and to sockets in a temporary directory.
// The attacks by other local users need root.
//
// Exit codes: 0 all bounds held, 1 a bound is broken, 2 bad arguments, 75
// (EX_TEMPFAIL) no bound is broken but this machine could not show all of them.
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

// exitInconclusive is EX_TEMPFAIL of sysexits.h.
const exitInconclusive = 75

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	roles := map[string]func([]string) error{programRole: runProgram, attackerRole: runAttacker}
	if len(args) > 0 && roles[args[0]] != nil {
		if err := roles[args[0]](args[1:]); err != nil {
			return printError(1, err)
		}
		return 0
	}
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	short := flags.Bool("short", false, "run each attack for a few seconds, and check no times")
	only := flags.String("only", "", "run only the attacks whose names match this regular `expression`")
	programs := flags.String("programs", "", "attack the programs in `DIR`, for instance older ones, instead of building them")
	list := flags.Bool("list", false, "list what each attack does, and exit")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return printError(2, err)
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
			return printError(1, err)
		}
		defer os.RemoveAll(dir)
		*programs = dir
	}
	return playAll(wanted, *programs, !*short)
}

// playAll runs the attacks and returns the exit code.
func playAll(wanted *regexp.Regexp, programs string, long bool) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "attack: not root, so the attacks by other local users are left out")
	}
	fmt.Println(header)
	worst := held
	var chosen []attack
	for _, a := range attacks() {
		other := a.who == "local user" && os.Geteuid() != 0 // landmarkd does not limit its own user
		if wanted.MatchString(a.name) && (long || !a.onlyLong) && !other {
			chosen = append(chosen, a)
		}
	}
	for r := range results(chosen, programs, long) {
		fmt.Println(r.row())
		for _, note := range r.notes {
			fmt.Fprintf(os.Stderr, "attack: %s: %s\n", r.name, note)
		}
		if len(r.why) > 0 {
			fmt.Fprintf(os.Stderr, "attack: %s %v: %s\n", r.name, r.outcome, strings.Join(r.why, "; "))
		}
		worst = max(worst, r.outcome)
	}
	return map[outcome]int{held: 0, inconclusive: exitInconclusive, broke: 1}[worst]
}

// atOnce is how many attacks run at a time in the short form.
const atOnce = 4

// results runs the attacks and sends their results, in order.
func results(chosen []attack, programs string, long bool) <-chan result {
	slots, ordered, out := make(chan struct{}, atOnce), make(chan chan result, len(chosen)), make(chan result)
	if long {
		slots = make(chan struct{}, 1)
	}
	go func() {
		defer close(ordered)
		for _, a := range chosen {
			slots <- struct{}{}
			one := make(chan result, 1)
			ordered <- one
			go func() {
				one <- playAttack(a, programs, long)
				<-slots
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

// build builds Landmark's programs and returns their directory.
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

// printError prints the error in one line, and returns the exit code.
func printError(code int, err error) int {
	fmt.Fprintln(os.Stderr, "attack:", err)
	return code
}
