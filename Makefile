# SPDX-License-Identifier: BSD-2-Clause
# Lodge.  GNU make.  `make` builds build/lodge, `make demo` boots a guest to a shell (CPU=x86_64:
# another one), `make check` runs all tests, `make bench` measures, `make install` takes PREFIX and
# DESTDIR.  Nothing here lists files: folders are globbed, and tools/list.sh makes the tables of
# devices, virtio devices, networks, CPUs, engines, machines and areas of tests.

CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
O ?= build

VERSION := $(shell sed -n 's/^.define LODGE_VERSION "\(.*\)"/\1/p' include/lodge.h)
WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla \
       -Wwrite-strings -Werror
override CPPFLAGS += -I. -I$O -D_GNU_SOURCE
ALL_CFLAGS = -std=c11 $(WARN) -fPIC -fvisibility=hidden -fno-strict-aliasing -pthread $(CFLAGS)
# Libraries that are used where they are found: to unpack kernels and images, for disks of NBD servers, for the user network
# (libslirp's .pc file wants glib's, which need not be there).
FOUND := $(foreach p,lzma lz4 zstd nbd,$(if $(shell pkg-config --exists lib$p 2>/dev/null && echo yes),$p)) \
	$(shell printf '\043include <slirp/libslirp.h>\nint main(void) { return !slirp_version_string(); }\n' | \
	$(CC) -xc -o /dev/null - -lslirp 2>/dev/null && echo slirp)
# NetBSD's and DragonFly's virtual machines.  (On Linux that library can only be ours, which is on this one.)
FOUND += $(shell [ "$$(uname -s)" != Linux ] && printf '\043include <nvmm.h>\nint main(void) { return nvmm_init(); }\n' | \
	$(CC) -xc -o /dev/null - -lnvmm 2>/dev/null && echo nvmm)
# What has none has ours.
NVMM_SO := $(if $(filter nvmm,$(FOUND)),,$O/libnvmm.so)
# HAXM, for tests of that engine, which there is for this host.
HAXM_SO := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),$O/test/haxm.so)
# Lines that a person edits, in lodge monitor: for the program alone.
EDIT := $(if $(shell pkg-config --exists libedit 2>/dev/null && echo yes),edit)
override CPPFLAGS += $(shell echo $(patsubst %,-DHAVE_%,$(FOUND) $(EDIT)) | tr a-z A-Z)
# What is large and seldom needed is loaded then: host/image/nbd_lib.h, host/net/slirp_lib.h.
LINKED := $(filter-out nbd slirp,$(FOUND))
LDLIBS += -lfdt -lz -lZydis -ljansson $(LINKED:%=-l%) -lm -pthread

