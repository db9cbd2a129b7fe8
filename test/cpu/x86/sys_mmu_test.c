/* SPDX-License-Identifier: BSD-2-Clause */
/* Paging: SDM volume 3, 4.  One address in each mode, with tables that the test makes. */
#include "test/cpu/x86/sys_rig.h"

#define P   1ull
#define RW  2ull
#define US  4ull
#define A   0x20ull
#define D   0x40ull
#define PS  0x80ull
#define G   0x100ull
#define XD  (1ull << 63)
#define ALL (P | RW | US)

enum { TABLES = 0x20000, PAGE = 0x200000 }; /* 4 KiB a level, from the root on */

static const struct mode {
	const char *name;
	uint64_t cr4, efer;
	unsigned levels; /* tables that a walk reads, PDPTEs of PAE not among them */
	unsigned size, bits;
	unsigned page; /* log2 */
} modes[] = {
	{ "32-bit", 0, 0, 2, 4, 10, 12 },
	{ "32-bit, 4 MiB", CR4_PSE, 0, 1, 4, 10, 22 },
	{ "PAE", CR4_PAE, 0, 2, 8, 9, 12 },
	{ "PAE, 2 MiB", CR4_PAE, 0, 1, 8, 9, 21 },
	{ "4 levels", CR4_PAE, EFER_LMA | EFER_LME, 4, 8, 9, 12 },
	{ "4 levels, 2 MiB", CR4_PAE, EFER_LMA | EFER_LME, 3, 8, 9, 21 },
	{ "4 levels, 1 GiB", CR4_PAE, EFER_LMA | EFER_LME, 2, 8, 9, 30 },
	{ "5 levels", CR4_PAE | CR4_LA57, EFER_LMA | EFER_LME, 5, 8, 9, 12 },
	{ "5 levels, 2 MiB", CR4_PAE | CR4_LA57, EFER_LMA | EFER_LME, 4, 8, 9, 21 },
};

static uint64_t linear_of(const struct mode *m)
{
	if (m->cr4 & CR4_LA57)
		return 0xff5a812345678abc;
	return m->efer ? 0xffffa12345678abc : 0x85678abc;
}

static uint64_t entry_at(const struct mode *m, unsigned n)
{
	unsigned shift = m->page + m->bits * (m->levels - 1 - n);
	uint64_t index = linear_of(m) >> shift & ((1u << m->bits) - 1);

	return TABLES + 0x1000 * n + index * m->size;
}

/* attr[n]: of the entry of level n, from the root on. */
static void map(struct rig *r, const struct mode *m, const uint64_t *attr)
{
	unsigned n;

	for (n = 0; n < m->levels; n++) {
		bool leaf = n == m->levels - 1;
		uint64_t to = leaf ? (m->page < 30 ? PAGE * 2 : 0) : TABLES + 0x1000 * (n + 1);

		rig_put(r, entry_at(m, n), to | attr[n] | (leaf && m->page > 12 ? PS : 0), m->size);
	}
}

static struct rig *paging(const struct mode *m, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct rig *r = rig_new("x86-64-v3,+la57");
	struct x86 *s = r->s;

	rig_protect(r, 0);
	s->cr3 = TABLES;
	s->cr4 = m->cr4 | cr4;
	s->efer = m->efer | efer;
	s->cr0 |= CR0_PG | cr0;
	s->pdpte[linear_of(m) >> 30 & 3] = TABLES | P;
	return r;
}

/* 4.6.1, spelled out. */
static bool allowed(
    enum x86_context ctx, enum x86_access how, uint64_t rights, bool xd, bool wp, bool smep)
{
	bool user = rights & US, write = rights & RW;

	if (ctx == X86_CTX_USER) {
		if (!user)
			return false;
		return how == X86_LOAD || (how == X86_STORE ? write : !xd);
	}
	if (how == X86_FETCH)
		return !xd && !(user && smep);
	if (user && ctx == X86_CTX_SMAP)
		return false;
	return how == X86_LOAD || write || !wp;
}

