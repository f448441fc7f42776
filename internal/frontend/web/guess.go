package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// guessInterval is the time that a client must wait for each password that was
	// wrong, beyond the first guessBurst.
	guessInterval = time.Second
	guessBurst    = 5
)

// guesses are the passwords that one client tries. The toolkit checks the passwords of all
// clients one after the other, by bcrypt, which takes long, so that a client that tries
// many would keep the others out.
type guesses struct {
	turn chan struct{} // holds a token while a password of the client is checked

	mu    sync.Mutex // guards what follows
	until time.Time  // when all that were wrong are forgotten
}

func newGuesses() *guesses { return &guesses{turn: make(chan struct{}, 1)} }

// wait waits until the client may try a password. The error is ctx's.
func (g *guesses) wait(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
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

// end ends the check of a password that was right or wrong.
func (g *guesses) end(right bool) {
	if !right {
		g.mu.Lock()
		if now := time.Now(); g.until.Before(now) {
			g.until = now
		}
		g.until = g.until.Add(guessInterval)
		g.mu.Unlock()
	}
	<-g.turn
}

// guessKey is the key of a request's guess in its context.
type guessKey struct{}

// limitGuesses returns a handler that stands before the toolkit's, which checks passwords
// and then calls ServeHTTP.
func limitGuesses(toolkit http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limited := limitedConn(connOf(r))
		if r.Header.Get("Authorization") == "" || limited == nil {
			toolkit.ServeHTTP(w, r)
			return
		}
		guesses := limited.pace.client.guesses
		if guesses.wait(r.Context()) != nil {
			panic(http.ErrAbortHandler)
		}
		var once sync.Once
		end := func(right bool) { once.Do(func() { guesses.end(right) }) }
		defer end(false)
		toolkit.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), guessKey{}, end)))
	})
}

// endGuess says that the request has passed the toolkit.
func endGuess(r *http.Request) {
	if end, ok := r.Context().Value(guessKey{}).(func(right bool)); ok {
		end(true)
	}
}
