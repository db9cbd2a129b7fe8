# SPDX-License-Identifier: BSD-2-Clause
# Debian's drivers for what virtio has: both transports, both formats of rings, the balloon, ports of the console; and other disks
# on riscv64's PCI.
. test/tap.sh
command -v python3 >/dev/null || skip_all "virtio" "no python3 here"

# linux ARCH ARGS... -- COMMAND: output in $tmp/out, status in $rc.
linux() {
	guest "devices-$1"
	args="-a $1"
	shift
	while [ "$1" != -- ]; do
		args="$args $1"
		shift
	done
	# shellcheck disable=SC2086 # words on purpose
	$LODGE run -q -m 256M --timeout 400s $args -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$(echo "$2" | tr ' \n' __)" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

# Feature bit $1 of the first device is agreed on: the bits are printed from 0 on.
agreed() {
	has "$tmp/out" "^[01]{$1}1[01]{8}" "$2"
}

truncate -s 8M "$tmp/plain" "$tmp/nvme" "$tmp/ahci"
printf 'on the disk\n' | dd of="$tmp/plain" conv=notrunc 2>/dev/null
write='cat /sys/bus/virtio/devices/virtio0/features; head -n 1 /dev/vda;
for d in $disks; do dd if=/dev/urandom of=/rnd bs=64k count=60; dd if=/rnd of=/dev/$d bs=64k seek=4 conv=fsync;
echo 3 >/proc/sys/vm/drop?caches; dd if=/dev/$d of=/back bs=64k skip=4 count=60; cmp /rnd /back && echo SAME-$d; done 2>/dev/null'

for bus in mmio pci; do
	linux riscv64 -d "$tmp/plain" -o virtio-bus=$bus -o virtio-ring=packed -- "disks=vda; $write"
	has "$tmp/out" '^on the disk' "riscv64, $bus: a disk can be read"
	has "$tmp/out" 'SAME-vda' "riscv64, $bus: and written"
	agreed 34 "riscv64, $bus: its ring is packed"
done
agreed 40 "riscv64, pci: queues can be reset"

linux riscv64 -d "$tmp/plain,ro" -d "$tmp/nvme,if=nvme" -d "$tmp/ahci,if=ahci" -- "disks='nvme0n1 sda'; $write; cat /proc/interrupts"
has "$tmp/out" 'SAME-nvme0n1' "riscv64: a disk by NVMe"
has "$tmp/out" 'SAME-sda' "riscv64: and one by AHCI"
has "$tmp/out" 'PLIC +3[2-5] .*nvme' "riscv64: interrupts come by pins"

linux x86_64 -M pc -d "$tmp/plain" -o virtio-ring=packed -- "disks=vda; $write; cat /proc/interrupts"
has "$tmp/out" 'SAME-vda' "pc: a disk by a packed ring"
agreed 34 "pc: it is packed"
has "$tmp/out" 'MSI-?X.*virtio0-req' "pc: queues have interrupts of their own"

linux x86_64 -M pc -d "$tmp/plain" -o virtio=transitional -- "disks=vda; $write; cat /sys/bus/pci/devices/*/device"
has "$tmp/out" 'SAME-vda' "pc: a disk that drivers from before version 1 know, too"
has "$tmp/out" '0x1001' "pc: it has their number"
agreed 32 "pc: the driver prefers version 1"

# Ports: one to a file, one to a client that answers.
python3 - "$tmp/port" >"$tmp/client" <<'PYTHON' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
for _ in range(3000):
    try:
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.1)
s.sendall(b"asked by the host\n")
print(s.makefile().readline().strip())
PYTHON
linux x86_64 -M microvm -d "$tmp/plain" -o virtio-ring=packed -o "port=org.lodge.0,unix:$tmp/port" -o "port=log,file:$tmp/log" -- \
	"disks=vda; $write; cat /sys/class/virtio-ports/*/name; echo to a file >/dev/vport1p2;
