/* SPDX-License-Identifier: BSD-2-Clause */
/* libnvmm: each call, what it refuses, and each reason to come out; assists have tests of their
 * own. */
#include <pthread.h>
#include <unistd.h>

#include "test/lib/nvmm_rig.h"

enum { ALL = PROT_READ | PROT_WRITE | PROT_EXEC };

static void fails(int rc, int error)
{
	assert_int_equal(rc, -1);
	assert_int_equal(errno, error);
}

/* Machines and processors ---------------------------------------------------------------------- */

static void says_what_it_can(void **state)
{
	struct nvmm_capability cap;

	(void)state;
	assert_int_equal(nvmm_init(), 0);
	assert_int_equal(nvmm_init(), 0); /* twice does no harm */
	assert_int_equal(nvmm_root_init(), 0);
	assert_int_equal(nvmm_capability(&cap), 0);
	assert_int_equal(cap.version, NVMM_KERN_VERSION);
	assert_int_equal(cap.state_size, sizeof(struct nvmm_x64_state));
	assert_true(cap.max_machines >= 1 && cap.max_vcpus >= 1 && cap.max_ram >= 1ull << 32);
	assert_true(cap.arch.vcpu_conf_support & NVMM_CAP_ARCH_VCPU_CONF_CPUID);
	assert_true(cap.arch.vcpu_conf_support & NVMM_CAP_ARCH_VCPU_CONF_TPR);
	assert_int_equal(cap.arch.xcr0_mask & 3, 3);
	assert_int_equal(sizeof(struct fxsave), 512);
	assert_int_equal(offsetof(struct fxsave, fx_xmm), 160);
	assert_int_equal(sizeof(struct nvmm_x64_state_seg), 16);
}

static void an_engine_can_be_chosen(void **state)
{
	const char *was = getenv("LODGE_NVMM_ENGINE");
	char *copy = was ? strdup(was) : NULL;
	struct nvmm_machine mach;

	(void)state;
	setenv("LODGE_NVMM_ENGINE", "no-such-engine", 1);
	fails(nvmm_init(), ENOENT);
	fails(nvmm_machine_create(&mach), ENOENT);
	setenv("LODGE_NVMM_ENGINE", "interp", 1);
	assert_int_equal(nvmm_init(), 0);
	assert_int_equal(nvmm_machine_create(&mach), 0);
	assert_int_equal(nvmm_machine_destroy(&mach), 0);
	if (copy)
		setenv("LODGE_NVMM_ENGINE", copy, 1);
	else
		unsetenv("LODGE_NVMM_ENGINE");
	free(copy);
}

static void machines_are_made_and_destroyed(void **state)
{
	struct nvmm_machine one, two, none = { 0 };
	struct nvmm_vcpu vcpu;

	(void)state;
	assert_int_equal(nvmm_machine_create(&one), 0);
	assert_int_equal(nvmm_machine_create(&two), 0);
	assert_true(one.machid != two.machid);
	fails(nvmm_machine_configure(&one, 0, NULL), EINVAL);
	fails(nvmm_machine_configure(&none, 0, NULL), ENOENT);
	fails(nvmm_machine_destroy(&none), ENOENT);
	fails(nvmm_vcpu_create(&none, 0, &vcpu), ENOENT);
	assert_int_equal(nvmm_vcpu_create(&one, 0, &vcpu), 0);
	assert_int_equal(nvmm_machine_destroy(&one), 0);
	fails(nvmm_machine_destroy(&one), ENOENT); /* twice */
	fails(nvmm_vcpu_run(&one, &vcpu), ENOENT);
	assert_int_equal(nvmm_machine_destroy(&two), 0);
}

static void processors_are_made_and_destroyed(void **state)
{
	struct nvmm_vcpu a, b, c;
	struct nvmm_machine mach;

	(void)state;
	assert_int_equal(nvmm_machine_create(&mach), 0);
	assert_int_equal(nvmm_vcpu_create(&mach, 7, &a), 0);
	assert_int_equal(a.cpuid, 7);
	assert_non_null(a.state);
	assert_int_equal(*a.stop, 0);
	fails(nvmm_vcpu_create(&mach, 7, &b), EEXIST);
	fails(nvmm_vcpu_create(&mach, 256, &b), EINVAL);
	fails(nvmm_vcpu_create(&mach, UINT32_MAX, &b), EINVAL);
	assert_int_equal(nvmm_vcpu_create(&mach, 255, &b), 0);
	assert_int_equal(nvmm_vcpu_getstate(&mach, &a, NVMM_X64_STATE_ALL), 0);
	a.state->gprs[NVMM_X64_GPR_RBX] = 1;
	assert_int_equal(nvmm_vcpu_setstate(&mach, &a, NVMM_X64_STATE_GPRS), 0);
	assert_int_equal(nvmm_vcpu_destroy(&mach, &a), 0); /* the first, before others */
	fails(nvmm_vcpu_destroy(&mach, &a), ENOENT);
	fails(nvmm_vcpu_getstate(&mach, &a, NVMM_X64_STATE_ALL), ENOENT);
	fails(nvmm_vcpu_setstate(&mach, &a, NVMM_X64_STATE_ALL), ENOENT);
	fails(nvmm_vcpu_run(&mach, &a), ENOENT);
	fails(nvmm_vcpu_inject(&mach, &a), ENOENT);
	fails(nvmm_vcpu_configure(&mach, &a, NVMM_VCPU_CONF_TPR, NULL), ENOENT);
	fails(nvmm_vcpu_dump(&mach, &a), ENOENT);
	fails(nvmm_assist_io(&mach, &a), ENOENT);
	fails(nvmm_assist_mem(&mach, &a), ENOENT);
	/* Made again, it is as after a reset. */
	assert_int_equal(nvmm_vcpu_create(&mach, 7, &c), 0);
	assert_int_equal(nvmm_vcpu_getstate(&mach, &c, NVMM_X64_STATE_ALL), 0);
	assert_int_equal(c.state->gprs[NVMM_X64_GPR_RBX], 0);
	assert_int_equal(c.state->gprs[NVMM_X64_GPR_RIP], 0xfff0);
	assert_int_equal(c.state->segs[NVMM_X64_SEG_CS].base, 0xffff0000);
	assert_int_equal(c.state->crs[NVMM_X64_CR_XCR0], 1);
	assert_int_equal(nvmm_machine_destroy(&mach), 0);
}

