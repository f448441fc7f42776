#!/bin/sh
# Shows Landmark on loopback: an EPG server serves, hangs, continues and is killed,
# and landmarkd is checked each time. Needs what `make build` built. The exit
# status is 0 if every answer was as expected.
#
# It uses its own runtime directory and ports, so it does not affect a landmarkd
# that is running already. GRPC_HEALTH_PROBE is the path of grpc-health-probe. If
# it is not set, Go builds one. EPGD=c shows the EPG server in C, which reports
# through landmark.h, and EPGD=python the one in Python.
set -u
cd "$(dirname "$0")/../.." || exit

probe=${GRPC_HEALTH_PROBE:-$(go tool -modfile=tools/probe/go.mod -n grpc-health-probe)} || exit

# Three ports below the range that the kernel uses for clients.
port=$((20000 + $$ % 4000 * 3))
epg=127.0.0.1:$port
monitor=127.0.0.1:$((port + 1))
grpc=127.0.0.1:$((port + 2))

RUNTIME_DIRECTORY=$(mktemp -d) || exit
export RUNTIME_DIRECTORY
log=$RUNTIME_DIRECTORY/log

stop() {
	trap - EXIT
	for pid in ${epgd:-} ${landmarkd:-}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$RUNTIME_DIRECTORY"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

fail() {
	{
		echo "demo.sh: $1"
		echo 'The log of epgd and landmarkd:'
		cat "$log"
	} >&2
	exit 1
}

say() {
	printf '\n# %s\n' "$1"
}

# expect STATUS TEXT COMMAND... runs the command until it exits with STATUS and its
# output contains TEXT, for at most 5 s, and shows the command and its output.
expect() {
	want=$1 text=$2 program=$3
	shift 3
	printf '$ %s %s\n' "$(basename "$program")" "$*"
	deadline=$(($(date +%s) + 5))
	while :; do
		output=$("$program" "$@" 2>&1)
		status=$?
		case $output in *"$text"*) [ "$status" -eq "$want" ] && break ;; esac
		if [ "$(date +%s)" -ge "$deadline" ]; then
			printf '%s\n' "$output"
			fail "want exit status $want and \"$text\", got exit status $status"
		fi
		sleep 0.1
	done
	printf '%s\n' "$output"
}

# check STATUS TEXT WORD checks the service with landmark-check, which must print
# TEXT, and with grpc-health-probe, which must print WORD.
check() {
	expect "$1" "$2" bin/landmark-check -addr "$monitor" -service epg
	expect "$1" "$3" "$probe" -addr "$grpc" -service epg
}

bin/landmarkd -monitor "$monitor" -grpc "$grpc" -http '' >"$log" 2>&1 &
landmarkd=$!
case ${EPGD:-go} in
go) bin/epgd -listen "$epg" -agent-socket "$RUNTIME_DIRECTORY/agent.sock" >>"$log" 2>&1 & ;;
c) bin/epgd-c -listen "$epg" -notify-socket "$RUNTIME_DIRECTORY/notify.sock" >>"$log" 2>&1 & ;;
python) examples/epgd-python/epgd.py -listen "$epg" -agent-socket "$RUNTIME_DIRECTORY/agent.sock" >>"$log" 2>&1 & ;;
*) fail "EPGD=$EPGD is none of go, c and python" ;;
esac
epgd=$!

say 'The EPG server works:'
expect 0 '' bin/epgd -ask "$epg"
check 0 SERVING SERVING

say 'Its main loop hangs. The process and its port stay alive:'
kill -USR1 "$epgd" || fail 'epgd has ended'
expect 1 '' bin/epgd -ask "$epg"
check 4 stalled NOT_SERVING
kill -0 "$epgd" || fail 'epgd has ended while its loop hung'

say 'The main loop continues:'
kill -USR2 "$epgd" || fail 'epgd has ended'
expect 0 '' bin/epgd -ask "$epg"
check 0 SERVING SERVING

say 'The EPG server is killed:'
kill -KILL "$epgd" || fail 'epgd has ended'
wait "$epgd" 2>/dev/null
epgd=
check 4 lost NOT_SERVING

say 'landmarkd stops on SIGTERM:'
kill "$landmarkd" || fail 'landmarkd has ended'
wait "$landmarkd" || fail 'landmarkd exited with an error'
landmarkd=
echo 'All answers were as expected.'
