/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SEG_H
#define CPU_X86_SEG_H

#include "cpu/x86/state.h"

/*
 * Descriptors and stacks: what transfers of control (far.c, trap.c, task.c) are made of.  Manual:
 * SDM volume 3, 3.4, 3.5, 5.  Nothing here changes a register before the caller commits; `ext` is
 * bit 0 of error codes (6.13): an event from outside, or an exception, is being delivered.
 */

/* Types of system segments (3.5). */
enum {
	DESC_TSS16 = 1,
	DESC_LDT = 2,
	DESC_TSS16_BUSY = 3,
	DESC_CALL16 = 4,
	DESC_TASK_GATE = 5,
	DESC_INT16 = 6,
	DESC_TRAP16 = 7,
	DESC_TSS = 9,
	DESC_TSS_BUSY = 11,
	DESC_CALL = 12,
	DESC_INT = 14,
	DESC_TRAP = 15,
	DESC_BUSY = 2 /* the bit */
};

/* Bits of code and data types. */
enum { SEG_ACCESSED = 1, SEG_WRITABLE = 2, SEG_EXPAND_DOWN = 4, SEG_CODE = 8 };
enum { SEG_READABLE = 2, SEG_CONFORMING = 4 }; /* of code */

/* An entry of the GDT or LDT, and where it is. */
struct x86_entry {
	uint64_t at, raw;
	uint16_t selector;
};

static inline bool x86_is_null(uint16_t selector)
{
	return !(selector & ~3u);
}

static inline unsigned x86_dpl(uint32_t attr)
{
	return attr >> 5 & 3;
}

static inline bool x86_is_code(uint32_t attr)
{
	return (attr & (X86_SEG_S | SEG_CODE)) == (X86_SEG_S | SEG_CODE);
}

static inline bool x86_is_writable_data(uint32_t attr)
{
	return (attr & (X86_SEG_S | SEG_CODE | SEG_WRITABLE)) == (X86_SEG_S | SEG_WRITABLE);
}

static inline bool x86_is_conforming(uint32_t attr)
{
	return x86_is_code(attr) && attr & SEG_CONFORMING;
}

static inline unsigned x86_system_type(uint32_t attr) /* 0, which is reserved: not a system one */
{
	return attr & X86_SEG_S ? 0 : attr & X86_SEG_TYPE;
}

static inline uint32_t x86_entry_attr(uint64_t raw)
{
	return raw >> 40 & 0xf0ff;
}

static inline uint32_t x86_entry_limit(uint64_t raw)
{
	uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));

	return raw >> 55 & 1 ? limit << 12 | 0xfff : limit;
}

static inline uint32_t x86_entry_base(uint64_t raw)
{
	return (uint32_t)((raw >> 16 & 0xffffff) | raw >> 56 << 24);
}

static inline struct x86_seg x86_seg_of(const struct x86_entry *e)
{
	return (struct x86_seg){ x86_entry_base(e->raw), x86_entry_limit(e->raw),
		x86_entry_attr(e->raw), e->selector };
}

/* What a null selector loads (64-bit SS: with the CPL as DPL). */
static inline struct x86_seg x86_null_seg(uint16_t selector, unsigned dpl)
{
	return (struct x86_seg){ 0, 0, X86_SEG_UNUSABLE | dpl << 5, selector };
}

/* 48 or 57 bits (volume 1, 3.3.7.1). */
static inline bool x86_is_canonical(const struct x86 *s, uint64_t linear)
{
	unsigned shift = s->cr4 & CR4_LA57 ? 7 : 16;

	return (uint64_t)((int64_t)(linear << shift) >> shift) == linear;
}

static inline bool x86_is_code64(uint32_t attr) /* of CS, in long mode */
{
	return attr & X86_SEG_L;
}

/* As x86_linear, with what is most common in line. */
static ALWAYS_INLINE uint64_t x86_linear_fast(
    struct x86 *s, unsigned seg, uint64_t offset, unsigned size, enum x86_access access)
{
	if ((s->mode & X86_FLAT) && seg < X86_FS) {
		if (s->mode & X86_CODE64) {
			if (likely(x86_is_canonical(s, offset) &&
				   x86_is_canonical(s, offset + size - 1)))
				return offset;
		} else if (likely(offset + size - 1 <= UINT32_MAX &&
				  !(access == X86_STORE && seg == X86_CS))) {
			return offset;
		}
	}
	return x86_linear(s, seg, offset, size, access);
}

/* Whether [offset, offset + size) is inside a segment that is not in 64-bit code. */
bool x86_seg_holds(const struct x86_seg *, uint64_t offset, unsigned size);
/* Raises vector (selector | ext) where the table has no such entry. */
struct x86_entry x86_read_entry(struct x86 *, uint16_t selector, enum x86_vector, unsigned ext);
/* The upper half of an entry of 16 bytes; raises vector where its type field is not 0. */
uint32_t x86_read_upper(struct x86 *, const struct x86_entry *, enum x86_vector, unsigned ext);
/* Marks it accessed in memory, and in its raw value. */
void x86_touch_entry(struct x86 *, struct x86_entry *);
/* Checks what MOV to ES, DS, FS, GS checks, with this CPL, and touches it. vector: #GP, or #TS in a
 * task switch. */
struct x86_seg x86_check_data(
    struct x86 *, uint16_t selector, unsigned cpl, enum x86_vector, unsigned ext);
/* The same for a stack segment at this CPL that is not null. */
struct x86_seg x86_check_stack(
    struct x86 *, uint16_t selector, unsigned cpl, enum x86_vector, unsigned ext);
/* A segment register's value in real mode (with the limit that it has) and virtual-8086 mode. */
struct x86_seg x86_real_seg(const struct x86 *, unsigned seg, uint16_t selector);
struct x86_seg x86_vm86_seg(uint16_t selector);
/* Raises #GP (ext) where rip is not in a code segment that would be CS. */
void x86_check_rip(struct x86 *, const struct x86_seg *cs, uint64_t rip, unsigned ext);
/* Nulls the data segments that an outer CPL may not keep (RET, IRET). */
void x86_drop_inner_segs(struct x86 *);

/* A stack that is pushed to or popped from: the current one, or one that is about to be. */
struct x86_stack {
	struct x86_seg ss;
	uint64_t sp;
	bool code64; /* flat and canonical */
	bool inner;  /* of a more privileged level than the current one */
	uint32_t error;
};

struct x86_stack x86_stack_now(const struct x86 *, unsigned ext);
void x86_stack_push(struct x86 *, struct x86_stack *, uint64_t val, unsigned size);
uint64_t x86_stack_pop(struct x86 *, struct x86_stack *, unsigned size);
void x86_stack_skip(struct x86_stack *, uint64_t bytes);
/* RSP, ESP or SP becomes the stack's; SS was committed. */
void x86_stack_commit(struct x86 *, const struct x86_stack *);
/* The stack for an inner level that the TSS names: 16- and 32-bit, and (slot 0 to 2: RSPn, 4 to 10:
 * IST 1 to 7) 64-bit. */
struct x86_stack x86_tss_stack(struct x86 *, unsigned dpl, unsigned ext);
struct x86_stack x86_tss_stack64(struct x86 *, unsigned dpl, unsigned slot, unsigned ext);

/* LAR, LSL, VERR, VERW: false: not visible (ZF = 0). */
bool x86_lar(struct x86 *, uint16_t selector, uint32_t *val);
bool x86_lsl(struct x86 *, uint16_t selector, uint32_t *val);
bool x86_verify(struct x86 *, uint16_t selector, bool write);

#endif
