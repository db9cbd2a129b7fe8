# SPDX-License-Identifier: BSD-2-Clause
# disk_files.sh: for tests that end a guest while it writes files and fsyncs them.  Files fill 40 places, one after the other;
# file n is the number n, written often enough for its size.  $disks is a list of DEV:KIND, a raw image for each in $tmp/KIND.
slots=40
size() { echo "\$(($1*7919%200000+1))"; }

# make_disks: sets $disks, and $disk_args for Lodge.
make_disks() {
	truncate -s 64M "$tmp/raw"
	mkfs.ext4 -q "$tmp/raw"
	disks=vda:raw
	disk_args="-d $tmp/raw,format=raw"
	command -v qemu-img >/dev/null || return 0
	$LODGE run -d "$tmp/raw,format=qcow2" -k /dev/null 2>&1 | grep -q 'there is raw' && return 0
	qemu-img convert -f raw -O qcow2 "$tmp/raw" "$tmp/qcow2"
	disks="$disks vdb:qcow2"
	disk_args="$disk_args -d $tmp/qcow2,format=qcow2"
}

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

# start_guest FIRST: in the background, as $pid; its words go to $tmp/out.
start_guest() {
	: >"$tmp/out"
	# shellcheck disable=SC2086 # words on purpose
	$LODGE run -q -a x86_64 -M microvm -m 128M --timeout 600s -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" $disk_args \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$(guest_writes "$1" | tr ' ' _)" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
}

# wait_for_files N: until so many of each disk are reported, or the guest has ended.
wait_for_files() {
	for i in $(seq 3000); do
		ready=1
		for d in $disks; do [ "$(grep -c "${d%:*}-has" "$tmp/out")" -ge "$1" ] || ready=0; done
		[ $ready = 0 ] && kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
}

# check_files DEV IMAGE FIRST: of a raw image (which is changed) of a file system that was not unmounted: it is clean, and has
# the files that the guest reported in $tmp/out, but for those that it may have begun anew.  Adds to $files.
check_files() {
	last=$(sed -n "s/.*$1-has \([0-9]*\).*/\1/p" "$tmp/out" | tail -n 1)
	e2fsck -E journal_only -p "$2" >"$tmp/fsck" 2>&1 || [ $? -le 1 ] || { sed 's/^/# /' "$tmp/fsck"; return 1; }
	e2fsck -fn "$2" >"$tmp/fsck" 2>&1 || { sed 's/^/# /' "$tmp/fsck"; return 1; }
	[ -n "$last" ] || return 0
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

# check_disk DEV KIND IMAGE FIRST: of any kind; IMAGE stays as it is.  A qcow2 image has no errors and no leaks, and nobody has
# marked it as one to be repaired.
check_disk() {
	if [ "$2" = qcow2 ]; then
		qemu-img check "$3" >"$tmp/qcheck" 2>&1 && ! $lodge img info "$3" | grep -q dirty ||
			{ sed 's/^/# /' "$tmp/qcheck"; return 1; }
		qemu-img convert -f qcow2 -O raw "$3" "$tmp/copy"
	else
		cp --sparse=always "$3" "$tmp/copy"
	fi
	check_files "$1" "$tmp/copy" "$4"
}
