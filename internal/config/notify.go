package config

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// MaxNotifySockets is how many notify sockets a file may have.
const MaxNotifySockets = 64

// maxSocketPath is the longest path of a Unix socket, in bytes (unix(7)).
const maxSocketPath = 107

// Notify is what is configured of a service whose programs send notifications.
type Notify struct {
	Socket   string        // the path of the service's own socket; "" = it has none
	Watchdog time.Duration // the timeout of programs that do not say; 0 = none
}

// notifyEntry is what a service's entry says of notifications.
type notifyEntry struct {
	Notify
	node ast.Node // of the socket, nil if there is none
}

// readNotifySocket reads the value of a service's notify_socket.
func readNotifySocket(r *reader, at path, n ast.Node, s *service) {
	scalarKey("notify_socket", paths(), func(s *service, path string) { s.notify.Socket, s.notify.node = path, n }).read(r, at, n, s)
}

// paths takes the paths of Unix sockets.
func paths() scalar[string] {
	takes := fmt.Sprintf("an absolute path of at most %d bytes", maxSocketPath)
	return scalar[string]{takes, func(text string) (string, error) {
		if !filepath.IsAbs(text) || len(text) > maxSocketPath || filepath.Clean(text) != text {
			return "", fmt.Errorf("%.120q is not the path of a socket: write %s, such as /run/landmark/epg.sock", text, takes)
		}
		return text, nil
	}}
}

// addNotify adds what a service says of notifications to the file, unless its socket is
// another's.
func (f *File) addNotify(r *reader, at path, service string, n notifyEntry) {
	for name, other := range f.Notify {
		if n.Socket != "" && n.Socket == other.Socket {
			r.fail(n.node, at, "is the socket of %s, too: give each service a socket of its own", name)
			return
		}
	}
	for _, own := range r.own {
		if n.Socket != "" && n.Socket == own.Path {
			r.fail(n.node, at, "is landmarkd's own -%s: choose another path", own.Flag)
			return
		}
	}
	if f.Notify == nil {
		f.Notify = make(map[string]Notify)
	}
	f.Notify[service] = n.Notify
}

// NotifySockets returns how many notify sockets the file has.
func (f *File) NotifySockets() (n int) {
	for _, notify := range f.Notify {
		if notify.Socket != "" {
			n++
		}
	}
	return n
}
