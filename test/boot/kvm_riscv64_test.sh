# SPDX-License-Identifier: BSD-2-Clause
# The engine on KVM for riscv64 (kvm_riscv64_guest.sh): Lodge is built for such a host, and runs on a machine that QEMU imitates
# (tools/cross-riscv64.sh, nested-kvm.sh).  Takes some minutes, so only with KVM=all, as `make check-kvm` has it.
. test/tap.sh

[ "${KVM:-}" = all ] || skip_all "kvm on riscv64" "takes minutes: KVM=all, or make check-kvm"
libs=$(tools/cross-riscv64.sh 2>"$tmp/err") || {
	rc=$?
	sed 's/^/# /' "$tmp/err" | tail -n 20
	[ $rc -ne 125 ] || skip_all "kvm on riscv64" "$(tail -n 1 "$tmp/err")"
	ok 1 "builds for riscv64"
	finish
}
ok 0 "builds for riscv64"
NESTED_CPU=riscv64 NESTED_LIBS=$libs NESTED_CPUS=2 NESTED_TIMEOUT="${NESTED_TIMEOUT:-900}" \
	tools/nested-kvm.sh build-riscv64/lodge test/boot/kvm_riscv64_guest.sh >"$tmp/out" 2>"$tmp/err"
rc=$?
[ $rc -ne 125 ] || { sed 's/^/# /' "$tmp/err"; skip_all "kvm on riscv64" "$(tail -n 1 "$tmp/err")"; }
# One that is there already.
tr -d '\r' <"$tmp/out" | awk '/^(not )?ok / { n = $1 == "not" ? 3 : 2; $n += 1 } { print }'
tests=$((tests + $(grep -cE '^(not )?ok ' "$tmp/out")))
grep -q '^not ok ' "$tmp/out" && failed=1
if [ $rc -eq 124 ]; then
	skip "what is left of it" "the imitated machine was too slow: $(tail -n 1 "$tmp/err")"
	finish
fi
ok $rc "all of it was run"
[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/err"
finish
