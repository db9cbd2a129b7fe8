# SPDX-License-Identifier: BSD-2-Clause
# The command line: bad input is one sentence on standard error, exit 1, and nothing on standard output; what is
# printed; exit statuses; signals; that a pipe's bytes are left alone.
. test/tap.sh

# words FILE WORD...: a program of these instructions.
words() {
	file=$1
	shift
	for w; do
		w=$((w))
		printf "\\$(printf %03o $((w & 255)))\\$(printf %03o $((w >> 8 & 255)))"
		printf "\\$(printf %03o $((w >> 16 & 255)))\\$(printf %03o $((w >> 24 & 255)))"
	done >"$file"
}

# elf FILE MACHINE: a header without a program behind it.
elf() {
	{
		printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0'
		printf "\\$(printf %03o $(($2 & 255)))\\$(printf %03o $(($2 >> 8)))\1\0\0\0"
		head -c 40 /dev/zero
	} >"$1"
}

# Sends back what it gets, and powers off after a 'q': see test/lib/machine_test.c.
words "$tmp/echo" 0x100002b7 0x00100337 0x0052c503 0x00157513 0xfe050ce3 0x0002c503 0x00a28023 0x07100593 \
	0xfeb514e3 0x00005537 0x55550513 0x00a32023 0x6f
words "$tmp/fail7" 0x00100337 0x00073537 0x33350513 0x00a32023 0x6f
words "$tmp/reset" 0x00100337 0x00007537 0x77750513 0x00a32023 0x6f
words "$tmp/off" 0x00100337 0x00005537 0x55550513 0x00a32023 0x6f
words "$tmp/endless" 0x6f
bare="-q -a riscv64 -b none -m 16M"

what="no command" refused 'run, list' ''
what="an unknown command" refused '"walk".*run, list' walk
what="help on nothing that there is" refused '"walk".*keys' help walk
what="arguments of engines" refused 'engines takes no arguments' engines all
what="an unknown long option" refused '--colour.*help run' run --colour=red
what="an unknown letter" refused '-Z' run -qZ
what="a missing value" refused '--kernel.*FILE' run --kernel
what="a missing value of a letter" refused '-k.*FILE' run -k
what="a value too many" refused '--quiet takes no value' run --quiet=1
what="two names" refused '"b"' run a b
what="nothing to run" refused '-k FILE' run
what="an unknown key" refused 'colour.*help keys' run -o colour=red
what="a key without a value" refused 'KEY=VALUE' run -o memory
what="an unknown CPU" refused 'arch "z80".*riscv64' run -a z80 -k "$tmp/echo"
what="an unknown machine" refused 'machine "toaster".*virt' run -M toaster -k "$tmp/echo"
what="an unknown engine" refused 'engine "kqemu".*auto, .*interp' run -E kqemu -k "$tmp/echo"
what="too many CPUs" refused 'cpus "65".*1 to 64' run -c 65 -k "$tmp/echo"
what="more CPUs than the board has" refused 'cpus "9".*virt has at most 8' run $bare -c 9 -k "$tmp/echo"
what="no CPUs" refused 'cpus "0".*1 to 64' run -c 0 -k "$tmp/echo"
what="a size that is none" refused 'memory "lots".*512M' run -m lots -k "$tmp/echo"
what="a size too large" refused 'memory.*1024G' run -m 2000G -k "$tmp/echo"
what="memory without room for anything" refused 'memory "4K".*1M' run -m 4K -k "$tmp/echo"
what="a time that is none" refused 'timeout "soon".*60s' run --timeout soon -k "$tmp/echo"
what="an unknown category" refused 'trace "nonsense".*virtio' run --trace nonsense -k "$tmp/echo"
what="an unknown detail of a category" refused 'trace "exec=fast".*exec=block' run --trace exec=fast -k "$tmp/echo"
what="a device that is not there" refused 'trace device=nothing: this machine has .*uart_ns16550' run -a riscv64 --trace device=nothing -k "$tmp/echo"
what="a file for events that cannot be made" refused 'trace-file /nowhere/x: ' run -a riscv64 --trace-file /nowhere/x -k "$tmp/echo"
what="a trace that is none" refused "$tmp/echo: .*damaged, or no trace" trace "$tmp/echo"
what="a range that is none" refused 'range "5-1"' trace -r 5-1 "$tmp/echo"
what="an unknown console" refused 'console "tcp:1".*unix:PATH' run -C tcp:1 -k "$tmp/echo"
what="a console that cannot be written" refused '/nonexistent/c' run $bare -k "$tmp/echo" -C file:/nonexistent/c
what="a socket's name too long" refused "unix" run $bare -k "$tmp/echo" -C "unix:/$(printf %0200d 0)"
what="a display where there is none" refused 'display vga: machine virt' run $bare -k "$tmp/echo" -o display=vga
what="an unknown display" refused 'display "cga".*vga, none' run $bare -k "$tmp/echo" -o display=cga
what="a control socket in no folder" refused '/nonexistent/ctl' run $bare -k "$tmp/echo" --ctl /nonexistent/ctl
what="a control socket without a name" refused 'needs a name' run $bare -k "$tmp/echo" --ctl auto
what="a screenshot of nothing" refused 'usage: lodge screenshot' screenshot
what="a screenshot of no machine" refused 'no machine has its control socket at /nonexistent/ctl' screenshot /nonexistent/ctl x.png
what="a screenshot of an unknown name" refused 'nobody: no machine has' screenshot nobody x.png
what="what no key types" refused 'character at position 2' type nobody "$(printf 'a\001')"
what="a balloon of no size" refused 'balloon: "much".*512M' balloon ./x much
what="no keys" refused 'usage: lodge send-key' send-key nobody

