package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
)

// credentials are a name and its password, as a hash by a key that is never written anywhere.
type credentials [sha256.Size]byte

// credentialsKey is the length of a key, in bytes.
const credentialsKey = sha256.Size

// credentialsOf returns the credentials of a request, and whether it has any.
func credentialsOf(r *http.Request, key []byte) (c credentials, ok bool) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return c, false
	}
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(name + ":" + password)) // a name contains no colon (RFC 7617, section 2)
	hash.Sum(c[:0])
	return c, true
}