static void configurations_are_checked(void **state)
{
	struct nvmm_vcpu_conf_cpuid c = { .mask = 1, .exit = 1, .leaf = 1 };
	struct rig *r = *state;
	unsigned n;

	fails(nvmm_vcpu_configure(&r->mach, &r->vcpu, 1, &c), EINVAL);
	fails(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_MD_BEGIN + 2, &c), EINVAL);
	fails(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), EINVAL);
	c.exit = 0;
	c.u.mask.set.ecx = c.u.mask.del.ecx = 4; /* both */
	fails(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), EINVAL);
	c.u.mask.del.ecx = 0;
	for (n = 0; n < 32; n++) {
		c.leaf = n;
		assert_int_equal(
		    nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	}
	c.leaf = 100;
	fails(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), ENOBUFS);
	c.leaf = 31; /* again */
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	c.mask = 0; /* not any more */
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	c.mask = 1;
	c.leaf = 100;
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
}

static void control_knows_one_question(void **state)
{
	struct nvmm_ctl_mach_info info = { .machid = 1 };

	(void)state;
	fails(nvmm_ctl(1, &info, sizeof info), EINVAL);
	fails(nvmm_ctl(NVMM_CTL_MACH_INFO, &info, sizeof info - 1), EINVAL);
	fails(nvmm_ctl(NVMM_CTL_MACH_INFO, NULL, sizeof info), EINVAL);
	fails(nvmm_ctl(NVMM_CTL_MACH_INFO, &info, sizeof info), ENOENT);
}

/* Memory --------------------------------------------------------------------------------------- */

