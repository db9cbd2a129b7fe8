/* SPDX-License-Identifier: BSD-2-Clause */
/* nvmm_assist_io: each form of IN, OUT, INS and OUTS, in 64-, 32- and 16-bit code, upwards and
 * downwards, with and without REP, against what the manual says (SDM volume 2). */
#include "test/lib/nvmm_rig.h"

static const struct form {
	const char *text;
	enum rig_mode mode;
	unsigned len;
	uint8_t code[8];
	bool in, str, rep;
	uint8_t size, asize;
	int8_t seg;
	bool imm; /* port 0x20, else PORT in DX */
} forms[] = {
	{ "in al, 0x20", RIG_64, 2, { 0xe4, 0x20 }, 1, 0, 0, 1, 8, -1, 1 },
	{ "in al, dx", RIG_64, 1, { 0xec }, 1, 0, 0, 1, 8, -1, 0 },
	{ "out 0x20, al", RIG_64, 2, { 0xe6, 0x20 }, 0, 0, 0, 1, 8, -1, 1 },
	{ "out dx, al", RIG_64, 1, { 0xee }, 0, 0, 0, 1, 8, -1, 0 },
	{ "insb", RIG_64, 1, { 0x6c }, 1, 1, 0, 1, 8, 0, 0 },
	{ "outsb", RIG_64, 1, { 0x6e }, 0, 1, 0, 1, 8, 3, 0 },
	{ "ins byte ptr [edi], dx", RIG_64, 2, { 0x67, 0x6c }, 1, 1, 0, 1, 4, 0, 0 },
	{ "outs dx, byte ptr [esi]", RIG_64, 2, { 0x67, 0x6e }, 0, 1, 0, 1, 4, 3, 0 },
	{ "outs dx, byte ptr fs:[rsi]", RIG_64, 2, { 0x64, 0x6e }, 0, 1, 0, 1, 8, 4, 0 },
	{ "rep insb", RIG_64, 2, { 0xf3, 0x6c }, 1, 1, 1, 1, 8, 0, 0 },
	{ "rep outsb", RIG_64, 2, { 0xf3, 0x6e }, 0, 1, 1, 1, 8, 3, 0 },
	{ "rep ins byte ptr [edi], dx", RIG_64, 3, { 0x67, 0xf3, 0x6c }, 1, 1, 1, 1, 4, 0, 0 },
	{ "rep outs dx, byte ptr [esi]", RIG_64, 3, { 0x67, 0xf3, 0x6e }, 0, 1, 1, 1, 4, 3, 0 },
	{ "rep outs dx, byte ptr fs:[rsi]", RIG_64, 3, { 0x64, 0xf3, 0x6e }, 0, 1, 1, 1, 8, 4, 0 },
	{ "in ax, 0x20", RIG_64, 3, { 0x66, 0xe5, 0x20 }, 1, 0, 0, 2, 8, -1, 1 },
	{ "in ax, dx", RIG_64, 2, { 0x66, 0xed }, 1, 0, 0, 2, 8, -1, 0 },
	{ "out 0x20, ax", RIG_64, 3, { 0x66, 0xe7, 0x20 }, 0, 0, 0, 2, 8, -1, 1 },
	{ "out dx, ax", RIG_64, 2, { 0x66, 0xef }, 0, 0, 0, 2, 8, -1, 0 },
	{ "insw", RIG_64, 2, { 0x66, 0x6d }, 1, 1, 0, 2, 8, 0, 0 },
	{ "outsw", RIG_64, 2, { 0x66, 0x6f }, 0, 1, 0, 2, 8, 3, 0 },
	{ "ins word ptr [edi], dx", RIG_64, 3, { 0x67, 0x66, 0x6d }, 1, 1, 0, 2, 4, 0, 0 },
	{ "outs dx, word ptr [esi]", RIG_64, 3, { 0x67, 0x66, 0x6f }, 0, 1, 0, 2, 4, 3, 0 },
	{ "outs dx, word ptr fs:[rsi]", RIG_64, 3, { 0x64, 0x66, 0x6f }, 0, 1, 0, 2, 8, 4, 0 },
	{ "rep insw", RIG_64, 3, { 0x66, 0xf3, 0x6d }, 1, 1, 1, 2, 8, 0, 0 },
	{ "rep outsw", RIG_64, 3, { 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 8, 3, 0 },
	{ "rep ins word ptr [edi], dx", RIG_64, 4, { 0x67, 0x66, 0xf3, 0x6d }, 1, 1, 1, 2, 4, 0,
	    0 },
	{ "rep outs dx, word ptr [esi]", RIG_64, 4, { 0x67, 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 4, 3,
	    0 },
	{ "rep outs dx, word ptr fs:[rsi]", RIG_64, 4, { 0x64, 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 8, 4,
	    0 },
	{ "in eax, 0x20", RIG_64, 2, { 0xe5, 0x20 }, 1, 0, 0, 4, 8, -1, 1 },
	{ "in eax, dx", RIG_64, 1, { 0xed }, 1, 0, 0, 4, 8, -1, 0 },
	{ "out 0x20, eax", RIG_64, 2, { 0xe7, 0x20 }, 0, 0, 0, 4, 8, -1, 1 },
	{ "out dx, eax", RIG_64, 1, { 0xef }, 0, 0, 0, 4, 8, -1, 0 },
	{ "insd", RIG_64, 1, { 0x6d }, 1, 1, 0, 4, 8, 0, 0 },
	{ "outsd", RIG_64, 1, { 0x6f }, 0, 1, 0, 4, 8, 3, 0 },
	{ "ins dword ptr [edi], dx", RIG_64, 2, { 0x67, 0x6d }, 1, 1, 0, 4, 4, 0, 0 },
	{ "outs dx, dword ptr [esi]", RIG_64, 2, { 0x67, 0x6f }, 0, 1, 0, 4, 4, 3, 0 },
	{ "outs dx, dword ptr fs:[rsi]", RIG_64, 2, { 0x64, 0x6f }, 0, 1, 0, 4, 8, 4, 0 },
	{ "rep insd", RIG_64, 2, { 0xf3, 0x6d }, 1, 1, 1, 4, 8, 0, 0 },
	{ "rep outsd", RIG_64, 2, { 0xf3, 0x6f }, 0, 1, 1, 4, 8, 3, 0 },
	{ "rep ins dword ptr [edi], dx", RIG_64, 3, { 0x67, 0xf3, 0x6d }, 1, 1, 1, 4, 4, 0, 0 },
	{ "rep outs dx, dword ptr [esi]", RIG_64, 3, { 0x67, 0xf3, 0x6f }, 0, 1, 1, 4, 4, 3, 0 },
	{ "rep outs dx, dword ptr fs:[rsi]", RIG_64, 3, { 0x64, 0xf3, 0x6f }, 0, 1, 1, 4, 8, 4, 0 },
	{ "in al, 0x20", RIG_32, 2, { 0xe4, 0x20 }, 1, 0, 0, 1, 4, -1, 1 },
	{ "in al, dx", RIG_32, 1, { 0xec }, 1, 0, 0, 1, 4, -1, 0 },
	{ "out 0x20, al", RIG_32, 2, { 0xe6, 0x20 }, 0, 0, 0, 1, 4, -1, 1 },
	{ "out dx, al", RIG_32, 1, { 0xee }, 0, 0, 0, 1, 4, -1, 0 },
	{ "insb", RIG_32, 1, { 0x6c }, 1, 1, 0, 1, 4, 0, 0 },
	{ "outsb", RIG_32, 1, { 0x6e }, 0, 1, 0, 1, 4, 3, 0 },
	{ "ins byte ptr [di], dx", RIG_32, 2, { 0x67, 0x6c }, 1, 1, 0, 1, 2, 0, 0 },
	{ "outs dx, byte ptr [si]", RIG_32, 2, { 0x67, 0x6e }, 0, 1, 0, 1, 2, 3, 0 },
	{ "outs dx, byte ptr fs:[esi]", RIG_32, 2, { 0x64, 0x6e }, 0, 1, 0, 1, 4, 4, 0 },
	{ "rep insb", RIG_32, 2, { 0xf3, 0x6c }, 1, 1, 1, 1, 4, 0, 0 },
	{ "rep outsb", RIG_32, 2, { 0xf3, 0x6e }, 0, 1, 1, 1, 4, 3, 0 },
	{ "rep ins byte ptr [di], dx", RIG_32, 3, { 0x67, 0xf3, 0x6c }, 1, 1, 1, 1, 2, 0, 0 },
	{ "rep outs dx, byte ptr [si]", RIG_32, 3, { 0x67, 0xf3, 0x6e }, 0, 1, 1, 1, 2, 3, 0 },
	{ "rep outs dx, byte ptr fs:[esi]", RIG_32, 3, { 0x64, 0xf3, 0x6e }, 0, 1, 1, 1, 4, 4, 0 },
	{ "in ax, 0x20", RIG_32, 3, { 0x66, 0xe5, 0x20 }, 1, 0, 0, 2, 4, -1, 1 },
	{ "in ax, dx", RIG_32, 2, { 0x66, 0xed }, 1, 0, 0, 2, 4, -1, 0 },
	{ "out 0x20, ax", RIG_32, 3, { 0x66, 0xe7, 0x20 }, 0, 0, 0, 2, 4, -1, 1 },
	{ "out dx, ax", RIG_32, 2, { 0x66, 0xef }, 0, 0, 0, 2, 4, -1, 0 },
	{ "insw", RIG_32, 2, { 0x66, 0x6d }, 1, 1, 0, 2, 4, 0, 0 },
	{ "outsw", RIG_32, 2, { 0x66, 0x6f }, 0, 1, 0, 2, 4, 3, 0 },
	{ "ins word ptr [di], dx", RIG_32, 3, { 0x67, 0x66, 0x6d }, 1, 1, 0, 2, 2, 0, 0 },
	{ "outs dx, word ptr [si]", RIG_32, 3, { 0x67, 0x66, 0x6f }, 0, 1, 0, 2, 2, 3, 0 },
	{ "outs dx, word ptr fs:[esi]", RIG_32, 3, { 0x64, 0x66, 0x6f }, 0, 1, 0, 2, 4, 4, 0 },
	{ "rep insw", RIG_32, 3, { 0x66, 0xf3, 0x6d }, 1, 1, 1, 2, 4, 0, 0 },
	{ "rep outsw", RIG_32, 3, { 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 4, 3, 0 },
	{ "rep ins word ptr [di], dx", RIG_32, 4, { 0x67, 0x66, 0xf3, 0x6d }, 1, 1, 1, 2, 2, 0, 0 },
	{ "rep outs dx, word ptr [si]", RIG_32, 4, { 0x67, 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 2, 3,
	    0 },
	{ "rep outs dx, word ptr fs:[esi]", RIG_32, 4, { 0x64, 0x66, 0xf3, 0x6f }, 0, 1, 1, 2, 4, 4,
	    0 },
	{ "in eax, 0x20", RIG_32, 2, { 0xe5, 0x20 }, 1, 0, 0, 4, 4, -1, 1 },
	{ "in eax, dx", RIG_32, 1, { 0xed }, 1, 0, 0, 4, 4, -1, 0 },
	{ "out 0x20, eax", RIG_32, 2, { 0xe7, 0x20 }, 0, 0, 0, 4, 4, -1, 1 },
	{ "out dx, eax", RIG_32, 1, { 0xef }, 0, 0, 0, 4, 4, -1, 0 },
	{ "insd", RIG_32, 1, { 0x6d }, 1, 1, 0, 4, 4, 0, 0 },
	{ "outsd", RIG_32, 1, { 0x6f }, 0, 1, 0, 4, 4, 3, 0 },
	{ "ins dword ptr [di], dx", RIG_32, 2, { 0x67, 0x6d }, 1, 1, 0, 4, 2, 0, 0 },
	{ "outs dx, dword ptr [si]", RIG_32, 2, { 0x67, 0x6f }, 0, 1, 0, 4, 2, 3, 0 },
	{ "outs dx, dword ptr fs:[esi]", RIG_32, 2, { 0x64, 0x6f }, 0, 1, 0, 4, 4, 4, 0 },
	{ "rep insd", RIG_32, 2, { 0xf3, 0x6d }, 1, 1, 1, 4, 4, 0, 0 },
	{ "rep outsd", RIG_32, 2, { 0xf3, 0x6f }, 0, 1, 1, 4, 4, 3, 0 },
	{ "rep ins dword ptr [di], dx", RIG_32, 3, { 0x67, 0xf3, 0x6d }, 1, 1, 1, 4, 2, 0, 0 },
	{ "rep outs dx, dword ptr [si]", RIG_32, 3, { 0x67, 0xf3, 0x6f }, 0, 1, 1, 4, 2, 3, 0 },
	{ "rep outs dx, dword ptr fs:[esi]", RIG_32, 3, { 0x64, 0xf3, 0x6f }, 0, 1, 1, 4, 4, 4, 0 },
	{ "in al, 0x20", RIG_16, 2, { 0xe4, 0x20 }, 1, 0, 0, 1, 2, -1, 1 },
	{ "in al, dx", RIG_16, 1, { 0xec }, 1, 0, 0, 1, 2, -1, 0 },
	{ "out 0x20, al", RIG_16, 2, { 0xe6, 0x20 }, 0, 0, 0, 1, 2, -1, 1 },
	{ "out dx, al", RIG_16, 1, { 0xee }, 0, 0, 0, 1, 2, -1, 0 },
	{ "insb", RIG_16, 1, { 0x6c }, 1, 1, 0, 1, 2, 0, 0 },
	{ "outsb", RIG_16, 1, { 0x6e }, 0, 1, 0, 1, 2, 3, 0 },
	{ "ins byte ptr [edi], dx", RIG_16, 2, { 0x67, 0x6c }, 1, 1, 0, 1, 4, 0, 0 },
	{ "outs dx, byte ptr [esi]", RIG_16, 2, { 0x67, 0x6e }, 0, 1, 0, 1, 4, 3, 0 },
	{ "outs dx, byte ptr fs:[si]", RIG_16, 2, { 0x64, 0x6e }, 0, 1, 0, 1, 2, 4, 0 },
	{ "rep insb", RIG_16, 2, { 0xf3, 0x6c }, 1, 1, 1, 1, 2, 0, 0 },
	{ "rep outsb", RIG_16, 2, { 0xf3, 0x6e }, 0, 1, 1, 1, 2, 3, 0 },
	{ "rep ins byte ptr [edi], dx", RIG_16, 3, { 0x67, 0xf3, 0x6c }, 1, 1, 1, 1, 4, 0, 0 },
	{ "rep outs dx, byte ptr [esi]", RIG_16, 3, { 0x67, 0xf3, 0x6e }, 0, 1, 1, 1, 4, 3, 0 },
	{ "rep outs dx, byte ptr fs:[si]", RIG_16, 3, { 0x64, 0xf3, 0x6e }, 0, 1, 1, 1, 2, 4, 0 },
	{ "in ax, 0x20", RIG_16, 2, { 0xe5, 0x20 }, 1, 0, 0, 2, 2, -1, 1 },
	{ "in ax, dx", RIG_16, 1, { 0xed }, 1, 0, 0, 2, 2, -1, 0 },
	{ "out 0x20, ax", RIG_16, 2, { 0xe7, 0x20 }, 0, 0, 0, 2, 2, -1, 1 },
	{ "out dx, ax", RIG_16, 1, { 0xef }, 0, 0, 0, 2, 2, -1, 0 },
	{ "insw", RIG_16, 1, { 0x6d }, 1, 1, 0, 2, 2, 0, 0 },
	{ "outsw", RIG_16, 1, { 0x6f }, 0, 1, 0, 2, 2, 3, 0 },
	{ "ins word ptr [edi], dx", RIG_16, 2, { 0x67, 0x6d }, 1, 1, 0, 2, 4, 0, 0 },
	{ "outs dx, word ptr [esi]", RIG_16, 2, { 0x67, 0x6f }, 0, 1, 0, 2, 4, 3, 0 },
	{ "outs dx, word ptr fs:[si]", RIG_16, 2, { 0x64, 0x6f }, 0, 1, 0, 2, 2, 4, 0 },
	{ "rep insw", RIG_16, 2, { 0xf3, 0x6d }, 1, 1, 1, 2, 2, 0, 0 },
	{ "rep outsw", RIG_16, 2, { 0xf3, 0x6f }, 0, 1, 1, 2, 2, 3, 0 },
	{ "rep ins word ptr [edi], dx", RIG_16, 3, { 0x67, 0xf3, 0x6d }, 1, 1, 1, 2, 4, 0, 0 },
	{ "rep outs dx, word ptr [esi]", RIG_16, 3, { 0x67, 0xf3, 0x6f }, 0, 1, 1, 2, 4, 3, 0 },
	{ "rep outs dx, word ptr fs:[si]", RIG_16, 3, { 0x64, 0xf3, 0x6f }, 0, 1, 1, 2, 2, 4, 0 },
	{ "in eax, 0x20", RIG_16, 3, { 0x66, 0xe5, 0x20 }, 1, 0, 0, 4, 2, -1, 1 },
	{ "in eax, dx", RIG_16, 2, { 0x66, 0xed }, 1, 0, 0, 4, 2, -1, 0 },
	{ "out 0x20, eax", RIG_16, 3, { 0x66, 0xe7, 0x20 }, 0, 0, 0, 4, 2, -1, 1 },
	{ "out dx, eax", RIG_16, 2, { 0x66, 0xef }, 0, 0, 0, 4, 2, -1, 0 },
	{ "insd", RIG_16, 2, { 0x66, 0x6d }, 1, 1, 0, 4, 2, 0, 0 },
	{ "outsd", RIG_16, 2, { 0x66, 0x6f }, 0, 1, 0, 4, 2, 3, 0 },
	{ "ins dword ptr [edi], dx", RIG_16, 3, { 0x67, 0x66, 0x6d }, 1, 1, 0, 4, 4, 0, 0 },
	{ "outs dx, dword ptr [esi]", RIG_16, 3, { 0x67, 0x66, 0x6f }, 0, 1, 0, 4, 4, 3, 0 },
	{ "outs dx, dword ptr fs:[si]", RIG_16, 3, { 0x64, 0x66, 0x6f }, 0, 1, 0, 4, 2, 4, 0 },
	{ "rep insd", RIG_16, 3, { 0x66, 0xf3, 0x6d }, 1, 1, 1, 4, 2, 0, 0 },
	{ "rep outsd", RIG_16, 3, { 0x66, 0xf3, 0x6f }, 0, 1, 1, 4, 2, 3, 0 },
	{ "rep ins dword ptr [edi], dx", RIG_16, 4, { 0x67, 0x66, 0xf3, 0x6d }, 1, 1, 1, 4, 4, 0,
	    0 },
	{ "rep outs dx, dword ptr [esi]", RIG_16, 4, { 0x67, 0x66, 0xf3, 0x6f }, 0, 1, 1, 4, 4, 3,
	    0 },
	{ "rep outs dx, dword ptr fs:[si]", RIG_16, 4, { 0x64, 0x66, 0xf3, 0x6f }, 0, 1, 1, 4, 2, 4,
	    0 },
};

enum { PORT = 0xfffc, MOST = 64, ES_BASE = 0x20, DS_BASE = 0x40, FS_BASE = 0x100 };

/* What a program's device has seen; what it gives is made of how much that was. */
struct device {
	unsigned n;
	uint16_t port[MOST];
	size_t size[MOST];
	uint32_t val[MOST];
};

static uint32_t given(unsigned n, unsigned size)
{
	return (0x81c2e3f4u + 0x01010101u * n) & (0xffffffffu >> (32 - 8 * size));
}

static struct device *device_of(struct rig *r)
{
	return (struct device *)(void *)r->hole;
}

static void call(struct nvmm_io *io)
{
	struct rig *r = (struct rig *)(void *)((char *)io->vcpu - offsetof(struct rig, vcpu));
	struct device *d = device_of(r);
	uint32_t val;

	assert_ptr_equal(io->mach, &r->mach);
	assert_true(d->n < MOST);
	val = given(d->n, (unsigned)io->size);
	if (io->in)
		memcpy(io->data, &val, io->size);
	else
		memcpy(&d->val[d->n], io->data, io->size);
	d->port[d->n] = io->port;
	d->size[d->n++] = io->size;
}

static uint64_t base_of(const struct form *f, int seg)
{
	if (seg == NVMM_X64_SEG_FS)
		return FS_BASE;
	if (f->mode == RIG_64)
		return 0;
	return seg == NVMM_X64_SEG_ES ? ES_BASE : DS_BASE;
}

/* The exit describes the instruction, and RIP is at it. */
static void look_at_exit(struct rig *r, const struct form *f)
{
	const struct nvmm_x86_exit_io *x = &r->vcpu.exit->u.io;
	const uint64_t start = f->mode == RIG_16 ? 0 : RIG_CODE;

	assert_int_equal(x->in, f->in);
	assert_int_equal(x->port, f->imm ? 0x20 : PORT);
	assert_int_equal(x->operand_size, f->size);
	assert_int_equal(x->address_size, f->asize);
	assert_int_equal(x->str, f->str);
	assert_int_equal(x->rep, f->rep);
	assert_int_equal(x->seg, f->seg);
	assert_int_equal(x->npc, start + f->len);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), start);
}

static void load(struct rig *r, const struct form *f, unsigned count, bool down, uint64_t offset)
{
	struct nvmm_vcpu_state *s = r->vcpu.state;
	unsigned n;

	memset(r->hole, 0, RIG_PAGE);
	for (n = 0; n < 2 * RIG_PAGE; n++)
		r->ram[RIG_DATA + n] = (uint8_t)(n * 7 + 1);
	rig_load(r, f->mode, f->code, f->len);
	s->segs[NVMM_X64_SEG_ES].base = ES_BASE;
	s->segs[NVMM_X64_SEG_DS].base = DS_BASE;
	s->segs[NVMM_X64_SEG_FS].base = FS_BASE;
	s->gprs[NVMM_X64_GPR_RDX] = PORT;
	s->gprs[NVMM_X64_GPR_RAX] = 0x1122334455667788;
	s->gprs[NVMM_X64_GPR_RCX] = count;
	s->gprs[NVMM_X64_GPR_RSI] = s->gprs[NVMM_X64_GPR_RDI] = offset;
	if (down)
		s->gprs[NVMM_X64_GPR_RFLAGS] |= PL_DF;
	rig_set(r, NVMM_X64_STATE_ALL);
}

static void check_registers(
    struct rig *r, const struct form *f, unsigned times, bool down, uint64_t offset)
{
	const uint64_t *g = r->vcpu.state->gprs;
	const uint64_t moved = offset + (down ? -(uint64_t)(times * f->size) : times * f->size);
	const uint64_t rax = 0x1122334455667788, in = given(0, f->size);

	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(
	    g[NVMM_X64_GPR_RIP], (f->mode == RIG_16 ? 0 : RIG_CODE) + f->len + 1); /* behind HLT */
	if (!f->in || f->str)
		assert_int_equal(g[NVMM_X64_GPR_RAX], rax);
	else if (f->size == 4)
		assert_int_equal(g[NVMM_X64_GPR_RAX], in);
	else
		assert_int_equal(
		    g[NVMM_X64_GPR_RAX], (rax & ~(f->size == 1 ? 0xffull : 0xffffull)) | in);
	assert_int_equal(g[NVMM_X64_GPR_RSI], f->str && !f->in ? moved : offset);
	assert_int_equal(g[NVMM_X64_GPR_RDI], f->str && f->in ? moved : offset);
}

static void check_transfers(
    struct rig *r, const struct form *f, unsigned times, bool down, uint64_t offset)
{
	const struct device *d = device_of(r);
	uint32_t val;
	unsigned n;

	assert_int_equal(d->n, times);
	for (n = 0; n < times; n++) {
		const uint64_t step = n * (uint64_t)f->size;
		const uint64_t at = base_of(f, f->seg) + (down ? offset - step : offset + step);

		assert_int_equal(d->port[n], f->imm ? 0x20 : PORT);
		assert_int_equal(d->size[n], f->size);
		val = 0;
		if (f->str)
			memcpy(&val, r->ram + at, f->size);
		else
			val = 0x55667788 & (0xffffffffu >> (32 - 8 * f->size));
		if (!f->in)
			assert_int_equal(d->val[n], val);
		else if (f->str)
			assert_int_equal(val, given(n, f->size));
	}
}

static void run(struct rig *r, const struct form *f, unsigned count, bool down, uint64_t offset)
{
	const unsigned times = f->rep ? count : 1;
	uint64_t why;
	unsigned n;

	load(r, f, count, down, offset);
	for (n = 0; (why = rig_run(r)) == NVMM_VCPU_EXIT_IO; n++) {
		look_at_exit(r, f);
		assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), 0);
	}
	assert_int_equal(why, NVMM_VCPU_EXIT_HALTED);
	check_transfers(r, f, times, down, offset);
	check_registers(r, f, times, down, offset);
	if (f->rep)
		assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RCX], 0);
}

