/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O ports: SDM volume 1, 19; volume 2, IN, INS, OUT, OUTS. */
#include "test/cpu/x86/sys_rig.h"

/* A device that remembers: it answers one size only. */
struct port {
	uint64_t val, written[8];
	unsigned off[8], n;
};

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct port *p = dev;

	(void)size;
	return p->val + off;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct port *p = dev;

	(void)size;
	assert_true(p->n < ARRAY_LEN(p->written));
	p->off[p->n] = (unsigned)off;
	p->written[p->n++] = val;
}

static const struct io_ops bytes = { port_read, port_write, 1, 1 };
static const struct io_ops words = { port_read, port_write, 2, 2 };
static const struct io_ops dwords = { port_read, port_write, 4, 4 };

static struct rig *ports(struct port *b, struct port *w, struct port *d)
{
	struct rig *r = rig_new(NULL);
	struct err e;

	assert_int_equal(bus_map(r->env.ports, "b", 0x60, 8, &bytes, b, NULL, &e), 0);
	assert_int_equal(bus_map(r->env.ports, "w", 0x100, 8, &words, w, NULL, &e), 0);
	assert_int_equal(bus_map(r->env.ports, "d", 0x200, 8, &dwords, d, NULL, &e), 0);
	return r;
}

static void test_sizes(void **state)
{
	struct port b = { .val = 0x30 }, w = { .val = 0x4000 }, d = { .val = 0x50000000 };
	struct rig *r = ports(&b, &w, &d);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	assert_int_equal(x86_in(s, 0x61, 1), 0x31);
	assert_int_equal(x86_in(s, 0x60, 4), 0x33323130);
	assert_int_equal(x86_in(s, 0x100, 2), 0x4000);
	assert_int_equal(x86_in(s, 0x100, 4), 0x40024000);
	assert_int_equal(x86_in(s, 0x100, 1), 0xff);
	assert_int_equal(x86_in(s, 0x200, 4), 0x50000000);
	assert_int_equal(x86_in(s, 0x200, 2), 0xffff);
	assert_int_equal(x86_in(s, 0x67, 2), 0xff37); /* across the end */
	assert_int_equal(x86_in(s, 0x300, 4), UINT32_MAX);
	assert_int_equal(x86_in(s, 0xffff, 2), 0xffff);
	s->r[X86_RAX] = 0x1122334455667788;
	s->r[X86_RDX] = 0x61;
	assert_int_equal(rig_insn(r, "ec"), RIG_DONE); /* in al, dx */
	assert_int_equal(s->r[X86_RAX], 0x1122334455667731);
	assert_int_equal(rig_insn(r, "e5 60"), RIG_DONE); /* in eax, 0x60 */
	assert_int_equal(s->r[X86_RAX], 0x33323130);
	assert_int_equal(rig_insn(r, "e7 60"), RIG_DONE); /* out 0x60, eax */
	assert_int_equal(b.n, 4);
	assert_int_equal(b.written[0], 0x30);
	assert_int_equal(b.written[3], 0x33);
	assert_int_equal(b.off[3], 3);
	s->r[X86_RDX] = 0x102;
	assert_int_equal(rig_insn(r, "66 ef"), RIG_DONE); /* out dx, ax */
	assert_int_equal(w.n, 1);
	assert_int_equal(w.written[0], 0x3130);
	assert_int_equal(w.off[0], 2);
	rig_free(r);
}

/* The permission map (19.5.2): CPL above IOPL, and virtual-8086 mode whatever the IOPL. */
static const struct permission_case {
	const char *what;
	unsigned iopl;
	bool vm86;
	uint32_t limit; /* of the TSS */
	unsigned base;
	uint16_t port;
	unsigned size, denied; /* a bit of the map that is set */
	bool ok;
} permissions[] = {
	{ "IOPL 3", 3, false, 0x67, 0x68, 0x60, 1, 0x60, true },
	{ "no map", 0, false, 0x67, 0x68, 0x60, 1, 0x1000, false },
	{ "allowed", 0, false, 0x7ff, 0x68, 0x60, 1, 0x61, true },
	{ "denied", 0, false, 0x7ff, 0x68, 0x60, 1, 0x60, false },
	{ "one of two", 0, false, 0x7ff, 0x68, 0x60, 2, 0x61, false },
	{ "one of four", 0, false, 0x7ff, 0x68, 0x60, 4, 0x63, false },
	{ "across bytes", 0, false, 0x7ff, 0x68, 0x67, 2, 0x68, false },
	{ "next to it", 0, false, 0x7ff, 0x68, 0x67, 2, 0x69, true },
	{ "the map's end", 0, false, 0x68 + 12, 0x68, 0x5f, 1, 0x1000, true },
	{ "beyond its end", 0, false, 0x68 + 12, 0x68, 0x60, 1, 0x1000, false },
	{ "virtual-8086 mode", 3, true, 0x7ff, 0x68, 0x60, 1, 0x60, false },
	{ "virtual-8086 mode, allowed", 0, true, 0x7ff, 0x68, 0x60, 1, 0x61, true },
	{ "no room for the base", 0, false, 0x66, 0x68, 0x60, 1, 0x1000, false },
};

