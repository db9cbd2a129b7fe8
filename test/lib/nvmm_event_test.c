/* SPDX-License-Identifier: BSD-2-Clause */
/* libnvmm: events, when they can be taken, and stopping a processor. */
#include <pthread.h>
#include <unistd.h>

#include "test/lib/nvmm_rig.h"

static int inject(struct rig *r, unsigned type, uint8_t vector, uint64_t error)
{
	r->vcpu.event->type = type;
	r->vcpu.event->vector = vector;
	r->vcpu.event->u.excp.error = error;
	return nvmm_vcpu_inject(&r->mach, &r->vcpu);
}

static void in_handler(struct rig *r, unsigned vector)
{
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_HANDLER + 16 * vector + 1);
}

static uint64_t pushed(struct rig *r, unsigned n)
{
	uint64_t val;

	memcpy(&val, r->ram + rig_gpr(r, NVMM_X64_GPR_RSP) + 8 * n, sizeof val);
	return val;
}

static void exceptions_are_delivered(void **state)
{
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_EXCP, 13, 0x1234), 0);
	rig_get(r, NVMM_X64_STATE_INTR);
	assert_int_equal(r->vcpu.state->intr.evt_pending, 1);
	in_handler(r, 13);
	assert_int_equal(r->vcpu.exit->exitstate.evt_pending, 0);
	assert_int_equal(pushed(r, 0), 0x1234);
	assert_int_equal(pushed(r, 1), RIG_CODE);
	assert_int_equal(pushed(r, 3) & 1 << 16, 1 << 16); /* RF */
	/* Without an error code. */
	RIG_LOAD(r, RIG_64, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_EXCP, 6, 0x1234), 0);
	in_handler(r, 6);
	assert_int_equal(pushed(r, 0), RIG_CODE);
	/* A page fault, whose address is in the state. */
	RIG_LOAD(r, RIG_64, 0x90);
	r->vcpu.state->crs[NVMM_X64_CR_CR2] = 0x123456;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_EXCP, 14, 2), 0);
	in_handler(r, 14);
	assert_int_equal(pushed(r, 0), 2);
	rig_get(r, NVMM_X64_STATE_CRS);
	assert_int_equal(r->vcpu.state->crs[NVMM_X64_CR_CR2], 0x123456);
}

static void events_that_cannot_be(void **state)
{
	static const uint8_t vectors[] = { 0, 2, 3, 32, 255 };
	struct rig *r = *state;
	unsigned n;

	RIG_LOAD(r, RIG_64, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	for (n = 0; n < sizeof vectors; n++) {
		assert_int_equal(inject(r, NVMM_VCPU_EVENT_EXCP, vectors[n], 0), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(inject(r, 2, 32, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED); /* nothing of it is left */
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 2);
}

static void interrupts_wait_until_they_are_allowed(void **state)
{
	struct rig *r = *state;

	/* inc eax; inc eax; sti; inc eax; inc eax */
	RIG_LOAD(r, RIG_64, 0xff, 0xc0, 0xff, 0xc0, 0xfb, 0xff, 0xc0, 0xff, 0xc0);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x41, 0), 0);
	in_handler(r, 0x41);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 3); /* behind the shadow of STI */
	assert_int_equal(pushed(r, 0), RIG_CODE + 7);
	/* And at once, if they are. */
	RIG_LOAD(r, RIG_64, 0xff, 0xc0);
	r->vcpu.state->gprs[NVMM_X64_GPR_RFLAGS] |= PL_IF;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x42, 0), 0);
	in_handler(r, 0x42);
	assert_int_equal(pushed(r, 0), RIG_CODE);
	/* The last one counts. */
	RIG_LOAD(r, RIG_64, 0xff, 0xc0);
	r->vcpu.state->gprs[NVMM_X64_GPR_RFLAGS] |= PL_IF;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x50, 0), 0);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x51, 0), 0);
	in_handler(r, 0x51);
	r->ram[RIG_HANDLER + 16 * 0x51 + 1] = 0xf4;
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED); /* and only that */
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_HANDLER + 16 * 0x51 + 2);
}