static void use(struct rig *r, void (*io)(struct nvmm_io *))
{
	const struct nvmm_assist_callbacks callbacks = { .io = io };

	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS,
			     (void *)(uintptr_t)&callbacks),
	    0);
}

static void each_form(void **state)
{
	static const unsigned counts[] = { 0, 1, 3, 40 };
	struct rig *r = *state;
	const struct form *f;
	unsigned n;

	use(r, call);
	for (f = forms; f < forms + sizeof forms / sizeof *forms; f++) {
		print_message("# %s\n", f->text);
		for (n = 0; n < 4; n++) {
			run(r, f, counts[n], false, RIG_DATA + 0x180);
			run(r, f, counts[n], true, RIG_DATA + 0x180);
			/* Over the end of a page, in the middle of an element. */
			run(r, f, counts[n], false, RIG_DATA + 0xf5e);
		}
	}
}

/* OUTS from a device's memory to a port, and INS the other way: both callbacks. */
static void mem(struct nvmm_mem *m)
{
	if (!m->write)
		memset(m->data, 0x5c, m->size);
	else
		assert_int_equal(m->data[0], 0xf4);
}

static void between_a_port_and_a_hole(void **state)
{
	static const struct nvmm_assist_callbacks callbacks = { .io = call, .mem = mem };
	struct rig *r = *state;
	struct device *d = device_of(r);

	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	memset(r->hole, 0, RIG_PAGE);
	RIG_LOAD(r, RIG_64, 0x6f); /* outsd: reads first */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
	assert_int_equal(d->n, 1);
	assert_int_equal(d->val[0], 0x5c5c5c5c);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	memset(r->hole, 0, RIG_PAGE);
	RIG_LOAD(r, RIG_64, 0x6c); /* insb */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
	assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), 0);
	assert_int_equal(d->n, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
}

