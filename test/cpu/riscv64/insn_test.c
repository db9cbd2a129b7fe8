/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the instruction texts beside this file, NAME.txt, on the interpreter and through IR.  A line
 * is
 *
 *     STATE ; WORDS [assembly, for people] ; STATE
 *
 * with the state before, the instructions (4 or 8 hexadecimal digits each, placed at pc), and the
 * state after; '#' starts a comment.  STATE is KEY=VALUE...:
 *     x1= f1= pc= mode= fcsr= mstatus= ...  by the names of struct rv_regs, arrays with an index
 *     b[A]= h[A]= w[A]= d[A]=               1, 2, 4 or 8 bytes of memory at physical address A
 *     trap=CAUSE,TVAL                       (after) the last instruction raises this, into M mode
 *     retired=N                             (after) not all of the instructions retire
 * A value is a number, or h:, s: or d: and a decimal number or bits (0x), which is NaN-boxed.
 * Before a line all x and f registers hold rubbish, mode is M, pc RAM's start, FS dirty, mtvec
 * RAM's start + 0x800, and PMP lets all through.  What the state after does not say has to be as
 * before, but for pc, which is behind the words.
 *
 * Every instruction must be in some line.
 */
#define RV_NAMES
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "core/state.h"
#include "cpu/riscv64/riscv64_dec.h"
#include "fp/fp.h"
#include "test/cpu/riscv64/step.h"

enum { MAX_WORDS = 16, MTVEC = 0x80000800 };

struct text_case {
	const char *where; /* file:line */
	struct rv_regs before, after;
	uint64_t last; /* pc of the last instruction */
	unsigned nwords, retired;
	uint8_t *ram_before, *ram_after;
};

/* What main finds and the tests share. */
struct texts {
	char where[512];
	bool seen[RV_NOPS];
	struct rig rig;
	struct text_case c;
	unsigned bad, lines;
};

static void reset_state(struct texts *t)
{
	struct text_case *c = &t->c;
	unsigned i;

	cpu_riscv64.reset(t->rig.cpu);
	cpu_riscv64.get(t->rig.cpu, RV_REGS_ALL, &c->before);
	for (i = 1; i < 32; i++)
		c->before.x[i] = 0xdead000000000000 + i;
	for (i = 0; i < 32; i++)
		c->before.f[i] = 0xbeef000000000000 + i;
	c->before.pc = RIG_RAM;
	c->before.mode = RV_M;
	c->before.mtvec = MTVEC;
	c->before.mstatus |= MSTATUS_FS | MSTATUS_VS | MSTATUS_SD;
	c->before.pmpaddr[0] = UINT64_MAX >> 10;
	c->before.pmpcfg[0] = 0x1f;
	memset(c->ram_before, 0, RIG_SIZE);
}

/* "0x10", "-3", "s:1.5", "d:0x7ff0000000000000" */
static uint64_t value(const char *text)
{
	char *end;
	uint64_t bits;
	double d;
	float f;
	struct fp_env e = { 0 };

	if (text[0] && text[1] == ':') {
		if (strncmp(text + 2, "0x", 2) == 0) {
			bits = strtoull(text + 2, &end, 16);
		} else {
			d = strtod(text + 2, &end);
			f = (float)d;
			memcpy(&bits, &d, 8);
			if (text[0] == 'h')
				bits = fp_convert(FP_H, FP_D, bits, &e);
			if (text[0] == 's')
				memcpy(&bits, &f, 4);
		}
		if (text[0] == 's')
			bits = (uint32_t)bits | ~0ull << 32;
		if (text[0] == 'h')
			bits = (uint16_t)bits | ~0ull << 16;
	} else {
		bits = strtoull(text, &end, 0);
	}
	if (*end)
		fail_msg("what is the value %s?", text);
	return bits;
}

