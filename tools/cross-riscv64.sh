#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cross-riscv64.sh: builds Lodge for riscv64 hosts, in build-riscv64, by Debian's cross compiler and with trixie's libraries
# (tools/guest.sh cross-riscv64), without those that it need not have; prints the folder of the libraries.
#   CROSS_CC   another compiler, CROSS_JOBS   as make's -j (2)
# 125: that cannot be done here.
set -eu
cd "$(dirname "$0")/.."
cc=${CROSS_CC:-riscv64-linux-gnu-gcc}
command -v "${cc##* }" >/dev/null || { echo "cross-riscv64.sh: no ${cc##* } here" >&2; exit 125; }
root=$(tools/guest.sh cross-riscv64) || exit 125
libs=$root/usr/lib/riscv64-linux-gnu
unset MAKEFLAGS MAKELEVEL
make -s -j"${CROSS_JOBS:-2}" O=build-riscv64 FOUND= EDIT= CC="$cc --sysroot=$root" LDFLAGS="-L$libs" build-riscv64/lodge >&2
echo "$libs"