: >"$tmp/empty"
elf "$tmp/aarch64" 183
elf "$tmp/headless" 243
head -c 20 "$tmp/headless" >"$tmp/short"
head -c 100000 /dev/urandom | gzip >"$tmp/good.gz"
head -c 50000 "$tmp/good.gz" >"$tmp/cut.gz"
head -c 20000000 /dev/zero >"$tmp/large"
what="a kernel that is missing" refused '/nonexistent/k' run -k /nonexistent/k
what="a kernel that is a folder" refused "$tmp " run -k "$tmp"
what="an empty kernel" refused "empty is empty" run -k "$tmp/empty"
what="an empty kernel, the CPU given" refused "empty is empty" run $bare -k "$tmp/empty"
what="a kernel that does not say its CPU" refused "echo.*-a riscv64" run -k "$tmp/echo"
what="a kernel for another CPU" refused 'aarch64 is .*riscv64' run -k "$tmp/aarch64"
what="a kernel for another CPU than given" refused 'aarch64 is .*riscv64' run -a riscv64 -k "$tmp/aarch64"
what="a kernel cut in its header" refused "kernel.*short" run -a riscv64 -k "$tmp/short"
what="a kernel that is only a header" refused "kernel.*headless" run -k "$tmp/headless"
what="a compressed kernel that is cut" refused 'cut.gz' run -a riscv64 -k "$tmp/cut.gz"
what="a kernel larger than memory" refused 'large' run $bare -k "$tmp/large"
what="a firmware that is missing" refused '/nonexistent/b' run -b /nonexistent/b -k "$tmp/echo"
what="an empty firmware" refused 'empty is empty' run -a riscv64 -b "$tmp/empty" -k "$tmp/echo"
what="an initrd that is missing" refused '/nonexistent/i' run $bare -k "$tmp/echo" -i /nonexistent/i
what="an initrd larger than memory" refused 'initrd.*large' run $bare -k "$tmp/echo" -i "$tmp/large"
what="an initrd for no kernel" refused 'initrd' run -a riscv64 -b "$tmp/echo" -i "$tmp/large"
if [ "$(id -u)" -ne 0 ]; then
	cp "$tmp/echo" "$tmp/secret" && chmod 0 "$tmp/secret"
	what="a kernel that may not be read" refused 'secret' run $bare -k "$tmp/secret"
