# SPDX-License-Identifier: BSD-2-Clause
# Debian's userland, made by debootstrap with its second stage run in the guest, boots with systemd to a login prompt, is
# used, and shuts down clean.  Takes minutes and about 150 MB from the archive for each CPU: only with LODGE_USERLAND=yes.
. test/tap.sh
[ "${LODGE_USERLAND:-}" = yes ] || skip_all "userland" "takes minutes: LODGE_USERLAND=yes runs it"
PATH=$PATH:/usr/sbin:/sbin

# run CPU DISK LIMIT INIT: talks with it, steps on standard input; output in $tmp/out.
run() {
	python3 test/boot/talk.py "$3" $LODGE run -q -a "$1" -m 1G --no-reboot -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-d "$2" -p "console=ttyS0 quiet panic=-1 lodge.init=$4" \
		>"$tmp/out" 2>"$tmp/err"
}

# What is to be seen is not in the command, which the terminal echoes.
programs() {
	cat <<-'END'
		> apt-get --version
		< Supported modules
		> python3 -c 'print("python", 6 * 7)'
		< python 42
		> perl -e 'print "perl ", 6 * 7, "\n"'
		< perl 42
		> echo 'int puts(const char *); int main(void) { return puts("hello" " gcc") < 0; }' >a.c; gcc a.c && ./a.out
		< hello gcc
	END
}

# userland CPU: its disk has had the first stage, in $disk.
userland() {
	echo '< STAGE 2 IS DONE' | run "$1" "$disk" 1800 /lodge-stage2
	is $? 0 "$1: debootstrap's second stage runs in the guest" || tail -n 20 "$tmp/out" | sed 's/^/#   | /'
	{
		printf '%s\n' '< login: ' '> root' '< Password: ' '> lodge' '< # ' \
			'> systemctl is-system-running --wait' '< running'
		[ "$1" != x86_64 ] || programs
		printf '%s\n' '> poweroff' '< Power down'
	} | run "$1" "$disk" 600 /sbin/init
	is $? 0 "$1: systemd, login, programs, power off" || tail -n 20 "$tmp/out" | sed 's/^/#   | /'
}

for cpu in riscv64 x86_64; do
	guest $cpu
	dir=$(tools/userland.sh $cpu 2>"$tmp/err") || {
		skip "$cpu" "no userland can be made here: $(tail -n 1 "$tmp/err")"
		continue
	}
	disk=$tmp/$cpu.qcow2
	$LODGE img convert -O qcow2 "$dir/disk.img" "$disk" 2>"$tmp/err"
	is $? 0 "$cpu: the disk becomes a qcow2 image"
	userland $cpu
	$LODGE img check "$disk" >"$tmp/check" 2>&1 && $LODGE img convert -O raw "$disk" "$tmp/raw" 2>"$tmp/err" &&
		e2fsck -fn "$tmp/raw" >"$tmp/fsck" 2>&1
	is $? 0 "$cpu: image and file system are clean"
	rm -f "$tmp/raw"
	rm -f "$disk"
done
finish
