package page

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server over a registry.
type fixture struct {
	t        *testing.T
	server   *Server
	registry *registry.Registry
	checkers *checkers.Tracker
	stop     context.CancelFunc // stops the server
}

// inBubble runs a test with a fixture in fake time.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, registry: frontendtest.NewRegistry(t, 0), checkers: frontendtest.NewTracker()}
		f.run(Config{Source: f.registry, Checkers: f.checkers, Host: "real7", Version: "v1"})
		test(t, f)
	})
}

// run runs a server until the test ends.
func (f *fixture) run(c Config) {
	f.server = New(c)
	var ctx context.Context
	ctx, f.stop = context.WithCancel(f.t.Context())
	go f.server.Run(ctx)
}

// browser is an open page. It implements http.ResponseWriter.
type browser struct {
	header http.Header
	close  context.CancelFunc
	ended  chan struct{} // closed once the stream has ended
	stuck  chan struct{} // if it is not nil, the browser reads nothing until it is closed

	mu      sync.Mutex // guards what follows
	code    int
	written bytes.Buffer // since the last call of events
	all     bytes.Buffer
	writes  [][]byte // as they were passed, to compare their memory
}

// open opens the page of the service, or of all services if it is empty.
func (f *fixture) open(service string) *browser {
	return f.openAs(service, func(ctx context.Context) context.Context { return ctx })
}

// openAs opens it for the client that the function adds to the context.
func (f *fixture) openAs(service string, client func(context.Context) context.Context) *browser {
	return f.openStuck(service, nil, client)
}

// fromKey is the key of the client's address.
type fromKey struct{}

// openStuck opens it in a browser that reads nothing until stuck is closed, if it is not nil.
func (f *fixture) openStuck(service string, stuck chan struct{}, client func(context.Context) context.Context) *browser {
	f.t.Helper()
	ctx, cancel := context.WithCancel(client(f.t.Context()))
	b := &browser{header: make(http.Header), close: cancel, ended: make(chan struct{}), stuck: stuck, code: http.StatusOK}
	r := httptest.NewRequest("GET", "/events", nil).WithContext(ctx)
	if from, ok := ctx.Value(fromKey{}).(string); ok {
		r.RemoteAddr = from
	}
	if service != "" {
		r.URL.RawQuery = "service=" + service
	}
	go func() {
		defer close(b.ended)
		f.server.ServeHTTP(b, r)
	}()
	synctest.Wait()
	return b
}

func (b *browser) Header() http.Header { return b.header }
func (b *browser) Flush()              {}

func (b *browser) WriteHeader(code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.code = code
}

func (b *browser) Write(p []byte) (int, error) {
	if b.stuck != nil {
		<-b.stuck
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes = append(b.writes, p)
	b.all.Write(p)
	return b.written.Write(p)
}

// has reports whether the browser has ever received the text.
func (b *browser) has(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.all.Bytes(), []byte(text))
}

// received is a server-sent event, with the data that the tests look at.
type received struct {
	Name string
	Data struct {
		Name      string
		Known     bool
		Class     class
		Reason    string
		Rows      []row
		Bands     map[string][][]int64
		Bars      map[string]string
		Others    []otherCheckerJSON
		Gone      []string
		First     bool
		Last      bool
		Landmarks []landmarkJSON
		Instances []instanceJSON

		MoreLandmarks int
		MoreInstances int
		Changes       []changeJSON
		Weight        []*float64
		Loops         []seriesJSON
	}
}

// events returns the events since the last call.
func (b *browser) events(t *testing.T) (all []received) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for text := range bytes.SplitSeq(b.written.Bytes(), []byte("\n\n")) {
		var e received
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
				e.Name = string(name)
			}
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				if err := json.Unmarshal(data, &e.Data); err != nil {
					t.Fatalf("%s: %v", data, err)
				}
			}
		}
		if e.Name != "" {
			all = append(all, e)
		}
	}
	b.written.Reset()
	b.writes = nil
	return all
}

// only returns the events of a name.
func only(all []received, name string) (some []received) {
	for _, e := range all {
		if e.Name == name {
			some = append(some, e)
		}
	}
	return some
}

// last returns the last event of the name.
func last(t *testing.T, all []received, name string) received {
	t.Helper()
	some := only(all, name)
	if len(some) == 0 {
		t.Fatalf("no event %q", name)
	}
	return some[len(some)-1]
}

// rowOf returns the row of the service in the event.
func rowOf(t *testing.T, e received, service string) row {
	t.Helper()
	for _, r := range e.Data.Rows {
		if r.Name == service {
			return r
		}
	}
	t.Fatalf("the event %s has no row of %s", e.Name, service)
	return row{}
}

// report makes the process report each 100 ms until the function returned is called.
func report(p *frontendtest.Process, how func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			how()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-ended }
}
