# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's installer for amd64 (LODGE_MATRIX=yes: and i386) comes to its first question on the serial console.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

# installer ARCH
installer() {
	guest "installer-$1"
	$LODGE run -q -M pc -m 1G --timeout 600s -k "$guest_dir/linux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 TERM=dumb DEBIAN_FRONTEND=text" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for i in $(seq 600); do
		grep -aq 'Prompt:' "$tmp/out" 2>/dev/null && break
		kill -0 $pid 2>/dev/null || break
		sleep 1
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	has "$tmp/out" 'Choose the language' "$1: the installer asks for the language"
	has "$tmp/out" 'Prompt:' "$1: and waits for an answer"
}

installer amd64
[ -z "${LODGE_MATRIX:-}" ] || installer i386
finish