static void host_memory_is_taken_and_given_back(void **state)
{
	struct rig *r = *state;
	uint8_t *p =
	    mmap(NULL, 8 * RIG_PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	const uintptr_t at = (uintptr_t)p;

	assert_true(p != MAP_FAILED);
	p[RIG_PAGE] = 1;
	fails(nvmm_hva_map(&r->mach, 0, RIG_PAGE), EINVAL);
	fails(nvmm_hva_map(&r->mach, at + 1, RIG_PAGE), EINVAL);
	fails(nvmm_hva_map(&r->mach, at, RIG_PAGE + 1), EINVAL);
	fails(nvmm_hva_map(&r->mach, at, 0), EINVAL);
	fails(nvmm_hva_map(&r->mach, UINTPTR_MAX - RIG_PAGE + 1, 2 * RIG_PAGE), EINVAL);
	assert_int_equal(nvmm_hva_map(&r->mach, at + RIG_PAGE, 4 * RIG_PAGE), 0);
	assert_int_equal(p[RIG_PAGE], 0); /* what was there is gone */
	fails(nvmm_hva_map(&r->mach, at + 2 * RIG_PAGE, RIG_PAGE), EEXIST);
	fails(nvmm_hva_map(&r->mach, at, 2 * RIG_PAGE), EEXIST);
	fails(nvmm_hva_unmap(&r->mach, at + RIG_PAGE, RIG_PAGE), ENOENT); /* not all */
	fails(nvmm_hva_unmap(&r->mach, at, RIG_PAGE), ENOENT);
	assert_int_equal(nvmm_hva_unmap(&r->mach, at + RIG_PAGE, 4 * RIG_PAGE), 0);
	fails(nvmm_hva_unmap(&r->mach, at + RIG_PAGE, 4 * RIG_PAGE), ENOENT);
	munmap(p, 8 * RIG_PAGE);
}

static void guest_memory_is_checked(void **state)
{
	struct rig *r = *state;
	const uintptr_t at = (uintptr_t)r->hole;
	gpaddr_t far = 128ull << 30;
	nvmm_prot_t prot;
	uintptr_t hva;

	fails(nvmm_gpa_map(&r->mach, at + 1, RIG_HOLE, RIG_PAGE, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, RIG_HOLE + 1, RIG_PAGE, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, RIG_HOLE, RIG_PAGE - 1, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, RIG_HOLE, 0, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, RIG_HOLE, RIG_PAGE, 8), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, RIG_HOLE, 2 * RIG_PAGE, ALL), EINVAL); /* too much */
	fails(nvmm_gpa_map(&r->mach, at, 0, RIG_PAGE, ALL), EINVAL);            /* taken */
	fails(nvmm_gpa_map(&r->mach, (uintptr_t)r, RIG_HOLE, RIG_PAGE, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, far, RIG_PAGE, ALL), EINVAL);
	fails(nvmm_gpa_map(&r->mach, at, 0ull - RIG_PAGE, RIG_PAGE, ALL), EINVAL);
	assert_int_equal(nvmm_gpa_map(&r->mach, at, far - RIG_PAGE, RIG_PAGE, PROT_READ), 0);
	rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_READ | PROT_WRITE); /* in two places */
	assert_int_equal(nvmm_gpa_to_hva(&r->mach, far - 5, &hva, &prot), 0);
	assert_int_equal(hva, at + RIG_PAGE - 5);
	assert_int_equal(prot, NVMM_PROT_READ);
	assert_int_equal(nvmm_gpa_to_hva(&r->mach, RIG_HOLE, &hva, &prot), 0);
	assert_int_equal(prot, NVMM_PROT_READ | NVMM_PROT_WRITE);
	fails(nvmm_gpa_to_hva(&r->mach, RIG_RAM, &hva, &prot), ENOENT);
	fails(nvmm_gpa_unmap(&r->mach, at, RIG_HOLE, 2 * RIG_PAGE), ENOENT);
	fails(nvmm_gpa_unmap(&r->mach, at + RIG_PAGE, RIG_HOLE, RIG_PAGE), ENOENT);
	rig_unmap(r, r->hole, RIG_HOLE, RIG_PAGE);
	fails(nvmm_gpa_unmap(&r->mach, at, RIG_HOLE, RIG_PAGE), ENOENT);
	assert_int_equal(nvmm_gpa_unmap(&r->mach, at, far - RIG_PAGE, RIG_PAGE), 0);
}

/* What the program protects or gives back is its own view; the guest has memory as it was mapped.
 */
static void the_guest_has_its_own_view(void **state)
{
	struct rig *r = *state;
	const uintptr_t at = (uintptr_t)r->hole;

	rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_READ | PROT_WRITE);
	r->hole[0x40] = 7;
	assert_int_equal(mprotect(r->hole, RIG_PAGE, PROT_NONE), 0);
	RIG_LOAD(r, RIG_64, 0x83, 0x03, 0x05); /* add dword [rbx], 5 */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(mprotect(r->hole, RIG_PAGE, PROT_READ), 0);
	assert_int_equal(r->hole[0x40], 12);
	assert_int_equal(nvmm_hva_unmap(&r->mach, at, RIG_PAGE), 0);
	RIG_LOAD(r, RIG_64, 0x8a, 0x03); /* mov al, [rbx] */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 12);
	fails(nvmm_gpa_map(&r->mach, at, RIG_RAM, RIG_PAGE, ALL), EINVAL);
	assert_int_equal(nvmm_gpa_unmap(&r->mach, at, RIG_HOLE, RIG_PAGE), 0);
	fails(nvmm_gpa_unmap(&r->mach, at, RIG_HOLE, RIG_PAGE), ENOENT);
}

/* The same program finds other memory at the same place, also where it has code. */
static void memory_can_be_changed(void **state)
{
	struct rig *r = *state;
	uint8_t *two = rig_memory(&r->mach, RIG_PAGE);
	unsigned n;

	r->hole[0] = two[0] = 0xb0; /* mov al, n; jmp rdx */
	r->hole[1] = 1;
	two[1] = 2;
	r->hole[2] = two[2] = 0xff;
	r->hole[3] = two[3] = 0xe2;
	for (n = 0; n < 20; n++) {
		const uint8_t *page = n % 2 ? two : r->hole;

		rig_map(r, page, RIG_HOLE, RIG_PAGE, PROT_READ | PROT_EXEC);
		RIG_LOAD(r, RIG_64, 0xff, 0xe3); /* jmp rbx */
		r->vcpu.state->gprs[NVMM_X64_GPR_RBX] = RIG_HOLE;
		r->vcpu.state->gprs[NVMM_X64_GPR_RDX] = RIG_CODE + 2;
		rig_set(r, NVMM_X64_STATE_ALL);
		assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
		assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX) & 0xff, 1 + n % 2);
		rig_unmap(r, page, RIG_HOLE, RIG_PAGE);
	}
	munmap(two, RIG_PAGE);
}

