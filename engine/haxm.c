/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest CPUs on the host's own, by HAXM, which NetBSD and Linux can have as a module.  Source: HAXM
 * 7.8, docs/api.md (engine/haxm_abi.h).
 *
 * Left out: what that does not give: NMIs; exceptions from outside, and interrupts that are half
 * delivered; CR8 (it ignores stores), x2APIC, TSC deadlines; XCR0, so the guest has no XSAVE and no
 * AVX; writes of pages, so no snapshots of a running machine; debugging.
 */
#include "engine/haxm.h"

#include <errno.h>

#include "engine/engine.h"

#ifdef HAVE_HAXM

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/os.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/x86/cpuid.h"
#include "engine/x86_host.h"

/* NetBSD hands out what HAXM returns, which is -errno. */
int haxm_ioctl(int fd, unsigned long request, void *arg)
{
	if (ioctl(fd, request, arg) >= 0)
		return 0;
	return errno < 0 ? errno : -errno;
}

static int open_device(struct err *e)
{
	int fd = open(HAXM_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return err_set(
		    e, errno, "haxm: there is no " HAXM_DEVICE " (the module is not loaded)");
	return err_set(e, errno, "haxm: " HAXM_DEVICE ": %s", strerror(errno));
}

static int look_at(int fd, struct err *e)
{
	const unsigned need = HAXM_BLOCK_64 | HAXM_SET_RAM_64 | HAXM_TUNNEL_PAGE | HAXM_SETS_CPUID;
	struct haxm_version v = { 0, 0 };
	struct haxm_capability c = { 0, 0, 0, 0 };
	int rc = haxm_ioctl(fd, HAXM_GET_VERSION, &v);

	if (!rc)
		rc = haxm_ioctl(fd, HAXM_GET_CAPABILITY, &c);
	if (rc < 0)
		return err_set(e, -rc, "haxm: what it can do: %s", strerror(-rc));
	if (v.least > HAXM_VERSION || v.current < HAXM_VERSION)
		return err_set(e, ENOTSUP, "haxm: its interface is of versions %u to %u, not %d",
		    v.least, v.current, HAXM_VERSION);
	if (!(c.status & HAXM_WORKS))
		return err_set(e, ENOTSUP, "haxm: this machine's CPU has no %s",
		    c.info & HAXM_LACKS_VT   ? "VT-x (or the firmware has turned it off)"
		    : c.info & HAXM_LACKS_NX ? "execute disable"
					     : "what it needs");
	if (!(c.info & HAXM_UNRESTRICTED))
		return err_set(
		    e, ENOTSUP, "haxm: this machine's CPU cannot execute a guest's real mode");
	if ((c.info & need) != need)
		return err_set(e, ENOTSUP, "haxm: the module is too old (7.8 is not)");
	return 0;
}

static int probe(const struct cpu_class *cpu, struct err *e)
{
	int fd, rc;

	if (strcmp(cpu->name, "x86_64") != 0)
		return err_set(e, ENOTSUP, "haxm: its CPUs are x86_64 only");
	fd = open_device(e);
	if (fd < 0)
		return fd;
	rc = look_at(fd, e);
	close(fd);
	return rc;
}

/* Which CPU ------------------------------------------------------------------------------------ */

/* What HAXM says that its guests can have, but for what it does not give out the state of. */
static const uint16_t features[] = { X86_FEAT_FPU, X86_FEAT_VME, X86_FEAT_DE, X86_FEAT_PSE,
	X86_FEAT_TSC, X86_FEAT_MSR, X86_FEAT_PAE, X86_FEAT_MCE, X86_FEAT_CX8, X86_FEAT_APIC,
	X86_FEAT_SEP, X86_FEAT_MTRR, X86_FEAT_PGE, X86_FEAT_MCA, X86_FEAT_CMOV, X86_FEAT_PAT,
	X86_FEAT_CLFLUSH, X86_FEAT_MMX, X86_FEAT_FXSR, X86_FEAT_SSE, X86_FEAT_SSE2, X86_FEAT_SS,
	X86_FEAT_SSE3, X86_FEAT_PCLMULQDQ, X86_FEAT_SSSE3, X86_FEAT_CX16, X86_FEAT_SSE4_1,
	X86_FEAT_SSE4_2, X86_FEAT_MOVBE, X86_FEAT_POPCNT, X86_FEAT_AES, X86_FEAT_ERMS,
	X86_FEAT_SYSCALL, X86_FEAT_NX, X86_FEAT_RDTSCP, X86_FEAT_LM };

static int limited(const char *wanted, struct x86_model *all, struct x86_model *m, struct err *e)
{
	uint32_t can[X86_NWORDS] = { 0 };
	int rc = x86_model_parse(all, wanted, e);

	if (rc < 0)
		return rc;
	*m = *all;
	x86_host_limit(m, x86_host_own_leaf, NULL);
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		can[features[i] / 32] |= 1u << features[i] % 32;
	for (size_t i = 0; i < X86_NWORDS; i++)
		m->features[i] &= can[i];
	if (x86_host_tsc_khz())
		m->tsc_khz = x86_host_tsc_khz();
	return 0;
}

static int model(const struct cpu_class *cpu, const char *wanted, struct buf *can, struct err *e)
{
	struct x86_model all, m;
	int rc = limited(wanted, &all, &m, e);

	(void)cpu;
	return rc ? rc : x86_host_text(&all, &m, wanted, can);
}

/* Those whose answers HAXM takes. */
static const uint32_t leaves[] = { 0, 1, 2, 7, 0xa, 0x40000000, 0x80000000, 0x80000001, 0x80000002,
	0x80000003, 0x80000004, 0x80000006, 0x80000008, 0x15, 0x16 };

/* Of the TSC's rate HAXM says what the host's CPU does, and the crystal there is not that of our
 * local APICs: where we do not know better guests shall not look. */
enum { BEFORE_RATES = 0xd };

/* All CPUs of a VM have one answer, so the APIC's ID in leaf 1 is that of the first. */
int haxm_tell_cpuid(struct vcpu *v)
{
	const struct x86_model *m = &v->engine->model;
	const struct x86_cpuid x = { .model = m,
		.ncpus = v->engine->ncpus,
		.tsc_khz = m->tsc_khz,
		.code64 = true,
		.apic = true };
	struct haxm_cpuid c = { .n = 0 }, *at = &c;
	uint32_t out[4];

	if (v->engine->told)
		return 0;
	v->engine->told = true;
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		if (!m->tsc_khz && (leaves[i] == 0x15 || leaves[i] == 0x16))
			continue;
		x86_cpuid_leaf(&x, leaves[i], 0, out);
		if (!m->tsc_khz && !leaves[i] && out[0] > BEFORE_RATES)
			out[0] = BEFORE_RATES;
		c.entry[c.n++] = (struct haxm_leaf){ .leaf = leaves[i],
			.eax = out[0],
			.ebx = out[1],
			.ecx = out[2],
			.edx = out[3] };
	}
	return haxm_ioctl(v->fd, HAXM_SET_CPUID, &at);
}

