# SPDX-License-Identifier: BSD-2-Clause
# Lodge.  GNU make.  `make` builds build/lodge; `make demo` boots a guest; `make check` tests.
# Nothing here lists files: folders are globbed, tables are made by tools/list.sh.

CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
O ?= build

WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla \
       -Wwrite-strings -Werror
CPPFLAGS += -I. -I$O -D_GNU_SOURCE
ALL_CFLAGS = -std=c11 $(WARN) -fPIC -fvisibility=hidden -fno-strict-aliasing -pthread $(CFLAGS)
LDLIBS += -lfdt -lz -lm -pthread

KINDS = dev cpu engine machine
SRC = $(wildcard base/*.c fp/*.c core/*.c ir/*.c dev/*.c dev/*/*.c host/*.c cpu/*.c cpu/*/*.c \
	engine/*.c machine/*.c lib/*.c)
LISTS = $(KINDS:%=$O/%_list.c)
DECS = $(wildcard cpu/*/*.dec)
GEN = $(DECS:%.dec=$O/%_dec.h)
OBJ = $(SRC:%.c=$O/%.o) $(LISTS:%.c=%.o)
CMD = $(patsubst %.c,$O/%.o,$(wildcard cmd/*.c))

all: $O/lodge $O/liblodge.a $O/liblodge.so

$O/lodge: $(CMD) $O/liblodge.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$O/liblodge.a: $(OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$O/liblodge.so: $(OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,liblodge.so.0 -o $@ $^ $(LDLIBS)

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
	python3 tools/decgen.py $< > $@

clean:
	rm -rf $O

.PHONY: all clean
.SECONDARY:
-include $(OBJ:.o=.d) $(CMD:.o=.d)
