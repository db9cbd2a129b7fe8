/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding of x86 instructions: Zydis finds out what they are, this makes what bodies need of it.
 * SDM volume 2, chapter 2.  Left out, so undefined for guests: EVEX (AVX-512), XOP, MVEX; CET and
 * MPX are the NOPs that they were before.
 */
#include <Zydis/Zydis.h>
#include <assert.h>

#include "cpu/x86/insn.h"
#include "ir/vec.h"

const struct x86_op_info x86_op_infos[X86_NOPS] = {
#define X(op, name, flags, arg, when, need, next)                                                  \
	[X86_OP_##op] = { name, flags, arg, X86_WHEN_##when, X86_HAS_##need, X86_OP_##next },
	X86_OP_INFOS(X)
#undef X
};

/* The first operation of each mnemonic; those that have none are undefined. */
static const uint16_t first_op[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define X(mnemonic, op) [ZYDIS_MNEMONIC_##mnemonic] = X86_OP_##op,
	X86_MNEMONICS(X)
#undef X
};

/* Which CPUID feature a set of instructions comes with; what is not here is not executed. */
static const uint8_t set_needs[ZYDIS_ISA_SET_MAX_VALUE + 1] = {
#define S(set, feature) [ZYDIS_ISA_SET_##set] = X86_HAS_##feature + 1
	S(I86, NOTHING),
	S(I186, NOTHING),
	S(I286PROTECTED, NOTHING),
	S(I286REAL, NOTHING),
	S(I386, NOTHING),
	S(I486, 486),
	S(I486REAL, 486),
	S(X87, FPU),
	S(PENTIUMREAL, CPUID),
	S(PENTIUMMMX, MMX),
	S(PPRO, PPRO),
	S(FAT_NOP, PPRO),
	S(PREFETCH_NOP, PPRO),
	S(PAUSE, NOTHING),
	S(RDPMC, PPRO),
	S(CMOV, CMOV),
	S(FCMOV, CMOV),
	S(FXSAVE, FXSR),
	S(FXSAVE64, FXSR),
	S(CLFSH, CLFSH),
	S(CLFLUSHOPT, CLFLUSHOPT),
	S(CLWB, CLWB),
	S(SSE, SSE),
	S(SSEMXCSR, SSE),
	S(SSE_PREFETCH, SSE),
	S(SSE2, SSE2),
	S(SSE2MMX, SSE2),
	S(SSE3, SSE3),
	S(SSE3X87, SSE3),
	S(SSSE3, SSSE3),
	S(SSSE3MMX, SSSE3),
	S(SSE4, SSE4_1),
	S(SSE42, SSE4_2),
	S(SSE4A, SSE4A),
	S(PCLMULQDQ, PCLMULQDQ),
	S(AES, AES),
	S(SHA, SHA),
	S(AVX, AVX),
	S(AVXAES, AES),
	S(AVX2, AVX2),
	S(AVX2GATHER, AVX2),
	S(FMA, FMA),
	S(F16C, F16C),
	S(VAES, VAES),
	S(VPCLMULQDQ, VPCLMULQDQ),
	S(GFNI, GFNI),
	S(AVX_GFNI, GFNI),
	S(BMI1, BMI1),
	S(BMI2, BMI2),
	S(LZCNT, ABM),
	S(POPCNT, POPCNT),
	S(MOVBE, MOVBE),
	S(ADOX_ADCX, ADX),
	S(CMPXCHG16B, CX16),
	S(LAHF, NOTHING),
	S(LONGMODE, LM),
	S(RDRAND, RDRAND),
	S(RDSEED, RDSEED),
	S(RDWRFSGS, FSGSBASE),
	S(RDTSCP, RDTSCP),
	S(RDPID, RDPID),
	S(MONITOR, MONITOR),
	S(INVPCID, INVPCID),
	S(SMAP, SMAP),
	S(XSAVE, XSAVE),
	S(XSAVEOPT, XSAVEOPT),
	S(XSAVEC, XSAVEC),
	S(XSAVES, XSAVES),
	S(PREFETCHWT1, PREFETCHW),
	S(AMD, SYSCALL),
	S(SERIALIZE, SERIALIZE),
	S(MOVDIR, MOVDIR),
	S(SVM, SVM),
#undef S
};

struct decoding {
	ZydisDecodedInstruction zi;
	ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
	const struct x86_model *model;
	x86_has_fn *has;
};

static void make_decoder(ZydisDecoder *z, uint32_t mode, const struct x86_model *m, x86_has_fn *has)
{
	static const struct {
		ZydisMachineMode real, protected;
		ZydisStackWidth stack;
	} modes[] = {
		[X86_CODE16] = { ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_MACHINE_MODE_LEGACY_16,
		    ZYDIS_STACK_WIDTH_16 },
		[X86_CODE32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LEGACY_32,
		    ZYDIS_STACK_WIDTH_32 },
		[X86_CODE64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_MACHINE_MODE_LONG_64,
		    ZYDIS_STACK_WIDTH_64 },
	};
	uint32_t code = mode & X86_CODE_SIZE;

	ZydisDecoderInit(
	    z, mode & X86_PROTECTED ? modes[code].protected : modes[code].real, modes[code].stack);
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_AMD_BRANCHES, has(m, X86_HAS_AMD_BRANCHES));
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_LZCNT, has(m, X86_HAS_ABM));
	ZydisDecoderEnableMode(z, ZYDIS_DECODER_MODE_TZCNT, has(m, X86_HAS_BMI1));
}