/* Memory --------------------------------------------------------------------------------------- */

static int add_piece(void *engine, uint8_t *hva, size_t len)
{
	struct engine *g = engine;
	struct haxm_block b = { .hva = (uintptr_t)hva, .size = len };

	return haxm_ioctl(g->vm, HAXM_ADD_BLOCK, &b);
}

static int set_ram(void *engine, const struct plan_slot *s, bool there)
{
	struct engine *g = engine;
	struct haxm_ram r = { .gpa = s->gpa,
		.size = s->len,
		.hva = there ? (uintptr_t)s->hva : 0,
		.flags = !there        ? HAXM_RAM_INVALID
			 : s->readonly ? HAXM_RAM_ROM
				       : 0 };

	return haxm_ioctl(g->vm, HAXM_SET_RAM, &r);
}

/* That it was the VM's the kernel forgets with the VM alone. */
static void free_piece(void *engine, void *ram, size_t len)
{
	(void)engine;
	os_ram_free(ram, len);
}

static const struct pieces_ops memory = { "haxm", add_piece, set_ram, free_piece };

static void *ram_new(struct engine *g, size_t len, struct err *e)
{
	return pieces_new(&g->memory, len, e);
}

static void ram_free(struct engine *g, void *ram, size_t len)
{
	pieces_free(&g->memory, ram, len);
}

