#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# nested-kvm.sh LODGE SCRIPT [FILE...]: run a shell script on a machine where /dev/kvm works, be there one here or not: a
# small Linux in QEMU, which imitates a CPU of AMD's with its virtualization.  There, `lodge` is the program LODGE, files
# are in the current folder, and so is all that a guest needs (vmlinux, initrd.gz, of tools/guest.sh x86_64).  What the script
# prints comes out here, and its exit status is this one's.  Slow: an exit of a guest takes 40 us and more.
#   NESTED_CPUS, NESTED_MEM   of the machine (1, 900 MiB)
#   NESTED_TIMEOUT            seconds for all of it (300); then the status is 124
#   NESTED_LOG                keeps its kernel's console
#   NESTED_QEMU               another QEMU for x86-64, with its first arguments (-L, say)
# 125: there is no such machine here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lodge=$1 script=$2
shift 2
say() { echo "nested-kvm.sh: $*" >&2; }

qemu=${NESTED_QEMU:-qemu-system-x86_64}
command -v ${qemu%% *} >/dev/null || { say "no ${qemu%% *} here"; exit 125; }
guest=$("$here/guest.sh" x86_64) || exit 125
modules=$("$here/guest-modules.sh" x86_64 irqbypass kvm kvm-amd) || exit 125
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lodge-nested.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

root=$tmp/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/run" "$root/lib" "$root/lib64" "$root/modules"
cp "$guest/busybox" "$root/bin/"
for m in irqbypass kvm kvm-amd; do cp "$modules/$m.ko" "$root/modules/"; done
cp "$lodge" "$root/bin/lodge"
ldd "$lodge" | sed -nE 's/.*=> (\/[^ ]*) .*/\1/p' | while read -r lib; do cp "$lib" "$root/lib/"; done
cp /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
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
for m in irqbypass kvm kvm-amd; do insmod /modules/\$m.ko; done
[ -c /dev/kvm ] || end nokvm
cd /run
sh "./${script##*/}" </dev/null >/dev/ttyS1 2>&1
end "exit \$?"
END
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$tmp/initrd.gz"
rm -rf "$root"

for try in 1 2 3; do
	rc=0
	: >"$tmp/status"
	timeout -k 5 "${NESTED_TIMEOUT:-300}" $qemu -accel tcg -machine q35 -cpu max -smp "${NESTED_CPUS:-1}" \
		-m "${NESTED_MEM:-900}" -nodefaults -no-user-config -no-reboot -display none -serial "file:${NESTED_LOG:-$tmp/log}" \
		-serial stdio -serial "file:$tmp/status" -kernel "$guest/vmlinux" -initrd "$tmp/initrd.gz" \
		-append "console=ttyS0 quiet panic=-1" </dev/null 2>"$tmp/err" || rc=$?
	case $(cat "$tmp/status") in
	"exit "*) exit "$(sed 's/exit //' "$tmp/status" | tr -d '\r')" ;;
	clock*) say "the machine's clock is wrong: once more" ;;
	nokvm*) say "kvm-amd did not load"; exit 125 ;;
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
