//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a headless Chromium that shows landmarkd's page. At the end of the
// test it must have sent no request elsewhere, and reported no error.
type tab struct {
	t       *testing.T
	e       *env
	ctx     context.Context
	close   context.CancelFunc // a browser opens only six connections, one for each tab
	offline bool               // landmarkd is away, so that requests fail

	mu       sync.Mutex // guards what follows
	problems []string
}

// newBrowser starts a Chromium and returns its context. It cannot find any other machine.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(debian(t, "chromium", "chromium")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(testTimeout),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// openTab opens the page at the path, in a window of that width.
func (e *env) openTab(browser context.Context, path string, width int64, scheme string) *tab {
	e.t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	e.t.Cleanup(cancel)
	b := &tab{t: e.t, e: e, ctx: ctx, close: cancel}
	b.must(chromedp.Listen(ctx, b.listen))
	_, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	b.must(err)
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	b.must(err)
	_, err = chromedp.Call(ctx, cdpnetwork.Enable, cdpnetwork.EnableParams{})
	b.must(err)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	b.must(err)
	b.must(chromedp.Do(ctx, chromedp.EmulateViewport(width, 1000), chromedp.Navigate("http://"+e.http+path)))
	e.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, problem := range b.problems {
			e.t.Errorf("the page at %s: %s", path, problem)
		}
	})
	return b
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// listen records requests elsewhere, and errors.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	note := func(format string, args ...any) { b.problems = append(b.problems, fmt.Sprintf(format, args...)) }
	switch event := event.(type) {
	case *cdpnetwork.EventRequestWillBeSent:
		if u, err := url.Parse(event.Request.URL); err != nil || u.Host != b.e.http {
			note("it asked for %s", event.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		note("an exception: %s", event.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if event.Type == "error" || event.Type == "warning" {
			note("it wrote to the console: %v", event.Args)
		}
	case *log.EventEntryAdded:
		if !b.offline && (event.Entry.Level == "error" || event.Entry.Level == "warning") {
			note("the browser logged %s %s", event.Entry.Text, event.Entry.URL)
		}
	}
}

// setOffline says whether landmarkd is away, which the browser logs.
func (b *tab) setOffline(offline bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = offline
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) (value T) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, testTimeout)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		b.t.Fatalf("%s: %s: %v", expression, raw, err)
	}
	return value
}

// await waits until a JavaScript expression is true.
func (b *tab) await(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(testTimeout); !eval[bool](b, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("after %v: %s is not true; the page shows\n%s", testTimeout, expression, eval[string](b, "document.body.innerText"))
		}
	}
}

// press presses a key.
func (b *tab) press(key string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.KeyEvent(key)))
}

// screenshots is the directory in which the tests leave what they show; "" = none.
var screenshots = os.Getenv("LANDMARK_SCREENSHOTS")

// screenshot writes what the tab shows, if that is wanted.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	b.must(err)
	b.must(os.WriteFile(filepath.Join(screenshots, name+".png"), png, 0o644))
}