static void protection_comes_out(void **state)
{
	struct rig *r = *state;

	rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_READ);
	r->hole[0x40] = 0x12;
	/* mov al, [rbx]; mov [rbx], ah; jmp rbx */
	RIG_LOAD(r, RIG_64, 0x8a, 0x03, 0x88, 0x23, 0xff, 0xe3);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_WRITE);
	assert_int_equal(r->vcpu.exit->u.mem.gpa, RIG_HOLE + 0x40);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RAX], 0x12);
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] += 2;
	rig_set(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_EXEC);
	assert_int_equal(r->hole[0x40], 0x12);
	rig_unmap(r, r->hole, RIG_HOLE, RIG_PAGE);
	/* With no rights at all it is not there. */
	rig_map(r, r->hole, RIG_HOLE, RIG_PAGE, PROT_NONE);
	RIG_LOAD(r, RIG_64, 0x8a, 0x03);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MEMORY);
	assert_int_equal(r->vcpu.exit->u.mem.prot, PROT_READ);
	rig_unmap(r, r->hole, RIG_HOLE, RIG_PAGE);
}

/* State ---------------------------------------------------------------------------------------- */

static void scramble(struct nvmm_vcpu_state *s)
{
	unsigned n;

	for (n = 0; n < 16; n++)
		s->gprs[n] = 0x1111111111111111u * n;
	s->gprs[NVMM_X64_GPR_RIP] = 0xffffffff81234567;
	s->gprs[NVMM_X64_GPR_RFLAGS] = 0x246;
	for (n = 0; n < NVMM_X64_NSEG; n++) {
		const bool table = n == NVMM_X64_SEG_GDT || n == NVMM_X64_SEG_IDT;

		s->segs[n].base = 0x1000 * n;
		s->segs[n].limit = 0x100 + n;
		s->segs[n].selector = table ? 0 : (uint16_t)(8 * n);
		s->segs[n].attrib.type = table ? 0 : n;
		s->segs[n].attrib.dpl = table ? 0 : n & 3;
		s->segs[n].attrib.p = !table;
		s->segs[n].attrib.s = !table;
		s->segs[n].attrib.avl = !table;
		s->segs[n].attrib.l = 0;
		s->segs[n].attrib.def = 0;
		s->segs[n].attrib.g = 0;
	}
	for (n = 0; n < 4; n++)
		s->drs[n] = 0x10 * n;
	s->drs[NVMM_X64_DR_DR6] = 0xffff0ff1;
	s->drs[NVMM_X64_DR_DR7] = 0x400;
	for (n = NVMM_X64_MSR_STAR; n < NVMM_X64_MSR_PAT; n++)
		s->msrs[n] = 0x7000000 + n;
	s->msrs[NVMM_X64_MSR_TSC] = 0x123456789;
	s->crs[NVMM_X64_CR_CR2] = 0xdeadbeef000;
	s->crs[NVMM_X64_CR_CR3] = 0x5000;
	s->crs[NVMM_X64_CR_CR8] = 9;
	s->crs[NVMM_X64_CR_XCR0] = 7;
	s->fpu.fx_cw = 0x27f;
	s->fpu.fx_sw = 0x3801;
	s->fpu.fx_tw = 0x81;
	s->fpu.fx_opcode = 0x123;
	s->fpu.fx_ip.fa_64 = 0x1234;
	s->fpu.fx_dp.fa_64 = 0x5678;
	s->fpu.fx_mxcsr = 0x1f81;
	s->fpu.fx_mxcsr_mask = 0xffff;
	s->fpu.fx_87_ac[3].r.f87_mantissa = 0x8000000000000001;
	s->fpu.fx_87_ac[3].r.f87_exp_sign = 0xbfff;
	memset(&s->fpu.fx_xmm[15], 0x5a, 16);
	s->intr.int_shadow = 1;
	s->intr.int_window_exiting = 1;
	s->intr.nmi_window_exiting = 1;
}

static void all_state_comes_back(void **state)
{
	struct rig *r = *state;
	struct nvmm_vcpu_state want;
	unsigned n;

	rig_get(r, NVMM_X64_STATE_ALL);
	scramble(r->vcpu.state);
	want = *r->vcpu.state;
	rig_set(r, NVMM_X64_STATE_ALL);
	memset(r->vcpu.state, 0xcc, sizeof *r->vcpu.state);
	rig_get(r, NVMM_X64_STATE_ALL);
	assert_memory_equal(r->vcpu.state->gprs, want.gprs, sizeof want.gprs);
	for (n = 0; n < NVMM_X64_NSEG; n++)
		assert_memory_equal(&r->vcpu.state->segs[n], &want.segs[n], sizeof want.segs[n]);
	assert_memory_equal(r->vcpu.state->crs, want.crs, sizeof want.crs);
	assert_memory_equal(r->vcpu.state->drs, want.drs, sizeof want.drs);
	assert_memory_equal(r->vcpu.state->msrs, want.msrs, sizeof want.msrs);
	assert_memory_equal(&r->vcpu.state->fpu, &want.fpu, 416);
	assert_int_equal(r->vcpu.state->intr.int_shadow, 1);
	assert_int_equal(r->vcpu.state->intr.int_window_exiting, 1);
	assert_int_equal(r->vcpu.state->intr.nmi_window_exiting, 1);
	assert_int_equal(r->vcpu.state->intr.evt_pending, 0);
	/* Only what is asked for. */
	r->vcpu.state->gprs[0] = 1;
	r->vcpu.state->crs[NVMM_X64_CR_CR2] = 2;
	rig_set(r, NVMM_X64_STATE_CRS);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(r->vcpu.state->gprs[0], 0);
}

