# SPDX-License-Identifier: BSD-2-Clause
# lodge selftest: the report, its numbers, what it refuses.
. test/tap.sh

what="an engine that is none" refused 'no engine "kqemu"' selftest -E kqemu
what="an area that is none" refused 'no area of tests "walk"' selftest walk
what="an unknown option" refused 'unknown option -Z' selftest -Z

timeout 60 "$LODGE" selftest --list >"$tmp/areas"
ok $? "areas are listed"
has "$tmp/areas" '^x86_64 +mmu +paging' "each with its CPU and what it is about"

timeout 120 "$LODGE" selftest -E interp >"$tmp/out" 2>"$tmp/err"
is $? 0 "the interpreter passes"
is "$(cat "$tmp/err")" "" "and nothing is said on standard error"
has "$tmp/out" "^host +$(uname -s) " "the report names the host"
has "$tmp/out" '^CPU ' "and its CPU"
has "$tmp/out" '^interp +x86_64 +usable' "and its engines"
has "$tmp/out" '^[0-9]+ passed, 0 failed, 0 differ, [0-9]+ skipped$' "the last line counts"
is "$(tail -n 1 "$tmp/out" | grep -c passed)" 1 "and is the last one"
total=$(tail -n 1 "$tmp/out" | awk '{ print $1 }')
[ "$total" -ge 500 ]
ok $? "there are 500 tests and more ($total)"
is "$(awk '$1 == "interp" && NF == 7 { n += $4 } END { print n }' "$tmp/out")" "$total" "areas add up"
for area in $(awk '{ print $1 "/" $2 }' "$tmp/areas"); do
	grep -q "^interp *${area%/*} *${area#*/} " "$tmp/out" || echo "$area"
done >"$tmp/missing"
is "$(cat "$tmp/missing")" "" "every area has run"

timeout 60 "$LODGE" selftest -v -E soft x86_64/state cpuid >"$tmp/out" 2>&1
is $? 0 "two areas on the compiler"
is "$(awk '$1 == "soft" && NF == 7 { print $3 }' "$tmp/out" | tr '\n' ' ')" "state cpuid " "and no other"
has "$tmp/out" '^  passed prot32, a kick before the run$' "-v names each test"
has "$tmp/out" 'differ|skipped .*does not have' "and says why one is skipped"
finish
