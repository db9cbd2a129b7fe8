# SPDX-License-Identifier: BSD-2-Clause
# Folders of the host by 9P, as they are, read-only and with mapped owners; sockets between guest and host.  Linux on riscv64
# (virtio-mmio) and on a PC (virtio over PCI).  SHARE_GUESTS and SHARE_BYTES say which guests, and how much the sockets carry.
. test/tap.sh
command -v python3 >/dev/null || skip_all "shares" "no python3 here"
modules="netfs 9pnet 9pnet_virtio 9p vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport"
bytes=${SHARE_BYTES:-20000000}

# prepare GUEST COMPILER: $guest_dir, and $tmp/initrd with the modules and the guest's part of this test.
prepare() {
	guest "$1"
	command -v "$2" >/dev/null || return 1
	# shellcheck disable=SC2086 # words on purpose
	dir=$(tools/guest-modules.sh "$1" $modules 2>"$tmp/guest.log") || return 1
	# Where any user can read them.
	chmod 755 "$tmp"
	cp "$guest_dir/vmlinux" "$tmp/vmlinux"
	rm -rf "$tmp/root"
	mkdir -p "$tmp/root/t"
	for m in $modules; do cp "$dir/$m.ko" "$tmp/root/t/"; done
	"$2" -O1 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector -Wall -Wextra -Werror \
		-Wl,--build-id=none -o "$tmp/root/t/guest" test/boot/share/guest.c || return 1
	cp test/boot/share/init.sh "$tmp/root/t/run"
	(cd "$tmp/root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n | cat "$guest_dir/initrd.gz" - >"$tmp/initrd"
}

# linux COMMAND ARGS...: output in $tmp/out, status in $rc.
linux() {
	command=$(echo "sh /t/run $1" | tr ' ' _)
	shift
	$as "$lodge" run -q $board -m 256M --timeout 600s "$@" -k "$tmp/vmlinux" -i "$tmp/initrd" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$command" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

# A folder with a bit of everything.
fill() {
	rm -rf "$1"
	mkdir -p "$1/tree/dir/sub/deep" "$1/tree/empty"
	head -c 3000000 /dev/urandom >"$1/tree/dir/sub/large"
	for i in $(seq 60); do echo "file $i" >"$1/tree/dir/sub/deep/a file with number $i"; done
	echo owned >"$1/tree/dir/owned"
	: >"$1/tree/dir/nothing"
	ln -s dir/sub/large "$1/tree/link"
	ln "$1/tree/dir/sub/large" "$1/tree/hard"
	(cd "$1/tree" && find . -type f -exec md5sum {} +) >"$1/sums"
}

# What is the same whoever owns the files on the host.
try_files() {
	is $rc 0 "$name: the guest powers off"
	ok "$(grep -c FAILED "$tmp/out")" "$name: nothing fails"
	has "$tmp/out" "^SUMS-RIGHT 64" "$name: the guest reads what the host wrote"
	is "$(cd "$share/tree" && find . | LC_ALL=C sort | md5sum)" "$(md5sum <"$share/list")" "$name: both sides find the same names"
	has "$tmp/out" '^COPY-RIGHT' "$name: a copied tree has its checksums"
	has "$tmp/out" '^LINK dir/sub/large' "$name: and its links"
	is "$(md5sum <"$share/big")" "$(cat "$share/big.sum")" "$name: the host reads what the guest wrote"
	has "$tmp/out" '^NLINK 2' "$name: a second name is one"
	is "$(python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.colour").decode())' "$share/big")" blue \
		"$name: an extended attribute is on the host's file"
	has "$tmp/out" '^mapped' "$name: a shared mapping is written to the file"
	has "$tmp/out" '^still there' "$name: an unlinked file can be used"
	has "$tmp/out" '^GONE' "$name: and is gone"
	has "$tmp/out" '^MOVED' "$name: directories are moved"
	has "$tmp/out" '^DEVICE character special file 1:3' "$name: a device node is one to the guest"
	has "$tmp/out" '^USER 1000:1000' "$name: files belong to the user who makes them"
	has "$tmp/out" '^DENIED' "$name: and others may not read what is not for them"
	has "$tmp/out" '^301' "$name: a large directory is listed"
	has "$tmp/out" '^locked' "$name: a file can be locked"
	has "$tmp/out" '^would wait' "$name: and not twice"
	has "$tmp/out" '^/etc/passwd' "$name: links out of the folder are texts"
	has "$tmp/out" '^SAME-AGAIN' "$name: and all is there when it is mounted again, with a cache"
}