/* It prints, for people. */
static void a_dump_names_registers(void **state)
{
	struct rig *r = *state;
	char text[16384] = "";
	int out = dup(1), rc;
	FILE *f = tmpfile();

	assert_true(out >= 0 && f);
	fflush(stdout);
	assert_true(dup2(fileno(f), 1) == 1);
	rc = nvmm_vcpu_dump(&r->mach, &r->vcpu);
	fflush(stdout);
	assert_true(dup2(out, 1) == 1);
	close(out);
	assert_int_equal(rc, 0);
	rewind(f);
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_non_null(strstr(text, "RIP    000000000000fff0"));
	assert_non_null(strstr(text, "CR0    0000000060000010"));
}

/* Upper halves of YMM registers are not in this state, and stay. */
static void the_rest_of_ymm_stays(void **state)
{
	struct rig *r = *state;

	/* vpcmpeqd ymm0, ymm0, ymm0; hlt; vextracti128 xmm1, ymm0, 1 */
	RIG_LOAD(r, RIG_64, 0xc5, 0xfd, 0x76, 0xc0, 0xf4, 0xc4, 0xe3, 0x7d, 0x39, 0xc1, 0x01);
	r->vcpu.state->crs[NVMM_X64_CR_CR4] |= 1 << 18; /* OSXSAVE */
	r->vcpu.state->crs[NVMM_X64_CR_XCR0] = 7;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_FPU);
	memset(r->vcpu.state->fpu.fx_xmm, 0, sizeof r->vcpu.state->fpu.fx_xmm);
	rig_set(r, NVMM_X64_STATE_FPU);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_FPU);
	assert_int_equal(r->vcpu.state->fpu.fx_xmm[0].xmm_bytes[3], 0);
	assert_int_equal(r->vcpu.state->fpu.fx_xmm[1].xmm_bytes[3], 0xff);
}

/* A program that gives back what it read does not turn the clock back. */
static void the_tsc_goes_on(void **state)
{
	struct rig *r = *state;
	uint64_t last = 0, now;
	unsigned n;

	for (n = 0; n < 50; n++) {
		RIG_LOAD(r, RIG_64, 0x0f, 0x31); /* rdtsc */
		rig_set(r, NVMM_X64_STATE_ALL);
		assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
		rig_get(r, NVMM_X64_STATE_GPRS);
		now = r->vcpu.state->gprs[NVMM_X64_GPR_RAX] | r->vcpu.state->gprs[NVMM_X64_GPR_RDX]
								  << 32;
		assert_true(now > last);
		last = now;
	}
	rig_get(r, NVMM_X64_STATE_MSRS);
	r->vcpu.state->msrs[NVMM_X64_MSR_TSC] = 5ull << 40;
	rig_set(r, NVMM_X64_STATE_MSRS);
	RIG_LOAD(r, RIG_64, 0x0f, 0x31);
	r->vcpu.state->msrs[NVMM_X64_MSR_TSC] = 5ull << 40;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RDX), 5 << 8);
}

static void states_that_cannot_be(void **state)
{
	struct rig *r = *state;
	struct nvmm_vcpu_state *s = r->vcpu.state;
	unsigned n;

	for (n = 0; n < 13; n++) {
		RIG_LOAD(r, RIG_64, 0x90);
		switch (n) {
		case 0: /* CR0.NW without CD */
			s->crs[NVMM_X64_CR_CR0] |= 1 << 29;
			break;
		case 1:
			s->crs[NVMM_X64_CR_CR0] |= 1ull << 40;
			break;
		case 2: /* paging without protection */
			s->crs[NVMM_X64_CR_CR0] &= ~1ull;
			break;
		case 3: /* long mode without PAE */
			s->crs[NVMM_X64_CR_CR4] &= ~(uint64_t)PL_PAE;
			break;
		case 4:
			s->crs[NVMM_X64_CR_CR4] |= 1ull << 33;
			break;
		case 5:
			s->msrs[NVMM_X64_MSR_EFER] |= 1ull << 50;
			break;
		case 6: /* CS.L and CS.D */
			s->segs[NVMM_X64_SEG_CS].attrib.def = 1;
			break;
		case 7:
			s->crs[NVMM_X64_CR_CR3] |= 1ull << 50;
			break;
		case 8:
			s->drs[NVMM_X64_DR_DR7] |= 1ull << 32;
			break;
		case 9:
			s->drs[NVMM_X64_DR_DR6] |= 1ull << 63;
			break;
		case 10: /* virtual-8086 mode in long mode */
			s->gprs[NVMM_X64_GPR_RFLAGS] |= 1 << 17;
			break;
		case 11: /* PCIDs outside long mode */
			s->msrs[NVMM_X64_MSR_EFER] = 0;
			s->crs[NVMM_X64_CR_CR4] |= 1 << 17;
			break;
		default: /* PAE's first level is not in memory */
			s->msrs[NVMM_X64_MSR_EFER] = 0;
			s->crs[NVMM_X64_CR_CR3] = 0x40000000;
		}
		rig_set(r, NVMM_X64_STATE_ALL);
		if (rig_run(r) != NVMM_VCPU_EXIT_INVALID)
			fail_msg(
			    "state %u: exit %#llx", n, (unsigned long long)r->vcpu.exit->reason);
	}
	/* And it is none the worse for it. */
	RIG_LOAD(r, RIG_64, 0x90);
	s->drs[NVMM_X64_DR_DR6] = 0;
	s->drs[NVMM_X64_DR_DR7] = 0;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
}

