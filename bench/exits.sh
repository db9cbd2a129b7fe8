#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# exits.sh [N [ROUNDS]]: what a store to an I/O port takes with Lodge on KVM, and with a bare loop (test/boot/kvm/exits.c),
# on the machine that tools/nested-kvm.sh imitates.  $LODGE is the program that is measured.
set -eu
: "${LODGE:=build/lodge}"
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lodge-exits.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

${CC:-cc} -O2 -static -I "$here/.." -o "$tmp/exits" "$here/../test/boot/kvm/exits.c"
echo "exec ./exits lodge ${1:-10000} ${2:-7}" >"$tmp/go.sh"
"$here/../tools/nested-kvm.sh" "$LODGE" "$tmp/go.sh" "$tmp/exits" | tr -d '\r'
