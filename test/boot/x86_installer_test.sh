# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's installer for amd64 (LODGE_MATRIX=yes: and i386) comes to its first question on the serial console.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

for arch in amd64 ${LODGE_MATRIX:+i386}; do
	guest "installer-$arch"
	installer_asks "the installer for $arch" -M pc -m 1G
done
finish