/* A Zydis register as a number, or X86_NO_REG. */
static uint8_t reg_number(ZydisRegister r)
{
	ZyanI8 id = ZydisRegisterGetId(r);

	if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
		return X86_BASE_RIP;
	return id < 0 ? X86_NO_REG : (uint8_t)id;
}

static struct x86_operand reg_operand(ZydisRegister r, uint16_t size)
{
	struct x86_operand o = { X86_O_OTHER, reg_number(r), size };

	switch (ZydisRegisterGetClass(r)) {
	case ZYDIS_REGCLASS_GPR8:
		o.kind = X86_O_REG;
		if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
			o.reg = (uint8_t)(r - ZYDIS_REGISTER_AL);
		else if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
			o = (struct x86_operand){ X86_O_HIGH, (uint8_t)(r - ZYDIS_REGISTER_AH),
				size };
		else
			o.reg = (uint8_t)(r - ZYDIS_REGISTER_SPL + 4);
		break;
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		o.kind = X86_O_REG;
		break;
	case ZYDIS_REGCLASS_SEGMENT:
		o.kind = X86_O_SEG;
		break;
	case ZYDIS_REGCLASS_CONTROL:
		o.kind = X86_O_CR;
		break;
	case ZYDIS_REGCLASS_DEBUG:
		o.kind = X86_O_DR;
		break;
	case ZYDIS_REGCLASS_X87:
		o.kind = X86_O_ST;
		break;
	case ZYDIS_REGCLASS_MMX:
		o.kind = X86_O_MMX;
		break;
	case ZYDIS_REGCLASS_XMM:
	case ZYDIS_REGCLASS_YMM:
		o.kind = X86_O_VEC;
		break;
	default:
		break;
	}
	return o;
}

static void mem_operand(
    struct x86_insn *i, const ZydisDecodedInstruction *zi, const ZydisDecodedOperandMem *m)
{
	ZydisRegisterClass index = ZydisRegisterGetClass(m->index);

	i->seg = m->segment == ZYDIS_REGISTER_NONE ? X86_DS : reg_number(m->segment);
	i->base = reg_number(m->base);
	i->index = reg_number(m->index);
	i->scale = m->scale ? m->scale : 1;
	i->disp = m->disp.has_displacement ? m->disp.value : 0;
	/* No base, whatever REX.B says (SDM volume 2, table 2-5), which Zydis 4.0 does not know for
	 * 32-bit addresses. */
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SIB && zi->raw.modrm.mod == 0 &&
	    (zi->raw.sib.base & 7) == 5) {
		i->base = X86_NO_REG;
		i->disp = zi->raw.disp.value;
	}
	if (i->base == X86_BASE_RIP)
		i->disp += i->len;
	if (index == ZYDIS_REGCLASS_XMM || index == ZYDIS_REGCLASS_YMM)
		i->flags |= X86_VSIB;
}

