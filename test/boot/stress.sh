#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# stress.sh SECONDS [OPTIONS]: stress-ng on 4 harts of the benchmark's guest (bench/guest.py makes it), with the
# kernel's messages; status 0 if it verified all and the kernel said nothing after the start.
set -eu
seconds=${1:-180}
[ $# -eq 0 ] || shift
guest=${LODGE_BENCH_GUEST:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge/bench/riscv64}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lodge-stress.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/stress" <<'END'
#!/bin/busybox sh
export PATH=/usr/bin:/usr/sbin HOME=/ LC_ALL=C
busybox mount -t devtmpfs dev /dev 2>/dev/null
exec </dev/console >/dev/console 2>&1
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mkdir -p /tmp /dev/shm
cd /tmp
busybox dmesg >before
for word in $(busybox cat /proc/cmdline); do
	case $word in stress=*) seconds=${word#stress=} ;; esac
done
stress-ng --cpu 2 --fork 2 --switch 2 --vm 1 --vm-bytes 64M --mmap 1 --mmap-bytes 32M --futex 1 \
	--pipe 1 --signal 1 --timeout "${seconds}s" --verify
status=$?
busybox dmesg >after
busybox cmp -s before after || { status=100; echo "@@KERNEL"; busybox diff before after; }
echo "@@STATUS $status"
busybox poweroff -f
END
chmod +x "$tmp/stress"
(cd "$tmp" && echo stress | cpio -o -H newc 2>/dev/null >own.cpio)
cat "$guest/full.cpio" "$tmp/own.cpio" >"$tmp/guest.cpio"
${LODGE:-build/lodge} run -q -c 4 -m 1024M "$@" -k "$guest/kernel" -i "$tmp/guest.cpio" \
	-p "console=ttyS0 loglevel=7 rdinit=/stress stress=$seconds" </dev/null | tee "$tmp/out"
grep -q '@@STATUS 0' "$tmp/out"
