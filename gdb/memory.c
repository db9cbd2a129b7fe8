/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory, by virtual address as the CPU that is looked at has it, or by physical address.  RAM and
 * windows of devices are read as they are; what is on the bus is read and written as a CPU would do
 * it, with what follows from that.  Left out: a memory map of the virtual addresses, which changes
 * with each process; all of them may be accessed.
 */
#include <errno.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "core/walk.h"
#include "gdb/gdb_int.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

struct access {
	bool write;
	uint8_t *bytes;
	size_t len; /* in one page */
};

static bool locate(const struct gdb *g, const void *regs, bool physical, uint64_t at, uint64_t *pa)
{
	const struct walk_class *class = g->machine->engine_env.cpu->walk;
	struct walk_paging paging;
	struct page_walk w;

	*pa = at;
	if (physical)
		return true;
	paging = class->paging(regs);
	if (!walk_at(class, &paging, g->machine->env.mem, at, &w))
		return false;
	*pa = w.pa;
	return true;
}

size_t gdb_ram_read(
    const struct gdb *g, const void *regs, bool physical, uint64_t at, void *to, size_t len)
{
	uint8_t *p = to;
	size_t done = 0, n;
	uint64_t pa;

	for (; done < len; done += n) {
		n = MEM_PAGE - ((at + done) & PAGE_MASK);
		n = n < len - done ? n : len - done;
		if (!locate(g, regs, physical, at + done, &pa) ||
		    mem_read(g->machine->env.mem, pa, p + done, n))
			break;
	}
	return done;
}

/* RAM that holds code, or is tracked, is written by way of mem_write. */
static bool access_memory(struct gdb *g, uint64_t pa, const struct access *a)
{
	const atomic_uchar *flags;
	uint8_t *page = mem_page(g->machine->env.mem, pa, &flags);

	if (!page)
		return false;
	if (!a->write)
		memcpy(a->bytes, page + (pa & PAGE_MASK), a->len);
	else if (mem_write(g->machine->env.mem, pa, a->bytes, a->len))
		memcpy(page + (pa & PAGE_MASK), a->bytes, a->len);
	return true;
}

/* The largest aligned piece at pa. */
static unsigned piece(uint64_t pa, size_t len)
{
	unsigned size = 8;

	while (size > len || pa & (size - 1))
		size /= 2;
	return size;
}

static bool access_own(struct gdb *g, uint64_t pa, const struct access *a, unsigned size)
{
	const struct intc *c = &g->machine->intc;

	if ((pa & ~PAGE_MASK) != g->arch->own_page(gdb_regs(g, g->cpu)) || !c->take)
		return false;
	if (a->write)
		c->write(c->arg, g->cpu, pa & PAGE_MASK, get_le(a->bytes, size), size);
	else
		put_le(a->bytes, c->read(c->arg, g->cpu, pa & PAGE_MASK, size), size);
	return true;
}

static bool access_bus(struct gdb *g, uint64_t pa, const struct access *a, unsigned size)
{
	struct bus *bus = g->machine->env.bus;
	uint64_t val;

	/* Most devices change when they are read. */
	if (!gdb_may_touch(g))
		return false;
	if (a->write)
		return bus_write(bus, pa, get_le(a->bytes, size), size);
	if (!bus_read(bus, pa, &val, size))
		return false;
	put_le(a->bytes, val, size);
	return true;
}

/* Of that part of an access, how much is done. */
static size_t access_page(struct gdb *g, uint64_t pa, struct access a)
{
	const size_t len = a.len;
	unsigned size;

	if (access_memory(g, pa, &a))
		return len;
	for (; a.len; a.len -= size, a.bytes += size, pa += size) {
		size = piece(pa, a.len);
		while (size && !access_own(g, pa, &a, size) && !access_bus(g, pa, &a, size))
			size /= 2; /* devices that know smaller ones alone */
		if (!size)
			break;
	}
	return len - a.len;
}

static size_t access_all(struct gdb *g, uint64_t at, bool write, uint8_t *bytes, size_t len)
{
	size_t done = 0, n, part;
	uint64_t pa;

	if (write && len && !gdb_touch(g))
		return 0;
	while (done < len) {
		part = MEM_PAGE - ((at + done) & PAGE_MASK);
		part = part < len - done ? part : len - done;
		if (!locate(g, gdb_regs(g, g->cpu), g->physical, at + done, &pa))
			break;
		n = access_page(
		    g, pa, (struct access){ .write = write, .bytes = bytes + done, .len = part });
		done += n;
		if (n < part)
			break;
	}
	return done;
}

size_t gdb_memory_read(struct gdb *g, uint64_t at, void *to, size_t len)
{
	return access_all(g, at, false, to, len);
}

size_t gdb_memory_write(struct gdb *g, uint64_t at, const void *from, size_t len)
{
	uint8_t bytes[256];
	size_t done = 0, n, part;

	while (done < len) {
		part = len - done < sizeof bytes ? len - done : sizeof bytes;
		memcpy(bytes, (const uint8_t *)from + done, part);
		n = access_all(g, at + done, true, bytes, part);
		done += n;
		if (n < part)
			break;
	}
	return done;
}

/* Packets -------------------------------------------------------------------------------------- */