/* Immediates that the manual sign-extends are those which Zydis calls signed. */
static uint8_t imm_operand(struct x86_insn *i, const ZydisDecodedOperandImm *imm, bool second)
{
	if (second) {
		i->imm2 = (uint16_t)imm->value.u;
		return X86_O_IMM2;
	}
	i->imm = imm->value.s;
	if (imm->is_relative) {
		i->imm += i->len;
		return X86_O_REL;
	}
	if (i->size < 8)
		i->imm &= (int64_t)(UINT64_MAX >> (64 - 8 * i->size));
	return X86_O_IMM;
}

static void operands(struct x86_insn *i, const struct decoding *d)
{
	unsigned n, immediates = 0;

	i->noperands = (uint8_t)d->zi.operand_count_visible;
	if (i->noperands > X86_INSN_OPERANDS)
		i->noperands = X86_INSN_OPERANDS;
	for (n = 0; n < i->noperands; n++) {
		const ZydisDecodedOperand *z = &d->zo[n];
		struct x86_operand *o = &i->o[n];

		o->size = z->size / 8;
		switch (z->type) {
		case ZYDIS_OPERAND_TYPE_REGISTER:
			*o = reg_operand(z->reg.value, o->size);
			break;
		case ZYDIS_OPERAND_TYPE_MEMORY:
			o->kind = X86_O_MEM;
			mem_operand(i, &d->zi, &z->mem);
			break;
		case ZYDIS_OPERAND_TYPE_IMMEDIATE:
			o->kind = imm_operand(i, &z->imm, immediates++ > 0);
			break;
		case ZYDIS_OPERAND_TYPE_POINTER:
			o->kind = X86_O_FAR;
			i->imm = z->ptr.offset;
			i->imm2 = z->ptr.segment;
			break;
		default:
			break;
		}
	}
}

/* F2 and F3, and 66, where they are not part of the opcode, whether they mean something or not: of
 * F2 and F3 the last one counts. */
static void prefixes(struct x86_insn *i, const ZydisDecodedInstruction *zi)
{
	static const uint8_t segs[] = { X86_CS, X86_SS, X86_DS, X86_ES, X86_FS, X86_GS };
	unsigned n;

	for (n = 0; n < ARRAY_LEN(segs); n++)
		if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS << n &&
		    ((i->mode & X86_CODE_SIZE) != X86_CODE64 || segs[n] >= X86_FS))
			i->seg = segs[n];
	if (zi->attributes & ZYDIS_ATTRIB_HAS_LOCK)
		i->flags |= X86_LOCK;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_REX)
		i->flags |= X86_REX;
	for (n = 0; n < zi->raw.prefix_count; n++) {
		uint8_t byte = zi->raw.prefixes[n].value;

		if (zi->raw.prefixes[n].type == ZYDIS_PREFIX_TYPE_MANDATORY &&
		    zi->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
			continue;
		if (byte == 0x66)
			i->flags |= X86_OSIZE;
		else if (byte == 0xf2)
			i->flags = (uint8_t)((i->flags & ~X86_REP) | X86_REPNE);
		else if (byte == 0xf3)
			i->flags = (uint8_t)((i->flags & ~X86_REPNE) | X86_REP);
	}
	if (zi->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
		i->flags |= X86_VEX | (zi->raw.vex.W ? X86_REX_W : 0);
		i->vl = (uint8_t)(zi->avx.vector_length / 8);
	} else if (zi->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
		i->flags |= zi->attributes & ZYDIS_ATTRIB_HAS_REX && zi->raw.rex.W ? X86_REX_W : 0;
	}
}

