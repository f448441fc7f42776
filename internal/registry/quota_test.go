package registry

import (
	"errors"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestRoomOfAUser fills what one user may take: it is refused more, others are
// not, and what its sessions gave back it can take again.
func TestRoomOfAUser(t *testing.T) {
	r := New(clock.New(), 0)
	link := &agent{t: t}
	const each = 1023 // landmarks, and one for the session
	var sessions []*Session
	for {
		s, err := r.Open(AgentID{Service: "epg", Instance: "a", UID: 1000}, link)
		if err == nil {
			err = s.Declare(make([]judge.Declared, each))
		}
		if err != nil {
			if !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
			break
		}
		sessions = append(sessions, s)
	}
	if want := MaxReportedPerUser / (each + 1); len(sessions) != want {
		t.Errorf("there was room for %d sessions, want %d", len(sessions), want)
	}
	other, err := r.Open(AgentID{Service: "other", Instance: "a", UID: 1001}, link)
	if err != nil {
		t.Fatalf("another user was refused: %v", err)
	}
	other.Goodbye()

	for _, s := range sessions {
		s.Disconnect()
		s.Disconnect() // gives nothing back twice
	}
	if n := r.reported.Of(1000); n > 1 { // the session whose declaration was refused still has its own
		t.Errorf("after all sessions ended the user has %d, want at most 1", n)
	}
	if n := r.reported.Users(); n > 1 {
		t.Errorf("after all sessions ended %d users have some, want at most 1", n)
	}
}
