/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/trace.h"

#include <inttypes.h>

#include "base/trace.h"
#include "core/walk.h"
#include "cpu/cpu.h"

enum { INSN_MAX = 15 };

static void put_insn(const struct cpu_class *cpu, unsigned mode, uint64_t pc, const uint8_t *bytes,
    size_t n, struct buf *out)
{
	struct buf text = { 0 };
	const unsigned len = cpu->text->disasm(mode, pc, bytes, n, &text);
	size_t i = 0;

	for (; i < (len ? len : n) && i < INSN_MAX; i++)
		buf_printf(out, "%02x", bytes[i]);
	buf_printf(out, "%*s ", i < 8 ? (int)(16 - 2 * i) : 0, "");
	if (len)
		buf_put(out, text.data, text.len);
	else
		buf_printf(out, "(no instruction)");
	buf_free(&text);
}

static void put_regs(const struct cpu_class *cpu, const struct trace_record *r, struct buf *out)
{
	for (unsigned i = 0; i + 1 < r->nargs; i += 2) {
		const char *name = r->arg[i] < 256 ? cpu->text->reg((unsigned)r->arg[i]) : NULL;

		buf_printf(out, "%s%s=%" PRIx64, i ? " " : "", name ? name : "?", r->arg[i + 1]);
	}
}

static bool put_walk(const struct cpu_class *cpu, const struct trace_record *r, struct buf *out)
{
	static const char *const names[] = {
		[WALK_READ] = "read", [WALK_WRITE] = "write", [WALK_EXECUTE] = "fetch"
	};
	enum walk_access access;
	struct page_walk w;
	const char *why;

	if (!walk_load(cpu->walk, r, &w) || r->arg[WALK_ARG_ACCESS] > WALK_EXECUTE)
		return false;
	access = (enum walk_access)r->arg[WALK_ARG_ACCESS];
	why = walk_why(&w, access);
	buf_printf(out, "%s %s at %#" PRIx64 ", fault %#" PRIx64 ": %s: ",
	    w.paging.rules & WALK_USER ? "user" : "kernel", names[access], w.va,
	    r->arg[WALK_ARG_FAULT],
	    why           ? why
	    : w.paging.on ? "not by these tables"
			  : "not by paging");
	walk_print_short(&w, out);
	return true;
}

bool cpu_describe(const struct cpu_class *cpu, const struct trace_record *r, struct buf *out)
{
	switch (r->kind) {
	case TRACE_KIND_INSN:
		put_insn(cpu, r->nargs ? (unsigned)r->arg[0] : 0, r->pc, (const uint8_t *)r->text,
		    r->len, out);
		return true;
	case TRACE_KIND_REGS:
		put_regs(cpu, r, out);
		return true;
	case TRACE_KIND_WALK:
		return put_walk(cpu, r, out);
	case TRACE_KIND_EXCEPTION:
	case TRACE_KIND_INTERRUPT:
	case TRACE_KIND_RETURN:
		if (r->nargs < (r->kind == TRACE_KIND_RETURN ? 2 : (int)TRACE_NEXCEPTION))
			return false;
		cpu->text->event(r, out);
		return true;
	default:
		return false;
	}
}

void cpu_list(const struct cpu_class *cpu, const struct cpu_code *c, struct buf *out)
{
	struct buf none = { 0 };
	unsigned len;

	for (size_t at = 0; at < c->n; at += len ? len : 1) {
		none.len = 0;
		len = cpu->text->disasm(c->mode, c->pc + at, c->bytes + at, c->n - at, &none);
		if (!len && c->n - at < INSN_MAX && c->pc + at != c->mark)
			break; /* cut off */
		buf_printf(
		    out, "%s %016" PRIx64 "  ", c->pc + at == c->mark ? "=>" : "  ", c->pc + at);
		put_insn(cpu, c->mode, c->pc + at, c->bytes + at, len ? len : 1, out);
		buf_printf(out, "\n");
	}
	buf_free(&none);
}
