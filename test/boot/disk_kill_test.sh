# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of Lodge while a guest writes files and fsyncs them, again and again on the same disks, raw and qcow2: each time the
# images check clean, so do the file systems, and every file that the guest reported is there.  LODGE_KILLS: how many rounds.
. test/tap.sh
. test/boot/disk_files.sh
PATH=$PATH:/usr/sbin:/sbin
rounds=${LODGE_KILLS:-3} lodge=$LODGE
command -v debugfs >/dev/null || skip_all "disks" "no e2fsprogs here"
guest x86_64
make_disks

files=0 bad=0 round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	start_guest ${round}0000
	wait_for_files 1
	sleep "$(awk "BEGIN { srand($$ + $round); print rand() * 1.5 }")"
	kill -9 $pid
	wait $pid 2>/dev/null
	ok=1
	for d in $disks; do
		grep -q "${d%:*}-has" "$tmp/out" || ok=0
		check_disk "${d%:*}" "${d#*:}" "$tmp/${d#*:}" ${round}0000 || ok=0
	done
	[ $ok = 1 ] || { bad=$((bad + 1)); echo "# in round $round"; tail -n 3 "$tmp/out" "$tmp/err" | sed 's/^/# /'; }
	[ $((round % 10)) -ne 0 ] || echo "# $round rounds: $files files, $bad bad"
done
is $bad 0 "$rounds rounds of kill -9: images and file systems are clean, and all of $files files are there"
finish
