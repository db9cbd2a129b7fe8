# SPDX-License-Identifier: BSD-2-Clause
# Debian's other kernels for x86, by Linux's own protocol and by PVH, on both boards: to a busybox shell that gets a
# command on its console, and power off.  Some of the cells; LODGE_MATRIX=yes: all of them, with 1 and 4 CPUs.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

# cell GUEST MACHINE ENTRY CPUS
cell() {
	name="$1 on $2 by $3, $4 CPU"
	dir=$(tools/guest.sh "$1" 2>"$tmp/guest.log") || {
		tail -n 5 "$tmp/guest.log" | sed 's/^/# /'
		skip "$name" "this guest cannot be fetched here"
		return
	}
	# The shell gets the line when it is there: what comes before waits in the serial port's driver.
	printf 'echo shell $((6 * 7)) on $(nproc); poweroff -f\n' |
		$LODGE run -q -M "$2" -o "entry=$3" -c "$4" -m 256M --timeout 300s -k "$dir/vmlinux" \
			-i "$dir/initrd.gz" -p "console=ttyS0 panic=-1" >"$tmp/out" 2>"$tmp/err"
	rc=$?
	[ $rc -eq 0 ] && grep -q "shell 42 on $4" "$tmp/out"
	ok $? "$name: shell, exit status 0 at power off"
	[ $rc -eq 0 ] || { echo "#   exit status $rc"; tail -n 15 "$tmp/out" "$tmp/err" | sed 's/^/#   | /'; }
}

if [ -z "${LODGE_MATRIX:-}" ]; then
	cell bookworm-amd64 pc auto 1
	cell bookworm-cloud-amd64 microvm pvh 1
	cell bookworm-686-pae pc pvh 1
	cell bookworm-686-pae microvm auto 1
	finish
fi
for guest in bookworm-amd64 bookworm-cloud-amd64 trixie-amd64 trixie-cloud-amd64 bookworm-686-pae; do
	for machine in microvm pc; do
		for entry in auto pvh; do
			cell $guest $machine $entry 1
			cell $guest $machine $entry 4
		done
	done
done
finish
