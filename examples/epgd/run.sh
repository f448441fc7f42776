#!/bin/sh
# Runs landmarkd with an EPG server beside it, both on their defaults, until
# Ctrl-C. Needs what `make build` built. The exit status is 0 unless one of the
# two could not start or ended by itself.
set -u
cd "$(dirname "$0")/../.." || exit

# An ordinary user's sockets live in $XDG_RUNTIME_DIR, which su and cron do not
# give. Then make one.
if [ "$(id -u)" -ne 0 ] && [ ! -w "${XDG_RUNTIME_DIR:-}" ]; then
	XDG_RUNTIME_DIR=$(mktemp -d) || exit
	export XDG_RUNTIME_DIR
	made=$XDG_RUNTIME_DIR
fi

# The program goes before its sidecar, so that its goodbye is still heard.
stop() {
	trap - EXIT
	for pid in ${epgd:-} ${landmarkd:-}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	[ -z "${made:-}" ] || rm -rf "$made"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM HUP

fail() {
	echo "run.sh: $1" >&2
	exit 1
}

# In a session of its own, so that the terminal's Ctrl-C does not reach it too.
setsid bin/landmarkd &
landmarkd=$!
bin/epgd &
epgd=$!

both_run() {
	kill -0 "$landmarkd" 2>/dev/null || fail 'landmarkd has ended; it says above why'
	kill -0 "$epgd" 2>/dev/null || fail 'epgd has ended; it says above why'
}

tries=50
until bin/landmark-check -service epg >/dev/null 2>&1; do
	both_run
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || fail "epg is still not serving after 5 s"
	sleep 0.1
done

cat <<END

An EPG server and its sidecar are running. Ctrl-C ends both.

  ask for a programme   bin/epgd -ask 127.0.0.1:9000
  ask how it does       bin/landmark-check -service epg
  wedge its main loop   kill -USR1 $epgd
  free it again         kill -USR2 $epgd

END

while both_run; do
	# In the background, so that a signal need not wait for it.
	sleep 1 &
	wait $!
done