static void set_memory(uint8_t *ram, const char *key, uint64_t val)
{
	unsigned size = *key == 'b' ? 1 : *key == 'h' ? 2 : *key == 'w' ? 4 : 8;
	uint64_t at = strtoull(key + 2, NULL, 16) - RIG_RAM;

	if (at > RIG_SIZE - size)
		fail_msg("no RAM at %s", key);
	put_le(ram + at, val, size);
}

static void set_register(struct rv_regs *regs, const char *key, uint64_t val)
{
	const struct field *f;
	size_t len;
	unsigned long n;
	char *end;

	for (f = cpu_riscv64.regs; f->name; f++) {
		len = strlen(f->name);
		if (strncmp(key, f->name, len) != 0)
			continue;
		n = f->count > 1 ? strtoul(key + len, &end, 10) : 0;
		if ((f->count > 1 ? *end || end == key + len : key[len]) || n >= f->count)
			continue;
		put_le((uint8_t *)regs + f->offset + n * f->size, val, f->size);
		return;
	}
	fail_msg("what is %s?", key);
}

/* The architecture's trap entry from M mode's point of view (volume II, 3.1.6, 3.1.15). */
static void expect_trap(struct text_case *c, const char *text)
{
	const char *comma = strchr(text, ',');
	struct rv_regs *r = &c->after;

	assert_non_null(comma);
	c->retired = c->nwords - 1;
	r->mcause = strtoull(text, NULL, 0);
	r->mtval = value(comma + 1);
	r->mepc = c->last;
	r->pc = c->before.mtvec;
	r->mstatus &= ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE);
	r->mstatus |= (uint64_t)c->before.mode << 11;
	r->mstatus |= c->before.mstatus & MSTATUS_MIE ? MSTATUS_MPIE : 0;
	r->mode = RV_M;
}

static void parse_state(struct text_case *c, char *text, bool after)
{
	char *save, *word;

	for (word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		char *eq = strchr(word, '=');

		if (!eq)
			fail_msg("what is %s?", word);
		*eq = 0;
		if (strcmp(word, "trap") == 0) {
			expect_trap(c, eq + 1);
		} else if (strcmp(word, "retired") == 0) {
			c->retired = (unsigned)value(eq + 1);
		} else if (word[1] == '[') {
			set_memory(after ? c->ram_after : c->ram_before, word, value(eq + 1));
		} else {
			set_register(after ? &c->after : &c->before, word, value(eq + 1));
		}
	}
}

/* Puts the instructions at pc (which virtual memory maps to the same place, or the text does). */
static void parse_words(struct texts *t, char *text)
{
	struct text_case *c = &t->c;
	uint64_t at = c->before.pc;
	struct rv_args args;
	char *save, *word;

	c->nwords = 0;
	for (word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		size_t digits = strspn(word, "0123456789abcdef");
		uint32_t bits = (uint32_t)strtoul(word, NULL, 16);

		if ((digits != 4 && digits != 8) || word[digits])
			break;
		t->seen[digits == 4 ? rv_decode16(bits, &args) : rv_decode32(bits, &args)] = true;
		put_le(c->ram_before + (at & (RIG_SIZE - 1)), bits, (unsigned)digits / 2);
		c->last = at;
		at += digits / 2;
		c->nwords++;
	}
	assert_true(c->nwords > 0);
	c->after.pc = at;
	c->retired = c->nwords;
}

