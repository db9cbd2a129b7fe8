/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/access.h"

#include <string.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/cpu.h"

/* The memory of a device that the kernel does not know, such as a page that has moved a moment ago.
 */
static uint8_t *device_memory(const struct access *a, uint64_t gpa, unsigned not )
{
	const atomic_uchar *flags;
	uint8_t *page = mem_page(a->env->mem, gpa, &flags);

	return page && !(*flags & not ) ? page + gpa % MEM_PAGE : NULL;
}

static bool is_intc(const struct access *a, uint64_t gpa)
{
	return gpa - gpa % MEM_PAGE == a->intc_page;
}

static bool read_piece(const struct access *a, uint64_t gpa, uint8_t *to, unsigned size)
{
	const struct intc *i = a->env->intc;
	const uint8_t *here = device_memory(a, gpa, MEM_IO);
	uint64_t val;
	bool known = true;

	if (here) {
		memcpy(to, here, size);
		return true;
	}
	if (is_intc(a, gpa))
		val = i->read(i->arg, a->cpu, gpa % MEM_PAGE, size);
	else
		known = bus_read(a->env->bus, gpa, &val, size);
	put_le(to, val, size);
	return known;
}

static bool write_piece(const struct access *a, uint64_t gpa, const uint8_t *from, unsigned size)
{
	const struct intc *i = a->env->intc;
	uint8_t *here = device_memory(a, gpa, MEM_IO | MEM_NO_WRITE);
	uint64_t val = get_le(from, size);

	if (here) {
		memcpy(here, from, size);
		return true;
	}
	if (!is_intc(a, gpa))
		return bus_write(a->env->bus, gpa, val, size);
	i->write(i->arg, a->cpu, gpa % MEM_PAGE, val, size);
	return true;
}

static unsigned piece(uint64_t gpa, unsigned left)
{
	unsigned size;

	for (size = 8; size > left || gpa % size; size /= 2)
		;
	return size;
}

bool access_read(const struct access *a, uint64_t gpa, uint8_t *data, unsigned len)
{
	bool known = true;

	for (unsigned at = 0, size; at < len; at += size) {
		size = piece(gpa + at, len - at);
		known &= read_piece(a, gpa + at, data + at, size);
	}
	return known;
}

bool access_write(const struct access *a, uint64_t gpa, const uint8_t *data, unsigned len)
{
	bool known = true;

	for (unsigned at = 0, size; at < len; at += size) {
		size = piece(gpa + at, len - at);
		known &= write_piece(a, gpa + at, data + at, size);
	}
	return known;
}
