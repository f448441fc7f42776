package lmp

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/eventloop"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// maxUnsent is how many bytes, some frames, the kernel queues for a checker
	// that does not read. By default the kernel queues megabytes, and a checker
	// of a WATCH that was away for an hour would then read that whole hour, the
	// oldest first.
	maxUnsent = 8 * 32
	// fullBuffer is how many bytes a connection reads at once, and the length of
	// pipelined answers at which they are sent though more requests may follow.
	fullBuffer = 4 << 10
	// manyConns is the number of open connections above which smallBuffer takes the
	// place of fullBuffer. So connections whose checkers do not read hold no more
	// memory together.
	manyConns = 1536
	// keepAliveSeconds is how long a connection is silent before the kernel asks the
	// peer's whether it is still there, and how often it does.
	keepAliveSeconds = 15
)

// tcpServer is what serves connections: a loop for all of them (see conn), which only
// its goroutine uses.
type tcpServer struct {
	server    *Server
	addr      net.Addr
	slots     *socket.Slots[netip.Prefix] // of the connections
	loop      *eventloop.Loop
	ctx       context.Context // of Run
	waits     sync.WaitGroup  // for answers and changes
	audiences map[string]*audience
	open      int  // connections
	spent     bool // the visit has answered a request that takes long
	in        [fullBuffer]byte
	out       []byte // answers to the connection that is served at present
}

// options are what the connections inherit of the socket that listens: so they cost no
// system call each.
var options = []struct{ level, name, value int }{
	// A peer that has vanished acknowledges nothing, and a deadline would not
	// show it: a write waits for buffer space only.
	{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(socket.FrameTimeout.Milliseconds())},
	{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent},
	{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveSeconds},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveSeconds},
}

// listenTCP binds the address for TCP.
func listenTCP(address string) (*net.TCPListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			for _, o := range options {
				if failed == nil {
					failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), o.level, o.name, o.value))
				}
			}
		})
		if err != nil {
			return err
		}
		return failed
	}}
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// acceptFrom makes a loop that accepts the connections of l, once it runs. It takes l over.
func (s *Server) acceptFrom(l *net.TCPListener) error {
	loop, err := eventloop.New()
	if err != nil {
		l.Close()
		return err
	}
	s.tcp = s.newTCPServer(loop)
	s.tcp.addr = l.Addr()
	if err := loop.Listen(l, s.tcp); err != nil {
		loop.Close()
		return err
	}
	return nil
}

// newTCPServer returns a tcpServer with the loop.
func (s *Server) newTCPServer(loop *eventloop.Loop) *tcpServer {
	quota := socket.QuotaByAddress(s.config.MaxConns, func(netip.Prefix) { s.rejections.Count(tooManyConnections) })
	return &tcpServer{server: s, loop: loop, slots: socket.NewSlots(quota), audiences: make(map[string]*audience)}
}

// readSize returns how many bytes a connection reads at once.
func (t *tcpServer) readSize() int {
	if t.open > manyConns {
		return smallBuffer
	}
	return fullBuffer
}

// serveTCP answers requests over TCP until ctx is done.
func (s *Server) serveTCP(ctx context.Context) error {
	s.tcp.ctx = ctx
	defer s.tcp.waits.Wait()
	return s.tcp.loop.Run(ctx)
}

// TurnTCP returns once the loop that accepts connections and answers requests over TCP has
// turned. It shows that the loop works. The error is ctx's, or that the loop has ended.
// Call it while Run runs.
func (s *Server) TurnTCP(ctx context.Context) error { return s.tcp.loop.Turn(ctx) }

// Accepted implements eventloop.ListenHandler.
func (t *tcpServer) Accepted(sock eventloop.Socket, key int, from netip.Addr) {
	t.server.newConn(sock, key, from)
}

// AcceptFailed implements eventloop.ListenHandler.
func (t *tcpServer) AcceptFailed(err error) {
	t.server.config.Refusals.LogFailure("monitoring clients", err)
}
