package agent

import (
	"bytes"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// maxGroups is how many different stacks of a profile are kept.
const maxGroups = 4096

// A profile is a goroutine profile. It is written to in the text format of runtime/pprof
// (debug=1), in which a group of goroutines with one stack is
//
//	COUNT @ 0xPC 0xPC …
//	# labels: {…}
//	#	0xPC	FUNCTION+0xOFFSET	FILE:LINE
//
// from the innermost call to the outermost. The last lines are skipped: they lack the
// functions of the runtime, which show what a goroutine waits for.
type profile struct {
	total  int // goroutines
	groups []group
	line   []byte // that has not ended yet
}

// A group is goroutines that have the same stack.
type group struct {
	count  int
	labels string // of runtime/pprof, " {…}", "" = none
	pcs    []uintptr
	all    []runtime.Frame // of pcs, the innermost first; nil until they are needed
}

// Write implements io.Writer. It never fails.
func (p *profile) Write(b []byte) (int, error) {
	n := len(b)
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			p.line = append(p.line, b...)
			return n, nil
		}
		p.line = append(p.line, b[:end]...)
		p.parse(string(p.line))
		p.line, b = p.line[:0], b[end+1:]
	}
}

// parse takes one line.
func (p *profile) parse(line string) {
	if labels, ok := strings.CutPrefix(line, "# labels: "); ok && len(p.groups) > 0 {
		p.groups[len(p.groups)-1].labels = " " + labels
		return
	}
	first, rest, ok := strings.Cut(line, " @ ")
	count, err := strconv.Atoi(first)
	if !ok || err != nil {
		return
	}
	p.total += count
	if len(p.groups) == maxGroups {
		return
	}
	g := group{count: count}
	for field := range strings.FieldsSeq(rest) {
		pc, err := strconv.ParseUint(field, 0, 64)
		if err != nil {
			return
		}
		g.pcs = append(g.pcs, uintptr(pc))
	}
	p.groups = append(p.groups, g)
}

// framesOf returns the frames of the stack, the innermost first.
func framesOf(pcs []uintptr) (all []runtime.Frame) {
	if len(pcs) == 0 {
		return nil
	}
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			all = append(all, f)
		}
		if !more {
			return all
		}
	}
}

func (g *group) allFrames() []runtime.Frame {
	if g.all == nil {
		g.all = framesOf(g.pcs)
	}
	return g.all
}

// frames returns the frames without those of the runtime at both ends.
func (g *group) frames() []runtime.Frame {
	all := g.allFrames()
	for len(all) > 0 && ofRuntime(all[0].Function) {
		all = all[1:]
	}
	for len(all) > 0 && ofRuntime(all[len(all)-1].Function) {
		all = all[:len(all)-1]
	}
	return all
}

func ofRuntime(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/")
}

// blocked returns the index of the innermost of frames that is the program's own, and not
// the standard library's; -1 if there is none.
func (g *group) blocked() int {
	return slices.IndexFunc(g.frames(), func(f runtime.Frame) bool { return !ofStandardLibrary(f.Function) })
}

// ofStandardLibrary reports whether the function is of the standard library. Import paths
// of other packages begin with a domain, or are chosen by the program.
func ofStandardLibrary(function string) bool {
	function, _, _ = strings.Cut(function, "[") // type arguments are of any package
	first, _, _ := strings.Cut(function, "/")
	if first == function { // the last element of the path
		first, _, _ = strings.Cut(function, ".")
	}
	return standardLibrary[first]
}

// standardLibrary is the first elements of the import paths of the standard library.
var standardLibrary = func() map[string]bool {
	names := make(map[string]bool)
	for name := range strings.FieldsSeq("archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings sync syscall testing text time unicode unique unsafe vendor weak") {
		names[name] = true
	}
	return names
}()

// siteOf returns the functions of the call stack that reached a landmark, the outermost
// first, without those of the runtime and of package landmark.
func siteOf(pcs []uintptr) (functions []string) {
	all := framesOf(pcs)
	for len(all) > 0 && strings.HasPrefix(all[0].Function, ownPackages+"/landmark.") {
		all = all[1:]
	}
	for _, f := range slices.Backward(all) {
		if !ofRuntime(f.Function) {
			functions = append(functions, f.Function)
		}
	}
	return functions
}

// A match is the goroutines that reach a landmark. They are the first groups of a
// profile.
type match struct {
	groups     int
	goroutines int
	certain    bool // they are in the function that has reached it
}

// order sorts the groups: those whose stacks have most of the site's functions first,
// the agent's own last. It returns the first ones.
func (p *profile) order(site []string) match {
	scores := make(map[*group]int)
	groups := make([]*group, len(p.groups))
	for i := range p.groups {
		g := &p.groups[i]
		groups[i] = g
		scores[g] = g.common(site)
		if scores[g] == 0 && g.ofAgent() {
			scores[g] = -1
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return scores[b] - scores[a] })
	var m match
	for _, g := range groups {
		if scores[g] < 1 || scores[g] < scores[groups[0]] {
			break
		}
		m.groups++
		m.goroutines += g.count
	}
	m.certain = m.groups > 0 && scores[groups[0]] == len(site)
	sorted := make([]group, len(groups))
	for i, g := range groups {
		sorted[i] = *g
	}
	p.groups = sorted
	return m
}

// common returns how many of the site's functions the stack has, from the outermost on.
// It returns 0 if all of them are of the standard library, as that of WaitGroup.Go: any
// goroutine may have them.
func (g *group) common(site []string) (n int) {
	own := false
	for _, f := range slices.Backward(g.allFrames()) {
		if n == len(site) {
			break
		}
		if ofRuntime(f.Function) {
			continue
		}
		if f.Function != site[n] {
			break
		}
		n++
		own = own || !ofStandardLibrary(f.Function)
	}
	if !own {
		return 0
	}
	return n
}

// ofAgent reports whether the goroutines are the agent's own.
func (g *group) ofAgent() bool {
	frames := g.frames()
	return len(frames) > 0 && strings.HasPrefix(frames[len(frames)-1].Function, ownPackages+".")
}
