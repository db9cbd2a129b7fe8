# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of Lodge while a guest writes files and fsyncs them, again and again on the same disks, raw and qcow2: each time the
# images check clean, so do the file systems, and every file that the guest reported is there.  LODGE_KILLS: how many rounds.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
rounds=${LODGE_KILLS:-3}
command -v debugfs >/dev/null || skip_all "disks" "no e2fsprogs here"
guest x86_64

# Files fill 40 places one after the other; number n is n written often enough for its size.
slots=40
size() { echo "\$(($1*7919%200000+1))"; }

truncate -s 64M "$tmp/raw" "$tmp/ext4"
mkfs.ext4 -q "$tmp/raw"
mkfs.ext4 -q "$tmp/ext4"
disks="vda:raw"
set -- -d "$tmp/raw,format=raw"
if command -v qemu-img >/dev/null && $LODGE run -d "$tmp/raw,format=qcow2" -k /dev/null 2>&1 | grep -qv 'there is raw'; then
	qemu-img convert -f raw -O qcow2 "$tmp/ext4" "$tmp/qcow2"
	disks="$disks vdb:qcow2"
	set -- "$@" -d "$tmp/qcow2,format=qcow2"
fi

# guest_writes FIRST: what the guest does, for ever.
guest_writes() {
	for d in $disks; do
		dev=${d%:*}
		printf 'mkdir /%s; mount -t ext4 /dev/%s /%s; (n=%s; while :; do n=$((n+1));' "$dev" "$dev" "$dev" "$1"
		printf ' yes $n | head -c %s | dd of=/%s/f$((n%%%s)) bs=64k conv=fsync 2>/dev/null && echo %s-has $n; done) & ' \
			"$(size n)" "$dev" $slots "$dev"
	done
	echo 'wait'
}

# check DEV IMAGE: of the files that the guest reported, all that cannot have been begun anew; its words are in $tmp/out.
check() {
	last=$(sed -n "s/.*$1-has \([0-9]*\).*/\1/p" "$tmp/out" | tail -n 1)
	[ -n "$last" ] || { echo "# $1: nothing was reported"; return 1; }
	e2fsck -E journal_only -p "$2" >"$tmp/fsck" 2>&1 || [ $? -le 1 ] || { sed 's/^/# /' "$tmp/fsck"; return 1; }
	e2fsck -fn "$2" >"$tmp/fsck" 2>&1 || { sed 's/^/# /' "$tmp/fsck"; return 1; }
	first=$((last - slots + 5))
	[ $first -gt "$3" ] || first=$(($3 + 1))
	rm -rf "$tmp/files"
	mkdir "$tmp/files"
	for n in $(seq $first "$last"); do echo "dump /f$((n % slots)) $tmp/files/$n"; done >"$tmp/commands"
	debugfs -f "$tmp/commands" "$2" >"$tmp/debugfs" 2>&1
	for n in $(seq $first "$last"); do
		yes "$n" | head -c "$(eval echo "$(size "$n")")" | cmp - "$tmp/files/$n" >"$tmp/cmp" 2>&1 || {
			echo "# $1: file $n of $last: $(cat "$tmp/cmp")"
			return 1
		}
		files=$((files + 1))
	done
}

files=0 bad=0 round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	: >"$tmp/out"
	$LODGE run -q -a x86_64 -M microvm -m 128M --timeout 600s -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" "$@" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$(guest_writes ${round}0000 | tr ' ' _)" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for i in $(seq 3000); do
		ready=1
		for d in $disks; do grep -q "${d%:*}-has" "$tmp/out" || ready=0; done
		[ $ready = 0 ] && kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	sleep "$(awk "BEGIN { srand($$ + $round); print rand() * 1.5 }")"
	kill -9 $pid
	wait $pid 2>/dev/null
	ok=1
	for d in $disks; do
		image=$tmp/${d#*:}
		if [ "${d#*:}" = qcow2 ]; then
			qemu-img check "$image" >"$tmp/qcheck" 2>&1 || { sed 's/^/# /' "$tmp/qcheck"; ok=0; }
			qemu-img convert -O raw "$image" "$tmp/copy"
		else
			cp --sparse=always "$image" "$tmp/copy"
		fi
		check "${d%:*}" "$tmp/copy" ${round}0000 || ok=0
	done
	[ $ok = 1 ] || { bad=$((bad + 1)); echo "# in round $round"; tail -n 3 "$tmp/out" "$tmp/err" | sed 's/^/# /'; }
	[ $((round % 10)) -ne 0 ] || echo "# $round rounds: $files files, $bad bad"
done
is $bad 0 "$rounds rounds of kill -9: images and file systems are clean, and all of $files files are there"
finish
