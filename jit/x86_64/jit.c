/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jit/jit.h for x86-64.
 */
#include "jit/jit.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"
#include "jit/x86_64/gen.h"

/* On other hosts nobody calls the rest. */
bool jit_supported(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

struct jit *jit_new_in(
    const struct jit_guest *guest, const struct os_code *code, bool baseline, struct err *e)
{
	struct jit *j = os_pages_new(sizeof *j);
	unsigned i;

	assert(guest->ir->nslots <= MAX_SLOTS);
	assert(!guest->vec_level || (!guest->nfpins && guest->vregs % 16 == 0));
	for (i = 0; i < guest->ir->nslots; i++)
		assert(guest->ir->slots[i].size == 8);
	if (!j || !(j->gen = os_pages_new(sizeof *j->gen))) {
		os_pages_free(j, sizeof *j);
		err_set(e, ENOMEM, "jit: no memory for the code generator");
		return NULL;
	}
	j->guest = *guest;
	j->gen->jit = j;
	j->code = *code;
	if (!baseline)
		j->has = x86_features_host();
	x86_choose_pins(j);
	x86_make_thunks(j);
	return j;
}

struct jit *jit_new(const struct jit_guest *guest, size_t size, bool baseline, struct err *e)
{
	struct os_code code;
	struct jit *j = NULL;

	if (!os_code_new(size, &code, e))
		j = jit_new_in(guest, &code, baseline, e);
	if (j)
		j->own_code = true;
	else
		os_code_free(&code);
	return j;
}

void jit_free(struct jit *j)
{
	if (!j)
		return;
	if (j->own_code)
		os_code_free(&j->code);
	os_pages_free(j->gen, sizeof *j->gen);
	os_pages_free(j, sizeof *j);
}

size_t jit_first(const struct jit *j)
{
	return j->first;
}

size_t jit_size(const struct jit *j)
{
	return j->code.size;
}

const void *jit_address(const struct jit *j, size_t offset)
{
	return j->code.rx + offset;
}

size_t jit_offset(const struct jit *j, const void *host)
{
	return (size_t)((const uint8_t *)host - j->code.rx);
}

struct jit_exit jit_exit_at(uintptr_t exit)
{
	struct jit_exit x;

	__builtin_memcpy(&x, (const void *)exit, sizeof x);
	return x;
}

void jit_link(struct jit *j, uintptr_t exit, size_t to)
{
	x86_patch(j->code.rw + (jit_exit_at(exit).site & ~JIT_PLAIN), j->code.rw + to);
}

/* The stub starts with the call that comes before the struct. */
void jit_unlink(struct jit *j, uintptr_t exit)
{
	jit_link(j, exit, jit_offset(j, (const void *)exit) - 5);
}

uintptr_t jit_enter(const struct jit *j, void *state, const void *host)
{
	uintptr_t (*enter)(void *, const void *);
	const void *at = jit_address(j, (size_t)(j->enter - j->code.rw));

	__builtin_memcpy(&enter, &at, sizeof enter);
	return enter(state, host);
}
