/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that give a processor any state at all, and do anything with what comes out: no call may
 * crash, and the guest never leaves its memory, which has nothing on both sides.  LODGE_SEED
 * repeats a run (not to the instruction: a timer ends loops), LODGE_ROUNDS makes it longer. */
#include <signal.h>
#include <sys/time.h>

#include "test/lib/nvmm_rig.h"
#include "test/random.h"

enum { ROUNDS = 20000, KINDS = 8 };

struct world {
	struct rig r;
	uint64_t seed;
	unsigned kinds[KINDS]; /* how often what came out */
};

static uint64_t any(struct world *w)
{
	const uint64_t x = random_split(&w->seed);

	/* Often what is near to something. */
	switch (x & 7) {
	case 0:
		return random_split(&w->seed);
	case 1:
		return random_split(&w->seed) & 0xffff;
	case 2:
		return (random_split(&w->seed) & 0xff) - 0x80;
	case 3:
		return 1ull << (x >> 8 & 63);
	default:
		return random_split(&w->seed) % (RIG_RAM + RIG_PAGE);
	}
}

static void call_io(struct nvmm_io *io)
{
	if (io->in)
		memset(io->data, 0x5a, io->size);
}

static void call_mem(struct nvmm_mem *mem)
{
	assert_true(mem->size <= 8);
	if (!mem->write)
		memset(mem->data, 0xa5, mem->size);
}

static void fill(struct world *w, void *p, size_t len)
{
	uint8_t *at = p;
	uint64_t x;

	for (; len >= 8; at += 8, len -= 8) {
		x = any(w);
		memcpy(at, &x, 8);
	}
}

/* Bits that make sense more often than chance would. */
static void choose_mode(struct world *w, struct nvmm_vcpu_state *s)
{
	const uint64_t x = random_split(&w->seed);

	s->crs[NVMM_X64_CR_CR0] &= 0xe005003full;
	s->crs[NVMM_X64_CR_CR0] |= x & 1;
	if (x & 2)
		s->crs[NVMM_X64_CR_CR0] |= PL_PG | PL_PE;
	s->crs[NVMM_X64_CR_CR4] &= 0x3717ffull;
	if (x & 4) {
		s->crs[NVMM_X64_CR_CR4] |= PL_PAE | PL_OSFXSR;
		s->msrs[NVMM_X64_MSR_EFER] = PL_LME | 1;
	} else {
		s->msrs[NVMM_X64_MSR_EFER] = x & 8 ? 1 << 11 : 0;
	}
	if (x & 16)
		s->crs[NVMM_X64_CR_CR3] = 0;
	if (x & 32)
		s->gprs[NVMM_X64_GPR_RIP] = x >> 32 & (RIG_RAM - 1);
	if (x & 64)
		s->segs[NVMM_X64_SEG_CS].base = 0;
	s->drs[NVMM_X64_DR_DR6] &= x & 128 ? UINT32_MAX : UINT64_MAX;
	s->drs[NVMM_X64_DR_DR7] &= x & 256 ? 0 : UINT32_MAX;
	s->gprs[NVMM_X64_GPR_RFLAGS] &= x & 512 ? 0xffffull : UINT64_MAX;
}

/* A state that works, random instructions, and a few words of the state that are anything. */
static void nearly_sane(struct world *w)
{
	const enum rig_mode mode = (enum rig_mode)(random_split(&w->seed) % 3);
	uint64_t code[8], *words = (uint64_t *)(void *)w->r.vcpu.state;
	unsigned n;

	rig_tables(&w->r);
	for (n = 0; n < 8; n++)
		code[n] = random_split(&w->seed);
	rig_load(&w->r, mode, code, sizeof code);
	for (n = 0; n < 16; n++)
		w->r.vcpu.state->gprs[n] = any(w);
	for (n = (unsigned)random_split(&w->seed) % 4; n; n--)
		words[random_split(&w->seed) % (sizeof *w->r.vcpu.state / 8)] = any(w);
	rig_set(&w->r, NVMM_X64_STATE_ALL);
}

static void scramble(struct world *w)
{
	const uint64_t x = random_split(&w->seed);
	struct nvmm_vcpu *v = &w->r.vcpu;

	if (x & 3) {
		nearly_sane(w);
		return;
	}
	fill(w, v->state, sizeof *v->state);
	choose_mode(w, v->state);
	nvmm_vcpu_setstate(&w->r.mach, v, x & 4 ? NVMM_X64_STATE_ALL : x >> 8 & 0xff);
	if (x & 8)
		fill(w, w->r.ram + (x >> 16) % (RIG_RAM - 64), 64);
}