/* Before the first CPU runs all of env.mem is looked at. */
static int map(struct engine *g, uint64_t gpa, void *hva, size_t len, struct err *e)
{
	(void)g, (void)gpa, (void)hva, (void)len, (void)e;
	return 0;
}

int haxm_remap(struct engine *g)
{
	return pieces_remap(&g->memory, g->env.mem);
}

static int enter(struct engine *g, struct err *e)
{
	int rc = haxm_remap(g);

	return rc ? err_set(e, -rc, "haxm: memory: %s", strerror(-rc)) : 0;
}

/* VMs ------------------------------------------------------------------------------------------ */

static void vcpu_end(struct vcpu *v)
{
	if (v->fd >= 0)
		close(v->fd);
	wake_fini(&v->wake);
	free(v);
}

static void engine_end(struct engine *g)
{
	while (g->spare) {
		struct vcpu *v = g->spare;

		g->spare = v->next;
		vcpu_end(v);
	}
	if (g->vm >= 0)
		close(g->vm);
	if (g->hax >= 0)
		close(g->hax);
	pieces_end(&g->memory);
	free(g);
}

static int create_vm(struct engine *g, struct err *e)
{
	struct haxm_version v = { HAXM_VERSION, HAXM_VERSION };
	char path[32];
	int rc;

	g->hax = open_device(e);
	if (g->hax < 0)
		return g->hax;
	rc = haxm_ioctl(g->hax, HAXM_CREATE_VM, &g->vm_id);
	if (rc < 0)
		return err_set(e, -rc, "haxm: cannot make a virtual machine: %s", strerror(-rc));
	snprintf(path, sizeof path, HAXM_VM_DEVICE, g->vm_id);
	g->vm = open(path, O_RDWR | O_CLOEXEC);
	if (g->vm < 0)
		return err_set(e, errno, "haxm: %s: %s", path, strerror(errno));
	rc = haxm_ioctl(g->vm, HAXM_TELL_VERSION, &v);
	return rc < 0 ? err_set(e, -rc, "haxm: %s: %s", path, strerror(-rc)) : 0;
}

static int begin(struct engine *g, struct err *e)
{
	struct x86_model all;
	int rc;

	if (g->env.hole_exits || g->env.vmm_exits)
		return err_set(
		    e, ENOTSUP, "haxm: it cannot give out accesses to what is not there");
	rc = wake_begin(0);
	if (rc < 0)
		return err_set(e, -rc, "haxm: a signal for its CPUs: %s", strerror(-rc));
	rc = limited(g->env.model, &all, &g->model, e);
	return rc ? rc : create_vm(g, e);
}

static struct engine *new (const struct engine_env *env, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);

	if (!g) {
		err_set(e, ENOMEM, "haxm: no memory for the engine");
		return NULL;
	}
	pieces_begin(&g->memory, &memory, g);
	g->env = env->env;
	g->hax = g->vm = -1;
	if (begin(g, e) < 0) {
		engine_end(g);
		return NULL;
	}
	mem_keep(g->env.mem);
	return g;
}

/* CPUs ----------------------------------------------------------------------------------------- */

static int vcpu_make(struct vcpu *v)
{
	const struct engine *g = v->engine;
	struct haxm_tunnel_info t;
	uint32_t id = v->id;
	char path[32];
	int rc = haxm_ioctl(g->vm, HAXM_CREATE_CPU, &id);

	if (rc < 0)
		return rc;
	snprintf(path, sizeof path, HAXM_CPU_DEVICE, g->vm_id, v->id);
	v->fd = open(path, O_RDWR | O_CLOEXEC);
	if (v->fd < 0)
		return -errno;
	rc = haxm_ioctl(v->fd, HAXM_SETUP_TUNNEL, &t);
	if (rc < 0)
		return rc;
	v->tunnel = (struct haxm_tunnel *)(uintptr_t)t.tunnel;
	v->io = (uint8_t *)(uintptr_t)t.io;
	return 0;
}

