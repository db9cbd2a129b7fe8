# SPDX-License-Identifier: BSD-2-Clause
# nested.sh: for tests of engines on a machine that tools/nested-kvm.sh imitates; behind tap.sh.

# nested NAME ARGUMENTS...: that script with these; what the guest says is in $tmp/out, its status in $rc.
nested() {
	name=$1
	shift
	tools/nested-kvm.sh "$@" >"$tmp/nested" 2>"$tmp/err"
	rc=$?
	[ $rc -ne 125 ] || { sed 's/^/# /' "$tmp/err"; skip_all "$name" "$(tail -n 1 "$tmp/err")"; }
	tr -d '\r' <"$tmp/nested" >"$tmp/out"
}

# nested_tests: the guest's tests are ours, behind those that there are; and the last ones.
nested_tests() {
	awk -v before=$tests '/^(not )?ok / { n = $1 == "not" ? 3 : 2; $n += before } { print }' "$tmp/out"
	tests=$((tests + $(grep -cE '^(not )?ok ' "$tmp/out")))
	grep -q '^not ok ' "$tmp/out" && failed=1
	if [ $rc -eq 124 ]; then
		skip "what is left of it" "the imitated machine was too slow: $(tail -n 1 "$tmp/err")"
		finish
	fi
	ok $rc "all of it was run"
	[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/err"
	finish
}
