package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// userFile returns a file in which a user may log in by a password.
func userFile(t *testing.T, rest string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	write(t, file, "basic_auth_users:\n  anna: "+string(hash)+"\n  bob: "+string(hash)+"\n"+rest)
	return file
}

func authorization(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// try sends a request with a password from an address, over a connection of its own, and
// returns how long the answer took.
func (f *fixture) try(from, name, password string, code int) time.Duration {
	f.t.Helper()
	c := f.connectFrom(from)
	defer c.Close()
	began := time.Now()
	if a := c.request("GET /-/healthy", authorization(name, password), "", ""); a.StatusCode != code {
		f.t.Errorf("%s, %s: the answer is %d %q, want %d", name, password, a.StatusCode, a.body, code)
	}
	return time.Since(began)
}

// A client that tries wrong passwords waits, and delays no other client.
func TestWrongPasswordsAreSlow(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.File = userFile(t, "") }, func(t *testing.T, f *fixture) {
		for i := range attemptBurst + 3 {
			want := time.Duration(0)
			if i >= attemptBurst {
				want = attemptInterval
			}
			if took := f.try(remote, "anna", fmt.Sprint("wrong", i), 401); took != want {
				t.Errorf("attempt %d took %v, want %v", i, took, want)
			}
		}
		if took := f.try("192.0.2.8", "anna", "right", 200); took != 0 {
			t.Errorf("another client waited for %v", took)
		}
		if took := f.try(remote, "anna", "right", 200); took != attemptInterval {
			t.Errorf("the right password took %v, want %v", took, attemptInterval)
		}
		if took := f.try(remote, "anna", "right", 200); took != 0 {
			t.Errorf("the right password took %v again", took)
		}
		if a := f.get("/-/healthy"); a.StatusCode != 401 {
			t.Errorf("without a password: %d", a.StatusCode)
		}
		// Many at once, which leave while they wait, are checked one by one.
		var gone []*client
		for range 20 {
			c := f.connect()
			go io.WriteString(c, "GET /-/healthy HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\n\r\n")
			gone = append(gone, c)
		}
		synctest.Wait()
		for _, c := range gone {
			c.Close()
		}
		time.Sleep(forgetAfter)
		if took := f.try(remote, "bob", "right", 200); took != 0 {
			t.Errorf("after %v the right password took %v", forgetAfter, took)
		}
	})
}

// Somebody tries wrong passwords on many connections, as fast as possible. A checker of the
// same address, whose password was right before, does not wait. A new one waits for a turn
// like the others, and for some seconds at most until it is refused.
func TestWrongPasswordsDoNotDelayRightOnes(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.File = userFile(t, "") }, func(t *testing.T, f *fixture) {
		f.try(remote, "anna", "right", 200)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		const attackers = 20
		for i := range attackers {
			go func() {
				defer func() { done <- struct{}{} }()
				for n := 0; ctx.Err() == nil; n++ {
					c := f.connect()
					go fmt.Fprintf(c, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", authorization("anna", fmt.Sprint(i, "-", n)))
					if r, err := http.ReadResponse(c.answers, nil); err == nil && r.StatusCode == 429 && r.Header.Get("Retry-After") != "5" {
						t.Errorf("the header is %v", r.Header)
					}
					c.Close()
				}
			}()
		}
		time.Sleep(15 * time.Second)
		for range 10 {
			if took := f.try(remote, "anna", "right", 200); took > 0 {
				t.Errorf("a password that was right before waited for %v", took)
			}
			time.Sleep(time.Second)
		}
		began := time.Now()
		for code := 0; code != 200; {
			c := f.connect()
			tried := time.Now()
			a := c.request("GET /-/healthy", authorization("bob", "right"), "", "")
			if code = a.StatusCode; code != 200 && code != 429 || time.Since(tried) > maxAttemptWait+attemptInterval {
				t.Fatalf("a password that is new gets %d after %v", code, time.Since(tried))
			}
			c.Close()
		}
		if took := time.Since(began); took > 10*time.Minute { // by chance a fraction of that
			t.Errorf("a password that is new waited for %v among %d connections", took, attackers)
		}
		if n := maps.Collect(f.server.Refused)["passwords"]; n == 0 {
			t.Error("no refused password is counted")
		}
		stop()
		for range attackers {
			<-done
		}
	})
}