static void ask_for_window(struct rig *r)
{
	rig_get(r, NVMM_X64_STATE_INTR);
	r->vcpu.state->intr.int_window_exiting = 1;
	rig_set(r, NVMM_X64_STATE_INTR);
}

static void says_when_interrupts_are_allowed(void **state)
{
	struct rig *r = *state;

	/* sti; cli: never; sti; nop; cli: behind the nop */
	RIG_LOAD(r, RIG_64, 0xfb, 0xfa, 0xfb, 0x90, 0xfa);
	rig_set(r, NVMM_X64_STATE_ALL);
	ask_for_window(r);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_INT_READY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 4);
	assert_true(r->vcpu.exit->exitstate.rflags & PL_IF);
	assert_int_equal(r->vcpu.exit->exitstate.int_shadow, 0);
	assert_int_equal(r->vcpu.exit->exitstate.int_window_exiting, 0);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x60, 0), 0);
	in_handler(r, 0x60);
	/* At once. */
	RIG_LOAD(r, RIG_64, 0x90);
	r->vcpu.state->gprs[NVMM_X64_GPR_RFLAGS] |= PL_IF;
	rig_set(r, NVMM_X64_STATE_ALL);
	ask_for_window(r);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_INT_READY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	/* An interrupt and a window behind it. */
	r->ram[RIG_HANDLER + 16 * 0x61] = 0x90;
	r->ram[RIG_HANDLER + 16 * 0x61 + 1] = 0x48;
	r->ram[RIG_HANDLER + 16 * 0x61 + 2] = 0xcf; /* iretq */
	RIG_LOAD(r, RIG_64, 0x90, 0x90);
	r->vcpu.state->gprs[NVMM_X64_GPR_RFLAGS] |= PL_IF;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x61, 0), 0);
	ask_for_window(r);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_INT_READY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE);
	/* A wish that is taken back. */
	RIG_LOAD(r, RIG_64, 0xfb, 0x90, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	ask_for_window(r);
	r->vcpu.state->intr.int_window_exiting = 0;
	rig_set(r, NVMM_X64_STATE_INTR);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
}

static void shadows_are_state(void **state)
{
	struct rig *r = *state;

	/* in al, 0x10, in the shadow of STI */
	RIG_LOAD(r, RIG_64, 0xfb, 0xe4, 0x10, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
	assert_int_equal(r->vcpu.exit->exitstate.int_shadow, 1);
	rig_get(r, NVMM_X64_STATE_INTR);
	assert_int_equal(r->vcpu.state->intr.int_shadow, 1);
	/* One that the program makes. */
	RIG_LOAD(r, RIG_64, 0xff, 0xc0, 0xff, 0xc0);
	r->vcpu.state->gprs[NVMM_X64_GPR_RFLAGS] |= PL_IF;
	r->vcpu.state->intr.int_shadow = 1;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 0x70, 0), 0);
	in_handler(r, 0x70);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 1);
}

/* An NMI's end comes out, and until then no other is possible. */
static void nmis_end(void **state)
{
	struct rig *r = *state;
	uint8_t *handler = r->ram + RIG_HANDLER + 16 * 2;

	memcpy(handler, "\xff\xc0\xe4\x10\xff\xc0\x48\xcf", 8); /* in al, 0x10 inside; iretq */
	RIG_LOAD(r, RIG_64, 0x90, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(inject(r, NVMM_VCPU_EVENT_INTR, 2, 0), 0);
	rig_get(r, NVMM_X64_STATE_INTR);
	assert_int_equal(r->vcpu.state->intr.nmi_window_exiting, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_IO);
	assert_int_equal(r->vcpu.exit->exitstate.nmi_window_exiting, 1);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RIP], RIG_HANDLER + 32 + 2);
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = r->vcpu.exit->u.io.npc;
	rig_set(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_NMI_READY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE);
	assert_int_equal(r->vcpu.exit->exitstate.nmi_window_exiting, 0);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	/* Asked for without an NMI, it is at once. */
	RIG_LOAD(r, RIG_64, 0x90);
	r->vcpu.state->intr.nmi_window_exiting = 1;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_NMI_READY);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE);
}

/* Stopping ------------------------------------------------------------------------------------- */

