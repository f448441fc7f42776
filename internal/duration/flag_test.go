package duration

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestFlag(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want time.Duration
		err  string
	}{
		{nil, time.Second, ""},
		{[]string{"-wait", "800ms"}, 800 * time.Millisecond, ""},
		{[]string{"-wait", "0"}, 0, ""},
		{[]string{"-wait", "-1s"}, -time.Second, ""},
		{[]string{"-wait", "1"}, time.Second, `invalid value "1" for flag -wait: write it as 800ms or 3s`},
		{[]string{"-wait", ""}, time.Second, `invalid value "" for flag -wait: write it as 800ms or 3s`},
	} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		var d time.Duration
		Var(flags, &d, "wait", time.Second, "wait for this `time`")
		err := flags.Parse(tt.args)
		if d != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%q: got %v, error %v, want %v, error %q", tt.args, d, err, tt.want, tt.err)
		}
	}
}

// The help is that of flags.DurationVar.
func TestFlagHelp(t *testing.T) {
	help := func(define func(flags *flag.FlagSet)) string {
		var out strings.Builder
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.SetOutput(&out)
		define(flags)
		flags.PrintDefaults()
		return out.String()
	}
	var d time.Duration
	for _, value := range []time.Duration{0, time.Second} {
		got := help(func(flags *flag.FlagSet) { Var(flags, &d, "wait", value, "wait for this `time`") })
		want := help(func(flags *flag.FlagSet) { flags.DurationVar(&d, "wait", value, "wait for this `time`") })
		if got != want {
			t.Errorf("help: got %q, want %q", got, want)
		}
	}
}