// A password that was right before is checked as any other.
func TestPasswordThatWasRightIsCheckedAgain(t *testing.T) {
	file := userFile(t, "")
	inBubble(t, 0, func(c *Config) { c.File = file }, func(t *testing.T, f *fixture) {
		f.try(remote, "anna", "right", 200)
		write(t, file, "basic_auth_users:\n  bob: \"$2a$04$......................................................\"\n")
		waited := time.Duration(0)
		for range attemptBurst + 3 {
			waited += f.try(remote, "anna", "right", 401)
		}
		if waited != 3*attemptInterval {
			t.Errorf("a user that was removed waited for %v, want %v", waited, 3*attemptInterval)
		}
	})
}

// What is no answer to a password counts neither for nor against it.
func TestOnlyWrongPasswordsCount(t *testing.T) {
	file := userFile(t, "rate_limit:\n  interval: 1m\n  burst: 1\n")
	inBubble(t, 0, func(c *Config) { c.File = file }, func(t *testing.T, f *fixture) {
		f.try(remote, "anna", "right", 200)
		for range 3 * attemptBurst {
			if took := f.try(remote, "anna", "wrong", 429); took > 0 {
				t.Errorf("a request beyond the file's limit waited for %v", took)
			}
			f.try(remote, "anna", "right", 429)
		}
		text := authorization("bob", "right") // nothing that the toolkit checks
		for range 3 * attemptBurst {
			c := f.connect()
			began := time.Now()
			c.request("GET /-/healthy", "Authorization: Bearer "+text[len(text)-8:], "", "")
			if took := time.Since(began); took > 0 {
				t.Errorf("a request without a password waited for %v", took)
			}
			c.Close()
		}
	})
}

// Few right passwords are known: those that were right last.
func TestKnownPasswordsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newAttempts(make(chan struct{}, 1))
		of := func(name, password string) credentials {
			r, _ := http.NewRequest("GET", "/", nil)
			r.SetBasicAuth(name, password)
			c, ok := credentialsOf(r, all.key)
			if !ok {
				t.Fatal("the request has no credentials")
			}
			return c
		}
		if again := of("a", "b"); of("a", "bc") == of("ab", "c") || of("a", "b") != again || of("b", "a") == again {
			t.Error("credentials are mistaken for others")
		}
		if other := newAttempts(make(chan struct{}, 1)); string(other.key) == string(all.key) {
			t.Error("two clients have one key")
		}
		known := func(c credentials) bool {
			attempt, err := all.begin(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer attempt.end(unchecked)
			return !attempt.waited
		}
		for i := range maxRight + 1 {
			all.record(of("anna", fmt.Sprint(i)), right)
			all.record(of("anna", "1"), right)
		}
		if len(all.right) != maxRight || known(of("anna", "0")) || !known(of("anna", "1")) || !known(of("anna", "2")) || !known(of("anna", "3")) || !known(of("anna", fmt.Sprint(maxRight))) {
			t.Errorf("%d passwords are known, or other ones", len(all.right))
		}
		all.record(of("anna", "1"), wrong)
		if len(all.right) != maxRight-1 || known(of("anna", "1")) {
			t.Error("a password that is wrong now is known as right")
		}
	})
}

// Passwords that are not known as right are checked one by one, whoever sends them. One that
// was right does not wait for them.
func TestUnknownPasswordsAreCheckedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		client := func(address string) *attempts {
			return newConn(pipe{nil, &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}, p).client.attempts
		}
		one, other, known := client("127.0.0.1"), client("127.0.0.2"), client("127.0.0.3")
		known.record(credentials{3}, right)
		first, err := one.begin(t.Context(), credentials{1})
		if err != nil {
			t.Fatal(err)
		}
		if attempt, err := known.begin(t.Context(), credentials{3}); err != nil || attempt.waited {
			t.Errorf("a password that was right waited, or ended with %v", err)
		}
		began := time.Now()
		if _, err := other.begin(t.Context(), credentials{2}); err != errTooManyPasswords || time.Since(began) != maxAttemptWait {
			t.Errorf("during the check of another: %v after %v, want %v after %v", err, time.Since(began), errTooManyPasswords, maxAttemptWait)
		}
		time.AfterFunc(time.Second, func() { first.end(wrong) })
		began = time.Now()
		second, err := other.begin(t.Context(), credentials{2})
		if err != nil || time.Since(began) != time.Second {
			t.Fatalf("after the check of another: %v after %v, want none after a second", err, time.Since(began))
		}
		second.end(wrong)
	})
}

// Passwords that are found wrong at the same time delay the next one as one does.
func TestPasswordsThatAreWrongAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newAttempts(make(chan struct{}, 1))
		for range 100 {
			all.record(credentials{}, wrong)
		}
		began := time.Now()
		if _, err := all.begin(t.Context(), credentials{1}); err != nil || time.Since(began) != attemptInterval {
			t.Errorf("the next one: %v after %v, want none after %v", err, time.Since(began), attemptInterval)
		}
	})
}
