/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/trace.h"
#include "cpu/cpu.h"
#include "cpu/trace.h"
#include "cpu/x86/regs.h"
#include "test/cmocka.h"

enum { CODE16, CODE32, CODE64 }; /* what cpu_text.mode gives on x86 */

static void is(const char *cpu, unsigned mode, const char *bytes, unsigned n, const char *text)
{
	struct buf b = { 0 };
	const unsigned len =
	    cpu_find(cpu)->text->disasm(mode, 0x1000, (const uint8_t *)bytes, n, &b);

	buf_put(&b, "", 1);
	assert_string_equal(len ? (char *)b.data : "", text);
	assert_int_equal(len, *text ? n : 0);
	buf_free(&b);
}

static void rv(uint32_t word, const char *text)
{
	char bytes[4];

	put_le(bytes, word, 4);
	is("riscv64", 0, bytes, (word & 3) == 3 ? 4 : 2, text);
}

static void riscv64_instructions(void **state)
{
	(void)state;
	rv(0x00b50533, "add a0, a0, a1");
	rv(0xfff50513, "addi a0, a0, -1");
	rv(0x00000013, "nop");
	rv(0x00008067, "ret");
	rv(0x0005b503, "ld a0, 0(a1)");
	rv(0xfea42e23, "sw a0, -4(s0)");
	rv(0x00a5a52f, "amoadd.w a0, a0, (a1)");
	rv(0x1605252f, "lr.w.aq.rl a0, (a0)");
	rv(0xfe000ee3, "beqz zero, 0xffc");
	rv(0x010000ef, "jal ra, 0x1010");
	rv(0x12345537, "lui a0, 0x12345");
	rv(0x18051073, "csrw satp, a0");
	rv(0x10017073, "csrci sstatus, 2");
	rv(0x00000073, "ecall");
	rv(0x12000073, "sfence.vma");
	rv(0x0ff0000f, "fence");
	rv(0x00c58553, "fadd.s fa0, fa1, fa2");
	rv(0xd2058553, "fcvt.d.w fa0, a1");
	rv(0xc2058553, "fcvt.w.d a0, fa1");
	rv(0x0005b507, "fld fa0, 0(a1)");
	rv(0x0d05f557, "vsetvli a0, a1, e32, m1, ta, ma");
	rv(0xc19ff557, "vsetivli a0, 31, e64, m2, tu, mu");
	rv(0x02056087, "vle32.v v1, (a0)");
	rv(0x022180d7, "vadd.vv v1, v2, v3");
	rv(0x00218057, "vadd.vv v0, v2, v3, v0.t");
	rv(0x06256087, "vluxei32.v v1, (a0), v2");
	rv(0x42050087, "vlseg3e8.v v1, (a0)");
	rv(0x22850107, "vl2re8.v v2, (a0)");
	rv(0x020560a7, "vse32.v v1, (a0)");
	rv(0x4a2720d7, "vcpop.v v1, v2");
	rv(0x40282557, "vcpop.m a0, v2, v0.t");
	rv(0x42201557, "vfmv.f.s fa0, v2");
	rv(0xa62120f7, "vaesem.vs v1, v2");
	rv(0xbe21a0f7, "vsha2cl.vv v1, v2, v3");
	rv(0x852e, "mv a0, a1");
	rv(0x4501, "li a0, 0");
	rv(0x8082, "ret");
	rv(0x00000000, "");
	rv(0xffffffff, "");
}

/* As binutils' objdump has them. */
static void riscv64_pseudoinstructions(void **state)
{
	(void)state;
	rv(0x0005851b, "sext.w a0, a1");
	rv(0x0805853b, "zext.w a0, a1");
	rv(0x0ff5f513, "zext.b a0, a1");
	rv(0xfff5c513, "not a0, a1");
	rv(0x40b00533, "neg a0, a1");
	rv(0x40b0053b, "negw a0, a1");
	rv(0x0015b513, "seqz a0, a1");
	rv(0x00b03533, "snez a0, a1");
	rv(0x0005a533, "sltz a0, a1");
	rv(0x00b02533, "sgtz a0, a1");
	rv(0x00b03013, "sltiu zero, zero, 11");
	rv(0x00051463, "bnez a0, 0x1008");
	rv(0x00055463, "bgez a0, 0x1008");
	rv(0x00054463, "bltz a0, 0x1008");
	rv(0x00a05463, "blez a0, 0x1008");
	rv(0x00a04463, "bgtz a0, 0x1008");
	rv(0x00b54463, "blt a0, a1, 0x1008");
	rv(0x0080006f, "j 0x1008");
	rv(0x00050067, "jr a0");
	rv(0x000500e7, "jalr a0");
	rv(0x004500e7, "jalr ra, 4(a0)");
	rv(0x10002573, "csrr a0, sstatus");
	rv(0x10052073, "csrs sstatus, a0");
	rv(0x10053073, "csrc sstatus, a0");
	rv(0x10051573, "csrrw a0, sstatus, a0");
	rv(0x1001d073, "csrwi sstatus, 3");
	rv(0x12050073, "sfence.vma a0");
	rv(0x12b50073, "sfence.vma a0, a1");
	rv(0x0330000f, "fence rw, rw");
	rv(0x8330000f, "fence.tso");
	rv(0x0000100f, "fence.i");
	rv(0x0100000f, "pause");
	rv(0x22b58553, "fmv.d fa0, fa1");
	rv(0x22b59553, "fneg.d fa0, fa1");
	rv(0x20b5a553, "fabs.s fa0, fa1");
	rv(0x22c58553, "fsgnj.d fa0, fa1, fa2");
}

