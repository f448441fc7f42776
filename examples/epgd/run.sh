#!/bin/sh
# Runs landmarkd with an EPG server beside it until Ctrl-C. Needs what
# `make build` built. The exit status is 0, unless one of the two could not start
# or ended by itself.
#
# These variables of the environment choose other addresses than the defaults:
#   EPGD_LISTEN        of the EPG server
#   LANDMARKD_MONITOR  of the monitoring protocol
#   LANDMARKD_GRPC     of gRPC
#   LANDMARKD_HTTP     of HTTP
#   RUNTIME_DIRECTORY  directory of landmarkd's sockets, instead of a temporary one
# EPGD=c runs the EPG server in C, which reports through landmark.h, and EPGD=python
# the one in Python.
set -u
cd "$(dirname "$0")/../.." || exit

listen=${EPGD_LISTEN:-127.0.0.1:9000}
monitor=${LANDMARKD_MONITOR:-:19533}
grpc=${LANDMARKD_GRPC:-:19534}
http=${LANDMARKD_HTTP:-127.0.0.1:19535}
check='bin/landmark-check -service epg'
case ${LANDMARKD_MONITOR:-} in
'') ;;
:*) check="$check -addr 127.0.0.1$monitor" ;;
*) check="$check -addr $monitor" ;;
esac

temp=$(mktemp -d) || exit

# landmarkd's default directory may have services of another landmarkd, which it would
# remember.
RUNTIME_DIRECTORY=${RUNTIME_DIRECTORY:-$temp}
LANDMARK_SOCKET=$RUNTIME_DIRECTORY/agent.sock
LANDMARK_NOTIFY_SOCKET=$RUNTIME_DIRECTORY/notify.sock
export RUNTIME_DIRECTORY LANDMARK_SOCKET LANDMARK_NOTIFY_SOCKET

# Stop the program before landmarkd, which then receives its goodbye.
stop() {
	trap - EXIT
	for pid in ${epgd:-} ${landmarkd:-}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	[ -z "${tee:-}" ] || wait "$tee"
	rm -rf "$temp"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM HUP

fail() {
	sleep 0.2 # until the programs' last lines are shown
	echo "run.sh: $1" >&2
	exit 1
}

check_both() {
	kill -0 "$landmarkd" 2>/dev/null || fail 'landmarkd has ended; see its message above. To choose other addresses:
  make run EPGD_LISTEN=127.0.0.1:9100 LANDMARKD_MONITOR=:19633 LANDMARKD_GRPC=:19634 LANDMARKD_HTTP=127.0.0.1:19635'
	[ -z "${epgd:-}" ] || kill -0 "$epgd" 2>/dev/null || fail 'epgd has ended; see its message above. To choose another address:
  make run EPGD_LISTEN=127.0.0.1:9100'
}

# await WHAT COMMAND... waits until the command succeeds, for at most 5 s.
await() {
	what=$1 tries=50
	shift
	until "$@"; do
		sleep 0.1
		check_both
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "$what after 5 s"
	done
}

# The log proves that these two serve, not others on the same ports.
landmarkd_is_ready() {
	grep -q 'landmarkd is ready' "$log"
}
epg_is_serving() {
	grep -q 'serving programmes' "$log" && $check >/dev/null 2>&1
}

# Both logs go to the terminal, and to a file that shows when the programs are
# ready. landmarkd and tee get a session of their own, so that Ctrl-C in the
# terminal does not reach them. The program starts once landmarkd is ready, or its log
# would begin with a warning.
log=$temp/log
: >"$log"
mkfifo "$temp/pipe" || exit
setsid tee "$log" <"$temp/pipe" >&2 &
tee=$!
exec 3>"$temp/pipe"
setsid bin/landmarkd -monitor "$monitor" -grpc "$grpc" -http "$http" 2>&3 3>&- &
landmarkd=$!
await 'landmarkd is not ready' landmarkd_is_ready
case ${EPGD:-go} in
go) bin/epgd -listen "$listen" 2>&3 3>&- & ;;
c) bin/epgd-c -listen "$listen" 2>&3 3>&- & ;;
python) examples/epgd-python/epgd.py -listen "$listen" 2>&3 3>&- & ;;
*) fail "EPGD=$EPGD is none of go, c and python" ;;
esac
epgd=$!
exec 3>&-
await 'epg is not serving' epg_is_serving

cat <<END

An EPG server and landmarkd are running. Ctrl-C (or kill %1, if started with &) ends both.

  get a programme       bin/epgd -ask $listen
  check the server      $check
  hang its main loop    kill -USR1 $epgd
  let it continue       kill -USR2 $epgd
  drain the server      bin/landmark drain -admin-socket $RUNTIME_DIRECTORY/admin.sock epg

END

while check_both; do
	# In the background, so that a signal is handled at once.
	sleep 1 &
	wait $!
done