/* What a program may do with an exit, wise or not. */
static void react(struct world *w)
{
	struct nvmm_machine *mach = &w->r.mach;
	struct nvmm_vcpu *v = &w->r.vcpu;
	const uint64_t x = random_split(&w->seed);
	nvmm_prot_t prot;
	uintptr_t hva;
	gpaddr_t gpa;

	switch (x % 12) {
	case 0:
	case 1:
	case 2:
	case 3:
		nvmm_assist_io(mach, v);
		nvmm_assist_mem(mach, v);
		break;
	case 4:
		scramble(w);
		break;
	case 5:
		v->event->type = x >> 8 & 1;
		v->event->vector = (uint8_t)(x >> 16);
		nvmm_vcpu_inject(mach, v);
		break;
	case 6:
		nvmm_vcpu_getstate(mach, v, x >> 8);
		break;
	case 7:
		nvmm_vcpu_getstate(mach, v, NVMM_X64_STATE_GPRS);
		v->state->gprs[NVMM_X64_GPR_RIP] = v->exit->u.io.npc;
		nvmm_vcpu_setstate(mach, v, NVMM_X64_STATE_GPRS);
		break;
	case 8:
		nvmm_gva_to_gpa(mach, v, any(w), &gpa, &prot);
		nvmm_gpa_to_hva(mach, any(w), &hva, &prot);
		break;
	case 9:
		nvmm_vcpu_stop(v);
		break;
	case 10:
		nvmm_gpa_unmap(mach, (uintptr_t)w->r.ram, 0, RIG_HOLE);
		if (x & 256)
			nvmm_vcpu_run(mach, v);
		nvmm_gpa_map(mach, (uintptr_t)w->r.ram, 0, RIG_HOLE, (int)(x >> 16 & 7));
		break;
	default:
		break;
	}
}

static struct nvmm_vcpu *volatile running;

static void stop(int sig)
{
	(void)sig;
	if (running)
		nvmm_vcpu_stop(running);
}

static void every_ms(int ms)
{
	const struct itimerval each = { { 0, 1000 * ms }, { 0, 1000 * ms } };
	struct sigaction sa = { .sa_flags = SA_RESTART };

	sa.sa_handler = ms ? stop : SIG_IGN;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

/* Memory between two pages that nobody may touch. */
static void begin(struct world *w)
{
	static const struct nvmm_assist_callbacks callbacks = { call_io, call_mem };
	struct nvmm_vcpu_conf_tpr tpr = { .exit_changed = 1 };
	const size_t rest = RIG_RAM - RIG_HOLE - RIG_PAGE;
	struct rig *r = &w->r;
	uint8_t *all =
	    mmap(NULL, RIG_RAM + 2 * RIG_PAGE, PROT_NONE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	assert_true(all != MAP_FAILED);
	r->ram = all + RIG_PAGE;
	assert_int_equal(nvmm_machine_create(&r->mach), 0);
	assert_int_equal(nvmm_hva_map(&r->mach, (uintptr_t)r->ram, RIG_RAM), 0);
	rig_map(r, r->ram, 0, RIG_HOLE, 7);
	rig_map(r, r->ram + RIG_HOLE + RIG_PAGE, RIG_HOLE + RIG_PAGE, rest, 7);
	assert_int_equal(nvmm_vcpu_create(&r->mach, 0, &r->vcpu), 0);
	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_TPR, &tpr);
	scramble(w);
}

static void count(struct world *w)
{
	static const uint64_t kinds[KINDS] = { NVMM_VCPU_EXIT_NONE, NVMM_VCPU_EXIT_MEMORY,
		NVMM_VCPU_EXIT_IO, NVMM_VCPU_EXIT_SHUTDOWN, NVMM_VCPU_EXIT_INVALID,
		NVMM_VCPU_EXIT_HALTED, NVMM_VCPU_EXIT_STOPPED, NVMM_VCPU_EXIT_INT_READY };
	unsigned n;

	for (n = 0; n < KINDS; n++)
		w->kinds[n] += w->r.vcpu.exit->reason == kinds[n];
}

static void any_state_and_any_use(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS"), *seed = getenv("LODGE_SEED");
	unsigned long left = rounds ? strtoul(rounds, NULL, 0) : ROUNDS;
	struct world *w = calloc(1, sizeof *w);
	unsigned n;

	(void)state;
	assert_non_null(w);
	w->seed = seed ? strtoull(seed, NULL, 0) : 20261126;
	print_message("# LODGE_SEED=%llu\n", (unsigned long long)w->seed);
	begin(w);
	every_ms(1);
	for (; left; left--) {
		if (random_split(&w->seed) & 1)
			scramble(w);
		running = &w->r.vcpu;
		assert_int_equal(nvmm_vcpu_run(&w->r.mach, &w->r.vcpu), 0);
		running = NULL;
		count(w);
		react(w);
	}
	every_ms(0);
	for (n = 0; n < KINDS; n++) {
		print_message("# kind %u: %u\n", n, w->kinds[n]);
		assert_true(w->kinds[n] || rounds);
	}
	assert_int_equal(nvmm_machine_destroy(&w->r.mach), 0);
	munmap(w->r.ram - RIG_PAGE, RIG_RAM + 2 * RIG_PAGE);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_state_and_any_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