static void x86_instructions(void **state)
{
	(void)state;
	is("x86_64", CODE64, "\x48\x89\xd8", 3, "mov rax, rbx");
	is("x86_64", CODE32, "\x48", 1, "dec eax");
	is("x86_64", CODE16, "\xb8\x34\x12", 3, "mov ax, 0x1234");
	is("x86_64", CODE64, "\xeb\xfe", 2, "jmp 0x0000000000001000");
	is("x86_64", CODE64, "\x0f\x0b", 2, "ud2");
	is("x86_64", CODE64, "\x06", 1, "");
	is("x86_64", CODE64, "\x48\x89", 2, "");
}

/* Any bytes at all; in a buffer of their own, so that reading behind them is seen. */
static void all_bytes_can_be_read(void **state)
{
	uint64_t x = 88172645463325252;
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		const size_t n = 1 + i % 15;
		uint8_t *bytes = malloc(n);

		for (size_t k = 0; k < n; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[k] = (uint8_t)x;
		}
		b.len = 0;
		assert_true(cpu_find("riscv64")->text->disasm(0, x, bytes, n, &b) <= n);
		assert_true(cpu_find("x86_64")->text->disasm(i % 4, x, bytes, n, &b) <= n);
		free(bytes);
	}
	buf_free(&b);
}

/* Records ------------------------------------------------------------------------------------- */

static void record(const char *cpu, const struct trace_record *r, const char *text)
{
	struct buf b = { 0 };

	assert_true(cpu_describe(cpu_find(cpu), r, &b));
	buf_put(&b, "", 1);
	assert_string_equal((char *)b.data, text);
	buf_free(&b);
}

static void events_have_words(void **state)
{
	struct trace_record r = { .kind = TRACE_KIND_EXCEPTION, .nargs = TRACE_NEXCEPTION };

	(void)state;
	r.arg[TRACE_NUMBER] = 13;
	r.arg[TRACE_VALUE] = 0x10;
	r.arg[TRACE_FROM] = 1;
	r.arg[TRACE_TO] = 1;
	r.arg[TRACE_HANDLER] = 0x8000;
	record("riscv64", &r, "load page fault (13), tval 0x10, S -> S, handler 0x8000");
	r.arg[TRACE_NUMBER] = 14;
	r.arg[TRACE_FROM] = 3 | (CODE64 | 8) << 8;
	r.arg[TRACE_ERROR] = 6 + 1;
	record("x86_64", &r,
	    "#PF page fault (14), error 0x6 (user, write, not present), cr2 0x10, from ring 3, "
	    "64-bit");
	r.arg[TRACE_NUMBER] = 13;
	r.arg[TRACE_ERROR] = 0x52 + 1;
	record("x86_64", &r,
	    "#GP general protection (13), error 0x52 (IDT entry 10), from ring 3, 64-bit");
	r.kind = TRACE_KIND_INTERRUPT;
	r.arg[TRACE_NUMBER] = 5;
	r.arg[TRACE_FROM] = 0;
	record("riscv64", &r, "supervisor timer interrupt (5), U -> S, handler 0x8000");
	r = (struct trace_record){ .kind = TRACE_KIND_INSN, .len = 2, .pc = 0x1000 };
	memcpy(r.text, "\x82\x80", 2);
	record("riscv64", &r, "8280             ret");
	r = (struct trace_record){ .kind = TRACE_KIND_REGS, .nargs = 4, .arg = { 10, 7, 2, 255 } };
	record("riscv64", &r, "a0=7 sp=ff");
	record("x86_64", &r, "r10=7 rdx=ff");
}

/* What comes from a file that somebody has written. */
static void records_may_be_anything(void **state)
{
	uint64_t x = 362436069;
	struct trace_record r = { 0 };
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned k = 0; k < TRACE_ARGS; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			r.arg[k] = x >> x % 64;
		}
		r.kind = (uint8_t)(x >> 8 & 15);
		r.nargs = (uint8_t)(x >> 16) % (TRACE_ARGS + 1);
		r.len = (uint8_t)(x >> 24) % (TRACE_TEXT + 1);
		b.len = 0;
		trace_format(&r, NULL, NULL, &b);
		cpu_describe(cpu_find(i & 1 ? "riscv64" : "x86_64"), &r, &b);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(riscv64_instructions),
		cmocka_unit_test(riscv64_pseudoinstructions),
		cmocka_unit_test(x86_instructions),
		cmocka_unit_test(all_bytes_can_be_read),
		cmocka_unit_test(events_have_words),
		cmocka_unit_test(records_may_be_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