static bool is_permitted(struct rig *r, uint16_t port, unsigned size)
{
	if (setjmp(r->s->trap)) {
		assert_int_equal(r->s->raised_vector, X86_GP);
		assert_int_equal(r->s->raised_error, 0);
		return false;
	}
	x86_check_io(r->s, port, size);
	return true;
}

static void test_permissions(void **state)
{
	const struct permission_case *c;
	struct rig *r;

	(void)state;
	for (c = permissions; c < permissions + ARRAY_LEN(permissions); c++) {
		r = rig_new(NULL);
		rig_protect(r, 3);
		r->s->tr.limit = c->limit;
		rig_put(r, RIG_TSS + 0x66, c->base, 2);
		if (c->denied < 0x1000)
			rig_put(r, RIG_TSS + c->base + c->denied / 8, 1u << c->denied % 8, 1);
		r->s->eflags |= (uint64_t)c->iopl << 12 | (c->vm86 ? FLAG_VM : 0);
		x86_mode_changed(r->s);
		if (is_permitted(r, c->port, c->size) != c->ok)
			fail_msg("%s", c->what);
		rig_free(r);
	}
	r = rig_new(NULL);
	rig_protect(r, 3);
	r->s->tr.attr = (r->s->tr.attr & ~15u) | DESC_TSS16_BUSY; /* has no map */
	assert_int_equal(rig_insn(r, "e4 60"), X86_GP);
	assert_int_equal(rig_insn(r, "6c"), X86_GP);
	rig_free(r);
}

/* String I/O: an iteration at a time; rip stays as long as there are more. */
static void test_strings(void **state)
{
	struct port b = { .val = 0x30 }, w = { .val = 0x4142 }, d = { 0 };
	struct rig *r = ports(&b, &w, &d);
	struct x86 *s = r->s;
	unsigned n;

	(void)state;
	rig_protect(r, 0);
	s->r[X86_RDX] = 0x100;
	s->r[X86_RCX] = 3;
	s->r[X86_RDI] = 0x6000;
	for (n = 1; n < 3; n++) {
		assert_int_equal(rig_insn(r, "f3 66 6d"), RIG_DONE); /* rep insw */
		assert_int_equal(s->rip, RIG_CODE);
		assert_int_equal(s->r[X86_RCX], 3 - n);
	}
	assert_int_equal(rig_insn(r, "f3 66 6d"), RIG_DONE);
	assert_int_equal(s->rip, RIG_CODE + 3);
	assert_int_equal(s->r[X86_RDI], 0x6006);
	assert_int_equal(rig_get(r, 0x6004, 2), 0x4142);
	assert_int_equal(rig_insn(r, "f3 66 6d"), RIG_DONE); /* nothing left */
	assert_int_equal(s->r[X86_RDI], 0x6006);
	/* Backwards, 16-bit addresses, another segment. */
	s->rip = RIG_CODE;
	s->eflags |= FLAG_DF;
	s->r[X86_RDX] = 0x62;
	s->r[X86_RSI] = 0x12340000;
	x86_set_base(s, X86_FS, 0x6000);
	rig_put(r, 0x6000, 0x99, 1);
	assert_int_equal(rig_insn(r, "64 67 6e"), RIG_DONE); /* outsb fs:[si] */
	assert_int_equal(b.written[0], 0x99);
	assert_int_equal(s->r[X86_RSI], 0x1234ffff);
	/* INS to a page that may not be written asks the port nothing, and counts nothing. */
	rig_load(r, X86_ES, RIG_CODE0);
	x86_mode_changed(s);
	s->r[X86_RCX] = 2;
	assert_int_equal(rig_insn(r, "f3 66 6d"), X86_GP);
	assert_int_equal(s->r[X86_RCX], 2);
	assert_int_equal(s->r[X86_RDI], 0x6006);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
