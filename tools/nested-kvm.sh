#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# nested-kvm.sh LODGE SCRIPT [FILE...]: run a shell script on a machine where /dev/kvm works, be there one here or not: a
# small Linux in QEMU, which imitates a CPU of AMD's with its virtualization.  There, `lodge` is the program LODGE, files
# are in the current folder, and so is all that a guest needs (vmlinux, initrd.gz, of tools/guest.sh x86_64).  What the script
# prints comes out here, and its exit status is this one's.  Slow: an exit of a guest takes 40 us and more.
#   NESTED_CPUS, NESTED_MEM   of the machine (1, 900 MiB)
#   NESTED_TIMEOUT            seconds for all of it (300); then the status is 124
#   NESTED_LOG                keeps its kernel's console
#   NESTED_QEMU               another QEMU for that CPU, with its first arguments (-L, say)
#   NESTED_CPU=riscv64        the same with a CPU of that kind: LODGE is a program for it, NESTED_LIBS the folder of what it is
#                             linked with (tools/cross-riscv64.sh makes both); an exit takes 100 us
# 125: there is no such machine here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lodge=$1 script=$2
shift 2
say() { echo "nested-kvm.sh: $*" >&2; }

cpu=${NESTED_CPU:-x86_64}
qemu=${NESTED_QEMU:-qemu-system-$cpu}
command -v ${qemu%% *} >/dev/null || { say "no ${qemu%% *} here"; exit 125; }
guest=$("$here/guest.sh" "$cpu") || exit 125
mods="irqbypass kvm kvm-amd"
if [ "$cpu" = riscv64 ]; then
	mods=kvm
	firmware=$("$here/guest.sh" firmware) || exit 125
fi
# shellcheck disable=SC2086 # words on purpose
modules=$("$here/guest-modules.sh" "$cpu" $mods) || exit 125
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lodge-nested.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

root=$tmp/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/run" "$root/lib" "$root/lib64" "$root/modules"
cp "$guest/busybox" "$root/bin/"
for m in $mods; do cp "$modules/$m.ko" "$root/modules/"; done
cp "$lodge" "$root/bin/lodge"
# needed PROGRAM: with the libraries that they need themselves.
needed() {
	for lib in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
		[ ! -e "$root/lib/$lib" ] || continue
		cp -L "$NESTED_LIBS/$lib" "$root/lib/"
		needed "$NESTED_LIBS/$lib"
	done
}
if [ "$cpu" = riscv64 ]; then
	needed "$lodge"
else
	ldd "$lodge" | sed -nE 's/.*=> (\/[^ ]*) .*/\1/p' | while read -r lib; do cp "$lib" "$root/lib/"; done
	cp /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
fi
cp "$guest/vmlinux" "$guest/initrd.gz" "$script" "$@" "$root/run/"
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp
end() { echo "\$1" >/dev/ttyS2; sleep 0.2; poweroff -f; }
stty -F /dev/ttyS1 115200 raw -echo
stty -F /dev/ttyS2 115200 raw -echo
# On a busy host a kernel may take its clock for many times too fast.
dmesg | grep -q 'calibration deviates' && end clock
for m in $mods; do insmod /modules/\$m.ko; done
[ -c /dev/kvm ] || end nokvm
cd /run
sh "./${script##*/}" </dev/null >/dev/ttyS1 2>&1
end "exit \$?"
END
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$tmp/initrd.gz"
rm -rf "$root"

# machine FILE: runs one with three serial ports, the last one of which is the file.
machine() {
	if [ "$cpu" = riscv64 ]; then
		set -- -machine virt -cpu rv64,h=true -bios "$firmware/fw_dynamic.bin" -serial "file:${NESTED_LOG:-$tmp/log}" \
			-chardev stdio,id=out -chardev "file,id=status,path=$1" -device pci-serial-2x,chardev1=out,chardev2=status
	else
		set -- -machine q35 -cpu max -serial "file:${NESTED_LOG:-$tmp/log}" -serial stdio -serial "file:$1"
	fi
	timeout -k 5 "${NESTED_TIMEOUT:-300}" $qemu -accel tcg "$@" -smp "${NESTED_CPUS:-1}" \
		-m "${NESTED_MEM:-900}" -nodefaults -no-user-config -no-reboot -display none \
		-kernel "$guest/vmlinux" -initrd "$tmp/initrd.gz" -append "console=ttyS0 quiet panic=-1" </dev/null
}

for try in 1 2 3; do
	rc=0
	: >"$tmp/status"
	machine "$tmp/status" 2>"$tmp/err" || rc=$?
	case $(cat "$tmp/status") in
	"exit "*) exit "$(sed 's/exit //' "$tmp/status" | tr -d '\r')" ;;
	clock*) say "the machine's clock is wrong: once more" ;;
	nokvm*) say "${mods##* } did not load"; exit 125 ;;
	*) break ;;
	esac
done
tail -n 5 "$tmp/err" >&2
if [ $rc -eq 124 ] || [ $rc -eq 137 ]; then
	say "not done after ${NESTED_TIMEOUT:-300} s"
	exit 124
fi
say "the machine ended by itself (QEMU's status $rc)"
exit 125
