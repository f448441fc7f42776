//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// rowOf is the row of a service on the page, of that class.
func rowOf(service, class string) string {
	return fmt.Sprintf(`document.querySelector('#services li.%s[data-name="%s"]')`, class, service)
}

// The classes of services on the page.
const (
	rowServing    = "c1"
	rowReduced    = "c2"
	rowIntended   = "c3"
	rowNotServing = "c4"
)

// A hang shows on the open pages within a second of the verdict, with its reason and
// facts, and what the program does within two. So does its end.
func TestPageShowsHang(t *testing.T) {
	parallel(t)
	browser := newBrowser(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	all, one := e.openTab(browser, "/", 1600, "light"), e.openTab(browser, "/service/epg", 360, "dark")
	// It records when a service is first shown as out.
	const record = `new MutationObserver(() => {
		if (!window.shownOut && document.querySelector('%s')) window.shownOut = Date.now();
		const doing = document.querySelector('#detail .doing');
		if (!window.shownDoing && doing && doing.checkVisibility() && doing.textContent.includes('is in main.')) window.shownDoing = Date.now();
	}).observe(document.body, { subtree: true, attributes: true, childList: true }); 0`
	all.await(rowOf("epg", rowServing))
	one.await(`document.querySelector('#detail .pill.c1')`)
	eval[int](all, fmt.Sprintf(record, "#services li.c4"))
	eval[int](one, fmt.Sprintf(record, "#detail .pill.c4"))
	if title := eval[string](all, "document.title"); !strings.HasPrefix(title, "✓") {
		t.Errorf("the title before the hang: got %q, want one that begins with ✓", title)
	}
	const notServing = `document.querySelectorAll('#detail .band .c4').length`
	before := eval[int](one, notServing) // the start

	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	verdict := time.Now()
	for _, b := range []*tab{all, one} {
		b.await("window.shownOut")
		took := time.UnixMilli(eval[int64](b, "window.shownOut")).Sub(verdict)
		assertWithin(t, took, time.Second, "the verdict to the page")
		t.Logf("shown %v after the verdict", took)
	}
	one.await("window.shownDoing")
	took := time.UnixMilli(eval[int64](one, "window.shownDoing")).Sub(verdict)
	assertWithin(t, took, 2*time.Second, "the verdict to the evidence on the page")
	t.Logf("evidence shown %v after the verdict", took)
	eval[int](one, `document.querySelectorAll('#detail .changes details').forEach(d => d.open = true), 0`)
	one.await(`[...document.querySelectorAll('#detail .evidence pre')].some(p => p.textContent.includes('main.(*mainLoop).hang'))`)
	all.await(`document.querySelector('#services .reason').textContent.startsWith('stalled: main loop last answered')`)
	all.await(`document.querySelector('#summary').textContent.includes('not serving')`)
	all.await(`document.title.startsWith('✕')`)
	one.await(`document.querySelector('#detail .landmarks .s3 .fact').textContent.startsWith('command sent, last answered')`)
	one.await(`document.querySelector('#detail .changes li summary').textContent.includes('Not serving, stalled')`)
	one.await(`document.querySelector('#detail .changes .facts').textContent.includes('main loop')`)

	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	all.await(rowOf("epg", rowServing))
	one.await(`document.querySelector('#detail .pill').textContent.startsWith('Serving')`)
	one.await(`document.querySelectorAll('#detail .changes li').length > 2`)
	if got := eval[int](one, notServing); got != before+1 {
		t.Errorf("the band after the hang: got %d parts that are not serving, and %d before", got, before)
	}
}

// pageServices starts services of each class. They are as their names say.
func pageServices(e *env) {
	e.t.Helper()
	for _, name := range []string{"serving", "draining", "hung"} {
		server := start(e.t, program("epgd"), "-listen", freeAddress(e.t), "-agent-socket", e.socket, "-within", "500ms", "-service", name)
		e.await(checkUDP, name, "SERVING none")
		switch name {
		case "draining":
			e.landmark(0, "drain", name)
		case "hung":
			server.signal(syscall.SIGUSR1)
			e.await(checkUDP, name, "NOT_SERVING stalled")
		}
	}
	e.await(checkUDP, "missing", "NOT_SERVING unreported")
}

// newPageEnv starts landmarkd with services of each class.
func newPageEnv(t *testing.T) *env {
	t.Helper()
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, "services:\n  missing:\n    instances: any\n")
	e := newEnv(t, "-config", file)
	pageServices(e)
	return e
}

// contrasts returns the lowest contrast of text with what is behind it, by WCAG 2.
const contrasts = `(() => {
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m.length > 3 ? m[3] : 1 }; };
	const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	let worst = { ratio: 99 };
	for (const e of document.querySelectorAll('body *')) {
		if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('svg, .u-legend, noscript, .skip')) continue;
		let back = e;
		while (back && parse(getComputedStyle(back).backgroundColor).a < 1) back = back.parentElement;
		const a = light(parse(getComputedStyle(e).color).rgb), b = light(parse(getComputedStyle(back || document.body).backgroundColor).rgb);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < worst.ratio) worst = { ratio, text: e.textContent.trim().slice(0, 40) };
	}
	return worst;
})()`

