# SPDX-License-Identifier: BSD-2-Clause
# Debian's installer with 512M of memory comes to its first question: udev, modules, a large initrd, debconf.
. test/tap.sh
guest installer

$LODGE run -q -m 512M --timeout 600s -k "$guest_dir/linux" -i "$guest_dir/initrd.gz" \
	-p "console=ttyS0 TERM=dumb DEBIAN_FRONTEND=text" >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
for i in $(seq 600); do
	grep -aq 'Prompt:' "$tmp/out" 2>/dev/null && break
	kill -0 $pid 2>/dev/null || break
	sleep 1
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
has "$tmp/out" 'Choose the language' "the installer asks for the language"
has "$tmp/out" 'Prompt:' "and waits for an answer"
finish
