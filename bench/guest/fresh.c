/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fresh N: N times, makes 131,072 instructions that never ran before and passes 32 times through
 * them.  A line before the first pass, after the 16th and after the last: what the first half takes
 * more of than the second is what it costs to get to know code.  For riscv64 guests alone.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef __riscv
enum { COUNT = 131072, PASSES = 16, CELLS = 128 };

enum { A1 = 11, REGISTERS = 5 }; /* a1 to a5; a0 points to the cells */

static uint32_t random_next(uint32_t *seed)
{
	return (*seed = *seed * 1664525 + 1013904223) >> 8;
}

/* The RISC-V Instruction Set Manual, volume I, chapter "RV32/64G Instruction Set Listings". */
static uint32_t instruction(uint32_t *seed)
{
	uint32_t rd = A1 + random_next(seed) % REGISTERS, rs = A1 + random_next(seed) % REGISTERS;
	uint32_t imm = random_next(seed) % CELLS * 8;

	switch (random_next(seed) % 8) {
	case 0: /* ld rd, imm(a0) */
	case 1:
		return imm << 20 | 10 << 15 | 3 << 12 | rd << 7 | 0x03;
	case 2: /* sd rs, imm(a0) */
		return imm >> 5 << 25 | rs << 20 | 10 << 15 | 3 << 12 | (imm & 31) << 7 | 0x23;
	case 3: /* addi rd, rs, imm */
		return imm << 20 | rs << 15 | rd << 7 | 0x13;
	case 4: /* slli rd, rs, imm / 32 */
		return imm / 32 << 20 | rs << 15 | 1 << 12 | rd << 7 | 0x13;
	case 5: /* beq a0, zero, 8: never taken */
		return 10 << 15 | 8 << 7 | 0x63;
	case 6: /* xor rd, rd, rs */
		return rs << 20 | rd << 15 | 4 << 12 | rd << 7 | 0x33;
	default: /* add rd, rd, rs */
		return rs << 20 | rd << 15 | rd << 7 | 0x33;
	}
}

static void say(const char *what)
{
	printf("fresh %s %d\n", what, COUNT);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1;
	uint64_t cells[CELLS] = { 0 };
	uint32_t seed = 1;

	for (long r = 0; r < rounds; r++) {
		uint32_t *code = mmap(NULL, COUNT * sizeof *code,
		    PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (code == MAP_FAILED)
			return 1;
		for (int i = 0; i < COUNT - 2; i++)
			code[i] = instruction(&seed);
		code[COUNT - 2] = code[COUNT - 1] = 0x00008067; /* ret */
		__builtin___clear_cache((char *)code, (char *)(code + COUNT));
		void (*pass)(uint64_t *) = (void (*)(uint64_t *))code;
		say("begin");
		for (int i = 0; i < 2 * PASSES; i++) {
			if (i == PASSES)
				say("known");
			pass(cells);
		}
		say("end");
		munmap(code, COUNT * sizeof *code);
	}
	return 0;
}
#else
int main(void)
{
	return 2;
}
#endif
