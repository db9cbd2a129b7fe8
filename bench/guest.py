#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""guest.py [ARCH]: makes the guest that bench.py measures, once, in the cache, and prints its folder.

ARCH is riscv64 or amd64 (whose programs also run in a chroot on the host itself).  Kernel, programs
and libraries come from packages of Debian trixie, through this machine's own apt configuration (tools/apt-for.sh);
the programs of bench/ are compiled by the machine's compilers.  The folder holds kernel, full.cpio (the initramfs
with all), tiny.cpio (busybox alone), root/ and versions."""
import fcntl, gzip, hashlib, math, os, pathlib, re, shutil, stat, struct, subprocess, sys

here = pathlib.Path(__file__).resolve().parent
tools = here.parent / "tools"
cache = pathlib.Path(os.environ.get("LODGE_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "lodge")
SUITE = "trixie"
RECIPE = "3"  # other than that of a cached guest: what is made of the packages has changed since
TRIPLET = {"riscv64": "riscv64-linux-gnu", "amd64": "x86_64-linux-gnu"}
KERNEL = {"riscv64": "linux-image-riscv64", "amd64": "linux-image-cloud-amd64"}
COMPILER = {"riscv64": "riscv64-linux-gnu-gcc", "amd64": "gcc"}
PACKAGES = """busybox-static openssl xz-utils zstd gzip python3-minimal libpython3.13-stdlib perl-base sqlite3 cpp-14
gcc-14 libc6-dev mbw lua5.4 lame stress-ng sysbench libstb-dev coreutils""".split()
PROGRAMS = """busybox openssl xz zstd gzip python3.13 perl sqlite3 lua5.4 lame mbw stress-ng sysbench gcc-14 cpp-14 as
true""".split()
STDLIB = "codecs io abc os stat posixpath genericpath _collections_abc encodings".split()
TINY = "bin sbin usr usr/bin usr/sbin usr/bin/busybox usr/bin/sh init bench bench/all bench/run proc sys tmp".split()


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def unpack(tree, suite, arch, packages):
    """Unpacks packages with all that they depend on below tree, and notes their versions.  Nothing is installed."""
    say(f"fetching {len(packages)} packages of {suite} for {arch} with their dependencies")
    apt = [str(tools / "apt-for.sh"), suite, arch, "apt-get", "-qq", "-o", "APT::Install-Recommends=false",
           "-o", "Debug::NoLocking=1"]
    empty = tree.parent / f"{tree.name}.none"
    (empty / "partial").mkdir(parents=True, exist_ok=True)
    subprocess.run(apt[:3] + ["update"], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    # An empty archive folder: --print-uris leaves out what is downloaded already.
    plan = subprocess.run(apt + ["-o", f"Dir::Cache::archives={empty}", "--print-uris", "install"] + packages, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    shutil.rmtree(empty)
    subprocess.run(apt + ["-y", "--download-only", "install"] + packages, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    for d in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / d).mkdir(parents=True, exist_ok=True)
        (tree / d).symlink_to(f"usr/{d}")
    debs = cache / "apt" / f"{suite}-{arch}" / "cache" / "archives"
    versions = []
    for name in re.findall(r"^'[^']*' (\S+) ", plan, re.M):
        data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", debs / name], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", tree, "--keep-directory-symlink", "--no-same-owner"], stdin=data.stdout,
                       check=True)
        if data.wait():
            sys.exit(f"bench: could not unpack {name}")
        versions.append(" ".join(name.removesuffix(".deb").replace("%3a", ":").split("_")))
    (tree.parent / "versions").write_text("\n".join(sorted(versions)) + "\n")


def needed(path):
    """The interpreter and the NEEDED libraries that an ELF file names (ELF-64 specification, dynamic section)."""
    data = path.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return []
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    heads = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    text = lambda at: data[at:data.index(b"\0", at)].decode()
    names = [text(off) for kind, _, off, _, _, _ in heads if kind == 3]
    for off, length in ((h[2], h[5]) for h in heads if h[0] == 2):
        entries = [struct.unpack_from("<QQ", data, p) for p in range(off, off + length, 16)]
        strings = next(value for tag, value in entries if tag == 5)
        base = next(off - addr + strings for k, _, off, addr, _, length in heads if k == 1 and addr <= strings < addr + length)
        names += [text(base + value) for tag, value in entries if tag == 1]
    return names


class Root:
    """The guest's files: what is asked for and the libraries that it names, so not all of every package."""

    def __init__(self, tree, root, triplet):
        self.tree, self.root, self.triplet = tree, root, triplet
        for d in "usr/bin usr/sbin usr/lib usr/lib64 proc sys dev tmp bench etc run".split():
            (root / d).mkdir(parents=True)
        for d in ("bin", "sbin", "lib", "lib64"):
            (root / d).symlink_to(f"usr/{d}")

    def add(self, name):
        name = os.path.normpath(name.lstrip("/"))
        if name.split("/")[0] in ("bin", "sbin", "lib", "lib64"):
            name = "usr/" + name
        source, target = self.tree / name, self.root / name
        if os.path.lexists(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            to = os.readlink(source)
            target.symlink_to(to)
            self.add(to if to.startswith("/") else os.path.join(os.path.dirname(name), to))
        elif source.is_dir():
            target.mkdir()
            for f in sorted(source.iterdir()):
                if f.exists():
                    self.add(f"{name}/{f.name}")
        else:
            shutil.copy(source, target)
            for lib in needed(source):
                self.add(lib if lib.startswith("/") else self.library(lib))

    def library(self, name):
        for d in (f"usr/lib/{self.triplet}", "usr/lib", "usr/lib64"):
            if os.path.lexists(self.tree / d / name):
                return f"{d}/{name}"
        sys.exit(f"bench: no library {name} in {self.tree}")


def sound(seconds):
    """A stereo WAV file at 44.1 kHz: a sweep with noise, always the same."""
    out, seed, phase, step = bytearray(), 1, 0, 400 << 8
    table = [int(12000 * math.sin(2 * math.pi * i / 4096)) for i in range(4096)]
    for i in range(44100 * seconds):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        phase = (phase + (step >> 8)) & 0xFFFF
        if i % 16 == 0:
            step = step + 7 if step < 4000 << 8 else 400 << 8
        out += struct.pack("<hh", table[phase >> 4] + (seed >> 20), table[(phase * 3 >> 4) & 4095] - (seed >> 21))
    form = struct.pack("<IHHIIHH", 16, 1, 2, 44100, 176400, 4, 16)
    return (b"RIFF" + struct.pack("<I", len(out) + 36) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(out)) + bytes(out))