else
	skip "refused: a kernel that may not be read" "root may read anything"
fi

head -c 1048576 /dev/zero >"$tmp/disk"
what="a disk that is missing" refused '/nonexistent/d' run $bare -k "$tmp/echo" -d /nonexistent/d
what="a disk that is a folder" refused "$tmp" run $bare -k "$tmp/echo" -d "$tmp"
what="an unknown kind of disk" refused '"if=sata".*if=virtio' run $bare -k "$tmp/echo" -d "$tmp/disk,if=sata"
what="a disk without a name" refused 'disk ",ro"' run $bare -k "$tmp/echo" -d ,ro
set -- && for i in 1 2 3 4 5 6 7 8 9; do set -- "$@" -d "$tmp/disk,ro"; done
what="nine disks" refused '8 disks' run $bare -k "$tmp/echo" "$@"
what="a disk twice, to be written" refused 'disk' run $bare -k "$tmp/echo" -d "$tmp/disk" -d "$tmp/disk"
if [ "$(id -u)" -ne 0 ]; then
	cp "$tmp/disk" "$tmp/readonly" && chmod 400 "$tmp/readonly"
	what="a disk that may only be read" refused 'readonly' run $bare -k "$tmp/echo" -d "$tmp/readonly"
else
	skip "refused: a disk that may only be read" "root may write anything"
fi

# wait_for FILE PATTERN: until it is there, for at most 20 seconds.
wait_for() {
	for i in $(seq 200); do
		! grep -q "$2" "$1" || return 0
		sleep 0.1
	done
	return 1
}

"$LODGE" run -a riscv64 -b none -m 16M -k "$tmp/endless" -d "$tmp/disk" >"$tmp/bg.out" 2>"$tmp/bg.err" </dev/null &
pid=$!
wait_for "$tmp/bg.err" endless
what="a disk that another one uses" refused 'disk' run $bare -k "$tmp/echo" -d "$tmp/disk"
kill $pid
wait $pid
is $? 143 "a signal ends the run, and the status says which"
has "$tmp/bg.err" 'power button' "it is said why the guest was not asked"
[ ! -s "$tmp/bg.out" ]
ok $? "standard output has nothing but what the guest prints"

what="a configuration that is missing" refused '/nonexistent/vm.conf' run -f /nonexistent/vm.conf
printf 'memory 1G\nvm "a" {\n\tkernel "x\n}\n' >"$tmp/bad.conf"
what="an error in a file" refused 'bad.conf:3: .*quote' run -f "$tmp/bad.conf"
printf 'vm "a" {\n\tcolour red\n}\n' >"$tmp/bad.conf"
what="an unknown key in a file" refused 'bad.conf:2: .*colour' run -f "$tmp/bad.conf"
cat >"$tmp/vm.conf" <<END
arch riscv64                    # for both
firmware none
vm "one" {
	kernel "$tmp/echo"
	memory 32M
}
vm two { kernel "$tmp/fail7" }
END
what="a file with two machines and no name" refused 'vm.conf: 2 VMs' run -f "$tmp/vm.conf"
what="a name that is not in the file" refused 'no vm "three"' run -f "$tmp/vm.conf" three

# run ARGS...: output in $tmp/out and $tmp/err, status in $rc; standard input comes from $tmp/in.
: >"$tmp/in"
run() {
	timeout 60 "$LODGE" run "$@" >"$tmp/out" 2>"$tmp/err" <"$tmp/in"
	rc=$?
}

run -f "$tmp/vm.conf" two
is $rc 3 "the machine of that name in a file is run"
has "$tmp/err" '^lodge: riscv64 virt, engine [a-z]+, 512M, 1 CPU, kernel fail7$' "what is run is said in one line"
run -m 8M -f "$tmp/vm.conf" --print-config one
has "$tmp/out" 'memory 8M' "the command line wins over the file, wherever it stands"
run -f "$tmp/vm.conf" --print-config one -p 'a "b" \ # , {' -d "$tmp/d,,1,ro" -d '} ' -o seed=7 --no-reboot
is $rc 0 "--print-config does not run anything, and does not need the disks"
cp "$tmp/out" "$tmp/printed.conf"
run -f "$tmp/printed.conf" --print-config
cmp -s "$tmp/out" "$tmp/printed.conf"
ok $? "what --print-config prints gives the same again"