/* For those who encode a vector instruction again. */
static void encoding(struct x86_insn *i, const struct decoding *d)
{
	struct x86_encoding *e = &i->enc;
	unsigned n;

	e->opcode = d->zi.opcode;
	e->map = d->zi.opcode_map & 3;
	e->reg = d->zi.raw.modrm.reg & 7;
	e->vreg = X86_NO_REG;
	for (n = 0; n < d->zi.raw.prefix_count; n++)
		if (d->zi.raw.prefixes[n].type == ZYDIS_PREFIX_TYPE_MANDATORY)
			e->pp = d->zi.raw.prefixes[n].value == 0x66   ? 1
				: d->zi.raw.prefixes[n].value == 0xf3 ? 2
								      : 3;
	if (i->flags & X86_VEX)
		e->pp = d->zi.raw.vex.pp & 3;
	e->order = i->noperands ? IR_VEC_VREG : IR_VEC_NONE;
	for (n = 0; n < i->noperands; n++) {
		switch (d->zo[n].encoding) {
		case ZYDIS_OPERAND_ENCODING_MODRM_REG:
			e->reg = i->o[n].reg;
			e->order = n ? IR_VEC_RM : IR_VEC_REG;
			break;
		case ZYDIS_OPERAND_ENCODING_MODRM_RM:
			e->rm = i->o[n].kind == X86_O_MEM ? 0 : i->o[n].reg;
			break;
		case ZYDIS_OPERAND_ENCODING_NDSNDD:
			e->vreg = i->o[n].reg;
			break;
		default:
			break;
		}
	}
}

static bool has_operand(const struct x86_insn *i, enum x86_kind kind)
{
	unsigned n;

	for (n = 0; n < i->noperands; n++)
		if (i->o[n].kind == kind)
			return true;
	return false;
}

static bool applies(const struct x86_insn *i, const struct decoding *d, uint8_t when)
{
	switch (when) {
	case X86_WHEN_SEG:
		return has_operand(i, X86_O_SEG);
	case X86_WHEN_CR:
		return has_operand(i, X86_O_CR);
	case X86_WHEN_DR:
		return has_operand(i, X86_O_DR);
	case X86_WHEN_VEC:
		return has_operand(i, X86_O_VEC);
	case X86_WHEN_MMX:
		return has_operand(i, X86_O_MMX);
	case X86_WHEN_MEM:
		return has_operand(i, X86_O_MEM);
	case X86_WHEN_FAR:
		return d->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
	case X86_WHEN_NEAR:
		return d->zi.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR;
	case X86_WHEN_VEX:
		return i->flags & X86_VEX;
	case X86_WHEN_BARE:
		return i->noperands == 0;
	default:
		/* What moves system registers has lines of its own. */
		return !has_operand(i, X86_O_SEG) && !has_operand(i, X86_O_CR) &&
		       !has_operand(i, X86_O_DR);
	}
}

static bool allowed(const struct x86_insn *i, const struct decoding *d, uint16_t op)
{
	const struct x86_op_info *info = &x86_op_infos[op];
	unsigned set = set_needs[d->zi.meta.isa_set];

	if (!set || !d->has(d->model, (enum x86_feature)(set - 1)))
		return false;
	if (info->need && !d->has(d->model, (enum x86_feature)info->need))
		return false;
	if (i->flags & X86_LOCK && !(info->flags & X86_OPF_LOCK && i->o[0].kind == X86_O_MEM))
		return false;
	if (info->flags & X86_OPF_NO64 && (i->mode & X86_CODE_SIZE) == X86_CODE64)
		return false;
	return !(info->flags & X86_OPF_PROTECTED) || i->mode & X86_PROTECTED;
}

/* F3 90 with REX.B is not PAUSE but XCHG of R8 and rAX (SDM volume 2, XCHG), which Zydis does not
 * know. */
static void fix_pause(struct x86_insn *i, struct decoding *d)
{
	if (d->zi.mnemonic != ZYDIS_MNEMONIC_PAUSE || !(i->flags & X86_REX) || !d->zi.raw.rex.B)
		return;
	d->zi.mnemonic = ZYDIS_MNEMONIC_XCHG;
	i->size = i->flags & X86_REX_W ? 8 : i->flags & X86_OSIZE ? 2 : 4;
	i->noperands = 2;
	i->o[0] = (struct x86_operand){ X86_O_REG, 8, i->size };
	i->o[1] = (struct x86_operand){ X86_O_REG, X86_RAX, i->size };
}

