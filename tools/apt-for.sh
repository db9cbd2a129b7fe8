#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# apt-for.sh SUITE ARCH COMMAND...: run an apt command as if on a Debian machine of that suite and architecture,
# with a state of its own in the cache and with signatures checked.  The archive is the one that this machine's apt uses.
# apt-for.sh SUITE ARCH update: read its index.  A mirror that is between two releases may have a suite whole under one
# of its names only (trixie, stable), so the others are tried, too, and taken when they are the same suite.
set -eu
suite=$1 arch=$2
shift 2
root=${LODGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge}/apt/$suite-$arch
keys=/usr/share/keyrings/debian-archive-keyring.gpg

if [ ! -f "$root/mirror" ]; then
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep '/debian/*$' | head -n 1)
	[ -n "$mirror" ] || {
		echo "apt-for.sh: this machine's apt knows no Debian archive" >&2
		exit 1
	}
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/parts"
	: >"$root/status"
	echo "deb [signed-by=$keys] $mirror $suite main" >"$root/sources.list"
	cat >"$root/apt.conf.new" <<-END
		Dir::State "$root";
		Dir::State::status "$root/status";
		Dir::State::lists "$root/lists";
		Dir::Cache "$root/cache";
		Dir::Etc::sourcelist "$root/sources.list";
		Dir::Etc::sourceparts "$root/parts";
		Dir::Etc::preferencesparts "$root/parts";
		Dir::Etc::trustedparts "$root/parts";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
	END
	mv "$root/apt.conf.new" "$root/apt.conf"
	echo "$mirror" >"$root/mirror"
fi
export APT_CONFIG="$root/apt.conf"
[ "$*" = update ] || exec "$@"

for name in "$suite" stable testing oldstable; do
	echo "deb [signed-by=$keys] $(cat "$root/mirror") $name main" >"$root/sources.list"
	if apt-get -q -o Debug::NoLocking=1 update &&
		{ [ "$name" = "$suite" ] || apt-get indextargets --format '$(CODENAME)' | grep -qx "$suite"; }; then
		exit 0
	fi
done
echo "apt-for.sh: no index of $suite for $arch to be had" >&2
exit 1
