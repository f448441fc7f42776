package config

import (
	"errors"
	"os"
	"testing"
)

// FuzzParse checks that no file makes the reader panic, that accepted values are in
// range, and that each error has a position in the file.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/problems.txt", reference} {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, c := range readCases(f) {
		f.Add([]byte(c.src))
	}
	for _, src := range []string{
		"", "---\n...\n", "services: {a: &x {<<: *x}, b: {<<: [*x, {max_age: 1s}]}}", "? services\n: ? a\n  : {}\n",
		"services: &a !t {*a : |\n x\n}", "&r services:\r\n  a:\r    fall_after: 'x''y'\n", "{services, \"a\\u0000\": [>-\n]}",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := parse("f", src)
		if err == nil {
			checkFile(t, file)
			checkPeerings(t, file.Peerings)
			return
		}
		var first problem
		if !errors.As(err, &first) {
			t.Fatalf("the error has no position: %v", err)
		}
		if lines := newReader("f", src).lines; first.line < 1 || first.line > len(lines) || first.column < 1 {
			t.Errorf("the position is not in the file of %d lines: %v", len(lines), err)
		}
	})
}