/* Addresses ------------------------------------------------------------------------------------ */

static void where(struct rig *r, gvaddr_t gva, gpaddr_t want, nvmm_prot_t rights)
{
	nvmm_prot_t prot = 0;
	gpaddr_t gpa = 0;

	assert_int_equal(nvmm_gva_to_gpa(&r->mach, &r->vcpu, gva, &gpa, &prot), 0);
	assert_int_equal(gpa, want);
	assert_int_equal(prot, rights);
}

static void nowhere(struct rig *r, gvaddr_t gva)
{
	nvmm_prot_t prot;
	gpaddr_t gpa;

	fails(nvmm_gva_to_gpa(&r->mach, &r->vcpu, gva, &gpa, &prot), EFAULT);
}

static void addresses_in_64_bit_mode(void **state)
{
	const unsigned l4 = RIG_TABLES, l3 = l4 + 0x1000, l2 = l4 + 0x2000, l1 = l4 + 0x3000;
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	rig_put64(r, l2 + 8, l1 | 7);
	rig_put64(r, l1, 0x5001);                 /* neither written nor user's */
	rig_put64(r, l1 + 8, 0x8000000000006003); /* not executed */
	rig_put64(r, l1 + 16, 0);
	rig_put64(r, l3 + 8, 0xc0000087); /* 1 GiB */
	rig_put64(r, l4 + 8 * 511, l3 | 5);
	where(r, 0x1234, 0x1234, NVMM_PROT_ALL);
	where(r, 0x200123, 0x5123, NVMM_PROT_READ | NVMM_PROT_EXEC);
	where(r, 0x201000, 0x6000, NVMM_PROT_READ | NVMM_PROT_WRITE);
	where(r, 0x40001000, 0xc0001000, NVMM_PROT_ALL);
	where(r, 0xffffff8000000010, 0x10, NVMM_PROT_ALL & ~(nvmm_prot_t)NVMM_PROT_WRITE);
	nowhere(r, 0x202000);
	nowhere(r, 0x80000000);
	nowhere(r, 0x7f8000000000 | 1ull << 50); /* not canonical */
}

static void addresses_in_other_modes(void **state)
{
	const unsigned dir = 0x6000, table = 0x7000;
	struct rig *r = *state;
	struct nvmm_vcpu_state *s = r->vcpu.state;
	const uint32_t entry[] = { table | 7, 0x9003 };

	RIG_LOAD(r, RIG_32, 0x90);
	rig_set(r, NVMM_X64_STATE_ALL);
	where(r, 0x123456789, 0x123456789, NVMM_PROT_ALL); /* no paging */
	/* 32-bit tables, and a page of 4 MiB above 4 GiB. */
	memcpy(r->ram + dir, &entry[0], 4);
	memcpy(r->ram + table + 4 * 3, &entry[1], 4);
	memcpy(r->ram + dir + 4, (uint32_t[]){ 0x00402087 }, 4);
	s->crs[NVMM_X64_CR_CR0] |= PL_PG;
	s->crs[NVMM_X64_CR_CR4] = 1 << 4;
	s->crs[NVMM_X64_CR_CR3] = dir;
	rig_set(r, NVMM_X64_STATE_CRS);
	where(r, 0x3456, 0x9456, NVMM_PROT_READ | NVMM_PROT_WRITE | NVMM_PROT_EXEC);
	where(r, 0x400010, 0x100400010, NVMM_PROT_ALL);
	nowhere(r, 0x800000);
	nowhere(r, 0x4000);
	/* PAE. */
	rig_put64(r, dir + 0x20, table | 1);
	rig_put64(r, dir + 0x28, 0);
	rig_put64(r, table, 0x87);
	rig_put64(r, table + 8, RIG_DATA | 7);
	rig_put64(r, RIG_DATA, 0x800000000000b005);
	s->crs[NVMM_X64_CR_CR4] = PL_PAE;
	s->crs[NVMM_X64_CR_CR3] = dir + 0x20;
	s->msrs[NVMM_X64_MSR_EFER] = 1 << 11;
	rig_set(r, NVMM_X64_STATE_CRS | NVMM_X64_STATE_MSRS);
	where(r, 0x1ff123, 0x1ff123, NVMM_PROT_ALL);
	where(r, 0x200020, 0xb020, NVMM_PROT_READ | NVMM_PROT_USER);
	nowhere(r, 0x40000000);
}