exec 3<>/dev/vport1p1; read x <&3; echo GOT \$x; echo told by the guest >&3; sleep 1"
wait
has "$tmp/out" 'SAME-vda' "microvm: a disk by a packed ring"
has "$tmp/out" '^org.lodge.0' "a port has its name"
is "$(cat "$tmp/log")" "to a file" "a port leads to a file"
has "$tmp/out" '^GOT asked by the host' "a port brings what the host says"
has "$tmp/client" '^told by the guest' "and takes what the guest says"

# The balloon: the guest shrinks, and Lodge with it.
cat >"$tmp/balloon.py" <<'PYTHON'
import json, re, socket, subprocess, sys, time

def connect(path):
    s = socket.socket(socket.AF_UNIX)
    while True:
        try:
            s.connect(path)
            return s.makefile("rw")
        except OSError:
            time.sleep(0.2)

def call(f, name, **args):
    f.write(json.dumps({"execute": name, "arguments": args}) + "\n")
    f.flush()
    while True:
        answer = json.loads(f.readline())
        if answer.get("event") == "BALLOON_CHANGE":
            events.append(answer["data"]["actual"])
        if "return" in answer or "error" in answer:
            return answer

def mib(what):
    return int(re.search(what + r":\s*(\d+)", open(f"/proc/{sys.argv[2]}/status").read())[1]) >> 10

def wait(what):
    end = time.time() + 200
    while not what() and time.time() < end:
        time.sleep(0.5)
    return what()

events = []
wait(lambda: "FULL" in open(sys.argv[3], errors="replace").read())
f = connect(sys.argv[1])
f.readline()
call(f, "qmp_capabilities")
full = mib("VmHWM")  # the most so far: the guest has begun to report the file's pages as free
call(f, "balloon-stats-interval", seconds=1)
call(f, "balloon", value=160 << 20)
print("SHRUNK", wait(lambda: call(f, "query-balloon")["return"]["actual"] < 165 << 20))
small = mib("VmRSS")
print("RSS", full, small, "LESS" if small < full - 80 else "NOT LESS")
print("EVENTS", len(events) > 0)
total = lambda: call(f, "query-balloon-stats")["return"]["stats"]["stat-total-memory"] >> 20
print("STATS", wait(lambda: 0 < total() < 160))
print("COMMAND", subprocess.run([sys.argv[4], "balloon", sys.argv[1], "1T"]).returncode)
print("GROWN", wait(lambda: call(f, "query-balloon")["return"]["actual"] == 256 << 20))
call(f, "quit")
PYTHON
for arch in riscv64 x86_64; do
	guest "devices-$arch"
	: >"$tmp/out"
	$LODGE run -q -a $arch -m 256M --timeout 400s -o balloon=on --ctl "$tmp/ctl" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=mkdir_/t;mount_-t_tmpfs_none_/t;head_-c_120000000_/dev/zero_>/t/f;echo_FULL;rm_/t/f;sleep_1000" \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	lodge=$(pgrep -P $pid 2>/dev/null || echo $pid)
	timeout 400 python3 "$tmp/balloon.py" "$tmp/ctl" "$lodge" "$tmp/out" "$LODGE" >"$tmp/balloon"
	wait $pid
	sed 's/^/# /' "$tmp/balloon"
	has "$tmp/balloon" 'SHRUNK True' "$arch: the guest fills the balloon"
	has "$tmp/balloon" '[0-9] LESS' "$arch: Lodge becomes smaller"
	has "$tmp/balloon" 'EVENTS True' "$arch: clients are told"
	has "$tmp/balloon" 'STATS True' "$arch: the guest tells of its memory"
	has "$tmp/balloon" 'COMMAND 0' "$arch: lodge balloon gives it back"
	has "$tmp/balloon" 'GROWN True' "$arch: and the guest takes it"
done
finish
