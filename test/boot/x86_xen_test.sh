# SPDX-License-Identifier: BSD-2-Clause
# Debian's Xen 4.17 through Multiboot, with a Linux kernel as its first domain: that runs in ring 3, and all that it
# may not do there ends in Xen.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac
guest xen
xen=$guest_dir/xen.gz
guest bookworm-amd64

$LODGE run -q -M pc -m 512M --no-reboot --timeout 300s -k "$xen" \
	-i "$guest_dir/vmlinux console=hvc0 panic=-1 lodge.run=uname_-r,$guest_dir/initrd.gz" \
	-p "console=com1 com1=115200" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "exit status 0 when the first domain powers off"
has "$tmp/out" 'Xen version 4\.17' "the banner"
has "$tmp/out" 'GUEST-READY x86_64 1 CPU' "the first domain comes to user land"
has "$tmp/out" 'GUEST-DONE 0' "and runs a command"
finish
