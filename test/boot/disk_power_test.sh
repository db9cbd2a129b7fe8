# SPDX-License-Identifier: BSD-2-Clause
# The host loses power while a guest writes files and fsyncs them: whatever it forgets or tears of what was not flushed, images
# and file systems check clean, and every file that the guest reported is there.  LODGE_CRASHES: how many moments are tried.
. test/tap.sh
. test/boot/disk_files.sh
PATH=$PATH:/usr/sbin:/sbin
crashes=${LODGE_CRASHES:-8} seed=${LODGE_SEED:-1}
command -v debugfs >/dev/null || skip_all "disks" "no e2fsprogs here"
case $(nm "$LODGE" 2>/dev/null) in *__asan_init* | *__tsan_init*) skip_all "disks" "a sanitizer must be loaded first" ;; esac
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -fPIC -shared -o "$tmp/record.so" test/boot/disk_record.c -ldl ||
	skip_all "disks" "no compiler here"
guest x86_64
make_disks
images=
for d in $disks; do
	cp --sparse=always "$tmp/${d#*:}" "$tmp/${d#*:}.base"
	images="$images $tmp/${d#*:}"
done

lodge=$LODGE
LODGE="env LD_PRELOAD=$tmp/record.so LODGE_RECORD=$tmp/log $lodge"
export LODGE_RECORD_FILES="${images# }"
start_guest 10000
wait_for_files "${LODGE_FILES:-60}"
kill -9 $pid
wait $pid 2>/dev/null
has "$tmp/out" "vda-has" "the guest writes files"

echo "# LODGE_SEED=$seed"
files=0 bad=0 crash=0
while [ $crash -lt "$crashes" ]; do
	crash=$((crash + 1))
	set --
	for d in $disks; do set -- "$@" "$tmp/${d#*:}.base" "$tmp/${d#*:}"; done
	python3 test/boot/disk_power.py "$tmp/log" "$seed" $crash "$@" >"$tmp/out" 2>"$tmp/err"
	ok=$?
	for d in $disks; do check_disk "${d%:*}" "${d#*:}" "$tmp/${d#*:}" 10000 || ok=1; done
	[ $ok = 0 ] || { bad=$((bad + 1)); echo "# in crash $crash"; sed 's/^/# /' "$tmp/err"; }
	[ $((crash % 10)) -ne 0 ] || echo "# $crash crashes: $files files, $bad bad; $(cat "$tmp/err")"
done
is $bad 0 "$crashes losses of power: images and file systems are clean, and all of $files files are there"
finish
