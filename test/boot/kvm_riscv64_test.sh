# SPDX-License-Identifier: BSD-2-Clause
# The engine on KVM for riscv64 (kvm_riscv64_guest.sh): Lodge is built for such a host, and runs on a machine that QEMU imitates
# (tools/cross-riscv64.sh, nested-kvm.sh).  Takes some minutes, so only with KVM=all, as `make check-kvm` has it.
. test/tap.sh
. test/boot/nested.sh

[ "${KVM:-}" = all ] || skip_all "kvm on riscv64" "takes minutes: KVM=all, or make check-kvm"
libs=$(tools/cross-riscv64.sh 2>"$tmp/err") || {
	rc=$?
	sed 's/^/# /' "$tmp/err" | tail -n 20
	[ $rc -ne 125 ] || skip_all "kvm on riscv64" "$(tail -n 1 "$tmp/err")"
	ok 1 "builds for riscv64"
	finish
}
ok 0 "builds for riscv64"
export NESTED_CPU=riscv64 NESTED_LIBS="$libs" NESTED_CPUS=2 NESTED_TIMEOUT="${NESTED_TIMEOUT:-900}"
nested "kvm on riscv64" build-riscv64/lodge test/boot/kvm_riscv64_guest.sh
nested_tests