def corpus(stdlib):
    """6 MiB of text: Python's own library, folder by folder, the same for both architectures."""
    files = [f for f in stdlib.rglob("*.py") if f.is_file() and not f.name.startswith("_sysconfigdata")]
    files.sort(key=lambda f: (str(f.parent), f.name))
    return b"".join(f.read_bytes() for f in files)[:6 << 20]


def cpio(root, names, out):
    """An initramfs (newc; Linux, Documentation/driver-api/early-userspace/buffer-format.rst) of these names, all root's."""
    new = out.with_suffix(".new")  # a guest may be starting with the old one
    with open(new, "wb") as f:
        def entry(number, name, mode, data=b"", device=(0, 0)):
            name = name.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
            head = b"070701" + b"".join(b"%08X" % x for x in fields) + name
            f.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

        entry(1, "dev", stat.S_IFDIR | 0o755)
        entry(2, "dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        for number, name in enumerate(sorted(names), 3):
            path = root / name
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                entry(number, name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
            elif stat.S_ISDIR(mode):
                entry(number, name, stat.S_IFDIR | 0o755)
            else:
                entry(number, name, stat.S_IFREG | (mode & 0o777), path.read_bytes())
        entry(0, "TRAILER!!!", 0)
    new.rename(out)


def compile_own(out, arch):
    flags = ["-O2", "-std=c11", "-D_GNU_SOURCE", "-static", "-pthread"]
    for source in sorted((here / "guest").glob("*.c")) + [here / "bare/mix.c"]:
        if source.name != "unit.c":
            rounds = ["-DROUNDS=2000"] if source.stem == "mix" else []
            subprocess.run([COMPILER[arch], *flags, *rounds, "-o", out / source.stem, source, "-lm"], check=True)


def make_root(tree, root, arch):
    r = Root(tree, root, TRIPLET[arch])
    for p in PROGRAMS:
        r.add(f"usr/bin/{p}")
    for link, to in (("python3", "python3.13"), ("sh", "busybox")):
        (root / "usr/bin" / link).symlink_to(to)
    libexec = f"usr/libexec/gcc/{r.triplet}/14"
    for name in (f"{libexec}/cc1", f"{libexec}/liblto_plugin.so", f"{libexec}/collect2", "usr/include",
                 f"usr/lib/gcc/{r.triplet}/14/include", f"usr/lib/{r.triplet}/perl-base"):
        r.add(name)
    python = tree / "usr/lib/python3.13"
    for f in sorted(python.iterdir()):
        if f.name.split(".")[0] in STDLIB:
            r.add(f"usr/lib/python3.13/{f.name}")
    (root / "bench/corpus").write_bytes(corpus(python))
    (root / "bench/sound.wav").write_bytes(sound(8))


def kernel_of(tree):
    data = next((tree / "boot").glob("vmlinu*")).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def add_own(root, out, arch):
    """The part that changes with the sources in bench/."""
    bench = root / "bench"
    for f in (here / "guest").iterdir():
        if f.suffix != ".c" or f.name == "unit.c":
            shutil.copy(f, root / "init" if f.name == "init" else bench / f.name)
    (root / "init").chmod(0o755)
    compile_own(bench, arch)
    names = [os.path.relpath(os.path.join(d, n), root) for d, dirs, files in os.walk(root) for n in dirs + files]
    cpio(root, [n for n in names if n != "dev"], out / "full.cpio")
    cpio(root, TINY, out / "tiny.cpio")


def own_digest():
    files = sorted((here / "guest").iterdir()) + [here / "bare/mix.c"]
    return hashlib.sha256(b"\0".join(f.name.encode() + b"\0" + f.read_bytes() for f in files)).hexdigest()


def make(arch):
    """The folder with the guest, made or brought up to date."""
    out = cache / "bench" / arch
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = out / "root.done"
        if not done.exists() or done.read_text() != RECIPE:
            done.unlink(missing_ok=True)
            for d in ("tree", "root"):
                shutil.rmtree(out / d, ignore_errors=True)
            unpack(out / "tree", SUITE, arch, PACKAGES + [KERNEL[arch]])
            make_root(out / "tree", out / "root", arch)
            (out / "kernel").write_bytes(kernel_of(out / "tree"))
            shutil.rmtree(out / "tree")
            (out / "own.done").unlink(missing_ok=True)
            done.write_text(RECIPE)
        stamp = out / "own.done"
        if not stamp.exists() or stamp.read_text() != own_digest():
            add_own(out / "root", out, arch)
            stamp.write_text(own_digest())
    return out


def newest_qemu():
    """QEMU of Debian sid, unpacked in the cache: the folder, which has its own C library too."""
    out = cache / "bench" / "qemu-sid"
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = out / "done"
        if not done.exists() or done.read_text() != RECIPE:
            shutil.rmtree(out / "tree", ignore_errors=True)
            unpack(out / "tree", "sid", "amd64", ["qemu-system-riscv", "qemu-system-x86", "opensbi", "seabios"])
            done.write_text(RECIPE)
    return out / "tree"


if __name__ == "__main__":
    print(make(*sys.argv[1:2] or ["riscv64"]))