try_guest() {
	as='' name=$1
	lodge=$LODGE share=$tmp/share
	linux files -s "$tmp/nowhere:data"
	is $rc 1 "$1: a folder that is not there is refused"
	has "$tmp/err" "^lodge: share $tmp/nowhere: No such file" "$1: by its name"
	if [ "$(id -u)" = 0 ]; then
		name="$1, as it is"
		fill "$share"
		chown 77:88 "$share/tree/dir/owned"
		chmod 640 "$share/tree/dir/owned"
		linux files -s "$share:data"
		try_files
		has "$tmp/out" '^OWNER 77:88 640' "$name: owner and mode are copied"
		is "$(stat -c '%u:%g %a' "$share/copy/dir/owned")" "77:88 640" "$name: and are the host's"
		is "$(stat -c %F "$share/null")" "character special file" "$name: a device is one"
		cp "$LODGE" "$tmp/lodge"
		lodge=$tmp/lodge
		as='setpriv --reuid 65534 --regid 65534 --clear-groups'
	fi
	name="$1, mapped"
	fill "$share"
	[ -z "$as" ] || chown -R 65534:65534 "$share"
	python3 -c 'import os, sys
for name, value in (("uid", 77), ("gid", 88), ("mode", 0o100640)):
	os.setxattr(sys.argv[1], "user.virtfs." + name, value.to_bytes(4, "little"))' "$share/tree/dir/owned"
	linux files -s "$share:data,mapped"
	try_files
	has "$tmp/out" '^OWNER 77:88 640' "$name: owner and mode are copied"
	is "$(stat -c '%u %a %F' "$share/null")" "$(stat -c %u "$share/big") 600 regular empty file" "$name: a device is a file"
	is "$(stat -c %F "$share/copy/link")" "regular file" "$name: a link, too"

	as='' lodge=$LODGE
	echo fixed >"$share/file"
	linux readonly -s "$share:fixed,ro"
	is "$(grep -cE '^(fixed|NO-TOUCH|NO-RM|NO-MKDIR|NO-WRITE)' "$tmp/out")" 5 "$1: a read-only folder is one"
	is "$(cat "$share/file")" fixed "$1: its files stay as they are"

	python3 test/boot/share/host.py echo "$tmp/v_1234" >"$tmp/echo" 2>&1 &
	echo=$!
	{
		for i in $(seq 600); do
			grep -q LISTENING "$tmp/out" && break
			sleep 1
		done
		timeout 600 python3 test/boot/share/host.py send "$tmp/v" 52 "$bytes" >"$tmp/sent" 2>&1
	} &
	sent=$!
	: >"$tmp/out"
	linux "sockets $bytes" -o "vsock=$tmp/v,cid=33"
	is $rc 0 "$1: the guest powers off"
	kill $echo 2>/dev/null
	wait $echo 2>/dev/null
	wait $sent
	is "$(sed -n 's/^BACK //p' "$tmp/out")" "$(sed -n 's/^SENT //p' "$tmp/out")" "$1: what the guest sends to the host comes back"
	has "$tmp/out" '^BACK [0-9a-f]' "$1: it did"
	has "$tmp/sent" "^SAME $bytes" "$1: what the host sends to the guest comes back"
	has "$tmp/out" '^ECHOED' "$1: and ends when the host says so"
	[ ! -e "$tmp/v" ]
	ok $? "$1: the socket is taken away"
	rm -f "$tmp/v_1234"
}

for g in ${SHARE_GUESTS:-riscv64 pc}; do
	case $g in
	pc) board='-a x86_64 -M pc' compiler=gcc ;;
	*) board='' compiler=riscv64-linux-gnu-gcc ;;
	esac
	if [ $g = pc ] && [ "$(uname -m)" != x86_64 ]; then
		compiler=x86_64-linux-gnu-gcc
	fi
	if prepare $g $compiler; then
		try_guest $g
	else
		skip "$g" "no modules of its kernel, or no $compiler"
	fi
done
finish