static void check_one(const struct mode *m, unsigned bits, unsigned level)
{
	bool wp = bits & 1, smep = bits & 2, nxe = bits & 4, xd = bits & 8 && m->size == 8 && nxe;
	uint64_t rights = (bits & 16 ? RW : 0) | (bits & 32 ? US : 0), attr[5];
	struct rig *r = paging(m, wp ? CR0_WP : 0, smep ? CR4_SMEP : 0, nxe ? EFER_NXE : 0);
	unsigned n, ctx, how;

	for (ctx = 0; ctx < X86_NCTX; ctx++)
		for (how = X86_FETCH; how <= X86_STORE; how++) {
			bool ok = allowed(
			    (enum x86_context)ctx, (enum x86_access)how, rights, xd, wp, smep);
			struct x86_where w;
			uint32_t error = 0, want;
			int got;

			for (n = 0; n < m->levels; n++)
				attr[n] = n == level ? P | rights | (xd ? XD : 0) : ALL;
			map(r, m, attr);
			got = x86_translate(r->s, (enum x86_context)ctx, linear_of(m),
			    (enum x86_access)how, &w, &error);
			want = X86_PF_P | (how == X86_STORE ? X86_PF_W : 0) |
			       (ctx == X86_CTX_USER ? X86_PF_U : 0);
			if (how == X86_FETCH && (smep || (nxe && m->cr4 & CR4_PAE)))
				want |= X86_PF_I;
			if (got != !ok || (got && error != want))
				fail_msg("%s, level %u, %#x, context %u, access %u: %d, %#x",
				    m->name, level, bits, ctx, how, got, error);
			for (n = 0; n < m->levels; n++) {
				uint64_t pte = rig_get(r, entry_at(m, n), m->size);
				bool leaf = n == m->levels - 1;
				uint64_t used = ok ? A | (leaf && how == X86_STORE ? D : 0) : 0;

				assert_int_equal(pte & (A | D), used);
			}
			if (!ok)
				continue;
			assert_int_equal(w.bits, m->page);
			assert_int_equal(w.writable,
			    how == X86_STORE &&
				allowed((enum x86_context)ctx, X86_STORE, rights, xd, wp, smep));
			assert_int_equal(w.pa, (m->page < 30 ? PAGE * 2 : 0) +
						   (linear_of(m) & ((1ull << m->page) - 1)));
		}
	rig_free(r);
}

static void test_rights(void **state)
{
	unsigned n, bits, level;

	(void)state;
	for (n = 0; n < ARRAY_LEN(modes); n++)
		for (level = 0; level < modes[n].levels; level++)
			for (bits = 0; bits < 64; bits++)
				check_one(&modes[n], bits, level);
}

/* Not present at each level: P is clear in the error code, and nothing is marked. */
static void test_not_present(void **state)
{
	unsigned n, level, k;

	(void)state;
	for (n = 0; n < ARRAY_LEN(modes); n++)
		for (level = 0; level < modes[n].levels; level++) {
			const struct mode *m = &modes[n];
			struct rig *r = paging(m, CR0_WP, 0, 0);
			uint64_t attr[5];
			struct x86_where w;
			uint32_t error;

			for (k = 0; k < m->levels; k++)
				attr[k] = k == level ? RW | US : ALL;
			map(r, m, attr);
			assert_int_equal(
			    x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_STORE, &w, &error),
			    1);
			assert_int_equal(error, X86_PF_W | X86_PF_U);
			assert_int_equal(rig_get(r, entry_at(m, 0), m->size) & A, 0);
			rig_free(r);
		}
}

