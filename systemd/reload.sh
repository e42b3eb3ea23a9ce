#!/bin/sh
# Asks a running Ringway to load its configuration again, and exits with 0 only if that worked.
#
#   reload MAINPID
#
# The process writes the outcome of each reload to $RUNTIME_DIRECTORY/reload: a number, `ok` or `failed`, a sentence. This
# waits, at most 20 s, for the number to change.
set -eu

file=${RUNTIME_DIRECTORY:-/run/ringway}/reload
number() { head -n 1 "$file" 2>/dev/null || echo 0; }

before=$(number)
kill -HUP "$1"
tries=400
while [ "$(number)" = "$before" ]; do
	tries=$((tries - 1))
	if [ "$tries" = 0 ] || ! kill -0 "$1" 2>/dev/null; then
		echo "no outcome in $file: see the service's log" >&2
		exit 1
	fi
	sleep 0.05
done
sed -n 3p "$file"
[ "$(sed -n 2p "$file")" = ok ]