int haxm_renew(struct vcpu *v)
{
	int rc;

	if (!v->dead)
		return 0;
	mutex_lock(&v->wake.lock); /* who pokes it looks at the tunnel */
	v->tunnel = &v->none;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
	rc = vcpu_make(v);
	v->dead = rc < 0;
	mutex_unlock(&v->wake.lock);
	v->owed = v->engine->told = false;
	return rc ? rc : haxm_tell_cpuid(v);
}

static struct vcpu *take_spare(struct engine *g, unsigned id)
{
	struct vcpu **at, *v;

	for (at = &g->spare; (v = *at); at = &v->next)
		if (v->id == id) {
			*at = v->next;
			atomic_store(&v->lines, 0);
			atomic_store(&v->kicked, false);
			v->ready = v->takes = false;
			return v;
		}
	return NULL;
}

static struct vcpu *make_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = id < HAXM_MAX_CPUS ? calloc(1, sizeof *v) : NULL;
	int rc;

	if (!v) {
		err_set(e, id < HAXM_MAX_CPUS ? ENOMEM : ENOTSUP,
		    "haxm: no CPU %u: a machine has up to %d", id, HAXM_MAX_CPUS);
		return NULL;
	}
	v->engine = g;
	v->id = id;
	v->fd = -1;
	v->tunnel = &v->none;
	wake_init(&v->wake);
	rc = vcpu_make(v);
	if (rc < 0) {
		err_set(e, -rc, "haxm: cannot make CPU %u: %s", id, strerror(-rc));
		vcpu_end(v);
		return NULL;
	}
	return v;
}

static struct vcpu *vcpu_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = take_spare(g, id);

	if (!v)
		v = make_new(g, id, e);
	if (!v)
		return NULL;
	atomic_store(&v->sipi, -1);
	v->next = g->first;
	g->first = v;
	g->ncpus++;
	return v;
}

static void vcpu_free(struct vcpu *v)
{
	struct engine *g = v ? v->engine : NULL;
	struct vcpu **at;

	if (!v)
		return;
	haxm_settle(v);
	for (at = &g->first; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	g->ncpus--;
	v->next = g->spare;
	g->spare = v;
}

/* Others ask it to forget translations only when memory has moved: the kernel does that itself when
 * it is told. */
static void vcpu_fence(struct vcpu *v, bool instructions)
{
	if (!instructions && v->ready && v == v->engine->first)
		haxm_remap(v->engine);
}

static void vcpu_fenced(struct vcpu *v)
{
	(void)v;
}

static uint64_t vcpu_retired(struct vcpu *v)
{
	return v->runs;
}

#define ENGINE                                                                                     \
	.model = model, .new = new, .free = engine_end, .ram_new = ram_new, .ram_free = ram_free,  \
	.map = map, .remapped = haxm_remap, .enter = enter, .vcpu_new = vcpu_new,                  \
	.vcpu_free = vcpu_free, .vcpu_reset = haxm_reset, .vcpu_run = haxm_run,                    \
	.vcpu_kick = haxm_kick, .vcpu_irq = haxm_irq, .vcpu_fence = vcpu_fence,                    \
	.vcpu_fenced = vcpu_fenced, .vcpu_retired = vcpu_retired, .vcpu_get = haxm_get,            \
	.vcpu_set = haxm_set,

#else

static int probe(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu;
	return err_set(
	    e, ENOTSUP, "haxm: this build has none (it is of NetBSD and Linux, on x86-64)");
}

#define ENGINE

#endif

const struct engine_class engine_haxm = { .name = "haxm",
	.about = "the host's own CPU, by Intel's HAXM",
	.rank = -1, /* auto does not take it before it has run on hardware: doc/gaps.md */
	.runs_free = true,
	.probe = probe,
	ENGINE };