/* Reserved bits (tables 4-4 to 4-20); the model has 40 bits of physical address. */
static const struct reserved_case {
	const char *mode;
	unsigned level; /* from the root on */
	uint64_t bits;
	bool reserved;
	const char *model;
} reserved[] = {
	{ "32-bit", 0, PS, false, NULL },
	{ "32-bit, 4 MiB", 0, 1 << 12, false, NULL },
	{ "32-bit, 4 MiB", 0, 1 << 21, true, NULL },
	{ "32-bit, 4 MiB", 0, 1 << 20, false, NULL },
	{ "32-bit, 4 MiB", 0, 1 << 13, true, "x86-64-v3,-pse36" },
	{ "PAE", 0, 1ull << 40, true, NULL },
	{ "PAE", 1, 1ull << 62, true, NULL },
	{ "PAE", 1, XD, true, NULL },
	{ "PAE, 2 MiB", 0, 1 << 13, true, NULL },
	{ "PAE, 2 MiB", 0, 1 << 20, true, NULL },
	{ "PAE, 2 MiB", 0, 1 << 12, false, NULL },
	{ "4 levels", 0, PS, true, NULL },
	{ "4 levels", 0, 1ull << 40, true, NULL },
	{ "4 levels", 0, 1ull << 51, true, NULL },
	{ "4 levels", 0, 1ull << 52, false, NULL },
	{ "4 levels", 3, 1ull << 62, false, NULL },
	{ "4 levels", 3, PS, false, NULL },
	{ "4 levels", 2, XD, true, NULL },
	{ "4 levels, 2 MiB", 2, 1 << 13, true, NULL },
	{ "4 levels, 2 MiB", 2, 1 << 12, false, NULL },
	{ "4 levels, 1 GiB", 1, 1 << 29, true, NULL },
	{ "4 levels, 1 GiB", 1, 1 << 12, false, NULL },
	{ "4 levels, 1 GiB", 1, 0, true, "x86-64-v3,-pdpe1gb" },
	{ "5 levels", 0, PS, true, NULL },
	{ "5 levels", 1, PS, true, NULL },
};

static void test_reserved(void **state)
{
	const struct reserved_case *c;
	unsigned n, k;

	(void)state;
	for (c = reserved; c < reserved + ARRAY_LEN(reserved); c++)
		for (n = 0; n < ARRAY_LEN(modes); n++) {
			const struct mode *m = &modes[n];
			struct rig *r;
			uint64_t attr[5];
			struct x86_where w;
			uint32_t error = 0;
			struct err e;
			int got;

			if (strcmp(c->mode, m->name) != 0)
				continue;
			r = paging(m, CR0_WP, 0, 0);
			if (c->model)
				assert_int_equal(x86_model_parse(&r->model, c->model, &e), 0);
			for (k = 0; k < m->levels; k++)
				attr[k] = ALL | (k == c->level ? c->bits : 0);
			map(r, m, attr);
			got = x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_LOAD, &w, &error);
			if (got != c->reserved ||
			    (got && error != (X86_PF_P | X86_PF_RSVD | X86_PF_U)))
				fail_msg("%s, level %u, %#llx: %d, %#x", m->name, c->level,
				    (unsigned long long)c->bits, got, error);
			rig_free(r);
		}
}

/* 4.3: bits 39 to 32 of the address of a 4 MiB page. */
static void test_pse36(void **state)
{
	struct rig *r = paging(&modes[1], 0, 0, 0);
	struct x86_where w;
	uint32_t error;

	(void)state;
	rig_put(r, entry_at(&modes[1], 0), 0x12400000 | 0xa5 << 13 | PS | ALL, 4);
	assert_int_equal(
	    x86_translate(r->s, X86_CTX_SUPER, linear_of(&modes[1]), X86_LOAD, &w, &error), 0);
	assert_int_equal(w.pa, 0xa512400000 + (linear_of(&modes[1]) & 0x3fffff));
	rig_free(r);
}

