# SPDX-License-Identifier: BSD-2-Clause
# The engine on KVM (kvm_guest.sh), on a machine that QEMU imitates (tools/nested-kvm.sh).  A short part of it; KVM=all, as
# `make check-kvm` has it, runs everything.
. test/tap.sh

if [ "${KVM:-short}" = all ]; then
	export NESTED_CPUS=2 NESTED_TIMEOUT=1500
	cp test/boot/kvm_guest.sh "$tmp/go.sh"
	set -- "$tmp/debug" "$tmp/moves" "$tmp/watch.gz"
	guest x86_64
	mkdir -p "$tmp/root"
	${CC:-cc} -O2 -static -I . -o "$1" test/boot/kvm/debug.c && ${CC:-cc} -O2 -static -o "$2" test/boot/kvm/moves.c &&
		${CC:-cc} -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector \
			-fno-tree-loop-distribute-patterns -Wl,--build-id=none -o "$tmp/root/watch" test/boot/engine/watch.c ||
		skip_all "kvm" "no compiler here that links statically"
	(cd "$tmp/root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n | cat "$guest_dir/initrd.gz" - >"$3"
else
	{ echo KVM_SHORT=1; cat test/boot/kvm_guest.sh; } >"$tmp/go.sh"
	set --
fi
tools/nested-kvm.sh "$LODGE" "$tmp/go.sh" "$@" >"$tmp/out" 2>"$tmp/err"
rc=$?
[ $rc -ne 125 ] || { sed 's/^/# /' "$tmp/err"; skip_all "kvm" "$(tail -n 1 "$tmp/err")"; }
tr -d '\r' <"$tmp/out"
tests=$(grep -cE '^(not )?ok ' "$tmp/out")
grep -q '^not ok ' "$tmp/out" && failed=1
if [ $rc -eq 124 ]; then
	skip "what is left of it" "the imitated machine was too slow: $(tail -n 1 "$tmp/err")"
	finish
fi
ok $rc "all of it was run"
[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/err"
finish
