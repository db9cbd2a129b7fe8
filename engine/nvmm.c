/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest CPUs on the host's own, by the NVMM of NetBSD and DragonFly.  Source: libnvmm(3) of NetBSD
 * 10.  It is there where the build found that library; Lodge's own one (include/nvmm.h) is another
 * on which this runs, and is tested.
 *
 * Left out: what the kernel does not give out: YMM registers, so the guest has no AVX; whether an
 * interrupt is half delivered; writes of pages, so no snapshots of a running machine; debugging.
 */
#include <errno.h>

#include "engine/engine.h"

#ifdef HAVE_NVMM

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/os.h"
#include "core/mem.h"
#include "engine/nvmm.h"
#include "engine/x86_host.h"

static int probe(const struct cpu_class *cpu, struct err *e)
{
	struct nvmm_capability c;

	if (strcmp(cpu->name, "x86_64") != 0)
		return err_set(e, ENOTSUP, "nvmm: its CPUs are x86_64 only");
	if (nvmm_init() < 0)
		return err_set(e, errno,
		    "nvmm: %s (is the kernel's module loaded, and /dev/nvmm "
		    "readable?)",
		    strerror(errno));
	if (nvmm_capability(&c) < 0)
		return err_set(e, errno, "nvmm: what it can do: %s", strerror(errno));
	if (c.version < 2)
		return err_set(e, ENOTSUP,
		    "nvmm: the kernel's version %u is too old (NetBSD 10 has 2)", c.version);
	return 0;
}

/* Which CPU ------------------------------------------------------------------------------------ */

/* All that needs YMM registers: their upper halves would be lost when state is copied. */
static const uint16_t without[] = { X86_FEAT_AVX, X86_FEAT_AVX2, X86_FEAT_F16C, X86_FEAT_FMA };

static int limited(const char *wanted, struct x86_model *all, struct x86_model *m, struct err *e)
{
	int rc = x86_model_parse(all, wanted, e);

	if (rc < 0)
		return rc;
	*m = *all;
	x86_host_limit(m, x86_host_own_leaf, NULL);
	x86_host_no_deadline(m);
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		m->features[without[i] / 32] &= ~(1u << without[i] % 32);
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

/* Memory --------------------------------------------------------------------------------------- */

static int add_piece(void *engine, uint8_t *hva, size_t len)
{
	struct engine *g = engine;

	return nvmm_hva_map(&g->machine, (uintptr_t)hva, len) < 0 ? -errno : 0;
}

static int set_slot(void *engine, const struct plan_slot *s, bool there)
{
	struct engine *g = engine;
	const int prot = PROT_READ | PROT_EXEC | (s->readonly ? 0 : PROT_WRITE);
	const uintptr_t hva = (uintptr_t)s->hva;

	if ((there ? nvmm_gpa_map(&g->machine, hva, s->gpa, s->len, prot)
		   : nvmm_gpa_unmap(&g->machine, hva, s->gpa, s->len)) < 0)
		return -errno;
	return 0;
}

static void free_piece(void *engine, void *ram, size_t len)
{
	struct engine *g = engine;

	/* It takes the pages from this process, too. */
	if (nvmm_hva_unmap(&g->machine, (uintptr_t)ram, len) < 0)
		os_ram_free(ram, len);
}

static const struct pieces_ops memory = { "nvmm", add_piece, set_slot, free_piece };

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

int nvmm_remap(struct engine *g)
{
	return pieces_remap(&g->memory, g->env.mem);
}

static int enter(struct engine *g, struct err *e)
{
	int rc = nvmm_remap(g);

	return rc ? err_set(e, -rc, "nvmm: memory: %s", strerror(-rc)) : 0;
}

/* VMs ------------------------------------------------------------------------------------------ */

static void engine_end(struct engine *g)
{
	if (g->machine.pages)
		nvmm_machine_destroy(&g->machine);
	pieces_end(&g->memory);
	free(g);
}

static struct engine *new (const struct engine_env *env, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);
	struct x86_model all;
	int rc;

	if (!g) {
		err_set(e, ENOMEM, "nvmm: no memory for the engine");
		return NULL;
	}
	pieces_begin(&g->memory, &memory, g);
	g->env = env->env;
	if (env->env.hole_exits || env->env.vmm_exits)
		rc = err_set(e, ENOTSUP, "nvmm: it cannot give out accesses to what is not there");
	else
		rc = limited(env->env.model, &all, &g->model, e);
	if (!rc && (rc = wake_begin(0)) < 0)
		rc = err_set(e, -rc, "nvmm: a signal for its CPUs: %s", strerror(-rc));
	if (!rc && (nvmm_init() < 0 || nvmm_machine_create(&g->machine) < 0))
		rc = err_set(e, errno, "nvmm: cannot make a virtual machine: %s", strerror(errno));
	if (rc < 0) {
		engine_end(g);
		return NULL;
	}
	mem_keep(g->env.mem);
	return g;
}