/* G counts with CR4.PGE; a table where no RAM is reads as all ones. */
static void test_global_and_holes(void **state)
{
	const struct mode *m = &modes[4];
	struct rig *r = paging(m, 0, 0, 0);
	const uint64_t attr[] = { ALL, ALL, ALL, ALL | G };
	struct x86_where w;
	uint32_t error;

	(void)state;
	map(r, m, attr);
	assert_int_equal(x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_LOAD, &w, &error), 0);
	assert_false(w.global);
	r->s->cr4 |= CR4_PGE;
	assert_int_equal(x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_LOAD, &w, &error), 0);
	assert_true(w.global);
	/* D is set already: a load may fill a store entry, too. */
	rig_put(r, entry_at(m, 3), rig_get(r, entry_at(m, 3), 8) | D, 8);
	assert_int_equal(x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_LOAD, &w, &error), 0);
	assert_true(w.writable);
	rig_put(r, entry_at(m, 2), RIG_RAM | ALL, 8);
	assert_int_equal(x86_translate(r->s, X86_CTX_USER, linear_of(m), X86_LOAD, &w, &error), 1);
	assert_int_equal(error, X86_PF_P | X86_PF_RSVD | X86_PF_U);
	rig_free(r);
}

/* 4.10.2.3, 4.10.4.1: INVLPG of one address in a large page invalidates all of it. */
static void test_invalidate_large(void **state)
{
	static const uint64_t attr[] = { ALL, ALL, ALL };
	const struct mode *m;
	struct rig *r;

	(void)state;
	for (m = modes; m < modes + ARRAY_LEN(modes); m++) {
		const uint64_t linear = linear_of(m) & ~0xfffull;

		if (m->page != 21 || m->levels > ARRAY_LEN(attr))
			continue;
		r = paging(m, 0, 0, 0);
		x86_mode_changed(r->s);
		map(r, m, attr);
		rig_put(r, entry_at(m, m->levels - 1), 0 | ALL | PS, m->size);
		rig_put(r, PAGE + (linear & 0x1fffff), 1, 8);
		rig_put(r, PAGE + (linear & 0x1fffff) + 0x1000, 2, 8);
		assert_int_equal(x86_load(r->s, linear, 8), 0);
		assert_int_equal(x86_load(r->s, linear + 0x1000, 8), 0);
		rig_put(r, entry_at(m, m->levels - 1), PAGE | ALL | PS, m->size);
		assert_int_equal(x86_load(r->s, linear + 0x1000, 8), 0);
		x86_invlpg(r->s, linear);
		assert_int_equal(x86_load(r->s, linear, 8), 1);
		assert_int_equal(x86_load(r->s, linear + 0x1000, 8), 2);
		rig_free(r);
	}
}

static void test_off(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86_where w;
	uint32_t error;

	(void)state;
	assert_int_equal(
	    x86_translate(r->s, X86_CTX_USER, 0x123456789abc, X86_STORE, &w, &error), 0);
	assert_int_equal(w.pa, 0x56789abc);
	assert_true(w.writable);
	rig_free(r);
}

/* 4.4.1: PDPTEs are loaded with CR3, checked, and kept; then memory does not matter. */
static void test_pdptes(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	s->cr4 |= CR4_PAE;
	s->cr3 = TABLES;
	rig_put(r, TABLES, 0x30000 | P, 8);
	rig_put(r, TABLES + 8, 0x31000 | P | 2, 8); /* reserved */
	s->r[X86_RAX] = CR0_PG | CR0_PE | CR0_ET;
	assert_int_equal(rig_insn(r, "0f22c0"), X86_GP);
	assert_false(s->cr0 & CR0_PG);
	rig_put(r, TABLES + 8, 0x31000 | 2, 8); /* not present: anything goes */
	assert_int_equal(rig_insn(r, "0f22c0"), RIG_DONE);
	assert_int_equal(s->pdpte[0], 0x30000 | P);
	rig_put(r, TABLES + 0x28, 1ull << 40 | P, 8);
	s->r[X86_RAX] = TABLES + 0x20;
	assert_int_equal(rig_insn(r, "0f22d8"), X86_GP);
	assert_int_equal(s->cr3, TABLES);
	assert_int_equal(s->pdpte[0], 0x30000 | P);
	rig_put(r, TABLES + 0x28, 0, 8);
	assert_int_equal(rig_insn(r, "0f22d8"), RIG_DONE);
	assert_int_equal(s->cr3, TABLES + 0x20);
	assert_int_equal(s->pdpte[0], 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_not_present),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_pse36),
		cmocka_unit_test(test_global_and_holes),
		cmocka_unit_test(test_invalidate_large),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
