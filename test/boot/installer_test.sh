# SPDX-License-Identifier: BSD-2-Clause
# Debian's installer with 512M of memory comes to its first question: udev, modules, a large initrd, debconf.
. test/tap.sh
guest installer
installer_asks "the installer" -m 512M
finish
