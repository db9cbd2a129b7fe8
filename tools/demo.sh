#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh LODGE: boot Debian's riscv64 kernel to a busybox shell on this terminal.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
guest=$("$here/guest.sh" riscv64)
[ ! -t 0 ] || echo "demo: Ctrl-a x ends the machine, poweroff -f in the guest too" >&2
exec "$1" run -k "$guest/vmlinux" -i "$guest/initrd.gz" -p "console=ttyS0 quiet"