static bool range(const char **args, uint64_t *at, uint64_t *len)
{
	return gdb_number(args, at) && gdb_take(args, ',') && gdb_number(args, len);
}

static void read_range(struct gdb *g, const char *args, bool binary)
{
	uint8_t bytes[GDB_MEMORY + 1];
	uint64_t at, len;
	size_t n;

	if (!range(&args, &at, &len)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	bytes[0] = 'b';
	n = gdb_memory_read(g, at, bytes + 1, len < GDB_MEMORY ? (size_t)len : GDB_MEMORY);
	if (len && !n)
		gdb_refuse(g, EFAULT);
	else if (binary)
		gdb_answer_binary(g, bytes, n + 1);
	else
		gdb_answer_bytes(g, bytes + 1, n);
}

void gdb_read_memory(struct gdb *g, const char *args)
{
	read_range(g, args, false);
}

void gdb_read_binary(struct gdb *g, const char *args)
{
	read_range(g, args, true);
}

void gdb_write_memory(struct gdb *g, const char *args, bool binary)
{
	const uint8_t *const end = g->in.data + g->in.len;
	uint8_t bytes[GDB_PACKET_MAX / 2];
	const void *from = bytes;
	uint64_t at, len;

	if (!range(&args, &at, &len) || !gdb_take(&args, ':')) {
		gdb_refuse(g, EINVAL);
		return;
	}
	if (binary && (uint64_t)(end - (const uint8_t *)args) == len)
		from = args;
	else if (binary || len > sizeof bytes || !gdb_bytes(&args, bytes, (size_t)len)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	if (gdb_memory_write(g, at, from, (size_t)len) == len)
		gdb_ok(g);
	else
		gdb_refuse(g, EFAULT);
}

/* qSearch:memory:address;length;pattern */
enum { SEARCH_MOST = 256 << 20 };

void gdb_search(struct gdb *g, const char *args, size_t len)
{
	const uint8_t *pattern, *found;
	uint8_t bytes[2 * MEM_PAGE];
	uint64_t at, left;
	size_t have = 0, n, want;

	if (!gdb_number(&args, &at) || !gdb_take(&args, ';') || !gdb_number(&args, &left) ||
	    !gdb_take(&args, ';')) {
		gdb_refuse(g, EINVAL);
		return;
	}
	pattern = (const uint8_t *)args;
	n = len - (size_t)(pattern - g->in.data);
	if (!n || n > MEM_PAGE || left > SEARCH_MOST) {
		gdb_refuse(g, EINVAL);
		return;
	}
	/* bytes holds what is at `at` on. */
	while (left >= n) {
		want = left < sizeof bytes ? (size_t)left : sizeof bytes;
		have += gdb_memory_read(g, at + have, bytes + have, want - have);
		if (have < n)
			break;
		found = memmem(bytes, have, pattern, n);
		if (found) {
			gdb_answer(
			    g, "1,%llx", (unsigned long long)(at + (uint64_t)(found - bytes)));
			return;
		}
		want = have - (n - 1);
		memmove(bytes, bytes + want, n - 1);
		have = n - 1;
		at += want;
		left -= want;
	}
	gdb_answer(g, "0");
}

/* qCRC: the polynomial is 0x04c11db7, high bits first, with all ones to begin with and nothing done
 * to it in the end (E.4). */
void gdb_crc(struct gdb *g, const char *args)
{
	uint8_t bytes[256];
	uint32_t crc = UINT32_MAX;
	uint64_t at, len;
	size_t n;

	if (!range(&args, &at, &len) || len > SEARCH_MOST) {
		gdb_refuse(g, EINVAL);
		return;
	}
	for (; len; len -= n, at += n) {
		n = len < sizeof bytes ? (size_t)len : sizeof bytes;
		if (gdb_memory_read(g, at, bytes, n) < n) {
			gdb_refuse(g, EFAULT);
			return;
		}
		for (size_t i = 0; i < n; i++) {
			crc ^= (uint32_t)bytes[i] << 24;
			for (unsigned bit = 0; bit < 8; bit++)
				crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
		}
	}
	gdb_answer(g, "C%x", crc);
}

/* The map ---------------------------------------------------------------------------------------
 */

static void put_memory(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	(void)hva;
	if (gpa != MEM_NOWHERE)
		buf_printf(arg, "<memory type=\"ram\" start=\"0x%llx\" length=\"0x%llx\"/>\n",
		    (unsigned long long)gpa, (unsigned long long)len);
}

static void put_region(void *arg, const char *name, uint64_t base, uint64_t size)
{
	(void)name;
	put_memory(arg, base, NULL, size);
}

/* Halves, as a length of all of it has no number. */
void gdb_memory_map(struct gdb *g, struct buf *b)
{
	buf_printf(b, "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD "
		      "GDB Memory Map V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">"
		      "\n<memory-map>\n");
	if (g->physical) {
		mem_each(g->machine->env.mem, put_memory, b);
		mem_each_window(g->machine->env.mem, put_memory, b);
		bus_each(g->machine->env.bus, put_region, b);
	} else {
		put_memory(b, 0, NULL, 1ull << 63);
		put_memory(b, 1ull << 63, NULL, 1ull << 63);
	}
	buf_printf(b, "</memory-map>\n");
}