/* As Solo5 has it: the program reads the port and the value, and goes on at npc. */
static void programs_may_do_it_themselves(void **state)
{
	struct rig *r = *state;
	unsigned n;

	use(r, NULL);
	/* 1: out dx, eax; loop 1 */
	RIG_LOAD(r, RIG_64, 0xef, 0xe2, 0xfd);
	r->vcpu.state->gprs[NVMM_X64_GPR_RCX] = 100;
	rig_set(r, NVMM_X64_STATE_ALL);
	for (n = 0; n < 100; n++) {
		assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
		assert_int_equal(r->vcpu.exit->u.io.in, 0);
		rig_get(r, NVMM_X64_STATE_GPRS);
		r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = r->vcpu.exit->u.io.npc;
		rig_set(r, NVMM_X64_STATE_GPRS);
	}
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	RIG_LOAD(r, RIG_64, 0xec);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
	assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EINVAL);
}

/* A callback that looks at the processor, without asking for it, and one that changes it. */
static void look(struct nvmm_io *io)
{
	struct nvmm_vcpu_state *s = io->vcpu->state;

	assert_int_equal(s->gprs[NVMM_X64_GPR_RAX], 0x12345678);
	assert_int_equal(s->gprs[NVMM_X64_GPR_RIP], RIG_CODE);
	assert_int_equal(s->crs[NVMM_X64_CR_CR3], RIG_TABLES);
	assert_int_equal(s->segs[NVMM_X64_SEG_CS].attrib.l, 1);
	s->gprs[NVMM_X64_GPR_R15] = 0x99;
	s->crs[NVMM_X64_CR_CR2] = 0x77;
	assert_int_equal(
	    nvmm_vcpu_setstate(io->mach, io->vcpu, NVMM_X64_STATE_GPRS | NVMM_X64_STATE_CRS), 0);
}

