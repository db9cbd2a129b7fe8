/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_RISCV64_RIG_H
#define TEST_CPU_RISCV64_RIG_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/mem.h"
#include "cpu/riscv64/state.h"
#include "test/cmocka.h"

/*
 * A hart with RAM, one device that remembers, and a clock that only the test moves.  Calls that may
 * raise go through rig_try, which says what they raised.
 */
#define RIG_RAM  0x80000000ull
#define RIG_SIZE 0x100000ull
#define RIG_DEV  0x10000000ull /* 16 bytes; takes accesses of 4 and 8 bytes */
#define RIG_HOLE 0x20000000ull
/* A device over the last page of RAM: 8 bytes at its offset 0x800. */
#define RIG_OVER (RIG_RAM + RIG_SIZE - 0x800)

enum { RIG_OK = -1, RIG_RETRY = -2 }; /* what else rig_try answers than an exception code */

struct rig {
	struct mem *mem;
	struct bus *bus;
	struct clock *clock;
	struct cpu_env env;
	struct cpu *cpu;
	struct rv *s;
	uint8_t *ram;
	uint64_t ns;      /* guest time */
	uint64_t dev[2];  /* what was written to the device */
	unsigned touched; /* accesses to it */
	uint64_t code_gpa, code_len;
	unsigned code_writes;
};

extern const struct cpu_class cpu_riscv64;

static inline uint64_t rig_dev_read(void *dev, uint64_t off, unsigned size)
{
	struct rig *r = dev;

	r->touched++;
	return size == 8 ? 0x1122334455667788 + off : 0x55667788 + off;
}

static inline void rig_dev_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct rig *r = dev;

	(void)size;
	r->touched++;
	r->dev[off / 8] = val;
}

static inline void rig_new(struct rig *r, bool firmware_calls, bool hole_exits)
{
	static const struct io_ops ops = { rig_dev_read, rig_dev_write, 4, 8 };

	memset(r, 0, sizeof *r);
	r->mem = mem_new();
	r->bus = bus_new();
	r->clock = clock_new();
	r->ram = aligned_alloc(MEM_PAGE, RIG_SIZE);
	assert_true(r->mem && r->bus && r->clock && r->ram);
	memset(r->ram, 0, RIG_SIZE);
	assert_int_equal(mem_map(r->mem, RIG_RAM, r->ram, RIG_SIZE, NULL), 0);
	assert_int_equal(bus_map(r->bus, "dev", RIG_DEV, 16, &ops, r, NULL, NULL), 0);
	assert_int_equal(bus_map(r->bus, "over", RIG_OVER, 8, &ops, r, NULL, NULL), 0);
	*mem_flags(r->mem, RIG_OVER) |= MEM_IO;
	clock_by_count(r->clock, &r->ns, 0);
	clock_resume(r->clock);
	r->env = (struct cpu_env){ .mem = r->mem,
		.model = "rv64,+v",
		.bus = r->bus,
		.clock = r->clock,
		.firmware_calls = firmware_calls,
		.hole_exits = hole_exits };
	r->cpu = cpu_riscv64.new(&r->env, 0, NULL, NULL);
	assert_non_null(r->cpu);
	r->s = (struct rv *)r->cpu;
	r->s->pc = RIG_RAM;
	atomic_store(&r->s->attention, 0);
}

/* The hart again, after a change of env; false and the reason where that cannot be. */
static inline bool rig_renew(struct rig *r, struct err *e)
{
	cpu_riscv64.free(r->cpu);
	r->cpu = cpu_riscv64.new(&r->env, 0, NULL, e);
	r->s = (struct rv *)r->cpu;
	if (!r->cpu)
		return false;
	r->s->pc = RIG_RAM;
	atomic_store(&r->s->attention, 0);
	return true;
}

static inline void rig_free(struct rig *r)
{
	cpu_riscv64.free(r->cpu);
	clock_free(r->clock);
	bus_free(r->bus);
	mem_free(r->mem);
	free(r->ram);
}

