# SPDX-License-Identifier: BSD-2-Clause
# The engine on KVM (kvm_guest.sh), on a machine that QEMU imitates (tools/nested-kvm.sh).  A short part of it; KVM=all, as
# `make check-kvm` has it, runs everything; KVM=moves: a guest of so many CPUs (KVM_CPUS, 1) moves there and back so often
# (KVM_ROUNDS, 10), and nothing else; KVM=lab: the conformance lab alone, which knows the mistakes of QEMU 11.1 (NESTED_QEMU).
. test/tap.sh
. test/boot/nested.sh

if [ "${KVM:-short}" = lab ]; then
	{ echo KVM_LAB=1; cat test/boot/kvm_guest.sh; } >"$tmp/go.sh"
	set --
elif [ "${KVM:-short}" != short ]; then
	export NESTED_CPUS=2 NESTED_TIMEOUT="${NESTED_TIMEOUT:-1500}"
	echo "KVM_ROUNDS=${KVM_ROUNDS:-10}" >"$tmp/go.sh"
	[ "$KVM" = all ] || echo "KVM_MOVES=${KVM_CPUS:-1}" >>"$tmp/go.sh"
	cat test/boot/kvm_guest.sh >>"$tmp/go.sh"
	set -- "$tmp/debug" "$tmp/moves" "$tmp/watch.gz" "$tmp/alone" test/boot/kvm/moves.sh
	guest x86_64
	mkdir -p "$tmp/root"
	${CC:-cc} -O2 -static -I . -o "$1" test/boot/kvm/debug.c && ${CC:-cc} -O2 -static -I . -o "$4" test/boot/kvm/alone.c &&
		${CC:-cc} -O2 -static -o "$2" test/boot/kvm/moves.c &&
		${CC:-cc} -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector \
			-fno-tree-loop-distribute-patterns -Wl,--build-id=none -o "$tmp/root/watch" test/boot/engine/watch.c ||
		skip_all "kvm" "no compiler here that links statically"
	cp test/boot/kvm/sums.sh "$tmp/root/"
	chmod 755 "$tmp/root/sums.sh"
	(cd "$tmp/root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n | cat "$guest_dir/initrd.gz" - >"$3"
else
	{ echo KVM_SHORT=1; cat test/boot/kvm_guest.sh; } >"$tmp/go.sh"
	set --
fi
nested "kvm" "$LODGE" "$tmp/go.sh" "$@"
nested_tests
