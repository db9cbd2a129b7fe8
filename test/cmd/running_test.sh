# SPDX-License-Identifier: BSD-2-Clause
# Machines that run: found by name, paused, asked to power off, ended; their consoles and monitors; without a terminal.
. test/tap.sh
XDG_RUNTIME_DIR=$tmp
export XDG_RUNTIME_DIR

# rom FILE CODE: 64 KiB that end with code (as printf takes it, at most 48 bytes) and the jump to it.
rom() {
	{
		head -c 65472 /dev/zero
		# shellcheck disable=SC2059 # a format on purpose
		printf "$2"
	} >"$1"
	truncate -s 65520 "$1"
	printf '\353\316' >>"$1"
	truncate -s 65536 "$1"
}

# mov dx, 0x601; wait: in al, dx; test al, 1; jz wait; mov dx, 0x605; mov al, 0x3c; out dx, al; jmp $: powers off by ACPI's
# registers when its button is pressed.
rom "$tmp/button" '\272\001\006\354\250\001\164\373\272\005\006\260\074\356\353\376'
rom "$tmp/deaf" '\353\376'
# Sends back what it gets, and powers off after a 'q': see test/cmd/cli_test.sh.
printf '\267\002\000\020\067\003\020\000\003\305\122\000\023\165\025\000\343\014\005\376\003\305\002\000' >"$tmp/echo"
printf '\043\200\242\000\223\005\020\007\343\024\265\376\067\125\000\000\023\005\125\125\043\040\243\000' >>"$tmp/echo"
printf '\157\000\000\000' >>"$tmp/echo"