/* Lets guest time pass; the counter of the time CSR moves once every 100 ns. */
static inline void rig_advance(struct rig *r, uint64_t ns)
{
	r->ns += ns;
	clock_run(r->clock);
}

/* For cmocka's setup and teardown. */
static inline int rig_setup(void **state)
{
	struct rig *r = malloc(sizeof *r);

	rig_new(r, false, false);
	*state = r;
	return 0;
}

static inline int rig_setup_firmware(void **state)
{
	struct rig *r = malloc(sizeof *r);

	rig_new(r, true, false);
	*state = r;
	return 0;
}

static inline int rig_setup_holes(void **state)
{
	struct rig *r = malloc(sizeof *r);

	rig_new(r, false, true);
	*state = r;
	return 0;
}

static inline int rig_teardown(void **state)
{
	rig_free(*state);
	free(*state);
	return 0;
}

/* What a call that may raise is about. */
struct rig_call {
	void (*fn)(struct rv *, struct rig_call *);
	uint64_t a, b, val;
	unsigned n;
	bool flag, other;
};

static inline int rig_try(struct rig *r, struct rig_call *c)
{
	switch (setjmp(r->s->trap)) {
	case 0:
		c->fn(r->s, c);
		return RIG_OK;
	case RV_JMP_TRAP:
		return (int)r->s->raised_cause;
	default:
		return RIG_RETRY;
	}
}

static inline void rig_do_load(struct rv *s, struct rig_call *c)
{
	c->val = rv_load(s, c->a, c->n);
}

static inline int rig_load(struct rig *r, uint64_t va, unsigned size, uint64_t *val)
{
	struct rig_call c = { rig_do_load, .a = va, .n = size };
	int cause = rig_try(r, &c);

	if (val)
		*val = c.val;
	return cause;
}

static inline void rig_do_store(struct rv *s, struct rig_call *c)
{
	rv_store(s, c->a, c->b, c->n);
}

static inline int rig_store(struct rig *r, uint64_t va, unsigned size, uint64_t val)
{
	struct rig_call c = { rig_do_store, .a = va, .b = val, .n = size };

	return rig_try(r, &c);
}

static inline void rig_do_csr(struct rv *s, struct rig_call *c)
{
	c->val = rv_csr(s, c->n & 0xfff, (enum rv_csr_op)(c->n >> 12), c->a, c->flag, c->other);
}

/* CSRRS rd, csr, x0 */
static inline int rig_csr_read(struct rig *r, unsigned csr, uint64_t *val)
{
	struct rig_call c = { rig_do_csr, .n = csr | RV_CSR_SET << 12, .flag = true };
	int cause = rig_try(r, &c);

	*val = c.val;
	return cause;
}

static inline int rig_csr_op(struct rig *r, unsigned csr, enum rv_csr_op op, uint64_t val)
{
	struct rig_call c = { rig_do_csr, .a = val, .n = csr | op << 12, .other = true };

	return rig_try(r, &c);
}

/* The two where nothing is raised. */
static inline uint64_t rig_csr(struct rig *r, unsigned csr)
{
	uint64_t val;

	assert_int_equal(rig_csr_read(r, csr, &val), RIG_OK);
	return val;
}

static inline void rig_set_csr(struct rig *r, unsigned csr, uint64_t val)
{
	assert_int_equal(rig_csr_op(r, csr, RV_CSR_WRITE, val), RIG_OK);
}

static inline void rig_mode(struct rig *r, unsigned mode)
{
	r->s->mode = (uint8_t)mode;
	rv_context_changed(r->s);
}

/* PMP: everything is open to everybody. */
static inline void rig_open_pmp(struct rig *r)
{
	rv_pmp_write_addr(r->s, 0, UINT64_MAX);
	rv_pmp_write_cfg(r->s, 0, 0x1f);
}

static inline uint64_t rig_get(struct rig *r, uint64_t pa, unsigned size)
{
	return get_le(mem_at(r->mem, pa, size), size);
}

static inline void rig_put(struct rig *r, uint64_t pa, uint64_t val, unsigned size)
{
	put_le(mem_at(r->mem, pa, size), val, size);
}

#endif
