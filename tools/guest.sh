#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# guest.sh WHAT: fetch a real guest from Debian's archive into the cache, once, and print its folder.
#   riscv64    trixie's kernel (vmlinux), its virtio and ext4 modules (modules/), busybox, and an
#              initramfs with all of it (initrd.gz) whose init is tools/guest-init
#   x86_64     the same of amd64, with the kernel for clouds
#   SUITE-FLAVOUR  the same with another kernel for x86: bookworm or trixie, then amd64, cloud-amd64 or
#              (bookworm) 686-pae
#   pc         the same with the usual kernel of amd64, and modules for SATA, IDE, NVMe and CDs
#   devices-riscv64, devices-x86_64  as riscv64 and x86_64, with the modules for all devices that there are
#   installer  trixie's netboot installer for riscv64: linux, initrd.gz
#   installer-amd64, installer-i386  bookworm's for these
#   xen        bookworm's Xen 4.17 for amd64: xen.gz
#   firmware   trixie's OpenSBI and U-Boot for riscv64
#   pc-firmware  bookworm's OVMF, SeaBIOS, iPXE, Memtest86+ and GRUB's rescue CD for x86
#   cross-riscv64  trixie's libraries for programs on riscv64 (tools/cross-riscv64.sh), as a file system's root
#   seabios    trixie's SeaBIOS with the BIOS of its VGA: bios-256k.bin, vgabios-stdvga.bin
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${LODGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge}
suite=trixie arch=riscv64 flavour=riscv64
what=${1:-riscv64}
case $what in
x86_64 | devices-x86_64) arch=amd64 flavour=cloud-amd64 ;;
pc) arch=amd64 flavour=amd64 ;;
bookworm-*-pae) suite=bookworm arch=i386 flavour=${what#*-} ;;
bookworm-* | trixie-*) suite=${what%%-*} arch=amd64 flavour=${what#*-} ;;
installer-* | xen | pc-firmware) suite=bookworm arch=amd64 ;;
esac
out=$cache/guests/$what
umask 022
mkdir -p "$cache/guests"

say() { echo "guest.sh: $*" >&2; }

# Updates the index if it is older than a day, at most once a run.
update() {
	stamp=$cache/apt/$suite-$arch/updated
	[ -z "$(find "$stamp" -mtime -1 2>/dev/null)" ] || return 0
	say "reading Debian $suite's index for $arch"
	"$here/apt-for.sh" $suite $arch update >&2 </dev/null
	touch "$stamp"
}

# fetch PACKAGE: download and print the file's name.
fetch() {
	update
	say "fetching $1"
	(cd "$tmp" && "$here/apt-for.sh" $suite $arch apt-get -q download "$1" >&2 </dev/null && ls "$tmp/$1"_*.deb)
}

# unpack DEB PATTERN...: only these paths, into $tmp/x.
unpack() {
	deb=$1
	shift
	mkdir -p "$tmp/x"
	dpkg-deb --fsys-tarfile "$deb" | tar -C "$tmp/x" -x --wildcards "$@"
	rm -f "$deb"
}

