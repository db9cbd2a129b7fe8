# SPDX-License-Identifier: BSD-2-Clause
# The display of a PC: SeaBIOS and the BIOS of its VGA print, a boot sector echoes what is typed, and sets modes.  What is
# seen is read from screenshots, by the font that the BIOS brought.
. test/tap.sh
command -v python3 >/dev/null || skip_all "vga" "no python3 here"
guest seabios
rom=$guest_dir/vgabios-stdvga.bin

# disk NAME BYTES: an image whose boot sector is this (as printf takes it).
disk() {
	# shellcheck disable=SC2059 # a format on purpose
	printf "$2" >"$tmp/$1"
	truncate -s 510 "$tmp/$1"
	printf '\125\252' >>"$tmp/$1"
	truncate -s 1M "$tmp/$1"
}

# start NAME ARGS...
start() {
	name=$1
	shift
	$LODGE run -q -M pc -m 64M --timeout 300s -b "$guest_dir/bios-256k.bin" -C none --ctl "$tmp/$name.ctl" "$@" \
		>"$tmp/$name.out" 2>&1 </dev/null &
	pid=$!
	for i in $(seq 300); do
		[ ! -S "$tmp/$name.ctl" ] || return 0
		sleep 0.1
	done
}

# stop: ends it; the first signal is only the power button, in which nobody here takes interest.
stop() {
	while kill $pid 2>/dev/null; do sleep 0.2; done
	wait $pid 2>/dev/null
}

# text NAME: what is on the screen.
text() {
	$LODGE screenshot "$tmp/$1.ctl" "$tmp/$1.png" 2>"$tmp/err" &&
		python3 test/boot/screen.py "$tmp/$1.png" "$rom" >"$tmp/$1.txt" 2>>"$tmp/err"
}

# sees NAME PATTERN TEXT: it appears on the screen within two minutes.
sees() {
	for i in $(seq 240); do
		if text "$1" && grep -Eq -- "$2" "$tmp/$1.txt"; then
			ok 0 "$3"
			return
		fi
		[ -S "$tmp/$1.ctl" ] || break
		sleep 0.5
	done
	ok 1 "$3"
	{ cat "$tmp/err" "$tmp/$1.out"; grep . "$tmp/$1.txt"; } 2>/dev/null | sed 's/^/#   | /'
}

start bare
sees bare 'SeaBIOS \(version' "SeaBIOS prints its banner on the display"
sees bare 'No bootable device' "and that there is nothing to start"
is "$(python3 test/boot/screen.py "$tmp/bare.png" | cut -d' ' -f1)" 720x400 "the screenshot has the size of text mode"
stop

# xor bx, bx; next: xor ah, ah; int 0x16; mov ah, 0x0e; int 0x10; jmp next
disk echo '\061\333\060\344\315\026\264\016\315\020\353\366'
start echo -d "$tmp/echo,ro"
sees echo 'Booting from Hard Disk' "a boot sector is started"
$LODGE type "$tmp/echo.ctl" 'Lodge types: {42} <=> "a|b"' 2>"$tmp/err"
is $? 0 "text is typed"
sees echo 'Lodge types: \{42\} <=> "a\|b"' "and comes through keyboard, BIOS and display"
$LODGE send-key "$tmp/echo.ctl" ret shift-x y 2>"$tmp/err"
sees echo '^ *Xy' "keys with names, too"
$LODGE send-key "$tmp/echo.ctl" nokey >"$tmp/out" 2>"$tmp/err"
is $? 1 "a key that does not exist is refused"
has "$tmp/err" 'no key "nokey"' "with a sentence"
stop

# mov ax, 0x4f02; mov bx, 0x4144; int 0x10 (1024x768, 32 bits); jmp $
disk vbe '\270\002\117\273\104\101\315\020\353\376'
start vbe -d "$tmp/vbe,ro"
for i in $(seq 240); do
	$LODGE screenshot "$tmp/vbe.ctl" "$tmp/vbe.png" 2>"$tmp/err"
	size=$(python3 test/boot/screen.py "$tmp/vbe.png" 2>/dev/null)
	case $size in 1024x768*) break ;; esac
	sleep 0.5
done
is "$size" '1024x768 1 colours' "the BIOS sets a mode with a linear framebuffer"
stop

# mov ax, 0x13; int 0x10; push 0xa000; pop es; xor di, di; mov cx, 64000; next: mov ax, di; stosb; loop next; jmp $
disk mode13 '\270\023\000\315\020\150\000\240\007\061\377\271\000\372\211\370\252\342\373\353\376'
start mode13 -d "$tmp/mode13,ro"
size= colours=0
for i in $(seq 240); do
	$LODGE screenshot "$tmp/mode13.ctl" "$tmp/mode13.png" 2>"$tmp/err"
	read -r size colours _ <<-END
		$(python3 test/boot/screen.py "$tmp/mode13.png" 2>/dev/null)
	END
	[ "$size" != 320x200 ] || [ "$colours" -le 200 ] || break
	sleep 0.5
done
is "$size" 320x200 "and the one with 320x200 in 256 colours"
[ "$colours" -gt 200 ]
ok $? "which shows what is written to it"
stop

$LODGE screenshot "$tmp/mode13.ctl" "$tmp/x.png" >"$tmp/out" 2>"$tmp/err"
is $? 1 "without a machine there is no screenshot"
has "$tmp/err" 'no machine has its control socket' "and it is said why"
finish
