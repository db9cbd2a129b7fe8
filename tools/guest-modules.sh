#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# guest-modules.sh GUEST MODULE...: makes sure that modules of the kernel of a guest (tools/guest.sh) are in the cache, and
# prints the folder where each is MODULE.ko.  They are for an initramfs behind the guest's own: see test/boot/share_test.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${LODGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge}
guest=$1
shift
dir=$("$here/guest.sh" "$guest")
out=$cache/guests/modules/$(cat "$dir/version")
suite=trixie arch=amd64
case $guest in
riscv64) arch=riscv64 ;;
bookworm-*-pae) suite=bookworm arch=i386 ;;
bookworm-*) suite=bookworm ;;
esac

missing=
for m; do
	[ -f "$out/$m.ko" ] || missing=1
done
if [ -n "$missing" ]; then
	mkdir -p "$out"
	tmp=$(mktemp -d "$out/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	echo "guest-modules.sh: fetching $(cat "$dir/version")" >&2
	(cd "$tmp" && "$here/apt-for.sh" $suite $arch apt-get -q download "$(cat "$dir/version")" >&2 </dev/null)
	for m; do
		dpkg-deb --fsys-tarfile "$tmp"/*.deb | tar -C "$tmp" -x --wildcards "*/$m.ko*"
	done
	find "$tmp" -name '*.ko.xz' -exec xz -d {} +
	find "$tmp" -name '*.ko' -exec mv {} "$out/" \;
fi
echo "$out"
