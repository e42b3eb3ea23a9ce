#!/bin/sh
# Puts Ringway in its places: binary, units, user, example configuration, man pages.
#
#   systemd/install.sh [BINARY]
#
# BINARY is target/dist/ringway, else target/release/ringway, when not given. DESTDIR is put before every path (for packages and
# tests); PREFIX is /usr unless set. A configuration that exists is never overwritten: the new example is put beside it.
# Nothing is started or enabled; the last lines say how.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr}

case $PREFIX in
/*) ;;
*)
	echo "install.sh: PREFIX has to be an absolute path, not '$PREFIX'" >&2
	exit 2
	;;
esac

binary=${1:-}
if [ -z "$binary" ]; then
	for profile in dist release; do
		if [ -x "$root/target/$profile/ringway" ]; then
			binary=$root/target/$profile/ringway
			break
		fi
	done
fi
if [ -z "$binary" ] || [ ! -f "$binary" ]; then
	echo "install.sh: no binary at '${binary:-target/{dist,release}/ringway}'. Build it: cargo build --profile dist" >&2
	exit 1
fi

put() { # MODE SOURCE TARGET
	install -D -m "$1" "$2" "$DESTDIR$3"
	echo "$3"
}

# Units name files below /usr; they are rewritten for another prefix.
put_rewritten() { # MODE SOURCE TARGET
	rewritten=$(mktemp)
	sed -e "s|/usr/bin/ringway|$PREFIX/bin/ringway|g" -e "s|/usr/lib/ringway|$PREFIX/lib/ringway|g" "$2" >"$rewritten"
	put "$1" "$rewritten" "$3"
	rm -f "$rewritten"
}

# systemd reads units of /usr/local from /usr/local/lib as well, but of no other prefix.
case $PREFIX in
/usr | /usr/local) lib=$PREFIX/lib ;;
*) lib=/usr/local/lib ;;
esac

put 0755 "$binary" "$PREFIX/bin/ringway"
put 0755 "$here/reload.sh" "$PREFIX/lib/ringway/reload"
put_rewritten 0644 "$here/ringway.service" "$lib/systemd/system/ringway.service"
put 0644 "$here/ringway.socket" "$lib/systemd/system/ringway.socket"
put 0644 "$here/ringway.sysusers.conf" "$lib/sysusers.d/ringway.conf"
for drop_in in "$here"/drop-ins/*.conf; do
	put_rewritten 0644 "$drop_in" "$PREFIX/share/doc/ringway/drop-ins/$(basename "$drop_in")"
done
put 0644 "$here/ringway.logrotate" "$PREFIX/share/doc/ringway/logrotate"
for page in "$root"/man/*.[1-8]; do
	[ -f "$page" ] || continue
	put 0644 "$page" "$PREFIX/share/man/man${page##*.}/$(basename "$page")"
done

config=/etc/ringway/ringway.toml
install -d -m 0750 "$DESTDIR/etc/ringway" "$DESTDIR/etc/ringway/conf.d"
if [ -f "$here/ringway.toml" ]; then
	# The service may read it, others may not: it can hold keys' hashes and names.
	if [ -e "$DESTDIR$config" ]; then
		put 0640 "$here/ringway.toml" "$config.new"
		echo "install.sh: $config is kept; the new example is $config.new" >&2
	else
		put 0640 "$here/ringway.toml" "$config"
	fi
fi

# On a running system the user is made at once, and owns what only it may read.
if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null; then
	systemd-sysusers "$lib/sysusers.d/ringway.conf"
	chgrp -R ringway /etc/ringway
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
	fi
	echo "install.sh: installed. Next: edit $config, then: systemctl enable --now ringway" >&2
fi
