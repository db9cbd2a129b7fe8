# SPDX-License-Identifier: BSD-2-Clause
"""The command lines of Lodge and of what it is measured beside.  A peer's command takes (kernel, initrd, kernel
arguments, MiB, harts, folder for scratch files) and has the guest's serial port on standard input and output."""
import os, pathlib, platform, re, shutil, struct, subprocess, tempfile, time

import guest

root = pathlib.Path(__file__).resolve().parent.parent


def lodge(program, engine, machine):
    def command(kernel, initrd, args, mem, harts, folder):
        return [program, "run", "-q", "-E", engine, "-M", machine, "-m", f"{mem}M", "-c", str(harts), "-k", kernel, "-i", initrd,
                "-p", f"console=ttyS0 {args}"]
    return command


def qemu(prefix, data, machine, firmware):
    def command(kernel, initrd, args, mem, harts, folder):
        return [*prefix, *data, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
                *machine, "-smp", str(harts), "-m", str(mem), *firmware, "-kernel", kernel, "-initrd", initrd,
                "-append", f"console=ttyS0 {args}"]
    return command


def rvvm(program, firmware, fdtput):
    """RVVM takes no initrd: it is laid behind the kernel, and named in a changed copy of its device tree."""
    def command(kernel, initrd, args, mem, harts, folder):
        image, ram = pathlib.Path(kernel).read_bytes(), pathlib.Path(initrd).read_bytes()
        size, = struct.unpack_from("<Q", image, 16)  # image_size: Linux, Documentation/arch/riscv/boot-image-header.rst
        # OpenSBI's fw_jump puts the device tree at RAM + 0x2200000: stay behind that.
        start = max(0x2400000, (max(size, len(image)) + 0xFFFFF) & ~0xFFFFF)
        payload, tree = f"{folder}/payload", f"{folder}/tree.dtb"
        pathlib.Path(payload).write_bytes(image + bytes(start - len(image)) + ram)
        machine = [program, str(firmware), "-m", f"{mem}M", "-s", str(harts), "-nogui", "-nonet"]
        dump = subprocess.Popen([*machine, "-dumpdtb", tree], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        time.sleep(1)
        dump.kill()
        dump.wait()
        first = 0x80200000 + start
        halves = lambda x: [f"{x >> 32:x}", f"{x & 0xffffffff:x}"]
        for kind, key, value in (("x", "linux,initrd-start", halves(first)),
                                 ("x", "linux,initrd-end", halves(first + len(ram))),
                                 ("s", "bootargs", [f"console=ttyS0 {args}"])):
            subprocess.run([fdtput, "-t", kind, tree, "/chosen", key, *value], check=True)
        return [*machine, "-k", payload, "-dtb", tree]
    return command


def native(folder):
    """The same programs for the host, in a chroot that needs no rights."""
    def command(kernel, initrd, args, mem, harts, scratch):
        work = next(a.removeprefix("bench=") for a in args.split() if a.startswith("bench="))
        script = ('cd "$0" && mkdir -p tmp && mount -t proc proc proc; mount --rbind /dev dev; '
                  'exec chroot . /usr/bin/busybox sh /bench/all "$1"')
        return ["unshare", "-rmpf", "--kill-child", "sh", "-c", script, f"{folder}/root", work]
    return command


def unpacked(tree, program):
    """An unpacked Debian program with its own libraries."""
    lib = tree / "usr/lib/x86_64-linux-gnu"
    return [str(tree / "lib64/ld-linux-x86-64.so.2"), "--library-path", f"{lib}:{lib}/pulseaudio", str(tree / program)]


def version(command):
    out = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    return re.sub(r"^QEMU emulator version (\S+).*", r"QEMU \1", out).strip()


def rvvm_version(program):
    """RVVM has no option that says its version: its firmware banner or its own text may hold one."""
    data = pathlib.Path(program).read_bytes()
    found = re.search(rb"RVVM v?(\d+\.\d+[\w.-]*)", data)
    return f"RVVM {found[1].decode()}" if found else "RVVM"


def size(command):
    """MiB of the program, without symbols, and of its libraries but libc's."""
    listing = [command[0], *command[1:-1], "--list", command[-1]] if len(command) > 1 else ["ldd", command[0]]
    out = subprocess.run(listing, capture_output=True, text=True).stdout
    libraries = [path for name, path in re.findall(r"^\s*(\S+) => (/\S+)", out, re.M)
                 if not re.match(r"(libc|libm|libpthread|libdl|librt|ld-linux.*)\.so", name)]
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["strip", "-o", f.name, command[-1]], check=True)
        total = os.path.getsize(f.name)
    return (total + sum(map(os.path.getsize, libraries))) / (1 << 20)


# What Lodge and QEMU are told to be.
MACHINE = {"riscv64": ("virt", ["-machine", "virt"]),
           "x86_64": ("microvm", ["-machine", "pc", "-cpu", "max", "-accel", "tcg"])}


def find(cpu):
    """Name: (command, command of its start-up, what it is) of all peers that are there; Lodge's soft engine is first."""
    program = os.environ.get("LODGE", str(root / "build/lodge"))
    engines = subprocess.run([program, "engines"], capture_output=True, text=True, check=True).stdout
    x86, riscv = platform.machine() == "x86_64", cpu == "riscv64"
    machine, other_machine = MACHINE[cpu]
    peers = {"lodge": (lodge(program, "soft", machine), [program], version([program]).replace("lodge", "Lodge"))}
    if "interp" in engines:
        peers["interp"] = (lodge(program, "interp", machine), [program], "Lodge's interpreter")
    new = os.environ.get("QEMU_NEW")
    if new:
        peers["qemu-new"] = (qemu([new], [], other_machine, []), [new], version([new]))
    elif x86:
        tree = guest.newest_qemu()
        prefix = unpacked(tree, f"usr/bin/qemu-system-{cpu}")
        firmware = tree / "usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"
        data = [x for d in ("qemu", "seabios") for x in ("-L", str(tree / "usr/share" / d))]
        peers["qemu-new"] = (qemu(prefix, data, other_machine, ["-bios", str(firmware)] if riscv else []), prefix,
                             version(prefix))
    old = shutil.which(os.environ.get("QEMU", f"qemu-system-{cpu}"))
    if old:
        peers["qemu"] = (qemu([old], [], other_machine, []), [old], version([old]))
    other, fdtput = os.environ.get("RVVM"), shutil.which("fdtput")
    if other and fdtput and x86 and riscv:
        firmware = guest.newest_qemu() / "usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
        peers["rvvm"] = (rvvm(other, firmware, fdtput), [other], rvvm_version(other))
    spaces = ["unshare", "-rmpf", "true"]  # not all hosts give them to all users
    if x86 and shutil.which("unshare") and subprocess.run(spaces, capture_output=True).returncode == 0:
        peers["native"] = (native(guest.make("amd64")), None, "the same programs on the host")
    return peers
