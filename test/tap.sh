# SPDX-License-Identifier: BSD-2-Clause
# tap.sh: for test/**/*_test.sh, which source it: results as TAP, a scratch folder, and guests.
# $LODGE is the program under test.
: "${LODGE:=build/lodge}"
tests=0 failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lodge-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# ok STATUS TEXT: one result.
ok() {
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		failed=1
		echo "not ok $tests - $2"
	fi
}

# is GOT WANTED TEXT
is() {
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || printf '#   got    %s\n#   wanted %s\n' "$1" "$2"
}

# has FILE PATTERN TEXT: an extended regular expression is in the file.
has() {
	grep -Eq -- "$2" "$1"
	ok $? "$3" || :
	grep -Eq -- "$2" "$1" || { echo "#   no '$2' in the last lines:"; tail -n 15 "$1" | sed 's/^/#   | /'; }
}

# refused PATTERN ARGS...: Lodge says no in one sentence on standard error, exits with 1, and writes nothing to
# standard output.  A description of the case goes into $what.
refused() {
	pattern=$1
	shift
	timeout 60 "$LODGE" "$@" >"$tmp/refused" 2>"$tmp/err" </dev/null
	rc=$?
	if [ $rc -eq 1 ] && [ ! -s "$tmp/refused" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
		grep -q '^lodge: ' "$tmp/err" && grep -Eq -- "$pattern" "$tmp/err"; then
		ok 0 "refused: $what"
	else
		ok 1 "refused: $what"
		echo "#   exit $rc, $(wc -c <"$tmp/refused") bytes of output, no '$pattern' in:"
		sed 's/^/#   | /' "$tmp/err"
	fi
}

# needs_going_back NAME: skips all where guests are not run by what can go back.
needs_going_back() {
	$LODGE run -q --reverse --timeout 1s -k "$0" -a riscv64 2>&1 </dev/null | grep -q 'soft alone can go back' &&
		skip_all "$1" "the interpreter is asked for, and cannot go back"
	return 0
}

# installer_asks WHAT OPTIONS...: Debian's installer in $guest_dir comes to its first question on the serial console.
installer_asks() {
	what=$1
	shift
	$LODGE run -q "$@" --timeout 600s -k "$guest_dir/linux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 TERM=dumb DEBIAN_FRONTEND=text" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for i in $(seq 600); do
		grep -aq 'Prompt:' "$tmp/out" 2>/dev/null && break
		kill -0 $pid 2>/dev/null || break
		sleep 1
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	has "$tmp/out" 'Choose the language' "$what asks for the language"
	has "$tmp/out" 'Prompt:' "$what waits for an answer"
}

skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# Ends the script with everything skipped.
skip_all() {
	skip "$1" "$2"
	finish
}

finish() {
	echo "1..$tests"
	exit $failed
}

# guest WHAT: the folder of a guest (tools/guest.sh), or the whole script is skipped.
guest() {
	guest_dir=$(tools/guest.sh "$1" 2>"$tmp/guest.log") || {
		sed 's/^/# /' "$tmp/guest.log" | tail -n 5
		skip_all "$1" "this guest cannot be fetched here"
	}
}
