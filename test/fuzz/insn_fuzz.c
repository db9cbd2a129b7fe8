/* SPDX-License-Identifier: BSD-2-Clause */
/* insn.h for libFuzzer: make fuzz-insn. */
#include <stdlib.h>

#include "test/fuzz/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct insn *insn;

	if (!insn) {
		insn = calloc(1, sizeof *insn);
		insn_new(insn);
	}
	insn_run(insn, data, len);
	return 0;
}
