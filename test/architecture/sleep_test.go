package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// realTime are the tests that run whole programs, where time cannot be faked.
var realTime = []string{"test/e2e", "test/lab/...", "test/bench"}

// TestNoUnitTestSleeps: a sleep in real time is either too long or, on a busy
// machine, too short. In a synctest bubble it is neither, and is allowed.
func TestNoUnitTestSleeps(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := p.room()
		if !ok || matchesAny(realTime, own) {
			continue
		}
		positions := token.NewFileSet()
		var files []*ast.File
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			file, err := parser.ParseFile(positions, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		for _, at := range sleeps(files) {
			t.Errorf("%s: time.Sleep in real time: wait on a channel, or use synctest", positions.Position(at))
		}
	}
}

// sleeps finds the uses of time.Sleep, in a package's test files, that a test
// may come to in real time: by names alone, from any test that makes no bubble.
// What a function that makes one calls is taken to run in it.
func sleeps(files []*ast.File) (found []token.Pos) {
	functions := map[string][]function{}
	var reached []string
	for _, file := range files {
		for _, declaration := range file.Decls {
			if d, ok := declaration.(*ast.FuncDecl); ok {
				name := d.Name.Name
				functions[name] = append(functions[name], read(d))
				if entry.MatchString(name) {
					reached = append(reached, name)
				}
			}
		}
	}
	bubbles := func(f function) bool {
		return f.bubble || slices.ContainsFunc(f.mentions, func(name string) bool {
			return slices.ContainsFunc(functions[name], func(f function) bool { return f.bubble })
		})
	}
	seen := map[string]bool{}
	for len(reached) > 0 {
		name := reached[0]
		reached = reached[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, f := range functions[name] {
			if !bubbles(f) {
				found = append(found, f.sleeps...)
				reached = append(reached, f.mentions...)
			}
		}
	}
	return found
}

// entry is the name of a function that go test itself calls.
var entry = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example|init$)`)

// function is what matters here of a function's or method's declaration.
type function struct {
	bubble   bool // calls synctest.Test
	sleeps   []token.Pos
	mentions []string // every name in it
}

func read(d *ast.FuncDecl) (f function) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			switch {
			case names(n, "synctest", "Test"):
				f.bubble = true
			case names(n, "time", "Sleep"):
				f.sleeps = append(f.sleeps, n.Pos())
			}
		case *ast.Ident:
			f.mentions = append(f.mentions, n.Name)
		}
		return true
	})
	return f
}

// names reports whether e is pkg.name.
func names(e *ast.SelectorExpr, pkg, name string) bool {
	x, ok := e.X.(*ast.Ident)
	return ok && x.Name == pkg && e.Sel.Name == name
}

func TestSleepsAreFound(t *testing.T) {
	tests := []struct {
		name, source string
		want         int
	}{
		{"real time", "func TestA(t *testing.T) { time.Sleep(1); f := time.Sleep; f(1) }", 2},
		{"subtest", `func TestA(t *testing.T) { t.Run("", func(t *testing.T) { time.Sleep(1) }) }`, 1},
		{"helper", "func TestA(t *testing.T) { settle() }; func settle() { time.Sleep(1) }", 1},
		{"method", "func TestA(t *testing.T) { var p prog; p.settle() }; func (prog) settle() { time.Sleep(1) }", 1},
		{"bubble", "func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }", 0},
		{"helper in a bubble", `func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { settle() }) }
			func settle() { time.Sleep(1) }`, 0},
		{"bubble by a helper", `func TestA(t *testing.T) { inBubble(t, func(t *testing.T) { time.Sleep(1) }) }
			func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }`, 0},
		{"helper in and out of a bubble", `func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { settle() }) }
			func TestB(t *testing.T) { settle() }
			func settle() { time.Sleep(1) }`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "p_test.go", "package p\n"+tt.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(sleeps([]*ast.File{file})); got != tt.want {
				t.Errorf("found %d sleeps, want %d", got, tt.want)
			}
		})
	}
}
