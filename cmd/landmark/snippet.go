package main

import (
	"context"
	"flag"
	"io"

	"github.com/landmark-health/landmark/internal/snippet"
)

// snippetCommand writes configuration for other programs.
var snippetCommand = command{
	name:      "snippet",
	arguments: "PROGRAM",
	purpose:   "print configuration for a program that asks landmarkd, ready to paste",
	of:        snippetCommands(),
}

// snippetCommands are one for each program, which has flags of its own.
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
						return badArguments("unexpected argument %q; all are flags", args[0])
					}
					text, err := program.Configuration()
					if err != nil {
						return badArguments("%v", err)
					}
					_, err = io.WriteString(o.out, text)
					return err
				}
			},
		})
	}
	return commands
}
