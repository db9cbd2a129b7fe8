# SPDX-License-Identifier: BSD-2-Clause
# libnvmm as programs get it: its header in C and C++, what the shared library exports, and a program of the form that
# NVMM's have, for both versions of the interface.
. test/tap.sh
built=$(dirname "$LODGE")
: "${CC:=cc}"

echo '#include <nvmm.h>' >"$tmp/header.c"
$CC -std=gnu11 -Wall -Wextra -Werror -Iinclude -c "$tmp/header.c" -o "$tmp/header.o"
ok $? "nvmm.h needs no other header"
if command -v c++ >/dev/null; then
	c++ -Wall -Wextra -Werror -Iinclude -x c++ -c "$tmp/header.c" -o "$tmp/header.o"
	ok $? "nvmm.h is C++"
else
	skip "nvmm.h is C++" "no C++ compiler here"
fi

if [ ! -f "$built/libnvmm.so" ]; then
	skip_all "the shared library" "it is not built"
fi
nm -D --defined-only "$built/libnvmm.so" | awk '$2 ~ /[TDBR]/ { print $3 }' | LC_ALL=C sort >"$tmp/exported"
grep -o '^int nvmm_[a-z_]*(' include/nvmm.h | sed 's/^int //; s/($//' | LC_ALL=C sort >"$tmp/stated"
is "$(cat "$tmp/exported")" "$(cat "$tmp/stated")" "what nvmm.h states is exported, and nothing else"
is "$(wc -l <"$tmp/exported")" 24 "as many functions as NetBSD's library has"
readelf -d "$built/libnvmm.so" | grep SONAME >"$tmp/soname"
has "$tmp/soname" '\[libnvmm\.so\.0\]' "its name is NetBSD's"

cat >"$tmp/use.c" <<'END'
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <nvmm.h>
static void io(struct nvmm_io *io)
{
	if (!io->in)
		putchar(*io->data);
}
int main(void)
{
	static const unsigned char code[] = { 0xb0, 'h', 0xe6, 0x10, 0xb0, 'i', 0xe6, 0x10, 0xf4 };
	struct nvmm_assist_callbacks callbacks = { .io = io };
	struct nvmm_machine mach;
	struct nvmm_vcpu vcpu;
	void *ram = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	if (nvmm_init() || nvmm_machine_create(&mach) || nvmm_vcpu_create(&mach, 0, &vcpu) ||
	    nvmm_vcpu_configure(&mach, &vcpu, NVMM_VCPU_CONF_CALLBACKS, &callbacks) ||
	    nvmm_hva_map(&mach, (uintptr_t)ram, 4096) ||
	    nvmm_gpa_map(&mach, (uintptr_t)ram, 0xfffff000, 4096, PROT_READ | PROT_EXEC))
		return 1;
	memcpy((char *)ram + 0xff0, code, sizeof code); /* the reset vector */
	do {
		if (nvmm_vcpu_run(&mach, &vcpu))
			return 2;
		if (vcpu.exit->reason == NVMM_VCPU_EXIT_IO && nvmm_assist_io(&mach, &vcpu))
			return 3;
#if NVMM_USER_VERSION >= 2 && !defined(VERSION_1)
		if (vcpu.exit->reason == NVMM_VCPU_EXIT_STOPPED)
			return 4;
#endif
	} while (vcpu.exit->reason == NVMM_VCPU_EXIT_IO || vcpu.exit->reason == NVMM_VCPU_EXIT_NONE);
	putchar('\n');
	return vcpu.exit->reason != NVMM_VCPU_EXIT_HALTED || nvmm_machine_destroy(&mach);
}
END
ln -s "$(cd "$built" && pwd)/libnvmm.so" "$tmp/libnvmm.so"
ln -s libnvmm.so "$tmp/libnvmm.so.0"
for version in 1 2; do
	$CC -Wall -Wextra -Werror -DVERSION_$version -Iinclude "$tmp/use.c" -L"$tmp" -lnvmm -o "$tmp/use" &&
		LD_LIBRARY_PATH="$tmp" timeout 20 "$tmp/use" >"$tmp/out"
	ok $? "a program for version $version runs"
	is "$(cat "$tmp/out")" "hi" "and its guest, from the reset vector"
done
for engine in soft interp; do
	LODGE_NVMM_ENGINE=$engine LD_LIBRARY_PATH="$tmp" timeout 20 "$tmp/use" >"$tmp/out"
	is "$(cat "$tmp/out")" "hi" "on the engine $engine, too"
done
finish
