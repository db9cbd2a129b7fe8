/* SPDX-License-Identifier: BSD-2-Clause */
/* insn.h for libFuzzer: make fuzz-insn. */
#include <stdlib.h>

#include "test/fuzz/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct insn *insn;

/* A hart is in pages of its own, in which LeakSanitizer does not look for what is in use. */
static void end(void)
{
	insn_free(insn);
	free(insn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!insn) {
		insn = calloc(1, sizeof *insn);
		insn_new(insn);
		atexit(end);
	}
	insn_run(insn, data, len);
	return 0;
}
