package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// guessInterval is the time that a client must wait for each password that was
	// wrong, beyond the first guessBurst.
	guessInterval = time.Second
	guessBurst    = 5
	// maxGuessWait is how long a request waits for others of its client at most. It is not
	// refused sooner, so that a client that tries many passwords is slow.
	maxGuessWait = 5 * time.Second
	// maxRight is how many right passwords of a client are known.
	maxRight = 16
)

// errGuesses means that too many passwords of a client wait.
var errGuesses = errors.New("too many passwords from your address wait to be checked, most of them after wrong ones: try again in some seconds")

// guesses are the passwords that one client tries. The toolkit checks the passwords of all
// clients one after the other, by bcrypt, which takes long, so that a client that tries
// many would keep the others out. A password that was right does not wait, so that those
// who try do not keep out whoever shares their address. The toolkit checks it all the same.
type guesses struct {
	turn chan struct{} // holds a token while a password of the client is checked
	key  []byte        // of what right holds

	mu    sync.Mutex    // guards what follows
	until time.Time     // when all that were wrong are forgotten
	right []credentials // that were right when they were last checked; the last one is the latest
}

// credentials are a name and its password, as a hash by a key that is never written anywhere.
type credentials [sha256.Size]byte

func newGuesses() *guesses {
	g := &guesses{turn: make(chan struct{}, 1), key: make([]byte, sha256.Size)}
	rand.Read(g.key) // never fails
	return g
}

// credentials returns the credentials of a request, and whether it has any.
func (g *guesses) credentials(r *http.Request) (c credentials, ok bool) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return c, false
	}
	hash := hmac.New(sha256.New, g.key)
	hash.Write([]byte(name + ":" + password)) // a name contains no colon (RFC 7617, section 2)
	hash.Sum(c[:0])
	return c, true
}

// begin waits until the client may try the credentials. The error is ctx's or errGuesses.
func (g *guesses) begin(ctx context.Context, c credentials) (*guess, error) {
	g.mu.Lock()
	known := slices.Contains(g.right, c)
	g.mu.Unlock()
	if known {
		return &guess{all: g, credentials: c}, nil
	}
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	return &guess{all: g, credentials: c, waited: true}, nil
}

// wait waits for the turn. The error is ctx's or errGuesses.
func (g *guesses) wait(ctx context.Context) error {
	timeout := time.NewTimer(maxGuessWait)
	defer timeout.Stop()
	select {
	case g.turn <- struct{}{}:
	case <-timeout.C:
		return errGuesses
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	left := time.Until(g.until.Add(-(guessBurst - 1) * guessInterval))
	g.mu.Unlock()
	if left > 0 && !sleep.For(ctx, left) {
		<-g.turn
		return ctx.Err()
	}
	return nil
}

// guess is the check of one request's credentials.
type guess struct {
	all         *guesses
	credentials credentials
	waited      bool // and so has the turn
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
func (g *guess) end(o outcome) {
	g.once.Do(func() {
		g.all.record(g.credentials, o)
		if g.waited {
			<-g.all.turn
		}
	})
}

// record records what was found.
func (g *guesses) record(c credentials, o outcome) {
	if o == unchecked {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.right = slices.DeleteFunc(g.right, func(known credentials) bool { return known == c })
	if o == right {
		g.right = append(g.right[max(0, len(g.right)-maxRight+1):], c)
		return
	}
	if now := time.Now(); g.until.Before(now) {
		g.until = now
	}
	g.until = g.until.Add(guessInterval)
}

// guessKey is the key of a request's guess in its context.
type guessKey struct{}

// limitGuesses answers the request by the toolkit, once the client may try its password.
func (s *Server) limitGuesses(toolkit http.Handler, w http.ResponseWriter, r *http.Request) {
	all := limitedConn(connOf(r)).pace.client.guesses
	c, ok := all.credentials(r)
	if !ok {
		toolkit.ServeHTTP(w, r)
		return
	}
	g, err := all.begin(r.Context(), c)
	switch {
	case errors.Is(err, errGuesses):
		s.guesses.Add(1)
		w.Header().Set("Retry-After", strconv.Itoa(int(maxGuessWait.Seconds())))
		say(w, http.StatusTooManyRequests, err.Error())
		return
	case err != nil:
		panic(http.ErrAbortHandler)
	}
	defer g.end(unchecked)
	toolkit.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), guessKey{}, g)))
	if w.Header().Get("WWW-Authenticate") != "" {
		g.end(wrong)
	}
}

// endGuess says that the request has passed the toolkit.
func endGuess(r *http.Request) {
	if g, ok := r.Context().Value(guessKey{}).(*guess); ok {
		g.end(right)
	}
}
