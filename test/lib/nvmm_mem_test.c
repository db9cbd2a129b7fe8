/* SPDX-License-Identifier: BSD-2-Clause */
/* nvmm_assist_mem: each form of instruction is run twice with the same state, with memory where its
 * operands are and with callbacks there.  Nothing may be different behind it. */
#include "test/lib/nvmm_rig.h"
#include "test/random.h"

struct form {
	const char *text;
	unsigned len;
	uint8_t code[16];
};

static const struct form forms64[] = {
	{ "mov [rbx], al", 2, { 0x88, 0x03 } },
	{ "mov [rbx], ah", 2, { 0x88, 0x23 } },
	{ "mov [rbx+2], ax", 4, { 0x66, 0x89, 0x43, 0x02 } },
	{ "mov [rbx+4], eax", 3, { 0x89, 0x43, 0x04 } },
	{ "mov [rbx+8], r9", 4, { 0x4c, 0x89, 0x4b, 0x08 } },
	{ "mov [rbx+rcx*8+1], edx", 4, { 0x89, 0x54, 0xcb, 0x01 } },
	{ "mov byte ptr [rbx], 0x5a", 3, { 0xc6, 0x03, 0x5a } },
	{ "mov word ptr [rbx], 0x1234", 5, { 0x66, 0xc7, 0x03, 0x34, 0x12 } },
	{ "mov dword ptr [rbx], 0x12345678", 6, { 0xc7, 0x03, 0x78, 0x56, 0x34, 0x12 } },
	{ "mov qword ptr [rbx], -2", 7, { 0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff } },
	{ "mov al, [rbx]", 2, { 0x8a, 0x03 } },
	{ "mov r8w, [rbx]", 4, { 0x66, 0x44, 0x8b, 0x03 } },
	{ "mov edx, [rbx]", 2, { 0x8b, 0x13 } },
	{ "mov rax, [rbx+8]", 4, { 0x48, 0x8b, 0x43, 0x08 } },
	{ "mov rax, [rbx+5]", 4, { 0x48, 0x8b, 0x43, 0x05 } },
	{ "movabs al, [0x1040]", 9, { 0xa0, 0x40, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "movabs eax, [0x1040]", 9, { 0xa1, 0x40, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "movabs rax, [0x1048]", 10,
	    { 0x48, 0xa1, 0x48, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "movabs [0x1040], al", 9, { 0xa2, 0x40, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "movabs [0x1044], ax", 10,
	    { 0x66, 0xa3, 0x44, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "movabs [0x1048], rax", 10,
	    { 0x48, 0xa3, 0x48, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 } },
	{ "mov eax, [ebx]", 3, { 0x67, 0x8b, 0x03 } },
	{ "mov [ebx+4], edx", 4, { 0x67, 0x89, 0x53, 0x04 } },
	{ "mov [esi+ecx*4], ax", 5, { 0x67, 0x66, 0x89, 0x04, 0x8e } },
	{ "movzx eax, byte ptr [rbx]", 3, { 0x0f, 0xb6, 0x03 } },
	{ "movzx r9, word ptr [rbx]", 4, { 0x4c, 0x0f, 0xb7, 0x0b } },
	{ "movsx eax, byte ptr [rbx]", 3, { 0x0f, 0xbe, 0x03 } },
	{ "movsx rax, word ptr [rbx]", 4, { 0x48, 0x0f, 0xbf, 0x03 } },
	{ "movsxd rdx, dword ptr [rbx]", 3, { 0x48, 0x63, 0x13 } },
	{ "movbe eax, [rbx]", 4, { 0x0f, 0x38, 0xf0, 0x03 } },
	{ "movbe [rbx], rdx", 5, { 0x48, 0x0f, 0x38, 0xf1, 0x13 } },
	{ "movnti [rbx], edx", 3, { 0x0f, 0xc3, 0x13 } },
	{ "or [rbx], al", 2, { 0x08, 0x03 } },
	{ "or [rbx], edx", 2, { 0x09, 0x13 } },
	{ "or qword ptr [rbx], 0x1400", 7, { 0x48, 0x81, 0x0b, 0x00, 0x14, 0x00, 0x00 } },
	{ "or eax, [rbx]", 2, { 0x0b, 0x03 } },
	{ "and [rbx], dx", 3, { 0x66, 0x21, 0x13 } },
	{ "and dword ptr [rbx], 0x1fc0", 6, { 0x81, 0x23, 0xc0, 0x1f, 0x00, 0x00 } },
	{ "and rax, [rbx]", 3, { 0x48, 0x23, 0x03 } },
	{ "xor [rbx], rdx", 3, { 0x48, 0x31, 0x13 } },
	{ "xor byte ptr [rbx], 0xff", 3, { 0x80, 0x33, 0xff } },
	{ "xor eax, [rbx]", 2, { 0x33, 0x03 } },
	{ "add [rbx], eax", 2, { 0x01, 0x03 } },
	{ "add qword ptr [rbx], -1", 4, { 0x48, 0x83, 0x03, 0xff } },
	{ "add rax, [rbx]", 3, { 0x48, 0x03, 0x03 } },
	{ "adc [rbx], edx", 2, { 0x11, 0x13 } },
	{ "sub [rbx], ax", 3, { 0x66, 0x29, 0x03 } },
	{ "sub word ptr [rbx], 0x7fff", 5, { 0x66, 0x81, 0x2b, 0xff, 0x7f } },
	{ "sub edx, [rbx]", 2, { 0x2b, 0x13 } },
	{ "sbb rax, [rbx]", 3, { 0x48, 0x1b, 0x03 } },
	{ "sbb byte ptr [rbx], 3", 3, { 0x80, 0x1b, 0x03 } },
	{ "cmp [rbx], eax", 2, { 0x39, 0x03 } },
	{ "cmp eax, [rbx]", 2, { 0x3b, 0x03 } },
	{ "cmp byte ptr [rbx], 7", 3, { 0x80, 0x3b, 0x07 } },
	{ "cmp qword ptr [rbx], 0x40", 4, { 0x48, 0x83, 0x3b, 0x40 } },
	{ "test [rbx], edx", 2, { 0x85, 0x13 } },
	{ "test byte ptr [rbx], 0x80", 3, { 0xf6, 0x03, 0x80 } },
	{ "test qword ptr [rbx], 0x7f", 7, { 0x48, 0xf7, 0x03, 0x7f, 0x00, 0x00, 0x00 } },
	{ "not dword ptr [rbx]", 2, { 0xf7, 0x13 } },
	{ "neg qword ptr [rbx]", 3, { 0x48, 0xf7, 0x1b } },
	{ "inc byte ptr [rbx]", 2, { 0xfe, 0x03 } },
	{ "dec word ptr [rbx]", 3, { 0x66, 0xff, 0x0b } },
	{ "lock inc dword ptr [rbx]", 3, { 0xf0, 0xff, 0x03 } },
	{ "lock or [rbx], rdx", 4, { 0xf0, 0x48, 0x09, 0x13 } },
	{ "xchg [rbx], al", 2, { 0x86, 0x03 } },
	{ "xchg [rbx], rdx", 3, { 0x48, 0x87, 0x13 } },
	{ "cmpxchg [rbx], edx", 3, { 0x0f, 0xb1, 0x13 } },
	{ "lock cmpxchg [rbx], rdx", 5, { 0xf0, 0x48, 0x0f, 0xb1, 0x13 } },
	{ "cmpxchg8b [rbx]", 3, { 0x0f, 0xc7, 0x0b } },
	{ "lock cmpxchg16b [rbx]", 5, { 0xf0, 0x48, 0x0f, 0xc7, 0x0b } },
	{ "xadd [rbx], eax", 3, { 0x0f, 0xc1, 0x03 } },
	{ "lock xadd [rbx], dl", 4, { 0xf0, 0x0f, 0xc0, 0x13 } },
	{ "bts dword ptr [rbx], 5", 4, { 0x0f, 0xba, 0x2b, 0x05 } },
	{ "btr [rbx], ecx", 3, { 0x0f, 0xb3, 0x0b } },
	{ "btc qword ptr [rbx], 63", 5, { 0x48, 0x0f, 0xba, 0x3b, 0x3f } },
	{ "bt dword ptr [rbx], 3", 4, { 0x0f, 0xba, 0x23, 0x03 } },
	{ "shl dword ptr [rbx], 1", 2, { 0xd1, 0x23 } },
	{ "sar qword ptr [rbx], cl", 3, { 0x48, 0xd3, 0x3b } },
	{ "rol word ptr [rbx], 3", 4, { 0x66, 0xc1, 0x03, 0x03 } },
	{ "shld [rbx], edx, 4", 4, { 0x0f, 0xa4, 0x13, 0x04 } },
	{ "push qword ptr [rbx]", 2, { 0xff, 0x33 } },
	{ "pop qword ptr [rbx]", 2, { 0x8f, 0x03 } },
	{ "sete byte ptr [rbx]", 3, { 0x0f, 0x94, 0x03 } },
	{ "setc byte ptr [rbx]", 3, { 0x0f, 0x92, 0x03 } },
	{ "cmovz eax, [rbx]", 3, { 0x0f, 0x44, 0x03 } },
	{ "cmovnz rdx, [rbx]", 4, { 0x48, 0x0f, 0x45, 0x13 } },
	{ "imul eax, [rbx]", 3, { 0x0f, 0xaf, 0x03 } },
	{ "imul rdx, [rbx], 7", 4, { 0x48, 0x6b, 0x13, 0x07 } },
	{ "mul dword ptr [rbx]", 2, { 0xf7, 0x23 } },
	{ "movs byte ptr [rdi], [rsi]", 1, { 0xa4 } },
	{ "movs word ptr [rdi], [rsi]", 2, { 0x66, 0xa5 } },
	{ "movs dword ptr [rdi], [rsi]", 1, { 0xa5 } },
	{ "movs qword ptr [rdi], [rsi]", 2, { 0x48, 0xa5 } },
	{ "rep movsb", 2, { 0xf3, 0xa4 } },
	{ "rep movsd", 2, { 0xf3, 0xa5 } },
	{ "rep movsq", 3, { 0xf3, 0x48, 0xa5 } },
	{ "rep movs dword ptr [edi], [esi]", 3, { 0x67, 0xf3, 0xa5 } },
	{ "std; rep movsw; cld", 5, { 0xfd, 0x66, 0xf3, 0xa5, 0xfc } },
	{ "std; movsq; cld", 4, { 0xfd, 0x48, 0xa5, 0xfc } },
	{ "stosb", 1, { 0xaa } },
	{ "stosw", 2, { 0x66, 0xab } },
	{ "stosd", 1, { 0xab } },
	{ "stosq", 2, { 0x48, 0xab } },
	{ "rep stosb", 2, { 0xf3, 0xaa } },
	{ "rep stosd", 2, { 0xf3, 0xab } },
	{ "std; rep stosq; cld", 5, { 0xfd, 0xf3, 0x48, 0xab, 0xfc } },
	{ "lodsb", 1, { 0xac } },
	{ "lodsw", 2, { 0x66, 0xad } },
	{ "lodsd", 1, { 0xad } },
	{ "lodsq", 2, { 0x48, 0xad } },
	{ "rep lodsw", 3, { 0x66, 0xf3, 0xad } },
	{ "scasb", 1, { 0xae } },
	{ "scasq", 2, { 0x48, 0xaf } },
	{ "repne scasb", 2, { 0xf2, 0xae } },
	{ "cmpsb", 1, { 0xa6 } },
	{ "cmpsd", 1, { 0xa7 } },
	{ "repe cmpsb", 2, { 0xf3, 0xa6 } },
	{ "movdqu xmm1, [rbx]", 4, { 0xf3, 0x0f, 0x6f, 0x0b } },
	{ "movdqu [rbx], xmm2", 4, { 0xf3, 0x0f, 0x7f, 0x13 } },
	{ "movaps [rbx], xmm3", 3, { 0x0f, 0x29, 0x1b } },
	{ "movups xmm4, [rbx+8]", 4, { 0x0f, 0x10, 0x63, 0x08 } },
	{ "movd [rbx], xmm2", 4, { 0x66, 0x0f, 0x7e, 0x13 } },
	{ "movq xmm1, [rbx]", 4, { 0xf3, 0x0f, 0x7e, 0x0b } },
	{ "paddd xmm1, [rbx]", 4, { 0x66, 0x0f, 0xfe, 0x0b } },
	{ "fld qword ptr [rbx]", 2, { 0xdd, 0x03 } },
	{ "fild dword ptr [rbx]", 2, { 0xdb, 0x03 } },
	{ "fstp tbyte ptr [rbx]", 2, { 0xdb, 0x3b } },
	{ "fnstcw word ptr [rbx]", 2, { 0xd9, 0x3b } },
	{ "fldcw word ptr [rbx]", 2, { 0xd9, 0x2b } },
	{ "sidt [rbx]", 3, { 0x0f, 0x01, 0x0b } },
	{ "crc32 eax, byte ptr [rbx]", 5, { 0xf2, 0x0f, 0x38, 0xf0, 0x03 } },
	{ "popcnt rax, [rbx]", 5, { 0xf3, 0x48, 0x0f, 0xb8, 0x03 } },
	{ "andn eax, edx, [rbx]", 5, { 0xc4, 0xe2, 0x68, 0xf2, 0x03 } },
	{ "xlatb", 1, { 0xd7 } },
};

static const struct form forms32[] = {
	{ "mov [ebx], al", 2, { 0x88, 0x03 } },
	{ "mov [ebx+4], eax", 3, { 0x89, 0x43, 0x04 } },
	{ "mov eax, [0x1040]", 5, { 0xa1, 0x40, 0x10, 0x00, 0x00 } },
	{ "mov [0x1044], edx", 6, { 0x89, 0x15, 0x44, 0x10, 0x00, 0x00 } },
	{ "mov word ptr fs:[ecx*4+0x40], ax", 9,
	    { 0x64, 0x66, 0x89, 0x04, 0x8d, 0x40, 0x00, 0x00, 0x00 } },
	{ "mov edx, fs:[0x44]", 7, { 0x64, 0x8b, 0x15, 0x44, 0x00, 0x00, 0x00 } },
	{ "mov [bx+0x40], al", 4, { 0x67, 0x88, 0x47, 0x40 } },
	{ "or [ebx], edx", 2, { 0x09, 0x13 } },
	{ "xchg [ebx], eax", 2, { 0x87, 0x03 } },
	{ "push dword ptr [ebx]", 2, { 0xff, 0x33 } },
	{ "pop dword ptr [ebx]", 2, { 0x8f, 0x03 } },
	{ "movsd", 1, { 0xa5 } },
	{ "rep movsb", 2, { 0xf3, 0xa4 } },
	{ "rep stosw", 3, { 0x66, 0xf3, 0xab } },
	{ "stosd", 1, { 0xab } },
	{ "lodsd", 1, { 0xad } },
	{ "cmpsb", 1, { 0xa6 } },
	{ "scasw", 2, { 0x66, 0xaf } },
	{ "cmpxchg8b [ebx]", 3, { 0x0f, 0xc7, 0x0b } },
	{ "inc dword ptr [ebx]", 2, { 0xff, 0x03 } },
};

static const struct form forms16[] = {
	{ "mov [bx], al", 2, { 0x88, 0x07 } },
	{ "mov ax, [bp+di+4]", 3, { 0x8b, 0x43, 0x04 } },
	{ "mov [bx+4], edx", 4, { 0x66, 0x89, 0x57, 0x04 } },
	{ "mov eax, ds:[0x1040]", 4, { 0x66, 0xa1, 0x40, 0x10 } },
	{ "or [bx], ax", 2, { 0x09, 0x07 } },
	{ "xor byte ptr es:[di], 0x55", 4, { 0x26, 0x80, 0x35, 0x55 } },
	{ "movsb", 1, { 0xa4 } },
	{ "rep movsw", 2, { 0xf3, 0xa5 } },
	{ "rep stosb", 2, { 0xf3, 0xaa } },
	{ "stosd", 2, { 0x66, 0xab } },
	{ "lodsb", 1, { 0xac } },
	{ "xchg [bx], dx", 2, { 0x87, 0x17 } },
	{ "push word ptr [bx]", 2, { 0xff, 0x37 } },
	{ "pop word ptr [bx]", 2, { 0x8f, 0x07 } },
	{ "inc byte ptr [bx]", 2, { 0xfe, 0x07 } },
	{ "cmp [bx], cx", 2, { 0x39, 0x0f } },
	{ "mov word ptr fs:[ebx+2], 0x1234", 7, { 0x64, 0x67, 0xc7, 0x43, 0x02, 0x34, 0x12 } },
};

/* What a program can see when it is done. */
struct result {
	uint64_t gprs[NVMM_X64_NGPR];
	struct fxsave fpu;
	uint8_t hole[RIG_PAGE], data[RIG_PAGE], stack[RIG_PAGE];
};

/* A device that is like memory. */
static void call(struct nvmm_mem *mem)
{
	struct rig *r = (struct rig *)(void *)((char *)mem->vcpu - offsetof(struct rig, vcpu));
	const uint64_t off = mem->gpa - RIG_HOLE;

	assert_ptr_equal(mem->mach, &r->mach);
	assert_true(off < RIG_PAGE && mem->size && mem->size <= 8 && off + mem->size <= RIG_PAGE);
	if (mem->write)
		memcpy(r->hole + off, mem->data, mem->size);
	else
		memcpy(mem->data, r->hole + off, mem->size);
}

/* HLT does not count; how many exits there were. */
static unsigned run_to_end(struct rig *r)
{
	unsigned n;
	uint64_t why;

	for (n = 0; (why = rig_run(r)) == NVMM_VCPU_EXIT_MEMORY; n++) {
		const struct nvmm_x86_exit_memory *m = &r->vcpu.exit->u.mem;

		assert_in_range(m->gpa, RIG_HOLE, RIG_HOLE + RIG_PAGE - 1);
		assert_true(m->prot == PROT_READ || m->prot == PROT_WRITE);
		assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
		assert_true(n < 100);
	}
	assert_int_equal(why, NVMM_VCPU_EXIT_HALTED);
	return n;
}

static void fill(uint8_t *page, uint64_t *seed, unsigned how)
{
	const uint64_t same = 0x1122334455667788;
	uint64_t word;
	unsigned n;

	for (n = 0; n < RIG_PAGE; n += 8) {
		/* Equal to RAX, for comparisons; small; or anything. */
		word = how == 0 ? same : how == 1 ? random_split(seed) & 7 : random_split(seed);
		memcpy(page + n, &word, 8);
	}
}

/* where: 0: RSI and RDI in the hole; 1: only RSI; 2: only RDI. */
static unsigned run_form(struct rig *r, enum rig_mode mode, const struct form *f, unsigned where,
    uint64_t seed, bool memory, struct result *to)
{
	struct nvmm_vcpu_state *s = r->vcpu.state;
	unsigned n, calls;

	fill(r->hole, &seed, (unsigned)seed % 3);
	fill(r->ram + RIG_DATA, &seed, (unsigned)seed % 3);
	memset(r->ram + RIG_STACK - RIG_PAGE, 0, RIG_PAGE);
	rig_load(r, mode, f->code, f->len);
	s->gprs[NVMM_X64_GPR_RAX] = 0x1122334455667788;
	s->gprs[NVMM_X64_GPR_RDX] = random_split(&seed);
	s->gprs[NVMM_X64_GPR_R8] = random_split(&seed);
	s->gprs[NVMM_X64_GPR_R9] = random_split(&seed);
	if (where == 2)
		s->gprs[NVMM_X64_GPR_RSI] = RIG_DATA + 0x80;
	if (where == 1)
		s->gprs[NVMM_X64_GPR_RDI] = RIG_DATA + 0xc0;
	s->gprs[NVMM_X64_GPR_RFLAGS] = 2 | (random_split(&seed) & 0x8d5);
	s->fpu = (struct fxsave){ .fx_mxcsr = 0x1f80 };
	s->segs[NVMM_X64_SEG_FS].base = mode == RIG_32 ? RIG_HOLE : 0;
	for (n = 0; n < 16; n++) {
		const uint64_t x[2] = { random_split(&seed), random_split(&seed) };

		memcpy(s->fpu.fx_xmm[n].xmm_bytes, x, 16);
	}
	s->fpu.fx_cw = 0x37f;
	s->fpu.fx_sw = 7 << 11; /* one register is full, with 1.5 */
	s->fpu.fx_tw = 0x80;
	s->fpu.fx_87_ac[0].r.f87_mantissa = 0xc000000000000000;
	s->fpu.fx_87_ac[0].r.f87_exp_sign = 0x3fff;
	rig_set(r, NVMM_X64_STATE_ALL);
	if (memory)
		rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_READ | PROT_WRITE);
	calls = run_to_end(r);
	if (memory)
		rig_unmap(r, r->hole, RIG_HOLE, RIG_PAGE);
	rig_get(r, NVMM_X64_STATE_ALL);
	memcpy(to->gprs, s->gprs, sizeof to->gprs);
	to->fpu = s->fpu;
	memcpy(to->hole, r->hole, RIG_PAGE);
	memcpy(to->data, r->ram + RIG_DATA, RIG_PAGE);
	memcpy(to->stack, r->ram + RIG_STACK - RIG_PAGE, RIG_PAGE);
	return calls;
}

static bool is_same(const struct result *x, const struct result *y)
{
	return !memcmp(x->gprs, y->gprs, sizeof x->gprs) &&
	       !memcmp(&x->fpu, &y->fpu, sizeof x->fpu) && !memcmp(x->hole, y->hole, RIG_PAGE) &&
	       !memcmp(x->data, y->data, RIG_PAGE) && !memcmp(x->stack, y->stack, RIG_PAGE);
}

static void compare(struct rig *r, enum rig_mode mode, const struct form *forms, unsigned n)
{
	static const struct nvmm_assist_callbacks callbacks = { .mem = call };
	struct result *want = malloc(sizeof *want), *got = malloc(sizeof *got);
	const struct form *f;
	unsigned where, seed, calls;

	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS,
			     (void *)(uintptr_t)&callbacks),
	    0);
	for (f = forms; f < forms + n; f++) {
		for (calls = where = 0; where < 3; where++) {
			for (seed = 1; seed <= 6; seed++) {
				assert_int_equal(run_form(r, mode, f, where, seed, true, want), 0);
				calls += run_form(r, mode, f, where, seed, false, got);
				if (!is_same(want, got))
					fail_msg("%s: not the same (seed %u)", f->text, seed);
			}
		}
		if (!calls)
			fail_msg("%s: was never in the hole", f->text);
	}
	free(want);
	free(got);
}

static void forms_of_64_bit_code(void **state)
{
	compare(*state, RIG_64, forms64, sizeof forms64 / sizeof *forms64);
}

static void forms_of_32_bit_code(void **state)
{
	compare(*state, RIG_32, forms32, sizeof forms32 / sizeof *forms32);
}

static void forms_of_16_bit_code(void **state)
{
	compare(*state, RIG_16, forms16, sizeof forms16 / sizeof *forms16);
}

/* The two accesses of one instruction, as a device with side effects sees them. */
static struct log {
	unsigned n;
	struct {
		bool write;
		uint64_t gpa, data;
		size_t size;
	} at[16];
} * log_of(struct rig *r)
{
	return (struct log *)(void *)r->hole;
}

static void note(struct nvmm_mem *mem)
{
	struct rig *r = (struct rig *)(void *)((char *)mem->vcpu - offsetof(struct rig, vcpu));
	struct log *l = log_of(r);

	assert_true(l->n < 16);
	if (!mem->write)
		memset(mem->data, 0x10 + (int)l->n, mem->size);
	memcpy(&l->at[l->n].data, mem->data, mem->size);
	l->at[l->n].write = mem->write;
	l->at[l->n].gpa = mem->gpa;
	l->at[l->n++].size = mem->size;
}

static void each_access_is_made_once(void **state)
{
	static const struct nvmm_assist_callbacks callbacks = { .mem = note };
	struct rig *r = *state;
	struct log *l = log_of(r);

	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	RIG_LOAD(r, RIG_64, 0x83, 0x0b, 0x01); /* or dword [rbx], 1 */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(run_to_end(r), 1); /* one exit for both */
	assert_int_equal(l->n, 2);
	assert_false(l->at[0].write);
	assert_int_equal(l->at[0].gpa, RIG_HOLE + 0x40);
	assert_int_equal(l->at[0].size, 4);
	assert_true(l->at[1].write);
	assert_int_equal(l->at[1].data, 0x10101011);

	l->n = 0;
	RIG_LOAD(r, RIG_64, 0xf3, 0x48, 0xa5); /* rep movsq */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(run_to_end(r), 3);
	assert_int_equal(l->n, 6);
	assert_int_equal(l->at[5].gpa, RIG_HOLE + 0xc0 + 16);
	assert_int_equal(l->at[5].data, 0x1414141414141414);

	/* An access over the end of the hole is cut there, and only its part comes. */
	l->n = 0;
	memset(r->ram + RIG_HOLE + RIG_PAGE, 0xee, 8);
	RIG_LOAD(r, RIG_64, 0x48, 0x8b, 0x03); /* mov rax, [rbx] */
	r->vcpu.state->gprs[NVMM_X64_GPR_RBX] = RIG_HOLE + RIG_PAGE - 2;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(run_to_end(r), 1);
	assert_int_equal(l->n, 1);
	assert_int_equal(l->at[0].size, 2);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 0xeeeeeeeeeeee1010);
}

/* No device is like this one: programs may do all of an instruction by themselves. */
static void programs_may_do_it_themselves(void **state)
{
	static const struct nvmm_assist_callbacks callbacks = { .mem = note };
	struct rig *r = *state;
	struct log *l = log_of(r);

	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	/* mov eax, [rbx]; mov edx, [rbx]; mov [rbx], edx */
	RIG_LOAD(r, RIG_64, 0x8b, 0x03, 0x8b, 0x13, 0x89, 0x13);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_READ);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RIP], RIG_CODE);
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = 0x77;
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] += 2;
	rig_set(r, NVMM_X64_STATE_GPRS);
	/* Again and again, as long as nobody does it. */
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 2);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RDX), 0x10101010);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_WRITE);
	/* With another state, the assist ends another instruction: MOV RBX comes again. */
	rig_get(r, NVMM_X64_STATE_GPRS);
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = RIG_CODE + 2;
	r->vcpu.state->gprs[NVMM_X64_GPR_RBX] = RIG_HOLE + 0x100;
	rig_set(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
	assert_int_equal(l->n, 2);
	assert_int_equal(l->at[1].gpa, RIG_HOLE + 0x100);
	assert_false(l->at[1].write);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 4);
	assert_int_equal(run_to_end(r), 1);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 0x77);
}

