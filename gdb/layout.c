/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers by number, and the target description in XML.  Source: Debugging with GDB (13.1),
 * appendix G.
 */
#include <string.h>

#include "base/bytes.h"
#include "gdb/arch.h"

const struct gdb_arch *gdb_arch_find(const char *cpu)
{
	static const struct gdb_arch *const all[] = { &gdb_riscv64, &gdb_x86_64 };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i]->cpu, cpu))
			return all[i];
	return NULL;
}

const struct gdb_reg *gdb_layout_reg(const struct gdb_layout *l, unsigned n)
{
	for (unsigned i = 0; i < l->nfeatures; i++) {
		if (n < l->feature[i].n)
			return &l->feature[i].reg[n];
		n -= l->feature[i].n;
	}
	return NULL;
}

unsigned gdb_layout_count(const struct gdb_layout *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->nfeatures; i++)
		n += l->feature[i].n;
	return n;
}

void gdb_layout_xml(const struct gdb_layout *l, struct buf *b)
{
	buf_printf(
	    b, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
	if (l->gdb_name)
		buf_printf(b, "<architecture>%s</architecture>\n", l->gdb_name);
	for (unsigned i = 0; i < l->nfeatures; i++) {
		const struct gdb_feature *f = &l->feature[i];

		buf_printf(b, "<feature name=\"%s\">\n%s", f->name, f->types ? f->types : "");
		for (const struct gdb_reg *r = f->reg; r < f->reg + f->n; r++)
			buf_printf(b, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>\n", r->name,
			    r->size * 8u, r->type);
		buf_printf(b, "</feature>\n");
	}
	buf_printf(b, "</target>\n");
}

void gdb_reg_get(
    const struct gdb_arch *arch, const struct gdb_reg *r, const void *regs, uint8_t *to)
{
	const uint8_t *from = (const uint8_t *)regs + r->at;
	const unsigned kept = r->kept < 8 ? r->kept : 8;
	uint8_t word[8];

	memset(to, 0, r->size);
	if (!r->kept) {
		arch->get(r, regs, to);
		return;
	}
	for (unsigned i = 0; i < r->size && i < r->kept; i += 8) {
		put_le(word, get_uint(from + i, kept), 8);
		memcpy(to + i, word, r->size - i < 8 ? r->size - i : 8u);
	}
}

void gdb_reg_put(
    const struct gdb_arch *arch, const struct gdb_reg *r, void *regs, const uint8_t *from)
{
	uint8_t *to = (uint8_t *)regs + r->at;
	const unsigned kept = r->kept < 8 ? r->kept : 8;

	if (!r->kept) {
		arch->put(r, regs, from);
		return;
	}
	for (unsigned i = 0; i < r->size && i < r->kept; i += 8) {
		uint8_t word[8] = { 0 };

		memcpy(word, from + i, r->size - i < 8 ? r->size - i : 8u);
		put_uint(to + i, get_le(word, 8), kept);
	}
}
