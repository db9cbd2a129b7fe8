# SPDX-License-Identifier: BSD-2-Clause
# libnvmm on the engine kvm: its own tests, on a machine that QEMU imitates (tools/nested-kvm.sh).  Ports and the test's
# monitor; KVM=all, as `make check-kvm` has it, runs all calls, events, and all forms of instructions, too.
. test/tap.sh
. test/boot/nested.sh
built=$(dirname "$LODGE")/test/lib
[ -x "$built/nvmm_api_test" ] || skip_all "libnvmm on kvm" "$built/nvmm_api_test is not built"

programs="monitor io" qemu=${NESTED_QEMU:-qemu-system-x86_64}
if [ "${KVM:-short}" = all ]; then
	programs="$programs mem api"
	# What QEMU 7.2 imitates pushes no RF with exceptions that are injected, and forgets the shadow of STI.
	case $(${qemu%% *} --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p') in
	[1-9] | "") skip "libnvmm on kvm: event" "${qemu%% *} is older than 10" ;;
	*) programs="$programs event" ;;
	esac
fi
set --
for p in $programs; do
	cp "$built/nvmm_${p}_test" "$tmp/nvmm_$p"
	strip "$tmp/nvmm_$p" 2>/dev/null
	set -- "$@" "$tmp/nvmm_$p"
done
cat >"$tmp/go.sh" <<END
export LODGE_NVMM_ENGINE=kvm
for p in $programs; do
	CMOCKA_MESSAGE_OUTPUT=STDOUT timeout -k 5 \${SECONDS_EACH:-200} ./nvmm_\$p >/tmp/out 2>&1
	rc=\$?
	grep -E '\[ *(SKIPPED|FAILED|ERROR|LINE) ' /tmp/out | sed "s/^/# \$p: /"
	echo "STATUS \$p \$rc"
done
END
# In the place of Lodge, for its libraries.
export NESTED_TIMEOUT="${NESTED_TIMEOUT:-600}"
nested "libnvmm on kvm" "$built/nvmm_api_test" "$tmp/go.sh" "$@"
grep '^#' "$tmp/out"
for p in $programs; do
	case $(sed -n "s/^STATUS $p //p" "$tmp/out") in
	0) ok 0 "libnvmm on kvm: $p" ;;
	"" | 124 | 137 | 143) skip "libnvmm on kvm: $p" "the imitated machine was too slow" ;;
	*) ok 1 "libnvmm on kvm: $p" ;;
	esac
done
finish