/* Exits ---------------------------------------------------------------------------------------- */

static void registers_come_out(void **state)
{
	struct rig *r = *state;
	struct nvmm_x86_exit *x = r->vcpu.exit;

	RIG_LOAD(r, RIG_64, 0x0f, 0x32, 0x48, 0x0f, 0x30); /* rdmsr; rex wrmsr */
	r->vcpu.state->gprs[NVMM_X64_GPR_RCX] = 0x1b;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_RDMSR);
	assert_int_equal(x->u.rdmsr.msr, 0x1b);
	assert_int_equal(x->u.rdmsr.npc, RIG_CODE + 2);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(r->vcpu.state->gprs[NVMM_X64_GPR_RIP], RIG_CODE);
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = 0xfee00900;
	r->vcpu.state->gprs[NVMM_X64_GPR_RDX] = 2;
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = x->u.rdmsr.npc;
	rig_set(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_WRMSR);
	assert_int_equal(x->u.wrmsr.msr, 0x1b);
	assert_true(x->u.wrmsr.val == 0x2fee00900);
	assert_int_equal(x->u.wrmsr.npc, RIG_CODE + 5);
	rig_get(r, NVMM_X64_STATE_GPRS);
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = x->u.wrmsr.npc;
	rig_set(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	/* Those that are part of the state do not. */
	RIG_LOAD(r, RIG_64, 0x0f, 0x30, 0x0f, 0x32);
	r->vcpu.state->gprs[NVMM_X64_GPR_RCX] = 0xc0000082; /* LSTAR */
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = 0x1234;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_MSRS);
	assert_int_equal(r->vcpu.state->msrs[NVMM_X64_MSR_LSTAR], 0x1234);
}

static void cpuid(struct rig *r, uint32_t leaf)
{
	RIG_LOAD(r, RIG_64, 0x0f, 0xa2);
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = leaf;
	r->vcpu.state->gprs[NVMM_X64_GPR_RCX] = 0;
	rig_set(r, NVMM_X64_STATE_ALL);
}

static void cpuid_is_configured_before_the_first_run(void **state)
{
	struct nvmm_vcpu_conf_cpuid c = { .mask = 1, .leaf = 1 };
	struct rig *r = *state;

	c.u.mask.set.edx = 1 << 12;
	c.u.mask.del.edx = 1 << 4; /* TSC */
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	cpuid(r, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RDX) & (1 << 12 | 1 << 4), 1 << 12);
}

static void cpuid_is_configured(void **state)
{
	struct nvmm_vcpu_conf_cpuid c = { .mask = 1, .leaf = 1 };
	struct rig *r = *state;
	const uint64_t *gprs = r->vcpu.state->gprs;

	cpuid(r, 0x40000000);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(gprs[NVMM_X64_GPR_RBX], 0x205f5f5f); /* "___ NVMM ___" */
	cpuid(r, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(gprs[NVMM_X64_GPR_RDX] & 1 << 12, 0);    /* no MTRRs */
	assert_int_not_equal(gprs[NVMM_X64_GPR_RDX] & 1 << 9, 0); /* an APIC, the program's */
	assert_int_equal(gprs[NVMM_X64_GPR_RCX] & 1 << 3, 0);     /* no MONITOR */
	assert_int_equal(gprs[NVMM_X64_GPR_RCX] >> 31, 1);        /* a guest */
	c.u.mask.set.edx = 1 << 12;
	c.u.mask.del.edx = 1 << 4; /* TSC */
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	cpuid(r, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	rig_get(r, NVMM_X64_STATE_GPRS);
	assert_int_equal(gprs[NVMM_X64_GPR_RDX] & (1 << 12 | 1 << 4), 1 << 12);
	c = (struct nvmm_vcpu_conf_cpuid){ .leaf = 1 };
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	cpuid(r, 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RDX) & (1 << 12 | 1 << 4), 1 << 4);
}

static void cpuid_comes_out(void **state)
{
	struct nvmm_vcpu_conf_cpuid c = { .exit = 1, .leaf = 0x80000000 };
	struct rig *r = *state;

	if (rig_is_on("kvm"))
		skip(); /* the host's kernel answers it */
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	cpuid(r, 0x80000000);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_CPUID);
	assert_int_equal(r->vcpu.exit->u.insn.npc, RIG_CODE + 2);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE);
	c.exit = 0;
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_CPUID, &c), 0);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_true(rig_gpr(r, NVMM_X64_GPR_RAX) >= 0x80000008);
}