static void compare(struct texts *t, const char *how)
{
	const struct rig *r = &t->rig;
	const struct text_case *c = &t->c;
	const struct field *f;
	struct rv_regs got;
	uint64_t a, b;
	unsigned i;

	memset(&got, 0, sizeof got);
	cpu_riscv64.get(r->cpu, RV_REGS_ALL, &got);
	for (f = cpu_riscv64.regs; f->name; f++) {
		if (strcmp(f->name, "mcycle") == 0 || strcmp(f->name, "minstret") == 0)
			continue;
		for (i = 0; i < f->count; i++) {
			a = get_le((uint8_t *)&got + f->offset + i * f->size, f->size);
			b = get_le((uint8_t *)&c->after + f->offset + i * f->size, f->size);
			if (a == b)
				continue;
			print_error("%s: %s[%u] is 0x%" PRIx64 ", want 0x%" PRIx64 " (%s)\n",
			    t->where, f->name, i, a, b, how);
			t->bad++;
		}
	}
	for (i = 0; memcmp(r->ram, c->ram_after, RIG_SIZE) && i < RIG_SIZE; i++) {
		if (r->ram[i] == c->ram_after[i])
			continue;
		print_error("%s: the byte at 0x%" PRIx64 " is 0x%x, want 0x%x (%s)\n", t->where,
		    (uint64_t)RIG_RAM + i, r->ram[i], c->ram_after[i], how);
		t->bad++;
		break;
	}
	if (rv_retired(r->s) != c->retired) {
		print_error(
		    "%s: %" PRIu64 " instructions retired (%s)\n", t->where, rv_retired(r->s), how);
		t->bad++;
	}
}

static void load_case(struct texts *t)
{
	cpu_riscv64.reset(t->rig.cpu);
	assert_int_equal(mem_write(t->rig.mem, RIG_RAM, t->c.ram_before, RIG_SIZE), 0);
	assert_int_equal(cpu_riscv64.set(t->rig.cpu, RV_REGS_ALL, &t->c.before), 0);
}

static void run_case(struct texts *t)
{
	struct exit x;

	load_case(t);
	cpu_riscv64.run(t->rig.cpu, &x, t->c.nwords);
	compare(t, "executed");
	load_case(t);
	step_ir(t->rig.s, t->c.nwords);
	compare(t, "through IR");
}

static void run_line(struct texts *t, char *line)
{
	struct text_case *c = &t->c;
	char *words, *after;
	uint64_t behind;

	line[strcspn(line, "#\n")] = 0;
	if (!line[strspn(line, " \t")])
		return;
	words = strchr(line, ';');
	after = words ? strchr(words + 1, ';') : NULL;
	if (!after)
		fail_msg("%s: want two semicolons", t->where);
	*words++ = *after++ = 0;
	reset_state(t);
	parse_state(c, line, false);
	parse_words(t, words);
	behind = c->after.pc;
	/* The state before as the CPU takes it: WARL fields. */
	cpu_riscv64.set(t->rig.cpu, RV_REGS_ALL, &c->before);
	cpu_riscv64.get(t->rig.cpu, RV_REGS_ALL, &c->after);
	memcpy(c->ram_after, c->ram_before, RIG_SIZE);
	c->after.pc = behind;
	parse_state(c, after, true);
	run_case(t);
	t->lines++;
}

static void run_file(struct texts *t, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	unsigned n;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	for (n = 1; fgets(line, sizeof line, f); n++) {
		snprintf(t->where, sizeof t->where, "%s:%u", path, n);
		run_line(t, line);
	}
	fclose(f);
}

static void texts_hold(void **state)
{
	struct texts *t = calloc(1, sizeof *t);
	glob_t g;
	unsigned i;

	(void)state;
	rig_new(&t->rig, false, false);
	t->c.ram_before = malloc(RIG_SIZE);
	t->c.ram_after = malloc(RIG_SIZE);
	assert_int_equal(glob("test/cpu/riscv64/*.txt", 0, NULL, &g), 0);
	for (i = 0; i < g.gl_pathc; i++)
		run_file(t, g.gl_pathv[i]);
	globfree(&g);
	for (i = 0; i < RV_NOPS; i++)
		if (!t->seen[i]) {
			print_error("no line tests %s\n", rv_names[i]);
			t->bad++;
		}
	print_message("%u lines\n", t->lines);
	i = t->bad;
	rig_free(&t->rig);
	free(t->c.ram_before);
	free(t->c.ram_after);
	free(t);
	if (i)
		fail_msg("%u differences", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