# lodge ARGS...: output in $tmp/out and $tmp/err, status in $rc.
lodge() {
	timeout 60 "$LODGE" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

# gone PID: within thirty seconds.
gone() {
	for i in $(seq 300); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

pc="run -D -a x86_64 -M pc -m 16M"
bare="run -D -a riscv64 -b none -m 16M"

lodge list
is "$rc $(cat "$tmp/out" "$tmp/err")" "0 " "nothing runs, so nothing is listed"
lodge list --json
is "$(cat "$tmp/out")" "[]" "and in JSON it is an empty array"
what="a console of nobody" refused 'nobody: no machine has' console nobody
what="stop without a name" refused 'usage: lodge stop' stop
what="stop with a time that is none" refused 'timeout "soon"' stop -t soon nobody
what="an unknown option of stop" refused 'stop: unknown option --hard' stop --hard nobody
what="a daemon without a name" refused 'needs a name' $pc -b "$tmp/button"
what="a daemon on a terminal" refused 'console "stdio"' $pc -b "$tmp/button" -C stdio web
what="a daemon without a kernel" refused '/nonexistent/k' $bare -k /nonexistent/k web
what="a daemon with a disk that is none" refused '/nonexistent/d' $bare -k "$tmp/echo" -d /nonexistent/d web
what="a log that cannot be written" refused '/nonexistent/l' $bare -k "$tmp/echo" --log /nonexistent/l web

lodge $pc -b "$tmp/button" --pidfile "$tmp/web.pid" web
is $rc 0 "-D comes back when the guest runs"
has "$tmp/err" '^lodge: x86_64 pc, .* firmware button$' "and says what it is"
pid=$(cat "$tmp/web.pid")
kill -0 "$pid"
ok $? "the file for its number has that of a process"
lodge list
has "$tmp/out" "^web +running +x86_64 +pc +[a-z]+ +16M +1 +[0-9]+s +$pid\$" "it is listed"
lodge list --json
has "$tmp/out" '"name": "web"' "in JSON, too"
lodge status web
has "$tmp/out" '^console +keep:.*/web.console$' "its console is kept"
if grep -q '^sandbox *on' "$tmp/out" && [ -r "/proc/$pid/task" ]; then
	cat "/proc/$pid/task"/*/status >"$tmp/tasks"
	is "$(grep -c '^NoNewPrivs:.1' "$tmp/tasks") $(grep -c '^Seccomp:.2' "$tmp/tasks")" \
		"$(grep -c '^Pid:' "$tmp/tasks") $(grep -c '^Pid:' "$tmp/tasks")" "all of its threads are confined"
else
	skip "all of its threads are confined" "no sandbox on this host"
fi
what="another machine of that name" refused 'in use' $pc -b "$tmp/deaf" web
what="another one with its file" refused 'web.pid: the process' $pc -b "$tmp/deaf" --pidfile "$tmp/web.pid" web2
lodge pause web
is $rc 0 "pause"
lodge status web
has "$tmp/out" '^status +paused$' "it is paused"
what="a paused machine cannot power off" refused 'lodge resume' stop web
lodge resume web
lodge status --json web
has "$tmp/out" '"status": "running"' "resume"
lodge reset web
is $rc 0 "reset"

lodge monitor web query-status
has "$tmp/out" '^status: running$' "a command of the monitor"
lodge monitor --json web info cpus-fast
has "$tmp/out" '"target": "x86_64"' "in JSON, by its name as of QEMU's monitor"
what="a command that is none" refused 'The command walk has not been found' monitor web walk
what="arguments that are none" refused '"fast": KEY=VALUE' monitor web query-status fast
{
	echo 'stop'
	echo 'screendump filename="/tmp/a b" format=bmp'
	echo '{"execute": "query-name"}'
	echo 'send-key keys=[{"type": "qcode", "data": "a"}] hold-time=1'
	echo 'cont'
} | timeout 60 "$LODGE" monitor web >"$tmp/out" 2>"$tmp/err"
is $? 0 "lines for the monitor"
has "$tmp/out" '^STOP$' "it prints events"
has "$tmp/err" 'format "bmp"' "and complaints"
has "$tmp/out" '^name: web$' "a line may be JSON"

lodge $pc -b "$tmp/deaf" --log "$tmp/log" -o sandbox=off deaf
is $rc 0 "a second machine"
lodge status deaf
has "$tmp/out" '^sandbox +off$' "without the sandbox"
lodge stop -t 500ms deaf
is $rc 4 "a guest that does not listen to its power button: 4"
has "$tmp/err" 'deaf: it still runs: --force' "it is said"
lodge stop web
is $rc 0 "one that does powers off"
gone "$pid"
ok $? "its process is gone"
[ ! -e "$tmp/web.pid" ] && [ ! -e "$tmp/lodge/web.ctl" ] && [ ! -e "$tmp/lodge/web.console" ]
ok $? "and its files"
kill -TERM "$("$LODGE" list --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')"
for i in $(seq 300); do
	! grep -q Terminated "$tmp/log" || break
	sleep 0.1
done
has "$tmp/log" '^lodge: Terminated: asking the guest to power off' "what lodge has to say is in the log"
lodge stop -f -t 500ms deaf
is $rc 0 "--force ends it when the time is over"
lodge list
is "$(cat "$tmp/out")" "" "nothing is left"

lodge $bare -k "$tmp/echo" con
is $rc 0 "a machine without a power button"
what="it has none" refused 'no power button: --force' stop con
# It is looked at from one console, which is then ended, and from another.
{
	printf 'some text'
	for i in $(seq 300); do
		! grep -q '^some text$' "$tmp/out" || break
		sleep 0.1
	done
	kill "$(cat "$tmp/pid")"
} | sh -c 'echo $$ >"$1"; exec "$2" console con' - "$tmp/pid" "$LODGE" >"$tmp/out" 2>"$tmp/err"
has "$tmp/out" '^some text$' "its console answers"
{
	sleep 1
	printf 'q'
} | timeout 60 "$LODGE" console con >"$tmp/out" 2>"$tmp/err"
is $? 0 "the console ends with the machine"
is "$(cat "$tmp/out")" "some textq" "who comes later sees what was printed before"
has "$tmp/err" 'con: the machine has ended' "and is told of the end"

"$LODGE" run -a riscv64 -b none -m 16M -k "$tmp/echo" here >"$tmp/bg" 2>&1 </dev/null &
here=$!
for i in $(seq 300); do
	[ ! -S "$tmp/lodge/here.ctl" ] || break
	sleep 0.1
done
lodge list
has "$tmp/out" '^here +running' "one with a name is found, on a terminal or not"
what="its console is elsewhere" refused 'where it was started' console here
lodge $bare -k "$tmp/echo" there
lodge stop --force -t 0 --all
is $rc 0 "all are ended at once"
wait $here
is $? 0 "that is no failure"
lodge list
is "$(cat "$tmp/out")" "" "and none is left"

# lui t1, 0x100; lui a0, 7; addi a0, a0, 0x777; sw a0, 0(t1): resets, again and again.
printf '\067\003\020\000\067\165\000\000\023\005\165\167\043\040\243\000\157\000\000\000' >"$tmp/reset"
lodge $bare -k "$tmp/reset" again
{
	sleep 1
	echo query-status
} | timeout 60 "$LODGE" monitor again >"$tmp/out" 2>"$tmp/err"
has "$tmp/out" '^RESET .*guest-reset' "the monitor tells of the guest's resets"
has "$tmp/out" '^status: running$' "and comes to commands, however many these are"
lodge stop -f -t 0 again

lodge $bare -k "$tmp/echo" killed
kill -9 "$("$LODGE" list --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')"
sleep 0.5
lodge list
is "$(cat "$tmp/out")" "" "what was killed is not listed, though its socket is there"
lodge $bare -k "$tmp/echo" killed
is $rc 0 "and its name can be used again"
lodge stop -f -t 0 killed
finish