static void callbacks_have_the_state(void **state)
{
	struct rig *r = *state;

	use(r, look);
	RIG_LOAD(r, RIG_64, 0xef);
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = 0x12345678;
	rig_set(r, NVMM_X64_STATE_ALL);
	memset(r->vcpu.state, 0, sizeof *r->vcpu.state);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
	assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), 0);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_GPRS | NVMM_X64_STATE_CRS);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RIP], RIG_CODE + 2);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_R15], 0x99);
	assert_int_equal(r->vcpu.state->crs[NVMM_X64_CR_CR2], 0x77);
}

/* Ports that the TSS does not allow are the guest's mistake, before anything comes out. */
static void permission_is_the_processors(void **state)
{
	struct rig *r = *state;

	use(r, call);
	memset(r->hole, 0, RIG_PAGE);
	RIG_LOAD(r, RIG_64, 0xec);
	r->vcpu.state->segs[NVMM_X64_SEG_CS].attrib.dpl = 3;
	r->vcpu.state->segs[NVMM_X64_SEG_CS].selector = 0x1b;
	r->vcpu.state->segs[NVMM_X64_SEG_SS].attrib.dpl = 3;
	r->vcpu.state->segs[NVMM_X64_SEG_SS].selector = 0x23;
	r->vcpu.state->segs[NVMM_X64_SEG_TR].base = RIG_DATA;
	r->vcpu.state->segs[NVMM_X64_SEG_TR].limit = 0x67;
	memset(r->ram + RIG_DATA, 0, 0x68);
	rig_put64(r, RIG_DATA + 4, RIG_STACK);
	r->ram[RIG_DATA + 0x66] = 0x68; /* the map of permissions: none */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_HANDLER + 16 * 13 + 1);
	assert_int_equal(device_of(r)->n, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(each_form),
		TEST(between_a_port_and_a_hole),
		TEST(programs_may_do_it_themselves),
		TEST(callbacks_have_the_state),
		TEST(permission_is_the_processors),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
