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

// realTime are the tests that run whole programs, which use the real clock.
var realTime = []string{"test/e2e", "test/lab/...", "test/bench"}

// No unit test sleeps in real time. Such a sleep is too long or, on a busy machine,
// too short. In a synctest bubble it is allowed.
func TestNoUnitTestSleeps(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := p.path()
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

// sleeps returns the uses of time.Sleep in a package's test files that a test can
// reach in real time. It follows calls by name only, from each test that creates no
// bubble. All that a function with a bubble calls is assumed to run in the bubble.
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

// entry matches the names of functions that go test calls.
var entry = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example|init$)`)

// function is what sleeps needs of the declaration of a function or method.
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

func TestSleepsFindsRealTime(t *testing.T) {
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
				t.Errorf("got %d sleeps, want %d", got, tt.want)
			}
		})
	}
}
