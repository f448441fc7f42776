//go:build linux

// Package c_test tests landmark.h: with the compilers and standards that it promises,
// on the wire, in many threads with sanitizers, and by the system calls that it makes.
package c_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is where the tests put what they compile.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "landmark-c")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// warnings are the compilers' flags: code that uses landmark.h must compile with them.
const warnings = "-Wall -Wextra -Werror -pedantic"

// compile compiles sources in testdata with the flags, and returns the program. It skips
// the test if there is no such compiler.
func compile(t testing.TB, compiler, flags, name string, sources ...string) string {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("there is no %s", compiler)
	}
	program := filepath.Join(built, name)
	if out, err := compilation(compiler, flags, program, sources...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", compiler, flags, err, out)
	}
	return program
}

func compilation(compiler, flags, program string, sources ...string) *exec.Cmd {
	cmd := exec.Command(compiler, append(strings.Fields(flags), append(sources, "-o", program)...)...)
	cmd.Dir = "testdata"
	return cmd
}

// once compiles a program for several tests.
func once(compiler, flags, name string, sources ...string) func(testing.TB) string {
	var mu sync.Mutex
	var program string
	return func(t testing.TB) string {
		mu.Lock()
		defer mu.Unlock()
		if program == "" {
			program = compile(t, compiler, flags, name, sources...)
		}
		return program
	}
}

// Code of each language compiles without a warning, also where landmark.h is included
// after other headers and the standard hides what POSIX adds. It runs without landmarkd.
func TestCompilers(t *testing.T) {
	for _, c := range []struct{ compiler, flags string }{
		{"gcc", "-std=c99"},
		{"gcc", "-std=c99 -O1 -Wconversion -Wshadow -Wstrict-prototypes -Wcast-qual"},
		{"clang", "-std=c99"},
		{"clang", "-std=c99 -O1 -Wconversion -Wshadow -Wstrict-prototypes -Wcast-qual"},
		{"g++", "-std=c++11 -x c++"},
		{"clang++", "-std=c++11 -x c++"},
		{"clang++", "-std=c++20 -x c++"},
	} {
		t.Run(c.compiler+" "+c.flags, func(t *testing.T) {
			program := compile(t, c.compiler, c.flags+" "+warnings, "strict", "strict.c", "implementation.c")
			if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("the program: got %q, %v, want ok", out, err)
			}
		})
	}
}

// A program that includes the code too late does not compile, and the error says what to
// do.
func TestIncludedTooLate(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("there is no gcc")
	}
	source := filepath.Join(built, "late.c")
	header, err := filepath.Abs("landmark.h")
	if err != nil {
		t.Fatal(err)
	}
	text := "#include <stdio.h>\n#define LANDMARK_IMPLEMENTATION\n#include \"" + header + "\"\n"
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := compilation("gcc", "-std=c99 -c", filepath.Join(built, "late.o"), source).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "include landmark.h before every other header") {
		t.Errorf("got %v, %s, want an error that says what to do", err, out)
	}
}
