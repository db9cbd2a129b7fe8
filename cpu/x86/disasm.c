/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions as text, in Intel's form: Zydis, which decodes them for us anyway, prints them.
 */
#include "cpu/x86/disasm.h"

#include <Zydis/Zydis.h>

#include "cpu/x86/state.h"

static bool begin(ZydisDecoder *z, unsigned mode)
{
	static const ZydisMachineMode modes[] = { [X86_CODE16] = ZYDIS_MACHINE_MODE_LEGACY_16,
		[X86_CODE32] = ZYDIS_MACHINE_MODE_LEGACY_32,
		[X86_CODE64] = ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stacks[] = { [X86_CODE16] = ZYDIS_STACK_WIDTH_16,
		[X86_CODE32] = ZYDIS_STACK_WIDTH_32,
		[X86_CODE64] = ZYDIS_STACK_WIDTH_64 };

	return mode <= X86_CODE64 && ZYAN_SUCCESS(ZydisDecoderInit(z, modes[mode], stacks[mode]));
}

unsigned x86_disasm(unsigned mode, uint64_t pc, const uint8_t *bytes, size_t n, struct buf *out)
{
	ZydisDecoder z;
	ZydisDecoderContext context;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisFormatter f;
	char text[120];

	if (!begin(&z, mode) ||
	    ZYAN_FAILED(ZydisDecoderDecodeInstruction(&z, &context, bytes, n, &insn)) ||
	    insn.operand_count > ARRAY_LEN(operands) ||
	    ZYAN_FAILED(
		ZydisDecoderDecodeOperands(&z, &context, &insn, operands, insn.operand_count)))
		return 0;
	if (ZYAN_FAILED(ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(
		&f, &insn, operands, insn.operand_count_visible, text, sizeof text, pc, NULL)))
		return 0;
	buf_printf(out, "%s", text);
	return insn.length;
}