kernel_package() {
	update
	"$here/apt-for.sh" $suite $arch apt-cache depends linux-image-$flavour |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

make_linux() {
	mods="virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_mmio virtio_blk"
	mods="$mods crc16 mbcache jbd2 ext4 rng-core virtio-rng crc32c_generic libcrc32c"
	[ "$what" != pc ] || mods="$mods scsi_common scsi_mod libata libahci ahci ata_piix sd_mod cdrom sr_mod isofs
		nvme-keyring nvme-auth nvme-core nvme"
	[ "${what%%-*}" != devices ] || mods="$mods virtio_balloon virtio_net net_failover failover virtio_scsi scsi_common
		scsi_mod sd_mod cdrom sr_mod isofs t10-pi crc-t10dif crct10dif_common crc64 crc64-rocksoft libata libahci ahci
		nvme-keyring nvme-auth nvme-core nvme 9pnet 9pnet_virtio 9p netfs fscache vsock
		vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport af_packet"
	pkg=$(kernel_package)
	[ -n "$pkg" ] || { say "no kernel package in $suite for $flavour"; exit 1; }
	deb=$(fetch "$pkg")
	set --
	for m in $mods; do set -- "$@" "*/$m.ko*"; done
	mkdir -p "$tmp/x"
	# Not every kernel has every module: tar complains about those that are not there.
	dpkg-deb --fsys-tarfile "$deb" | tar -C "$tmp/x" -x --wildcards './boot/vmlinu*' "$@" 2>/dev/null || :
	rm -f "$deb"
	deb=$(fetch busybox-static)
	unpack "$deb" '*/bin/busybox'
	mkdir -p "$tmp/out/modules"
	mv "$tmp"/x/boot/vmlinu* "$tmp/out/vmlinux"
	find "$tmp/x" -name '*.ko*' -exec mv {} "$tmp/out/modules/" \;
	for m in "$tmp"/out/modules/*.xz; do [ ! -f "$m" ] || xz -d "$m"; done
	find "$tmp/x" -name busybox -type f -exec mv {} "$tmp/out/busybox" \;
	echo "$pkg" >"$tmp/out/version"
}

# The initramfs is made anew whenever guest-init is newer.
make_initrd() {
	root=$tmp/root
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/mnt" "$root/modules"
	cp "$out/busybox" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	cp "$out"/modules/* "$root/modules/"
	cp "$here/guest-init" "$root/init"
	chmod 755 "$root/init" "$root/bin/busybox"
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | gzip -9n >"$tmp/initrd.gz"
	mv "$tmp/initrd.gz" "$out/initrd.gz"
}

# installer VERSION ARCH: of Debian's, with text on the console.
installer() {
	deb=$(fetch "debian-installer-$1-netboot-$2")
	unpack "$deb" "*/text/debian-installer/$2/linux" "*/text/debian-installer/$2/initrd.gz"
	mkdir -p "$tmp/out"
	find "$tmp/x" \( -name linux -o -name initrd.gz \) -type f -exec mv {} "$tmp/out/" \;
}

make_installer() { installer 13 riscv64; }
make_installer_x86() { installer 12 "${what#installer-}"; }

make_xen() {
	mkdir -p "$tmp/out"
	deb=$(fetch xen-hypervisor-4.17-amd64)
	unpack "$deb" './boot/xen-4.17-amd64.gz'
	mv "$tmp/x/boot/xen-4.17-amd64.gz" "$tmp/out/xen.gz"
}

make_firmware() {
	mkdir -p "$tmp/out"
	deb=$(fetch opensbi)
	unpack "$deb" '*/riscv64-linux-gnu/generic/*' './usr/lib/riscv64-linux-gnu/*' 2>/dev/null || :
	deb=$(fetch u-boot-qemu)
	unpack "$deb" '*qemu-riscv64*' 2>/dev/null || :
	for f in fw_jump.bin fw_dynamic.bin fw_jump.elf fw_dynamic.elf; do
		find "$tmp/x" -name $f -path '*64*' -exec cp {} "$tmp/out/$f" \;
	done
	for d in qemu-riscv64 qemu-riscv64_smode; do
		find "$tmp/x" -path "*/$d/*" -name u-boot.bin -exec cp {} "$tmp/out/$d.bin" \;
	done
}

make_cross() {
	for p in libc6 libc6-dev linux-libc-dev libgcc-s1 libatomic1 libfdt1 libfdt-dev zlib1g zlib1g-dev libjansson4 \
		libjansson-dev libzydis4.1 libzydis-dev libzycore1.5 libzycore-dev; do
		deb=$(fetch $p)
		dpkg-deb -x "$deb" "$tmp/out"
		rm -f "$deb"
	done
	ln -sfn usr/lib "$tmp/out/lib"
}

make_seabios() {
	mkdir -p "$tmp/out"
	deb=$(fetch seabios)
	unpack "$deb" ./usr/share/seabios/bios-256k.bin ./usr/share/seabios/vgabios-stdvga.bin
	mv "$tmp/x/usr/share/seabios/"* "$tmp/out/"
}

make_pc_firmware() {
	mkdir -p "$tmp/out"
	for p in ovmf seabios ipxe memtest86+ grub-rescue-pc; do
		deb=$(fetch $p)
		mkdir -p "$tmp/x"
		dpkg-deb -x "$deb" "$tmp/x"
		rm -f "$deb"
	done
	for f in usr/share/OVMF/OVMF_CODE_4M.fd usr/share/OVMF/OVMF_VARS_4M.fd usr/share/ovmf/OVMF.fd \
		usr/share/seabios/bios-256k.bin boot/ipxe.lkrn usr/lib/ipxe/ipxe.iso boot/memtest86+x64.bin \
		boot/memtest86+ia32.bin usr/lib/grub-rescue/grub-rescue-cdrom.iso; do
		cp "$tmp/x/$f" "$tmp/out/"
	done
}

case $what in
riscv64 | x86_64 | devices-riscv64 | devices-x86_64 | pc | bookworm-amd64 | bookworm-cloud-amd64 | bookworm-686-pae | trixie-amd64 | trixie-cloud-amd64)
	make=make_linux
	;;
installer | firmware | xen | seabios) make=make_$what ;;
cross-riscv64) make=make_cross ;;
installer-amd64 | installer-i386) make=make_installer_x86 ;;
pc-firmware) make=make_pc_firmware ;;
*) say "unknown guest $what: the head of this file lists all"; exit 1 ;;
esac
# One at a time, where there is a way to wait.
exec 8>"$cache/guests/lock"
! command -v flock >/dev/null || flock 8
tmp=$(mktemp -d "$cache/guests/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
if [ ! -d "$out" ]; then
	$make
	mv "$tmp/out" "$out" 2>/dev/null || [ -d "$out" ]
fi
if [ $make = make_linux ] && [ -z "$(find "$out/initrd.gz" -newer "$here/guest-init" 2>/dev/null)" ]; then
	make_initrd
fi
echo "$out"
