/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of traces (base/trace_file.h) for libFuzzer: make fuzz-trace. */
#include <stdlib.h>
#include <string.h>

#include "base/trace_file.h"
#include "cpu/cpu.h"
#include "machine/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Behind a head that is right, or nothing of it would be looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const cpus[] = { "riscv64", "x86_64" };
	const char *cpu = cpus[len & 1];
	const struct trace_record *r;
	struct trace_chunk c;
	struct buf b = { 0 };
	uint8_t *piece;

	if (len > TRACE_CHUNK - TRACE_HEAD)
		return 0;
	piece = calloc(1, TRACE_HEAD + len);
	memcpy(piece, "LodgeTr1", 8);
	memcpy(piece + 16, cpu, strlen(cpu));
	memcpy(piece + TRACE_HEAD, data, len);
	if (trace_chunk_begin(&c, piece, TRACE_HEAD + len))
		while (!trace_chunk_next(&c, &r)) {
			b.len = 0;
			trace_format(r, trace_describe, (void *)(uintptr_t)cpu_find(c.cpu), &b);
		}
	buf_free(&b);
	free(piece);
	return 0;
}