static void stops_before_it_runs(void **state)
{
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0xeb, 0xfe); /* for ever */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(nvmm_vcpu_stop(&r->vcpu), 0);
	assert_int_equal(*r->vcpu.stop, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_STOPPED);
	assert_int_equal(*r->vcpu.stop, 0);
	/* A loop comes out from time to time, so that programs may look around. */
	assert_int_equal(nvmm_vcpu_run(&r->mach, &r->vcpu), 0);
	assert_int_equal(r->vcpu.exit->reason, NVMM_VCPU_EXIT_NONE);
}

static void *stop_soon(void *vcpu)
{
	usleep(20000);
	nvmm_vcpu_stop(vcpu);
	return NULL;
}

static uint64_t run_until_told(struct rig *r)
{
	do {
		assert_int_equal(nvmm_vcpu_run(&r->mach, &r->vcpu), 0);
	} while (r->vcpu.exit->reason == NVMM_VCPU_EXIT_NONE);
	return r->vcpu.exit->reason;
}

static void stops_for_another_thread(void **state)
{
	struct rig *r = *state;
	pthread_t t;
	unsigned n;

	RIG_LOAD(r, RIG_64, 0xeb, 0xfe);
	rig_set(r, NVMM_X64_STATE_ALL);
	for (n = 0; n < 10; n++) {
		assert_int_equal(pthread_create(&t, NULL, stop_soon, &r->vcpu), 0);
		assert_int_equal(run_until_told(r), NVMM_VCPU_EXIT_STOPPED);
		pthread_join(t, NULL);
	}
}

/* Two processors and a program that changes memory below them. */
struct other {
	struct rig *rig;
	struct nvmm_vcpu vcpu;
	uint64_t reason;
};

static void *run_other(void *arg)
{
	struct other *o = arg;

	do {
		if (nvmm_vcpu_run(&o->rig->mach, &o->vcpu))
			return NULL;
	} while (o->vcpu.exit->reason == NVMM_VCPU_EXIT_NONE);
	o->reason = o->vcpu.exit->reason;
	return o;
}

static void memory_changes_while_processors_run(void **state)
{
	struct rig *r = *state;
	struct other o = { .rig = r };
	void *result = NULL;
	pthread_t t;
	unsigned n;

	/* 1: lock inc dword [rsi]; mov eax, [rdx]; test eax, eax; jz 1 */
	RIG_LOAD(r, RIG_64, 0xf0, 0xff, 0x06, 0x8b, 0x02, 0x85, 0xc0, 0x74, 0xf7);
	r->vcpu.state->gprs[NVMM_X64_GPR_RSI] = RIG_DATA;
	r->vcpu.state->gprs[NVMM_X64_GPR_RDX] = RIG_DATA + 64;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(nvmm_vcpu_create(&r->mach, 1, &o.vcpu), 0);
	*o.vcpu.state = *r->vcpu.state;
	assert_int_equal(nvmm_vcpu_setstate(&r->mach, &o.vcpu, NVMM_X64_STATE_ALL), 0);
	assert_int_equal(pthread_create(&t, NULL, run_other, &o), 0);
	for (n = 0; n < 30; n++) {
		rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_READ | PROT_WRITE);
		assert_int_equal(nvmm_vcpu_run(&r->mach, &r->vcpu), 0);
		assert_int_equal(r->vcpu.exit->reason, NVMM_VCPU_EXIT_NONE);
		rig_unmap(r, r->hole, RIG_HOLE, RIG_PAGE);
	}
	r->ram[RIG_DATA + 64] = 1;
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	pthread_join(t, &result);
	assert_ptr_equal(result, &o);
	assert_int_equal(o.reason, NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(nvmm_vcpu_destroy(&r->mach, &o.vcpu), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(exceptions_are_delivered),
		TEST(events_that_cannot_be),
		TEST(interrupts_wait_until_they_are_allowed),
		TEST(says_when_interrupts_are_allowed),
		TEST(shadows_are_state),
		TEST(nmis_end),
		TEST(stops_before_it_runs),
		TEST(stops_for_another_thread),
		TEST(memory_changes_while_processors_run),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