static void instructions_come_out(void **state)
{
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0x0f, 0x01, 0xc8, 0x0f, 0x01, 0xc9); /* monitor; mwait */
	r->vcpu.state->gprs[NVMM_X64_GPR_RCX] = 0;
	r->vcpu.state->gprs[NVMM_X64_GPR_RAX] = RIG_DATA;
	rig_set(r, NVMM_X64_STATE_ALL);
	if (!rig_is_on("kvm")) { /* there the guest has #UD at once */
		assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MONITOR);
		assert_int_equal(r->vcpu.exit->u.insn.npc, RIG_CODE + 3);
		rig_get(r, NVMM_X64_STATE_GPRS);
		r->vcpu.state->gprs[NVMM_X64_GPR_RIP] += 3;
		rig_set(r, NVMM_X64_STATE_GPRS);
		assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_MWAIT);
		/* As QEMU does: there is no such instruction. */
		r->vcpu.event->type = NVMM_VCPU_EVENT_EXCP;
		r->vcpu.event->vector = 6;
		assert_int_equal(nvmm_vcpu_inject(&r->mach, &r->vcpu), 0);
	}
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_HANDLER + 16 * 6 + 1);
}

/* HLT is behind the guest when it comes out, so a second run goes on. */
static void halts(void **state)
{
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0xf4, 0xff, 0xc0);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(r->vcpu.exit->u.insn.npc, RIG_CODE + 1);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 1);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RAX), 1);
}

static void shuts_down(void **state)
{
	struct rig *r = *state;

	RIG_LOAD(r, RIG_64, 0x0f, 0x0b);
	r->vcpu.state->segs[NVMM_X64_SEG_IDT].limit = 0;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_SHUTDOWN);
}

static void a_lower_task_priority_comes_out(void **state)
{
	struct nvmm_vcpu_conf_tpr tpr = { .exit_changed = 1 };
	struct rig *r = *state;

	/* mov cr8, rcx; inc eax */
	RIG_LOAD(r, RIG_64, 0x44, 0x0f, 0x22, 0xc1, 0xff, 0xc0);
	r->vcpu.state->crs[NVMM_X64_CR_CR8] = 5;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_TPR, &tpr), 0);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_TPR_CHANGED);
	assert_int_equal(r->vcpu.exit->exitstate.cr8, 3);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 4);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED);
}

static void task_priority_comes_out(void **state)
{
	struct nvmm_vcpu_conf_tpr tpr = { .exit_changed = 1 };
	struct rig *r = *state;

	if (rig_is_on("kvm"))
		skip(); /* a higher one comes out when something else does */
	/* mov cr8, rcx; mov cr8, rdx; mov cr8, rdx; inc eax */
	RIG_LOAD(r, RIG_64, 0x44, 0x0f, 0x22, 0xc1, 0x44, 0x0f, 0x22, 0xc2, 0x44, 0x0f, 0x22, 0xc2,
	    0xff, 0xc0);
	r->vcpu.state->gprs[NVMM_X64_GPR_RDX] = 5;
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED); /* not asked for */
	assert_int_equal(r->vcpu.exit->exitstate.cr8, 5);
	assert_int_equal(nvmm_vcpu_configure(&r->mach, &r->vcpu, NVMM_VCPU_CONF_TPR, &tpr), 0);
	rig_get(r, NVMM_X64_STATE_ALL);
	r->vcpu.state->gprs[NVMM_X64_GPR_RIP] = RIG_CODE;
	r->vcpu.state->crs[NVMM_X64_CR_CR8] = 0; /* the program's change is none */
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_TPR_CHANGED);
	assert_int_equal(r->vcpu.exit->exitstate.cr8, 3);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 4);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_TPR_CHANGED);
	assert_int_equal(r->vcpu.exit->exitstate.cr8, 5);
	assert_int_equal(rig_gpr(r, NVMM_X64_GPR_RIP), RIG_CODE + 8);
	assert_int_equal(rig_run(r), NVMM_VCPU_EXIT_HALTED); /* the same once more is none */
	rig_get(r, NVMM_X64_STATE_CRS);
	assert_int_equal(r->vcpu.state->crs[NVMM_X64_CR_CR8], 5);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_can),
		cmocka_unit_test(an_engine_can_be_chosen),
		cmocka_unit_test(machines_are_made_and_destroyed),
		cmocka_unit_test(processors_are_made_and_destroyed),
		TEST(configurations_are_checked),
		cmocka_unit_test(control_knows_one_question),
		TEST(host_memory_is_taken_and_given_back),
		TEST(guest_memory_is_checked),
		TEST(the_guest_has_its_own_view),
		TEST(memory_can_be_changed),
		TEST(protection_comes_out),
		TEST(all_state_comes_back),
		TEST(a_dump_names_registers),
		TEST(the_rest_of_ymm_stays),
		TEST(the_tsc_goes_on),
		TEST(states_that_cannot_be),
		TEST(addresses_in_64_bit_mode),
		TEST(addresses_in_other_modes),
		TEST(registers_come_out),
		TEST(cpuid_is_configured_before_the_first_run),
		TEST(cpuid_is_configured),
		TEST(cpuid_comes_out),
		TEST(instructions_come_out),
		TEST(halts),
		TEST(shuts_down),
		TEST(a_lower_task_priority_comes_out),
		TEST(task_priority_comes_out),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
