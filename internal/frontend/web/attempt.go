package web

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// attemptInterval is the time that a client must wait for each password that was
	// wrong, beyond the first attemptBurst.
	attemptInterval = time.Second
	attemptBurst    = 5
	// maxAttemptWait is how long a request waits for others of its client at most. It is not
	// refused sooner, so that a client that tries many passwords is slow.
	maxAttemptWait = 5 * time.Second
	// maxRight is how many right passwords of a client are known.
	maxRight = 16
)

// errTooManyPasswords means that too many passwords wait.
var errTooManyPasswords = errors.New("too many passwords wait to be checked, most of them after wrong ones: try again in some seconds")

// attempts are the passwords that one client tries. The toolkit checks the passwords of all
// clients one after the other, by bcrypt, which takes long, so that a client that tries
// many would keep the others out. A password that was right does not wait, so that those
// who try do not keep out whoever shares their address. The toolkit checks it all the same.
// The others of all clients are checked one by one, so that those that were right wait for
// one check at most.
type attempts struct {
	turn   chan struct{} // holds a token while a password of the client is checked
	checks chan struct{} // the same of all clients
	key    []byte        // of the credentials

	mu    sync.Mutex    // guards what follows
	until time.Time     // when all that were wrong are forgotten
	right []credentials // that were right when they were last checked; the last one is the latest
}

func newAttempts(checks chan struct{}) *attempts {
	a := &attempts{turn: make(chan struct{}, 1), checks: checks, key: make([]byte, credentialsKey)}
	rand.Read(a.key) // never fails
	return a
}

// begin waits until the client may try the credentials. The error is ctx's or errTooManyPasswords.
func (a *attempts) begin(ctx context.Context, c credentials) (*attempt, error) {
	a.mu.Lock()
	known := slices.Contains(a.right, c)
	a.mu.Unlock()
	if known {
		return &attempt{all: a, credentials: c}, nil
	}
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	return &attempt{all: a, credentials: c, waited: true}, nil
}

// wait waits for the turns. The error is ctx's or errTooManyPasswords.
func (a *attempts) wait(ctx context.Context) error {
	timeout := time.NewTimer(maxAttemptWait)
	defer timeout.Stop()
	if err := take(ctx, a.turn, timeout); err != nil {
		return err
	}
	a.mu.Lock()
	left := time.Until(a.until.Add(-(attemptBurst - 1) * attemptInterval))
	a.mu.Unlock()
	if left > 0 && !sleep.For(ctx, left) {
		<-a.turn
		return ctx.Err()
	}
	if err := take(ctx, a.checks, timeout); err != nil {
		<-a.turn
		return err
	}
	return nil
}

// take takes the turn. The error is ctx's, or errTooManyPasswords at the timeout.
func take(ctx context.Context, turn chan<- struct{}, timeout *time.Timer) error {
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-timeout.C:
		return errTooManyPasswords
	case <-ctx.Done():
		return ctx.Err()
	}
}

// knowsAny reports whether the client has a right password.
func (a *attempts) knowsAny() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.right) > 0
}

// attempt is the check of one request's credentials.
type attempt struct {
	all         *attempts
	credentials credentials
	waited      bool // and so has the turns
	once        sync.Once
}

// outcome says what the toolkit found.
type outcome int

const (
	unchecked outcome = iota // for another reason the request was refused
	right
	wrong
)

// end ends the check. Only the first call counts.
func (t *attempt) end(o outcome) {
	t.once.Do(func() {
		t.all.record(t.credentials, o)
		if t.waited {
			<-t.all.checks
			<-t.all.turn
		}
	})
}

// record records what was found.
func (a *attempts) record(c credentials, o outcome) {
	if o == unchecked {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.right = slices.DeleteFunc(a.right, func(known credentials) bool { return known == c })
	if o == right {
		a.right = append(a.right[max(0, len(a.right)-maxRight+1):], c)
		return
	}
	// Several may be found wrong at once: one that was right until now does not wait.
	now := time.Now()
	if a.until.Before(now) {
		a.until = now
	}
	a.until = a.until.Add(attemptInterval)
	if most := now.Add(attemptBurst * attemptInterval); a.until.After(most) {
		a.until = most
	}
}

// attemptKey is the key of a request's attempt in its context.
type attemptKey struct{}

// serveToolkit answers the request by the toolkit, once the client may try its password.
func (s *Server) serveToolkit(toolkit http.Handler, w http.ResponseWriter, r *http.Request) {
	all := limitedConn(connOf(r)).client.attempts
	c, ok := credentialsOf(r, all.key)
	if !ok {
		toolkit.ServeHTTP(w, r)
		return
	}
	one, err := all.begin(r.Context(), c)
	switch {
	case errors.Is(err, errTooManyPasswords):
		s.tooManyPasswords.Add(1)
		w.Header().Set("Retry-After", strconv.Itoa(int(maxAttemptWait.Seconds())))
		say(w, http.StatusTooManyRequests, err.Error())
		return
	case err != nil:
		panic(http.ErrAbortHandler)
	}
	defer one.end(unchecked)
	toolkit.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), attemptKey{}, one)))
	if w.Header().Get("WWW-Authenticate") != "" {
		one.end(wrong)
	}
}

// passedToolkit says that the request has passed the toolkit.
func passedToolkit(r *http.Request) {
	if one, ok := r.Context().Value(attemptKey{}).(*attempt); ok {
		one.end(right)
	}
}
