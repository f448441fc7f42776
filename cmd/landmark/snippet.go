package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/landmark-health/landmark/internal/snippet"
)

// snippetCommand prints configuration for other programs.
var snippetCommand = command{
	name:      "snippet",
	arguments: "PROGRAM",
	purpose:   "print configuration for a program that checks landmarkd, ready to paste",
	commands:  snippetCommands(),
}

// snippetCommands returns a command for each program, with flags of its own.
func snippetCommands() []command {
	var commands []command
	for _, k := range snippet.Kinds {
		commands = append(commands, command{
			name:    k.Name,
			purpose: "print configuration for " + k.Purpose,
			prepare: func(flags *flag.FlagSet) action {
				program := k.New()
				program.Flags(flags)
				return func(_ context.Context, args []string, o output) error {
					if len(args) > 0 {
						return badArguments("unexpected argument %q; landmark snippet %s takes only flags, and -h lists them", args[0], k.Name)
					}
					text, err := program.Configuration()
					if err != nil {
						return badArguments("%v", err)
					}
					for _, w := range program.Warnings() {
						fmt.Fprintf(o.err, "landmark: warning: %s\n", w)
					}
					_, err = io.WriteString(o.out, text)
					return err
				}
			},
		})
	}
	return commands
}
