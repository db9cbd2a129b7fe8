/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/path.h"

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/riscv64/code.h"

/* Behind this an instruction may go on in the next page. */
enum { INSIDE = MEM_PAGE - 2 };

void rv_path_record(struct rv *s, struct rv_path *p, bool (*stop)(struct rv *, uint64_t pc))
{
	const uint64_t page = s->pc & ~(uint64_t)(MEM_PAGE - 1);
	uint64_t seen[MEM_PAGE / 128] = { 0 }, at, retired;
	const unsigned mode = s->mode;
	const struct rv_tlb *tlb = s->tlb;

	for (p->n = 0; p->n < RV_PATH_MAX; p->n++) {
		at = s->pc - page;
		if (at >= INSIDE || seen[at / 128] >> at / 2 % 64 & 1 || (p->n && stop(s, s->pc)))
			break;
		seen[at / 128] |= 1ull << at / 2 % 64;
		p->at[p->n] = (int64_t)at;
		retired = rv_retired(s);
		rv_run_one(s);
		p->at[p->n + 1] = (int64_t)(s->pc - page);
		if (rv_retired(s) != retired + 1)
			break;
		if (s->mode != mode || s->tlb != tlb || s->halted || s->left + s->turn_rest <= 0 ||
		    atomic_load_explicit(&s->attention, memory_order_relaxed)) {
			p->n++;
			break;
		}
	}
}

static unsigned length(const uint8_t *at)
{
	return (at[0] & 3) == 3 ? 4 : 2;
}

bool rv_path_lift(const struct rv_path *p, const uint8_t *page, struct ir_block *ir, unsigned *low,
    unsigned *high)
{
	struct ctx c;
	unsigned i, at, len;
	bool more = true;

	*low = MEM_PAGE;
	*high = 0;
	rv_lift_begin(&c, ir, p->at[0]);
	for (i = 0; i < p->n && more; i++) {
		at = (unsigned)p->at[i];
		len = length(page + at);
		if (at + len > MEM_PAGE || c.pc != p->at[i])
			return false;
		*low = at < *low ? at : *low;
		*high = at + len > *high ? at + len : *high;
		more = rv_lift_follow(&c, (uint32_t)get_le(page + at, len), p->at[i + 1]);
	}
	rv_lift_end(&c);
	return i == p->n && (c.ir->ended || c.pc == p->at[i]);
}
