/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/path.h"

#include <string.h>

/* What a loop's turns in one path may come to. */
enum { MAX_TURNS = 8, TURNS_INSNS = 64 };

/* A short loop goes round several times in one unit: what is done at its borders, and the TLB's
 * answers, are for all of its turns. */
static void unroll(struct path *p)
{
	unsigned turn = p->n, turns = TURNS_INSNS / turn;

	for (turns = turns < MAX_TURNS ? turns : MAX_TURNS; turns > 1; turns--) {
		memcpy(p->at + p->n, p->at, turn * sizeof p->at[0]);
		p->n += turn;
	}
	p->at[p->n] = p->at[0];
}

void path_record(const struct path_class *class, void *cpu, struct path *p,
    bool (*stop)(void *arg, void *cpu, uint64_t pc), void *arg)
{
	const uint64_t page = class->pc(cpu) & ~(uint64_t)(MEM_PAGE - 1);
	uint64_t seen[MEM_PAGE / 64] = { 0 }, at, retired;

	class->begin(cpu, p);
	for (p->n = 0; p->n < PATH_MAX_INSNS; p->n++) {
		at = class->pc(cpu) - page;
		if (at >= class->limit || seen[at / 64] >> at % 64 & 1 ||
		    (p->n && stop(arg, cpu, page + at)))
			break;
		seen[at / 64] |= 1ull << at % 64;
		p->at[p->n] = (int64_t)at;
		retired = class->retired(cpu);
		class->step(cpu);
		p->at[p->n + 1] = (int64_t)(class->pc(cpu) - page);
		if (class->retired(cpu) != retired + 1)
			break;
		if (!class->goes_on(cpu, p)) {
			p->n++;
			return;
		}
	}
	if (p->n && p->at[p->n] == p->at[0])
		unroll(p);
}

/* Aligned words at once: another CPU may be writing one. */
static void copy(uint8_t *to, const uint8_t *from)
{
	unsigned i;
	uint64_t word;

	for (i = 0; i < MEM_PAGE; i += 8) {
		word =
		    __atomic_load_n((const uint64_t *)(const void *)(from + i), __ATOMIC_RELAXED);
		memcpy(to + i, &word, 8);
	}
}

void path_read(const struct path_class *class, struct path *p, const uint8_t *page)
{
	unsigned i;

	copy(p->code, page);
	for (i = 0; i < p->n; i++)
		p->len[i] = (uint8_t) class->length(p, p->code + p->at[i]);
}

bool path_is_in(const struct path *p, const uint8_t *page)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		if (memcmp(p->code + p->at[i], page + p->at[i], p->len[i]) != 0)
			return false;
	return true;
}

void path_extent(const struct path *p, unsigned *low, unsigned *high)
{
	unsigned i, at, end;

	*low = MEM_PAGE;
	*high = 0;
	for (i = 0; i < p->n; i++) {
		at = (unsigned)p->at[i];
		end = at + p->len[i];
		*low = at < *low ? at : *low;
		*high = end > *high ? end : *high;
	}
}
