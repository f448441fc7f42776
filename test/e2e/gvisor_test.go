//go:build e2e

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gVisorScript starts landmarkd and the EPG server in the directory $1, waits until the
// server is SERVING, and checks it in the ways that landmark-check has. The programs stand in
// the directory $2.
const gVisorScript = `
cd "$1" || exit
export LANDMARK_SOCKET="$1/agent.sock"
check() { "$bin/landmark-check" -addr 127.0.0.1:19533 -service epg "$@"; }
bin=$2
"$bin/landmarkd" -agent-socket agent.sock -monitor 127.0.0.1:19533 -grpc 127.0.0.1:19534 -http '' 2>landmarkd.log &
"$bin/epgd" -listen 127.0.0.1:19535 -within 1m 2>epgd.log &
tries=0
until check -timeout 1s >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries -gt 60 ]; then cat landmarkd.log epgd.log; exit 1; fi
	sleep 1
done
for how in '-udp' '-udp' '-tcp' '-tcp' '-udp -max-age 1ms' '-udp -max-age 1ms' '-tcp -max-age 1ms'; do
	check -timeout 1m $how
done
kill $!
until check -timeout 1m | grep 'NOT_SERVING'; do sleep 1; done
`

// gVisor is a kernel of its own. Its epoll differs from that of Linux: a descriptor in it that
// was ready, and has been looked at by nobody since, is no event for another epoll.
func TestUnderGVisor(t *testing.T) {
	runsc := debian(t, "runsc", "runsc")
	sandbox := []string{"--platform=ptrace", "--network=none", "--root=" + t.TempDir(), "do"}
	if out, err := exec.Command(runsc, append(sandbox, "true")...).CombinedOutput(); err != nil {
		t.Skipf("gVisor does not run here: %v %s", err, out)
	}
	bin, err := filepath.Abs(filepath.Dir(program("landmarkd")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, runsc, append(sandbox, "sh", "-c", gVisorScript, "sh", t.TempDir(), bin)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, line := range lines {
		want := "epg: SERVING"
		if i == len(lines)-1 {
			want = "epg: NOT_SERVING"
		}
		if !strings.HasPrefix(line, want) {
			t.Errorf("check %d: %q, want %q", i, line, want)
		}
	}
	if len(lines) != 8 {
		t.Errorf("%d checks were made, want 8; %v\n%s", len(lines), err, out)
	}
}
