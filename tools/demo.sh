#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh LODGE [CPU]: boot Debian's kernel for riscv64 or x86_64 to a busybox shell on this terminal.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cpu=${2:-riscv64}
case $cpu in
riscv64 | x86_64) ;;
*) echo "demo: CPU $cpu: there is riscv64, x86_64" >&2; exit 1 ;;
esac
guest=$("$here/guest.sh" "$cpu")
[ ! -t 0 ] || echo "demo: Ctrl-a x ends the machine, poweroff -f in the guest too" >&2
exec "$1" run -a "$cpu" -k "$guest/vmlinux" -i "$guest/initrd.gz" -p "console=ttyS0 quiet"
