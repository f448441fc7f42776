package agents

import "testing"

// A thousand sessions that end at once with a connection must not delay the answers about
// others. So those of one connection end one after the other. Those of another connection do
// not wait for them, because their programs are as dead.
func TestSessionsOfOneConnectionEndOneByOne(t *testing.T) {
	var conn, other connection
	var order []string
	done := make(chan struct{})
	conn.endOne(func() {
		go conn.endOne(func() {
			order = append(order, "second")
			close(done)
		})
		other.endOne(func() { order = append(order, "of another connection") })
		(*connection)(nil).endOne(func() {})
		if conn.ending.TryLock() {
			t.Error("another session of the connection may end while one does")
		}
		order = append(order, "first")
	})
	<-done
	if order[0] != "of another connection" || order[1] != "first" || order[2] != "second" {
		t.Errorf("the sessions ended in the order %q", order)
	}
}
