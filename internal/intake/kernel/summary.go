package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxLines is how many threads the text describes.
const maxLines = 64

// summary says in one line what the process does. The threads of a Go program do not say
// what its goroutines wait for.
func (p *process) summary() string {
	main := &p.threads[0]
	others := p.threads[1:]
	if stopped := stoppedThreads(p.threads); stopped == len(p.threads) {
		return p.name + " " + main.doing()
	}
	var parts []string
	idle := p.idle && isIdle(main)
	if !idle {
		parts = append(parts, "main thread "+main.doing())
	}
	for _, which := range []func(*thread) bool{(*thread).spins, func(t *thread) bool { return t.state == 'D' }} {
		if part := describe(others, which); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("no thread works; main thread %s, where idle threads of a Go program wait: its stacks say more", main.doing()))
	}
	if p.denied && main.state == 'S' && !main.call.known && !p.idle {
		parts = append(parts, "landmarkd may not read for what: give it CAP_SYS_PTRACE")
	}
	return strings.Join(parts, "; ")
}

// isIdle reports whether the thread of a Go program may just have nothing to do.
func isIdle(t *thread) bool {
	return t.state == 'S' && !strings.Contains(t.doing(), "pipe") && !strings.Contains(t.doing(), "socket")
}

func stoppedThreads(threads []thread) (n int) {
	for i := range threads {
		if strings.HasPrefix(threads[i].doing(), "stopped") {
			n++
		}
	}
	return n
}

// describe describes the threads for which is true: the one that used most of a core, and
// how many others there are.
func describe(threads []thread, is func(*thread) bool) string {
	var most *thread
	n := 0
	for i := range threads {
		t := &threads[i]
		if !is(t) {
			continue
		}
		n++
		if most == nil || ranMore(t, most) < 0 {
			most = t
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return most.title() + " " + most.doing()
	}
	return fmt.Sprintf("%s %s, and %d more like it", most.title(), most.doing(), n-1)
}

// ranMore compares threads by the processor time that they have used, the largest first.
func ranMore(a, b *thread) int {
	return cmp.Compare(b.share(), a.share())
}

// title names the thread.
func (t *thread) title() string {
	if t.main {
		return fmt.Sprintf("main thread %d %q", t.id, t.name)
	}
	return fmt.Sprintf("thread %d %q", t.id, t.name)
}

// text describes the process, a line for each thread: the main thread first, then those
// that used most of a core.
func (p *process) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "process %d %q, threads: %d", p.pid, p.name, len(p.threads)+p.unread)
	if p.memory != "" {
		fmt.Fprintf(&b, ", %s", p.memory)
	}
	b.WriteString("\n")
	sorted := make([]*thread, 0, len(p.threads))
	for i := range p.threads {
		sorted = append(sorted, &p.threads[i])
	}
	slices.SortStableFunc(sorted[1:], ranMore)
	for _, t := range sorted[:min(len(sorted), maxLines)] {
		fmt.Fprintf(&b, "\t%s: %s\n", t.title(), t.line())
	}
	if more := len(sorted) - maxLines + p.unread; len(sorted) > maxLines || p.unread > 0 {
		fmt.Fprintf(&b, "\tand %d more threads\n", max(more, p.unread))
	}
	if p.denied {
		b.WriteString("landmarkd may not read what the threads wait for: give it CAP_SYS_PTRACE\n")
	}
	return b.String()
}

// line says what the thread does, and what the kernel calls that.
func (t *thread) line() string {
	line := t.doing()
	facts := []string{"state " + string(t.state)}
	if t.waitsIn != "" && !strings.Contains(line, "("+t.waitsIn+")") {
		facts = append(facts, "in "+t.waitsIn)
	}
	if t.again && !strings.Contains(line, "of a core") {
		facts = append(facts, t.percent())
	}
	return line + " [" + strings.Join(facts, ", ") + "]"
}
