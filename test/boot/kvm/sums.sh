#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sums.sh: in the guest of moves.sh, whatever engine runs it: a file in memory keeps its sum, programs that are started and
# pipes work, and time goes on.  Prints "UP SECONDS" each time; ends when there is no /tmp/on.
mkdir -p /tmp
mount -t tmpfs tmp /tmp
: >/tmp/on
dd if=/dev/urandom of=/tmp/file bs=64k count=4 2>/dev/null
wanted=$(sha256sum </tmp/file)
was=0
while [ -e /tmp/on ]; do
	[ "$(cat /tmp/file | sha256sum)" = "$wanted" ] || echo "WRONG sum of a file"
	read -r now idle </proc/uptime
	now=${now%.*}
	[ "$now" -ge "$was" ] || echo "WRONG uptime: $now behind $was"
	was=$now
	echo "UP $now"
done
