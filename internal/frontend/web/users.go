package web

import (
	"net/http"
	"os"
	"sync"

	"github.com/goccy/go-yaml"
	"golang.org/x/crypto/bcrypt"
)

// users are the users of the toolkit's file. The toolkit lets a request through if its
// user is right, but also if the file has no users; it does not say which. So a request
// that must come from a user is checked again.
type users struct {
	file string

	mu       sync.Mutex        // guards what follows
	verified map[string]string // the password of a user's hash
}

// knows reports whether the request has the name and the password of a user.
func (u *users) knows(r *http.Request) bool {
	name, password, ok := r.BasicAuth()
	if !ok || u.file == "" {
		return false
	}
	hash, ok := u.hash(name)
	return ok && u.matches(hash, password)
}

// hash returns the hash of the user's password in the file, which the toolkit too reads
// for each request.
func (u *users) hash(name string) (string, bool) {
	text, err := os.ReadFile(u.file)
	if err != nil {
		return "", false
	}
	var c struct {
		Users map[string]string `yaml:"basic_auth_users"`
	}
	if yaml.Unmarshal(text, &c) != nil {
		return "", false
	}
	hash, ok := c.Users[name]
	return hash, ok
}

// maxVerified is how many passwords are remembered.
const maxVerified = 100

// matches reports whether the hash is the password's. It remembers passwords that are
// right, because bcrypt takes long.
func (u *users) matches(hash, password string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if known, ok := u.verified[hash]; ok && known == password {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
		return false
	}
	if u.verified == nil || len(u.verified) >= maxVerified {
		u.verified = make(map[string]string)
	}
	u.verified[hash] = password
	return true
}