run $bare -k "$tmp/off"
is $rc 0 "a guest that powers off: 0"
is "$(cat "$tmp/err")" "" "-q: nothing is said"
run $bare -k "$tmp/fail7"
is $rc 3 "a guest that fails: 3"
run $bare --exit-from-guest -k "$tmp/fail7"
is $rc 7 "--exit-from-guest: its own status"
run $bare --no-reboot -k "$tmp/reset"
is $rc 3 "--no-reboot, and it resets: 3"
run $bare --timeout 200ms -k "$tmp/reset"
is $rc 4 "it resets again and again until --timeout: 4"
run $bare --timeout=200ms -k "$tmp/endless"
is $rc 4 "--timeout ends a busy guest: 4"
has "$tmp/err" '^lodge: .*time' "and it is said"

printf 'a\001x\001\001\000\377q' >"$tmp/in"
run $bare -k "$tmp/echo" --timeout 20s
cmp -s "$tmp/in" "$tmp/out"
ok $? "from a pipe all bytes go to the guest, Ctrl-a included"
is $rc 0 "and its end does not end the guest before that"
: >"$tmp/in"
run $bare -k "$tmp/echo" --timeout 300ms
is $rc 4 "the end of input does not end the guest"
run -qk"$tmp/off" -ariscv64 -m16 -bnone --
is $rc 0 "letters and values may be written together"

"$LODGE" run -S -a riscv64 -b none -m 16M -k "$tmp/off" >"$tmp/bg.out" 2>"$tmp/bg.err" </dev/null &
pid=$!
wait_for "$tmp/bg.err" 'guest waits'
ok $? "-S: the guest waits"
kill -USR1 $pid
wait $pid
is $? 0 "and signal USR1 starts it"
"$LODGE" run -S $bare -k "$tmp/off" >"$tmp/bg.out" 2>"$tmp/bg.err" </dev/null &
pid=$!
wait_for "$tmp/bg.err" 'guest waits'
kill $pid
wait $pid
is $? 143 "and another ends it before it starts"

"$LODGE" --help >"$tmp/out" 2>"$tmp/err"
is $? 0 "--help"
is "$(grep -c '^  lodge run' "$tmp/out")" 7 "it has seven examples"
"$LODGE" run --help >"$tmp/out" 2>"$tmp/err"
is $? 0 "run --help"
has "$tmp/out" '-k, --kernel FILE' "it lists the options"
"$LODGE" help keys >"$tmp/out"
has "$tmp/out" '^  memory ' "help keys lists the keys"
for key in $(sed -n 's/^  \([a-z-]*\) .*/\1/p' "$tmp/out"); do
	grep -Eq "^\\.(It )?Ic $key " doc/vm.conf.5
	ok $? "vm.conf(5) has $key"
done
"$LODGE" help run | sed -n 's/^.*--\([a-z-]*\) .*/\1/p' | grep -v Exit >"$tmp/options"
for option in $(cat "$tmp/options"); do
	grep -Eq "^\\.(It )?Fl (. , )?-$option( |\$)" doc/lodge.1
	ok $? "lodge(1) has --$option"
done
"$LODGE" --version >"$tmp/out"
has "$tmp/out" '^lodge [0-9]' "--version"
"$LODGE" engines >"$tmp/out"
has "$tmp/out" '^interp +riscv64 +yes' "engines lists the interpreter, which runs everywhere"
"$LODGE" machines >"$tmp/out"
has "$tmp/out" '^virt +riscv64' "machines lists the board"
if [ -c /dev/full ]; then
	"$LODGE" --help >/dev/full 2>"$tmp/err"
	is $? 2 "output that cannot be written is a failure of the host"
fi
finish
