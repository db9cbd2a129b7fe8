#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the guest of share_test.sh does; each line that it prints is looked at there.
for m in netfs 9pnet 9pnet_virtio 9p vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport; do
	insmod /t/$m.ko || echo "FAILED: insmod $m"
done
mkdir /tmp
on() { mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000"${3:-}" "$1" "$2" || echo "FAILED: mount $1"; }

# A tree of the host's, copied there and back with all that belongs to it.
files() {
	on data /mnt
	cd /mnt/tree || exit
	find . | LC_ALL=C sort >/tmp/list
	cp /tmp/list /mnt/list
	md5sum -c /mnt/sums >/tmp/sums && echo "SUMS-RIGHT $(wc -l </tmp/sums)"
	cp -a /mnt/tree /mnt/copy && echo COPIED
	cd /mnt/copy && md5sum -c /mnt/sums >/tmp/sums && echo COPY-RIGHT
	echo "OWNER $(stat -c '%u:%g %a' /mnt/copy/dir/owned)"
	echo "LINK $(readlink /mnt/copy/link)"
	dd if=/dev/urandom of=/tmp/big bs=1M count=20 2>/dev/null
	cp /tmp/big /mnt/big && md5sum </tmp/big >/mnt/big.sum
	ln /mnt/big /mnt/big2 && echo "NLINK $(stat -c %h /mnt/big)"
	/t/guest setfattr /mnt/big user.colour blue
	/t/guest unlinked /mnt/unlinked
	[ -e /mnt/unlinked ] || echo GONE
	mkdir /mnt/a && mkdir /mnt/a/b && echo x >/mnt/a/b/c && mv /mnt/a /mnt/z && cat /mnt/z/b/c && echo MOVED
	mknod /mnt/null c 1 3 && mkfifo /mnt/fifo && echo "DEVICE $(stat -c '%F %t:%T' /mnt/null)"
	mkdir -m 1777 /mnt/sticky
	/t/guest user 'echo mine >/mnt/sticky/file' && echo "USER $(stat -c %u:%g /mnt/sticky/file)"
	/t/guest user 'cat /mnt/tree/dir/owned' 2>/dev/null || echo DENIED
	cd /mnt/sticky && for i in $(seq 300); do : >f$i; done && ls | wc -l && rm -f f* && ls
	ln -s /etc/passwd /mnt/out && readlink /mnt/out
	sleep 1000 </dev/null | /t/guest lock /mnt/big &
	sleep 1
	echo | /t/guest lock /mnt/big
	cd / && killall sleep && wait && rm -rf /mnt/z && umount /mnt && on data /mnt ,cache=mmap && md5sum </mnt/big | cmp - /mnt/big.sum && echo SAME-AGAIN
	/t/guest mmap /mnt/mapped
	umount /mnt
}

readonly() {
	on fixed /mnt
	cat /mnt/file
	touch /mnt/file 2>/dev/null || echo NO-TOUCH
	rm /mnt/file 2>/dev/null || echo NO-RM
	mkdir /mnt/d 2>/dev/null || echo NO-MKDIR
	(echo x >/mnt/file) 2>/dev/null || echo NO-WRITE
}

sockets() {
	head -c "$1" /dev/urandom >/tmp/data
	md5sum </tmp/data | sed 's/^/SENT /'
	/t/guest connect 1234 </tmp/data | md5sum | sed 's/^/BACK /'
	/t/guest listen 52
}

"$@"
