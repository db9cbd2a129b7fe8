#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh build|demo|check|check-kvm|bench: on Debian, install what that needs and is missing; elsewhere (or without
# the right to install) say what is missing.  Needs nothing, and no root, when all is there.
set -eu

build="gcc libc6-dev python3 libfdt-dev zlib1g-dev libzydis-dev libjansson-dev"
# Libraries to unpack kernels, for NBD, the user network, and to edit lines: Lodge is built without them, too.
demo="$build pkg-config liblzma-dev liblz4-dev libzstd-dev libnbd-dev libslirp-dev libedit-dev debian-archive-keyring cpio gzip xz-utils"
# nbdkit and qemu-nbd (qemu-utils) serve disks; SeaBIOS boots from CDs that GRUB makes; clang, clang-format and mandoc check form.
check="$demo libcmocka-dev gcc-riscv64-linux-gnu device-tree-compiler acpica-tools dmidecode lz4 \
zstd e2fsprogs nbdkit gdb-multiarch gnutls-bin qemu-utils seabios grub-pc-bin grub-common xorriso mtools clang clang-format mandoc"
bench="$demo gcc-riscv64-linux-gnu libc6-dev-riscv64-cross device-tree-compiler qemu-system-misc"

case ${1:-} in
build) want=$build ;;
demo) want=$demo ;;
check) want=$check ;;
check-kvm) want="$demo libcmocka-dev qemu-system-x86 qemu-system-misc gcc-riscv64-linux-gnu libc6-dev-riscv64-cross" ;;
bench) want=$bench ;;
*) echo "deps.sh: want build, demo, check, check-kvm or bench" >&2; exit 1 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: not a Debian system; needed are the equivalents of: $want" >&2
	exit 0
fi
missing=
for p in $want; do
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0
as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps.sh: install these as root first:$missing" >&2
		exit 1
	}
	as_root=sudo
fi
echo "deps.sh: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # words on purpose
{
	$as_root apt-get -q update
	$as_root apt-get -q install -y --no-install-recommends $missing
} >&2 </dev/null
