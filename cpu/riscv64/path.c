/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/path.h"

#include "core/mem.h"
#include "cpu/riscv64/code.h"

/* There and behind it an instruction may go on in the next page. */
enum { LAST_HALF = MEM_PAGE - 2 };

void rv_path_record(struct rv *s, struct rv_path *p, bool (*stop)(struct rv *, uint64_t pc))
{
	const uint64_t page = s->pc & ~(uint64_t)(MEM_PAGE - 1);
	uint64_t seen[MEM_PAGE / 128] = { 0 }, at, retired;
	const unsigned mode = s->mode;
	const struct rv_tlb *tlb = s->tlb;

	for (p->n = 0; p->n < RV_PATH_MAX; p->n++) {
		at = s->pc - page;
		if (at >= LAST_HALF || seen[at / 128] >> at / 2 % 64 & 1 ||
		    (p->n && stop(s, s->pc)))
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

void rv_path_read(struct rv_path *p, const uint8_t *page)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		p->word[i] = rv_code_word(page + p->at[i], 4);
}

bool rv_path_is_in(const struct rv_path *p, const uint8_t *page)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		if (p->word[i] != rv_code_word(page + p->at[i], 4))
			return false;
	return true;
}

void rv_path_extent(const struct rv_path *p, unsigned *low, unsigned *high)
{
	unsigned i, at, end;

	*low = MEM_PAGE;
	*high = 0;
	for (i = 0; i < p->n; i++) {
		at = (unsigned)p->at[i];
		end = at + (rv_is_long(p->word[i]) ? 4 : 2);
		*low = at < *low ? at : *low;
		*high = end > *high ? end : *high;
	}
}

bool rv_path_lift(struct rv_path *p, struct ir_block *ir)
{
	struct ctx c;
	unsigned i;
	bool more = true;

	rv_lift_begin(&c, ir, p->at[0]);
	for (i = 0; i < p->n && more; i++) {
		if (c.pc != p->at[i])
			return false;
		more = rv_lift_follow(&c, p->word[i], p->at[i + 1]);
	}
	rv_lift_end(&c);
	p->n = i;
	return i >= RV_PATH_MIN && (c.ir->ended || c.pc == p->at[i]);
}