/* AMD's CPUs take 66 before a near jump in 64-bit code for what it says (APM volume 3, 1.2.7). */
static void fix_branch(struct x86_insn *i, const struct decoding *d)
{
	if (d->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE ||
	    d->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || !(i->flags & X86_OSIZE) ||
	    i->flags & X86_REX_W || (i->mode & X86_CODE_SIZE) != X86_CODE64 ||
	    !d->has(d->model, X86_HAS_AMD_BRANCHES))
		return;
	i->size = 2;
	if (i->o[0].kind == X86_O_REG || i->o[0].kind == X86_O_MEM)
		i->o[0].size = 2;
}

static uint16_t find_op(const struct x86_insn *i, const struct decoding *d)
{
	uint16_t op = first_op[d->zi.mnemonic];

	while (op && !applies(i, d, x86_op_infos[op].when))
		op = x86_op_infos[op].next;
	return op && allowed(i, d, op) ? op : X86_OP_ud;
}

static enum x86_decoded undefined(struct x86_insn *i, enum x86_op op)
{
	i->op = (uint16_t)op;
	i->body = x86_bodies[op];
	i->len = 1;
	i->noperands = 0;
	return X86_DECODED;
}

/* SYSENTER and SYSEXIT are there in real and virtual-8086 mode, to be #GP or to work (volume 2);
 * Zydis does not know them there. */
static bool is_for_all_modes(const uint8_t *bytes, size_t n)
{
	while (n && memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3", *bytes, 10)) {
		bytes++;
		n--;
	}
	return n > 1 && bytes[0] == 0x0f && (bytes[1] == 0x34 || bytes[1] == 0x35);
}

enum x86_decoded x86_decode(struct x86_insn *i, uint32_t mode, const void *bytes, size_t n,
    const struct x86_model *model, x86_has_fn *has)
{
	struct decoding d; /* large, and Zydis fills what counts */
	ZydisDecoder z;
	ZydisDecoderContext context;
	ZyanStatus status;

	*i = (struct x86_insn){
		.mode = (uint8_t)mode, .seg = X86_DS, .base = X86_NO_REG, .index = X86_NO_REG
	};
	d.model = model;
	d.has = has;
	make_decoder(&z, is_for_all_modes(bytes, n) ? mode | X86_PROTECTED : mode, model, has);
	if (n > X86_INSN_LEN)
		n = X86_INSN_LEN;
	status = ZydisDecoderDecodeInstruction(&z, &context, bytes, n, &d.zi);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return n < X86_INSN_LEN ? X86_TRUNCATED : undefined(i, X86_OP_too_long);
	if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
		return undefined(i, X86_OP_too_long);
	if (ZYAN_FAILED(status) || d.zi.operand_count > ARRAY_LEN(d.zo) ||
	    ZYAN_FAILED(
		ZydisDecoderDecodeOperands(&z, &context, &d.zi, d.zo, d.zi.operand_count_visible)))
		return undefined(i, X86_OP_ud);
	i->len = d.zi.length;
	i->size = d.zi.operand_width ? d.zi.operand_width / 8 : 8;
	i->asize = d.zi.address_width / 8;
	i->fop = (uint16_t)((d.zi.opcode & 7) << 8 | (d.zi.raw.modrm.mod & 3) << 6 |
			    (d.zi.raw.modrm.reg & 7) << 3 | (d.zi.raw.modrm.rm & 7));
	prefixes(i, &d.zi);
	operands(i, &d);
	encoding(i, &d);
	fix_pause(i, &d);
	fix_branch(i, &d);
	i->op = find_op(i, &d);
	if (i->op == X86_OP_ud)
		return undefined(i, X86_OP_ud);
	if (d.zi.meta.isa_set == ZYDIS_ISA_SET_LAHF && (mode & X86_CODE_SIZE) == X86_CODE64 &&
	    !has(model, X86_HAS_LAHF64))
		return undefined(i, X86_OP_ud);
	i->enc.need = (uint8_t)(set_needs[d.zi.meta.isa_set] - 1);
	i->arg = x86_op_infos[i->op].arg;
	i->body = x86_form(i);
	return X86_DECODED;
}