/* CPUs ----------------------------------------------------------------------------------------- */

/* Leaves that Intel and AMD have never given out, so that there is nothing to be hidden. */
static bool is_reserved(uint32_t leaf)
{
	return leaf == 3 || leaf == 8 || leaf == 0xc || leaf == 0xe || leaf == 0x11 || leaf == 0x13;
}

/* CPUID comes out for all leaves that the model has, so that the guest sees that and no more; the
 * kernel takes up to 32 of them. */
static int tell_cpuid(struct vcpu *v)
{
	const struct x86_model *m = &v->engine->model;
	const struct {
		uint32_t first, last;
	} ranges[] = { { 0, m->max_leaf }, { 0x40000000, 0x40000000 }, { 0x40000010, 0x40000010 },
		{ 0x80000000, m->max_extended } };

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		for (uint32_t leaf = ranges[i].first; leaf <= ranges[i].last; leaf++) {
			struct nvmm_vcpu_conf_cpuid c = { .exit = 1, .leaf = leaf };

			if (!is_reserved(leaf) && nvmm_vcpu_configure(&v->engine->machine, &v->cpu,
						      NVMM_VCPU_CONF_CPUID, &c) < 0)
				return -errno;
		}
	return 0;
}

static int configure(struct vcpu *v)
{
	struct nvmm_assist_callbacks calls = { .io = nvmm_io_callback, .mem = nvmm_mem_callback };
	struct nvmm_vcpu_conf_tpr tpr = { .exit_changed = 1 };
	struct nvmm_machine *m = &v->engine->machine;

	if (nvmm_vcpu_configure(m, &v->cpu, NVMM_VCPU_CONF_CALLBACKS, &calls) < 0 ||
	    nvmm_vcpu_configure(m, &v->cpu, NVMM_VCPU_CONF_TPR, &tpr) < 0)
		return -errno;
	return tell_cpuid(v);
}

static struct vcpu *vcpu_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = calloc(1, sizeof *v);
	int rc;

	if (!v) {
		err_set(e, ENOMEM, "nvmm: no memory for CPU %u", id);
		return NULL;
	}
	v->engine = g;
	v->id = id;
	atomic_init(&v->sipi, -1);
	wake_init(&v->wake);
	rc = nvmm_vcpu_create(&g->machine, id, &v->cpu) < 0 ? -errno : 0;
	if (!rc && (rc = configure(v)) < 0)
		nvmm_vcpu_destroy(&g->machine, &v->cpu);
	if (rc < 0) {
		err_set(e, -rc, "nvmm: cannot make CPU %u: %s", id, strerror(-rc));
		wake_fini(&v->wake);
		free(v);
		return NULL;
	}
	v->next = g->first;
	g->first = v;
	g->ncpus++;
	return v;
}

static void vcpu_free(struct vcpu *v)
{
	struct vcpu **at;

	if (!v)
		return;
	for (at = &v->engine->first; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	v->engine->ncpus--;
	nvmm_vcpu_destroy(&v->engine->machine, &v->cpu);
	wake_fini(&v->wake);
	free(v);
}

/* Others ask it to forget translations only when memory has moved: the kernel does that itself when
 * it is told. */
static void vcpu_fence(struct vcpu *v, bool instructions)
{
	if (!instructions && v->ready && v == v->engine->first)
		nvmm_remap(v->engine);
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
	.map = map, .remapped = nvmm_remap, .enter = enter, .vcpu_new = vcpu_new,                  \
	.vcpu_free = vcpu_free, .vcpu_reset = nvmm_reset, .vcpu_run = nvmm_run,                    \
	.vcpu_kick = nvmm_kick, .vcpu_irq = nvmm_irq, .vcpu_fence = vcpu_fence,                    \
	.vcpu_fenced = vcpu_fenced, .vcpu_retired = vcpu_retired, .vcpu_get = nvmm_get,            \
	.vcpu_set = nvmm_set,

#else

static int probe(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu;
	return err_set(e, ENOTSUP, "nvmm: this build has none (it found no libnvmm)");
}

#define ENGINE

#endif

const struct engine_class engine_nvmm = { .name = "nvmm",
	.about = "the host's own CPU, by NetBSD's and DragonFly's NVMM",
	.rank = -1, /* auto does not take it before it has run on hardware: doc/gaps.md */
	.runs_free = true,
	.probe = probe,
	ENGINE };
