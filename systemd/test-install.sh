#!/bin/sh
# Installs into a temporary DESTDIR and checks what a package or an administrator would rely on: every file in its place
# with its mode, nothing overwritten, units that systemd accepts, and the sandbox's score.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
failures=0

fail() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}

expect() { # MODE PATH
	if [ ! -e "$2" ]; then
		fail "$2 is missing"
	elif [ "$(stat -c %a "$2")" != "$1" ]; then
		fail "$2 has mode $(stat -c %a "$2") instead of $1"
	fi
}

# Any executable stands in for the program: what is tested is where things go.
printf '#!/bin/sh\nexit 0\n' >"$work/ringway"
chmod 0755 "$work/ringway"

usr=$work/usr-root
DESTDIR=$usr "$here/install.sh" "$work/ringway" >"$work/installed"
expect 755 "$usr/usr/bin/ringway"
expect 755 "$usr/usr/lib/ringway/reload"
expect 644 "$usr/usr/lib/systemd/system/ringway.service"
expect 644 "$usr/usr/lib/systemd/system/ringway.socket"
expect 644 "$usr/usr/lib/sysusers.d/ringway.conf"
expect 644 "$usr/usr/share/doc/ringway/logrotate"
expect 644 "$usr/usr/share/doc/ringway/drop-ins/notify-reload.conf"
expect 644 "$usr/usr/share/doc/ringway/drop-ins/credentials.conf"
expect 750 "$usr/etc/ringway"
expect 750 "$usr/etc/ringway/conf.d"
for page in "$here"/../man/*.[1-8]; do
	expect 644 "$usr/usr/share/man/man${page##*.}/$(basename "$page")"
done
while read -r path; do
	[ -e "$usr$path" ] || fail "$path is listed but not installed"
done <"$work/installed"

# A configuration in use survives an upgrade, and the new example is at hand.
if [ -f "$here/ringway.toml" ]; then
	expect 640 "$usr/etc/ringway/ringway.toml"
	echo '# mine' >"$usr/etc/ringway/ringway.toml"
	DESTDIR=$usr "$here/install.sh" "$work/ringway" >/dev/null 2>"$work/said"
	[ "$(cat "$usr/etc/ringway/ringway.toml")" = '# mine' ] || fail "the configuration was overwritten"
	expect 640 "$usr/etc/ringway/ringway.toml.new"
	grep -q 'is kept' "$work/said" || fail "nothing was said about the kept configuration"
fi

# Another prefix: units follow the binary.
local=$work/local-root
DESTDIR=$local PREFIX=/usr/local "$here/install.sh" "$work/ringway" >/dev/null
expect 755 "$local/usr/local/bin/ringway"
unit=$local/usr/local/lib/systemd/system/ringway.service
grep -q '^ExecStart=/usr/local/bin/ringway serve ' "$unit" || fail "the unit does not start the installed binary"
grep -q '^ExecReload=/usr/local/lib/ringway/reload ' "$unit" || fail "the unit does not use the installed reload script"
! grep -Eq '/usr/(bin|lib)/ringway' "$unit" || fail "the unit still names files below /usr"

# What cannot be installed is refused, with its cause.
! DESTDIR=$work/none "$here/install.sh" "$work/missing" 2>"$work/said" || fail "a missing binary was accepted"
grep -q 'no binary at' "$work/said" || fail "a missing binary was refused without its cause"
! DESTDIR=$work/none PREFIX=relative "$here/install.sh" "$work/ringway" 2>/dev/null || fail "a relative PREFIX was accepted"

# The reload script against a process that answers as the service does: it reports what became of the reload.
mkdir "$work/run"
cat >"$work/service.sh" <<'EOF'
asked=0
answer() {
	asked=$((asked + 1))
	printf '%s\n%s\nsentence %s\n' "$asked" "$(cat verdict)" "$asked" >reload.new
	mv reload.new reload
}
trap answer HUP
trap 'exit 0' TERM
: >started
while :; do sleep 0.05; done
EOF
# Whoever was started by nohup ignores the signal, and a shell cannot trap what it was told to ignore.
(cd "$work/run" && exec env --default-signal=HUP sh "$work/service.sh") &
service=$!
while [ ! -e "$work/run/started" ]; do sleep 0.05; done
for verdict in ok failed ok; do
	echo "$verdict" >"$work/run/verdict"
	status=0
	RUNTIME_DIRECTORY=$work/run "$here/reload.sh" "$service" >"$work/said" 2>&1 || status=$?
	case $verdict in ok) expected=0 ;; *) expected=1 ;; esac
	[ "$status" = "$expected" ] || fail "reload.sh exits with $status when the reload is '$verdict'"
	grep -q '^sentence [123]$' "$work/said" || fail "reload.sh does not say what happened: $(cat "$work/said")"
done
kill "$service"
wait "$service" || true
! RUNTIME_DIRECTORY=$work/run "$here/reload.sh" "$service" 2>/dev/null || fail "reload.sh succeeds without a process"

if command -v systemd-analyze >/dev/null; then
	# `verify` wants the program to exist, so it looks at a copy that names the stand-in.
	mkdir "$work/units"
	for unit in ringway.service ringway.socket; do
		sed -e "s|/usr/bin/ringway|$work/ringway|" -e "s|/usr/lib/ringway/reload|$here/reload.sh|" -e '/^Documentation=/d' "$here/$unit" >"$work/units/$unit"
	done
	systemd-analyze verify --man=no "$work/units/ringway.service" "$work/units/ringway.socket" 2>&1 |
		grep -i ringway >"$work/verify" && fail "systemd-analyze verify: $(cat "$work/verify")"
	# Exit status is 1 if the exposure exceeds the threshold, in tenths.
	systemd-analyze security --offline=true --threshold=15 --no-pager "$here/ringway.service" >"$work/security" 2>&1 ||
		fail "sandbox: $(tail -n 1 "$work/security")"
	tail -n 1 "$work/security"
else
	echo "skipped: systemd-analyze is not installed" >&2
fi

if command -v systemd-sysusers >/dev/null; then
	# --root makes the user in that tree only.
	mkdir -p "$work/users/etc"
	systemd-sysusers --root="$work/users" "$here/ringway.sysusers.conf" >/dev/null 2>&1 || fail "systemd-sysusers refuses the file"
	grep -q '^ringway:' "$work/users/etc/passwd" || fail "systemd-sysusers made no user"
fi

[ "$failures" = 0 ] || exit 1
echo "install: all as expected"
