#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# userland.sh CPU: make a disk with Debian's userland for a guest, once, and print the folder that it is in.  Needs root
# (or sudo) and debootstrap.
#   riscv64  trixie with systemd      x86_64  bookworm with systemd, python3, perl and gcc
# Of disk.img (ext4, raw) only debootstrap's first stage is done: /lodge-stage2 does the second one, in the guest, with
# root's password "lodge", and powers off.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${LODGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge}
cpu=${1:-riscv64}
packages=systemd-sysv,udev,login
case $cpu in
riscv64) suite=trixie arch=riscv64 ;;
x86_64) suite=bookworm arch=amd64 packages=$packages,apt,python3-minimal,perl,gcc,libc6-dev ;;
*) echo "userland.sh: there is riscv64 and x86_64" >&2; exit 1 ;;
esac
out=$cache/userland/$cpu
[ ! -f "$out/disk.img" ] || { echo "$out"; exit 0; }
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "userland.sh: only root can make a userland" >&2; exit 1; }
	exec sudo LODGE_CACHE="$cache" sh "$0" "$cpu"
fi
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$out"
tmp=$(mktemp -d "$out/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
"$here/apt-for.sh" $suite $arch update >&2 </dev/null
apt=$cache/apt/$suite-$arch
mirror=$(cat "$apt/mirror")
name=$(awk '{ print $(NF - 1) }' "$apt/sources.list") # the mirror may know the suite by another one
keys=/usr/share/keyrings/debian-archive-keyring.gpg
debootstrap --foreign --arch=$arch --variant=minbase --include=$packages --keyring=$keys $name "$tmp/root" "$mirror" >&2
cat >"$tmp/root/lodge-stage2" <<'END'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive SYSTEMD_IGNORE_CHROOT=1
/debootstrap/debootstrap --second-stage || { tail /debootstrap/debootstrap.log; poweroff -ff; }
echo root:lodge | chpasswd
echo lodge >/etc/hostname
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab
rm -f /var/cache/apt/archives/*.deb /lodge-stage2
sync
echo "STAGE 2 IS DONE"
poweroff -ff
END
chmod 755 "$tmp/root/lodge-stage2"
mke2fs -q -t ext4 -d "$tmp/root" "$tmp/disk.img" 3G >&2
mv "$tmp/disk.img" "$out/disk.img"
echo "$out"
