# SPDX-License-Identifier: BSD-2-Clause
# What a disk can be told: its serial number, how many queues it has, to go around the page cache, to be a server's; and that it
# grows while the guest runs.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
command -v python3 >/dev/null || skip_all "disks" "no python3 here"
guest riscv64
truncate -s 32M "$tmp/disk"
printf 'on the disk\n' | dd of="$tmp/disk" conv=notrunc 2>/dev/null
direct=,direct
case $($LODGE run -d "$tmp/disk,format=raw,direct" -k /dev/null 2>&1) in *"page cache"*) direct= ;; esac

# linux COMMAND ARGS...: output in $tmp/out.
linux() {
	command=$(printf %s "$1" | tr ' \n' __)
	shift
	$LODGE run -q -m 256M --timeout 600s "$@" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 quiet lodge.run=$command" >"$tmp/out" 2>"$tmp/err" </dev/null
}

cat >"$tmp/resize.py" <<'EOF'
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX)
for _ in range(600):
    try:
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.1)
f = s.makefile("rw")
f.readline()
def ask(name, **args):
    f.write(json.dumps({"execute": name, "arguments": args}) + "\n")
    f.flush()
    return json.loads(f.readline())
ask("qmp_capabilities")
for _ in range(6000):
    text = open(sys.argv[2]).read()
    if "GROW-NOW" in text or "GUEST-DONE" in text:
        break
    time.sleep(0.1)
print(ask("block_resize", device="disk0", size=48 << 20))
print(ask("query-blockstats"))
EOF
python3 "$tmp/resize.py" "$tmp/ctl" "$tmp/out" >"$tmp/qmp" 2>&1 &
python=$!
: >"$tmp/out"
linux 'cat /sys/block/vda/serial; echo; echo queues $(ls -d /sys/block/vda/mq/* | wc -l); head -n 1 /dev/vda;
echo discard $(cat /sys/block/vda/queue/discard?max?bytes); dd if=/dev/zero of=/dev/vda bs=1M seek=1 count=20 conv=fsync 2>/dev/null;
echo GROW-NOW; n=0; while [ $(cat /sys/block/vda/size) = 65536 ] && [ $n -lt 3000 ]; do n=$((n+1)); sleep 1; done;
echo sectors $(cat /sys/block/vda/size); dd if=/dev/zero of=/dev/vda bs=1M seek=47 count=1 conv=fsync && echo written' \
	-c 2 -d "$tmp/disk,format=raw,serial=WD-42,queues=2,discard=off$direct" --ctl "$tmp/ctl"
wait $python
has "$tmp/out" '^WD-42' "the guest sees the serial number"
has "$tmp/out" '^queues 2' "and two queues"
has "$tmp/out" '^on the disk' "and the contents"
has "$tmp/out" '^discard 0' "and that it cannot discard"
has "$tmp/out" '^sectors 98304' "and the new size"
has "$tmp/out" '^written' "which it can use"
is "$(wc -c <"$tmp/disk" | tr -d ' ')" 50331648 "and which the file has"
has "$tmp/qmp" "'return': \{\}" "the socket says so"
has "$tmp/qmp" "'wr_bytes': 20[0-9]{6}" "and how much was written"

if command -v nbdkit >/dev/null && ! $LODGE run -d nbd+unix:///none -k /dev/null 2>&1 | grep -q 'without libnbd'; then
	nbdkit -f -U "$tmp/nbd" file "$tmp/disk" >/dev/null 2>&1 &
	server=$!
	for i in $(seq 100); do [ -S "$tmp/nbd" ] && break; sleep 0.1; done
	linux 'head -n 1 /dev/vda; head -c 1000000 /dev/urandom >/r; dd if=/r of=/dev/vda bs=4k seek=100 conv=fsync 2>/dev/null;
echo 3 | tee /proc/sys/vm/drop?caches >/dev/null; head -c 1409600 /dev/vda | tail -c 1000000 | md5sum; md5sum </r' -d "nbd+unix:///?socket=$tmp/nbd"
	kill $server
	has "$tmp/out" '^on the disk' "a server's disk can be read"
	is "$(grep -Eo '^[0-9a-f]{32}' "$tmp/out" | uniq -c | sed 's/^ *//;s/ .*//')" 2 "and written"
	sum=$(head -c 1409600 "$tmp/disk" | tail -c 1000000 | md5sum)
	has "$tmp/out" "^${sum%% *}" "and the server has it"
else
	skip "a server's disk" "no nbdkit, or no libnbd here"
fi
finish
