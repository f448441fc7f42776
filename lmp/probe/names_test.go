package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

var (
	errNameServer = &net.DNSError{Err: "i/o timeout", Name: "epg.test", IsTimeout: true}
	errNoName     = &net.DNSError{Err: "no such host", Name: "epg.test", IsNotFound: true}
)

// What was found before is used while no name server answers.
func TestNames(t *testing.T) {
	const patience = time.Second
	a, b := []string{"10.0.0.7:19533"}, []string{"10.0.0.8:19533"}
	type lookup struct {
		takes time.Duration
		found []string
		err   error
	}
	type call struct {
		want  []string
		err   error
		takes time.Duration
	}
	for name, tt := range map[string]struct {
		lookups []lookup
		calls   []call
	}{
		"changes":             {[]lookup{{0, a, nil}, {0, b, nil}}, []call{{a, nil, 0}, {b, nil, 0}}},
		"fails, then answers": {[]lookup{{0, nil, errNameServer}, {0, a, nil}}, []call{{nil, errNameServer, 0}, {a, nil, 0}}},
		"fails later":         {[]lookup{{0, a, nil}, {time.Millisecond, nil, errNameServer}}, []call{{a, nil, 0}, {a, nil, time.Millisecond}}},
		"is slow":             {[]lookup{{2500 * time.Millisecond, a, nil}}, []call{{nil, errLookup, patience}, {nil, errLookup, patience}, {a, nil, patience / 2}}},
		"is slow later":       {[]lookup{{0, a, nil}, {1500 * time.Millisecond, b, nil}}, []call{{a, nil, 0}, {a, nil, patience}, {b, nil, patience / 2}}},
		"never answers":       {[]lookup{{time.Hour, a, nil}}, []call{{nil, errLookup, patience}, {nil, errLookup, patience}}},
		"is gone":             {[]lookup{{0, a, nil}, {0, nil, errNoName}}, []call{{a, nil, 0}, {nil, errNoName, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lookups := tt.lookups
				n := names{find: func(ctx context.Context) ([]string, error) {
					l := lookups[0]
					lookups = lookups[1:]
					pause(ctx, l.takes)
					if ctx.Err() != nil {
						return nil, ctx.Err()
					}
					return l.found, l.err
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				for i, c := range tt.calls {
					begun := time.Now()
					got, err := n.addresses(ctx, patience)
					if took := time.Since(begun); !slices.Equal(got, c.want) || !errors.Is(err, c.err) || took != c.takes {
						t.Errorf("call %d returned %v, %v after %v; want %v, %v after %v", i, got, err, took, c.want, c.err, c.takes)
					}
				}
			})
		})
	}
}

// A result that came while the connection stood is older than what a new lookup finds.
func TestNamesLookUpAgainAfterALateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		n := names{find: func(ctx context.Context) ([]string, error) {
			calls++
			if calls == 1 {
				pause(ctx, 2*time.Second)
				return []string{"old"}, nil
			}
			return []string{"new"}, nil
		}}
		if got, err := n.addresses(t.Context(), time.Second); err != errLookup {
			t.Errorf("%v, %v", got, err)
		}
		time.Sleep(time.Hour)
		if got, err := n.addresses(t.Context(), time.Second); err != nil || !slices.Equal(got, []string{"new"}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A sidecar that is restarted while every name server is down is found again, and a
// name server that takes longer than a connection may delays the first answer only.
func TestWatchWithoutANameServer(t *testing.T) {
	const slow, connections = 1500 * time.Millisecond, 10
	synctest.Test(t, func(t *testing.T) {
		lookups := 0
		s := &scene{
			t: t, begun: time.Now(), told: make(chan told, 100), ended: make(chan error, 1),
			accept: func(_ int, conn net.Conn) error {
				go func() {
					keepsAlive(t, conn, nil, 3)
					conn.Close()
				}()
				return nil
			},
			find: func(ctx context.Context) ([]string, error) {
				if lookups++; lookups > 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				pause(ctx, slow)
				return []string{"10.0.0.7:19533"}, nil
			},
		}
		s.start(Question{Service: "epg"})
		for i := range 3 * connections {
			u := <-s.told
			if u.Err != nil || u.Answer.Status != lmp.StatusServing {
				t.Fatalf("update %d is %+v", i, u)
			}
			if i == 0 && u.at > slow+maxDelay {
				t.Errorf("the first answer came after %v, want it %v after the beginning", u.at, slow)
			}
		}
		s.end()
		<-s.ended
	})
}