KINDS = dev dev/virtio host/image host/net cpu engine machine lab
SRC = $(wildcard base/*.c fp/*.c core/*.c ir/*.c jit/*.c jit/*/*.c dev/*.c dev/*/*.c host/*.c host/*/*.c cpu/*.c \
	cpu/*/*.c engine/*.c gdb/*.c lab/*.c lab/*/*.c machine/*.c mon/*.c record/*.c lib/*.c)
LISTS = $(KINDS:%=$O/%_list.c)
X86_OPS = $(sort $(wildcard cpu/x86/*.ops))
GEN = $(patsubst %.dec,$O/%_dec.h,$(wildcard cpu/*/*.dec)) $O/cpu/x86/x86_ops.h
OBJ = $(SRC:%.c=$O/%.o) $(LISTS:%.c=%.o)
# A library of its own: NetBSD's API for virtual machines.
NVMM = $(patsubst %.c,$O/%.o,$(wildcard lib/nvmm/*.c))
CMD = $(patsubst %.c,$O/%.o,$(wildcard cmd/*.c))
TESTS = $(patsubst %.c,$O/%,$(shell find test -name '*_test.c'))

all: $O/lodge $O/liblodge.a $O/liblodge.so $O/lodge.pc $(NVMM_SO)

$O/lodge: $(CMD) $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(EDIT:%=-l%)
$O/liblodge.a: $(OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$O/liblodge.so: $(OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,liblodge.so.0 -o $@ $^ $(LDLIBS)
$O/libnvmm.so: $(NVMM) $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libnvmm.so.0 -Wl,--exclude-libs,ALL -o $@ $^ $(LDLIBS)
$O/lodge.pc: lodge.pc.in include/lodge.h
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@FOUND@|$(LINKED:%=-l%)|' lodge.pc.in > $@

$O/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$O/%_list.o: $O/%_list.c
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(LISTS): $O/%_list.c: $(SRC) tools/list.sh
	@mkdir -p $(@D)
	sh tools/list.sh $* > $@
$O/%_dec.h: %.dec tools/decgen.py
	@mkdir -p $(@D)
	python3 tools/decgen.py $< > $@.new && mv $@.new $@

$O/cpu/x86/x86_ops.h: $(X86_OPS) tools/x86gen.py
	@mkdir -p $(@D)
	python3 tools/x86gen.py $(X86_OPS) > $@.new && mv $@.new $@

# Tests: each test/**/NAME_test.c is a program; test/**/NAME_test.sh is run with the program's path.
tests: $(TESTS) $O/test/no_wx $(NVMM_SO:$O/libnvmm.so=$O/test/lodge_nvmm) $(HAXM_SO)
$O/test/no_wx: $O/test/no_wx.o
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^
$O/test/%_test: $O/test/%_test.o $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$O/test/lib/nvmm_%_test: $O/test/lib/nvmm_%_test.o $(NVMM) $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# Lodge with its engine nvmm on its own libnvmm, as on systems that have the library.
$O/test/nvmm/%.o: engine/%.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DHAVE_NVMM -Iinclude $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$O/test/lodge_nvmm: $(CMD) $(patsubst engine/%.c,$O/test/nvmm/%.o,$(wildcard engine/nvmm*.c)) $O/liblodge.a $O/libnvmm.so
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.so,$^) -L$O -lnvmm $(LDLIBS) $(EDIT:%=-l%)

# What is preloaded to be HAXM.
$O/test/haxm.so: $(patsubst %.c,$O/%.o,$(wildcard test/haxm/*.c)) $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,--exclude-libs,ALL -o $@ $^ $(LDLIBS)

# It has memory and exceptions of its own, and takes the rest of the CPU from the library.
$O/test/cpu/x86/int_test $O/test/cpu/x86/simd_native_test $O/test/cpu/x86/x87_native_test \
$O/test/cpu/x86/xsave_native_test $O/test/cpu/x86/x87_mode_test: LDFLAGS += -Wl,-z,muldefs

# Programs for developers: make build/tools/NAME.
$O/tools/%: $O/tools/%.o $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Instruction streams, traces, recordings, kernels and answers of NBD servers by libFuzzer (clang); what crashes is left in
# build-fuzz.
FUZZ_SECONDS ?= 600
FUZZ_LEN = 1024
fuzz-kernel: FUZZ_LEN = 8192
FUZZ = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz-insn fuzz-trace fuzz-record fuzz-kernel fuzz-nbd: fuzz-%:
	@mkdir -p build-fuzz/$*
	@$(MAKE) -s O=build-fuzz CC=clang CFLAGS="$(FUZZ)" build-fuzz/test/fuzz/$*_fuzz
	build-fuzz/test/fuzz/$*_fuzz -max_total_time=$(FUZZ_SECONDS) -timeout=20 -max_len=$(FUZZ_LEN) \
	    -artifact_prefix=build-fuzz/ build-fuzz/$*
$O/test/fuzz/%_fuzz: $O/test/fuzz/%_fuzz.o $O/liblodge.a
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

check:
	@tools/deps.sh check
	@tools/check.sh

# The engine on KVM, where there is none: in a machine that QEMU imitates; takes minutes.
check-kvm:
	@tools/deps.sh check-kvm
	@$(MAKE) -s $O/lodge $(patsubst test/%.c,$O/test/%,$(wildcard test/lib/nvmm_*_test.c)) >&2
	@KVM=all LODGE=$O/lodge sh test/boot/kvm_test.sh
	@KVM=all LODGE=$O/lodge sh test/boot/kvm_nvmm_test.sh
	@KVM=all sh test/boot/kvm_riscv64_test.sh

demo:
	@tools/deps.sh demo
	@$(MAKE) -s $O/lodge >&2
	@tools/demo.sh $O/lodge $(CPU)

bench:
	@tools/deps.sh bench
	@$(MAKE) -s $O/lodge >&2
	@LODGE=$O/lodge bench/bench.py $(if $(CPU),-c $(CPU)) $(BENCH) -o $O/bench.json
	@bench/plot.py $O/bench.json > $O/performance.md
	@echo "bench: wrote $O/bench.json and $O/performance.md (to keep: doc/performance.md)" >&2

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 755 $O/lodge $(DESTDIR)$(PREFIX)/bin/lodge
	install -m 644 $O/liblodge.a $(DESTDIR)$(PREFIX)/lib/liblodge.a
	install -m 755 $O/liblodge.so $(DESTDIR)$(PREFIX)/lib/liblodge.so.0
	ln -sf liblodge.so.0 $(DESTDIR)$(PREFIX)/lib/liblodge.so
ifneq ($(NVMM_SO),)
	install -m 755 $(NVMM_SO) $(DESTDIR)$(PREFIX)/lib/libnvmm.so.0
	ln -sf libnvmm.so.0 $(DESTDIR)$(PREFIX)/lib/libnvmm.so
	install -m 644 include/nvmm.h $(DESTDIR)$(PREFIX)/include/nvmm.h
endif
	install -m 644 $O/lodge.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/lodge.pc
	install -m 644 include/lodge.h $(DESTDIR)$(PREFIX)/include/lodge.h
	install -m 644 doc/lodge.1 doc/lodge-img.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 doc/vm.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/vm.conf.5
	install -d $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 doc/libnvmm.3 $(DESTDIR)$(PREFIX)/share/man/man3/libnvmm.3
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/systemd/user \
	    $(DESTDIR)$(PREFIX)/share/examples/lodge/rc.d
	for d in system user; do \
		sed -e 's|@PREFIX@|$(PREFIX)|' share/systemd/lodge@.service \
		    >"$(DESTDIR)$(PREFIX)/lib/systemd/$$d/lodge@.service"; done
	for s in netbsd freebsd openbsd; do \
		sed -e 's|@PREFIX@|$(PREFIX)|' share/rc.d/lodge.$$s \
		    >"$(DESTDIR)$(PREFIX)/share/examples/lodge/rc.d/lodge.$$s"; done
	install -m 644 share/completion/lodge.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lodge
	install -m 644 share/completion/_lodge $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_lodge

clean:
	rm -rf $O build-*

.PHONY: all tests check fuzz-insn fuzz-trace fuzz-record fuzz-kernel fuzz-nbd demo bench install clean
.SECONDARY:
-include $(OBJ:.o=.d) $(NVMM:.o=.d) $(CMD:.o=.d) $(TESTS:%=%.d) $(wildcard $O/test/haxm/*.d $O/test/nvmm/*.d)