static void what_an_assist_cannot_do(void **state)
{
	static const struct nvmm_assist_callbacks none = { NULL, NULL };
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0x8b, 0x03);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EINVAL); /* nothing came out yet */
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EINVAL);
	nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&none);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EINVAL);
	/* A jump into the hole. */
	RIG_LOAD(r, RIG_64, 0xff, 0xe3);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_EXEC);
	assert_int_equal(r->vcpu.exit->u.mem.gpa, RIG_HOLE + 0x40);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), -1);
	assert_int_equal(errno, EFAULT);
}

/* The instruction faults behind its read: the guest gets that, and the program goes on. */
static void faults_in_an_assist_are_the_guests(void **state)
{
	static const struct nvmm_assist_callbacks callbacks = { .mem = call };
	struct rig *r = *state;

	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	memset(r->hole, 0, RIG_PAGE);
	RIG_LOAD(r, RIG_64, 0xf7, 0x33); /* div dword [rbx]: by 0 */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(run_to_end(r), 1);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_HANDLER + 1);
	/* Without handlers it is the processor's end, which the next run tells. */
	RIG_LOAD(r, RIG_64, 0xf7, 0x33);
	r->vcpu.state->segs[NVMM_X64_SEG_IDT].limit = 0;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_SHUTDOWN);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(forms_of_64_bit_code),
		TEST(forms_of_32_bit_code),
		TEST(forms_of_16_bit_code),
		TEST(each_access_is_made_once),
		TEST(programs_may_do_it_themselves),
		TEST(what_an_assist_cannot_do),
		TEST(faults_in_an_assist_are_the_guests),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
