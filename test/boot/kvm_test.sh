# SPDX-License-Identifier: BSD-2-Clause
# The engine on KVM (kvm_guest.sh), on a machine that QEMU imitates (tools/nested-kvm.sh).  A short part of it; KVM=all, as
# `make check-kvm` has it, runs everything.
. test/tap.sh

if [ "${KVM:-short}" = all ]; then
	export NESTED_CPUS=2 NESTED_TIMEOUT=1500
	cp test/boot/kvm_guest.sh "$tmp/go.sh"
else
	{ echo KVM_SHORT=1; cat test/boot/kvm_guest.sh; } >"$tmp/go.sh"
fi
tools/nested-kvm.sh "$LODGE" "$tmp/go.sh" >"$tmp/out" 2>"$tmp/err"
rc=$?
[ $rc -ne 125 ] || { sed 's/^/# /' "$tmp/err"; skip_all "kvm" "$(tail -n 1 "$tmp/err")"; }
[ $rc -ne 124 ] || skip_all "kvm" "the imitated machine is too slow here: $(tail -n 1 "$tmp/err")"
tr -d '\r' <"$tmp/out"
tests=$(grep -cE '^(not )?ok ' "$tmp/out")
ok $rc "all of it was run"
[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/err"
finish
