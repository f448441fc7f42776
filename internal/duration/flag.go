package duration

import (
	"errors"
	"flag"
	"time"
)

// Var defines a flag of a command line like flags.DurationVar, with an error that says how
// to write a duration.
func Var(flags *flag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	flags.Var((*flagValue)(p), name, usage)
}

// flagValue is a flag.Value.
type flagValue time.Duration

func (v *flagValue) String() string { return time.Duration(*v).String() }

func (v *flagValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("write it as 800ms or 3s") // flag adds the value and the name
	}
	*v = flagValue(d)
	return nil
}
