package socket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// task is the environment variable with the task of a process that a test started,
// and taskArgument the one with its argument.
const (
	task         = "LANDMARK_SOCKET_TEST_TASK"
	taskArgument = "LANDMARK_SOCKET_TEST_ARGUMENT"
)

// nobody is the uid of a user who owns nothing.
const nobody = 65534

// tasks are the tasks of this test binary as another process, by name. Each returns
// one line to print. The process ends when its standard input is closed.
var tasks = map[string]func(argument string) string{
	"listen": func(path string) string {
		if _, err := Listen(path); err != nil {
			return err.Error()
		}
		return "listening"
	},
	"dial": func(path string) string {
		if _, err := net.Dial("unix", path); err != nil {
			return err.Error()
		}
		return fmt.Sprint("connected as ", os.Getpid())
	},
}

func TestMain(m *testing.M) {
	do := tasks[os.Getenv(task)]
	if do == nil {
		os.Exit(m.Run())
	}
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	fmt.Println(do(os.Getenv(taskArgument)))
	io.Copy(io.Discard, in)
	os.Exit(0)
}

// process is another process of this test binary.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a process that runs the task once begin is called.
func start(t *testing.T, name, argument string, as *syscall.Credential, environment ...string) *process {
	t.Helper()
	// The user nobody may not enter the directory of the binary.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(environment, task+"="+name, taskArgument+"="+argument)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

// asNobody returns the credential of the user nobody. It skips the test unless it
// runs as root.
func asNobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// begin starts the task.
func (p *process) begin() { fmt.Fprintln(p.in) }

// says returns the line that the process prints.
func (p *process) says() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the process printed nothing: %v", err)
	}
	return strings.TrimSpace(line)
}

// kill kills the process, which then removes no files.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
