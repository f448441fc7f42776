package snippet

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/*.golden from what is printed now")

// say returns what is written for a command line, that of landmark snippet.
func say(line string) (string, error) {
	words := strings.Fields(line)
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == words[0] })
	p := Kinds[i].New()
	flags := flag.NewFlagSet(words[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	p.Flags(flags)
	if err := flags.Parse(words[1:]); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", errors.New("not a flag: " + flags.Arg(0))
	}
	return p.Configuration()
}

// TestGolden holds what is printed. Each file's first line is the command line.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line, want, _ := strings.Cut(string(text), "\n")
			command, ok := strings.CutPrefix(line, "$ landmark snippet ")
			if !ok {
				t.Fatalf("%q is no command line", line)
			}
			got, err := say(command)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(line+"\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s\ngo test -update takes over what is printed now", difference(got, want))
			}
		})
	}
}

// difference tells where two texts part.
func difference(got, want string) string {
	gots, wants := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(gots), len(wants)) {
		if gots[i] != wants[i] {
			return fmt.Sprintf("line %d is %q, want %q", i+1, gots[i], wants[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(gots), len(wants))
}
