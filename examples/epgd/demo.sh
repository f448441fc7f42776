#!/bin/sh
# Plays Landmark's story on loopback: an EPG server serves, wedges, is freed
# and is killed, and each time its sidecar is asked. Needs what `make build`
# built. The exit status is 0 if the story came out as told.
#
# It has a runtime directory and ports of its own, and disturbs no landmarkd
# that is running already. GRPC_HEALTH_PROBE is the path of grpc-health-probe;
# without it, Go builds one.
set -u
cd "$(dirname "$0")/../.." || exit

probe=${GRPC_HEALTH_PROBE:-$(go tool -modfile=tools/probe/go.mod -n grpc-health-probe)} || exit

# Three ports below those that the kernel gives to clients.
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
		echo 'The programs said:'
		cat "$log"
	} >&2
	exit 1
}

say() {
	printf '\n# %s\n' "$1"
}

# expect STATUS TEXT COMMAND... shows the command and what it prints as soon as
# it ends with STATUS and TEXT is in its output, for which it has 5 s.
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
			fail "that should have exited with $want and said \"$text\", but exited with $status"
		fi
		sleep 0.1
	done
	printf '%s\n' "$output"
}

# ask STATUS TEXT WORD asks the sidecar both ways; they must agree. TEXT is for
# landmark-check, WORD for grpc-health-probe.
ask() {
	expect "$1" "$2" bin/landmark-check -addr "$monitor" -service epg
	expect "$1" "$3" "$probe" -addr "$grpc" -service epg
}

bin/landmarkd -monitor "$monitor" -grpc "$grpc" >"$log" 2>&1 &
landmarkd=$!
bin/epgd -listen "$epg" -agent-socket "$RUNTIME_DIRECTORY/agent.sock" >>"$log" 2>&1 &
epgd=$!

say 'An EPG server at work, and its sidecar:'
expect 0 '' bin/epgd -ask "$epg"
ask 0 SERVING SERVING

say 'Its main loop wedges. The process, its port and its agent stay alive:'
kill -USR1 "$epgd" || fail 'epgd has ended'
expect 1 '' bin/epgd -ask "$epg"
ask 4 stalled NOT_SERVING
kill -0 "$epgd" || fail 'epgd did not survive its wedge'

say 'It is freed:'
kill -USR2 "$epgd" || fail 'epgd has ended'
expect 0 '' bin/epgd -ask "$epg"
ask 0 SERVING SERVING

say 'It is killed:'
kill -KILL "$epgd" || fail 'epgd has ended'
wait "$epgd" 2>/dev/null
epgd=
ask 4 lost NOT_SERVING

say 'The sidecar stops when told to:'
kill "$landmarkd" || fail 'landmarkd has ended'
wait "$landmarkd" || fail 'landmarkd did not end cleanly'
landmarkd=
echo 'That was the whole story.'