// The page fits a phone and a wide screen, dark and light: nothing is beside the screen,
// and all text can be read.
func TestPageLayout(t *testing.T) {
	parallel(t)
	browser := newBrowser(t)
	e := newPageEnv(t)
	for _, width := range []int64{360, 1600} {
		for _, scheme := range []string{"light", "dark"} {
			for _, path := range []string{"/", "/service/hung"} {
				b := e.openTab(browser, path, width, scheme)
				b.await(rowOf("hung", rowNotServing))
				b.await(rowOf("missing", rowNotServing))
				b.await(rowOf("draining", rowIntended))
				b.await(rowOf("serving", rowServing))
				if path != "/" || width == 1600 { // beside the list there is the worst one
					b.await(`document.querySelector('#detail .pill.c4') && document.querySelector('#detail .changes li')`)
				}
				what := fmt.Sprintf("%s at %d px, %s", path, width, scheme)
				if got := eval[int64](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); got != 0 {
					t.Errorf("%s: it is %d px too wide", what, got)
				}
				if got := eval[[]string](b, `[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.closest('.scroll, .uplot, .hidden')
					&& (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map(e => e.className + ' ' + e.textContent.slice(0, 30))`); len(got) > 0 {
					t.Errorf("%s: beside the screen are %q", what, got)
				}
				worst := eval[struct {
					Ratio float64
					Text  string
				}](b, contrasts)
				if worst.Ratio < 4.5 {
					t.Errorf("%s: the contrast of %q is %.1f, want at least 4.5", what, worst.Text, worst.Ratio)
				}
				if dark := eval[bool](b, `getComputedStyle(document.body).backgroundColor.match(/\d+/)[0] < 128`); dark != (scheme == "dark") {
					t.Errorf("%s: its background is dark: %v", what, dark)
				}
				b.screenshot(fmt.Sprintf("%d-%s-%s", width, scheme, strings.Trim(strings.ReplaceAll(path, "/", "-"), "-")))
				b.close()
			}
		}
	}
}

// The page can be used without a mouse and without sight: the arrow keys move between
// services, Enter shows one, Escape all, and all that is not text has a name.
func TestPageKeyboardAndNames(t *testing.T) {
	parallel(t)
	browser := newBrowser(t)
	e := newPageEnv(t)
	b := e.openTab(browser, "/", 360, "light")
	b.await(rowOf("serving", rowServing))
	const focused = `document.activeElement.textContent`
	b.press(kb.Tab)
	if got := eval[string](b, focused); got != "Skip to the services" {
		t.Errorf("the first tab stop: got %q", got)
	}
	b.press(kb.Enter)
	b.press(kb.Tab)
	first := eval[string](b, focused)
	b.press(kb.ArrowDown)
	second := eval[string](b, focused)
	if order := eval[[]string](b, `[...document.querySelectorAll('#services .name')].map(a => a.textContent)`); first != order[0] || second != order[1] ||
		!slices.Equal(order, []string{"hung", "missing", "draining", "serving"}) {
		t.Errorf("the list: got %q, and the arrow moved from %q to %q; want the worst first", order, first, second)
	}
	b.press(kb.ArrowUp)
	b.press(kb.Enter)
	b.await(fmt.Sprintf(`location.pathname === '/service/%s' && document.querySelector('#detail-name').textContent === '%[1]s'`, first))
	b.await(`!document.querySelector('#list').checkVisibility()`)
	b.press(kb.Escape)
	b.await(`location.pathname === '/' && document.querySelector('#list').checkVisibility()`)
	b.must(chromedp.Do(b.ctx, chromedp.NavigateBack()))
	b.await(fmt.Sprintf(`location.pathname === '/service/%s' && document.querySelector('#detail').checkVisibility()`, first))
	b.await(`document.querySelector('#detail .changes summary')`)

	// The browser builds the tree a little later than the page.
	var named int
	var unnamed []string
	for deadline := time.Now().Add(testTimeout); named < 10 || len(unnamed) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d nodes have names, want more; nodes of the roles %q have none", named, unnamed)
		}
		named, unnamed = b.names()
	}
}

// names returns how many nodes that are not text have a name, and the roles of those that
// have none.
func (b *tab) names() (named int, unnamed []string) {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	b.must(err)
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		switch role := strings.Trim(string(n.Role.Value), `"`); role {
		case "link", "button", "image", "img", "searchbox", "article", "region", "DisclosureTriangle", "heading":
			if n.Name == nil || strings.Trim(string(n.Name.Value), `" `) == "" {
				unnamed = append(unnamed, role)
			} else {
				named++
			}
		}
	}
	return named, unnamed
}

// While landmarkd does not answer, the page never shows that a service is serving. It
// goes on by itself when landmarkd does, also after a restart, and then shows apart what the
// journal says of the time before.
func TestPageOverPauseAndRestart(t *testing.T) {
	parallel(t)
	browser := newBrowser(t)
	journal := t.TempDir()
	e := newEnv(t, "-journal", journal)
	e.epg(defaultWithin)
	b := e.openTab(browser, "/", 1600, "light")
	b.await(rowOf("epg", rowServing))
	live := func(when string) {
		t.Helper()
		b.await(`!document.body.classList.contains('lost') && document.querySelector('#summary').textContent === 'epg is serving'`)
	}
	live("at first")
	lost := func() {
		t.Helper()
		b.await(`document.body.classList.contains('lost') && document.querySelector('#summary').textContent.startsWith('Unknown: no connection to landmarkd since')`)
		if title := eval[string](b, "document.title"); strings.Contains(title, "✓") {
			t.Errorf("the title without landmarkd: got %q", title)
		}
	}
	b.setOffline(true)
	e.sidecar.signal(syscall.SIGSTOP)
	lost()
	e.sidecar.signal(syscall.SIGCONT)
	live("after a pause")
	e.sidecar.terminate()
	lost()
	e.start("-journal", journal)
	live("after a restart")
	b.await(`document.querySelector('#detail .changes.earlier summary') && document.querySelector('#detail h4').checkVisibility()`)
	b.await(`document.querySelector('#detail .band .earlier') && document.querySelector('#services .band .earlier')`)
}
