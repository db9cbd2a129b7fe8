/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest CPUs on the host's own, by Linux's KVM.  Source: Linux, Documentation/virt/kvm/api.rst
 * (6.1).
 *
 * What makes a CPU come out is immediate_exit, which the kernel looks at when it goes in, and for a
 * CPU that is inside a signal, whose handler has nothing to do.  A mask of signals for KVM_RUN
 * would need no handler; but the kernel sets it, and takes it away, at each exit.
 */
#include <errno.h>

#include "base/log.h"
#include "engine/engine.h"

#if defined(__linux__) && __has_include(<linux/kvm.h>) &&                                           \
    (defined(__x86_64__) || (defined(__riscv) && __riscv_xlen == 64))

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/os.h"
#include "core/mem.h"
#include "engine/access.h"
#include "engine/kvm.h"

#ifdef __x86_64__
static const struct kvm_arch *const archs[] = { &kvm_x86 };
#else
static const struct kvm_arch *const archs[] = { &kvm_riscv64 };
#endif

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int rc;

	do
		rc = ioctl(fd, request, arg);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc;
}

int kvm_has(int fd, int capability)
{
	int rc = ioctl(fd, KVM_CHECK_EXTENSION, (long)capability);

	return rc < 0 ? 0 : rc;
}

static const struct kvm_arch *find_arch(const char *cpu)
{
	for (size_t i = 0; i < ARRAY_LEN(archs); i++)
		if (!strcmp(archs[i]->cpu, cpu))
			return archs[i];
	return NULL;
}

/* The device, or -errno and why it is of no use. */
static int open_device(struct err *e)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), version;

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno,
		    "kvm: there is no /dev/kvm (the kernel's module is not loaded, or this machine "
		    "is a guest whose host does not let it have virtual machines)");
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set(
		    e, errno, "kvm: no permission for /dev/kvm (is the user in its group?)");
	if (fd < 0)
		return err_set(e, errno, "kvm: /dev/kvm: %s", strerror(errno));
	version = kvm_ioctl(fd, KVM_GET_API_VERSION, NULL);
	if (version == KVM_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		return err_set(
		    e, -version, "kvm: /dev/kvm is something else: %s", strerror(-version));
	return err_set(
	    e, ENOTSUP, "kvm: /dev/kvm is of version %d, not %d", version, KVM_API_VERSION);
}

static int probe(const struct cpu_class *cpu, struct err *e)
{
	const struct kvm_arch *arch = find_arch(cpu->name);
	int fd, rc;

	if (!arch)
		return err_set(e, ENOTSUP, "kvm: this host's CPU cannot be a %s", cpu->name);
	fd = open_device(e);
	if (fd < 0)
		return fd;
	if (!kvm_has(fd, KVM_CAP_USER_MEMORY) || !kvm_has(fd, KVM_CAP_IMMEDIATE_EXIT) ||
	    !kvm_has(fd, KVM_CAP_READONLY_MEM))
		rc = err_set(e, ENOTSUP, "kvm: the host's kernel is too old (before Linux 4.13)");
	else
		rc = arch->probe(fd, e);
	close(fd);
	return rc;
}

static int model(const struct cpu_class *cpu, const char *wanted, struct buf *can, struct err *e)
{
	const struct kvm_arch *arch = find_arch(cpu->name);
	int fd = open_device(e), rc;

	if (fd < 0)
		return fd;
	rc = arch->model(fd, wanted, can, e);
	close(fd);
	return rc;
}

/* VMs ------------------------------------------------------------------------------------------ */

static void vcpu_end(struct vcpu *);

static void engine_end(struct engine *g)
{
	while (g->spare) {
		struct vcpu *v = g->spare;

		g->spare = v->next;
		vcpu_end(v);
	}
	if (g->slots)
		kvm_slots_free(g->slots);
	if (g->of_arch)
		g->arch->vm_end(g);
	if (g->vm >= 0)
		close(g->vm);
	if (g->kvm >= 0)
		close(g->kvm);
	free(g);
}

static int begin(struct engine *g, struct err *e)
{
	int size, rc = wake_begin(SA_RESTART);

	if (rc < 0)
		return err_set(e, -rc, "kvm: a signal for its CPUs: %s", strerror(-rc));
	g->kvm = open_device(e);
	if (g->kvm < 0)
		return g->kvm;
	g->vm = kvm_ioctl(g->kvm, KVM_CREATE_VM, NULL);
	if (g->vm < 0)
		return err_set(e, -g->vm, "kvm: cannot make a virtual machine: %s%s",
		    strerror(-g->vm),
		    g->vm == -EOPNOTSUPP || g->vm == -EBUSY ? " (another program uses the CPU's "
							      "virtualization)"
							    : "");
	size = kvm_ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (size < (int)sizeof(struct kvm_run))
		return err_set(e, EIO, "kvm: the size of its runs is wrong");
	g->run_size = (size_t)size;
	g->slots = kvm_slots_new(g, e);
	return g->slots ? g->arch->vm_begin(g, e) : -ENOMEM;
}

static struct engine *new (const struct engine_env *env, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);

	if (!g) {
		err_set(e, ENOMEM, "kvm: no memory for the engine");
		return NULL;
	}
	g->arch = find_arch(env->cpu->name);
	g->cpu = env->cpu;
	g->env = env->env;
	g->starts = env->starts;
	g->kvm = g->vm = -1;
	g->last = &g->first;
	if (begin(g, e) < 0) {
		engine_end(g);
		return NULL;
	}
	return g;
}

static void *ram_new(struct engine *g, size_t len, struct err *e)
{
	(void)g;
	return os_ram_new(len, e);
}

static void ram_free(struct engine *g, void *ram, size_t len)
{
	(void)g;
	os_ram_free(ram, len);
}

/* Before the first CPU runs all of env.mem is looked at. */
static int map(struct engine *g, uint64_t gpa, void *hva, size_t len, struct err *e)
{
	(void)g, (void)gpa, (void)hva, (void)len, (void)e;
	return 0;
}

static int remapped(struct engine *g)
{
	return kvm_slots_update(g->slots);
}

static int track(struct engine *g)
{
	return kvm_slots_track(g->slots);
}

static int leave_vcpus(struct engine *g, struct err *e)
{
	int rc = kvm_own_end(g);

	if (!rc)
		rc = kvm_slots_track(g->slots);
	return rc ? err_set(e, -rc, "kvm: memory: %s", strerror(-rc)) : 0;
}

static int enter_vcpus(struct engine *g, struct err *e)
{
	int rc = kvm_slots_update(g->slots);

	if (!rc)
		rc = kvm_slots_track(g->slots);
	return rc ? err_set(e, -rc, "kvm: memory: %s", strerror(-rc)) : 0;
}

/* CPUs ----------------------------------------------------------------------------------------- */

static int get_ready(struct vcpu *);

static int start_vcpus(struct engine *g, struct err *e)
{
	int rc = kvm_own_end(g);

	for (struct vcpu *v = g->first; v && !rc; v = v->next)
		rc = get_ready(v);
	if (!rc)
		rc = g->arch->start(g);
	return rc ? err_set(e, -rc, "kvm: CPUs cannot start: %s", strerror(-rc)) : 0;
}

static int stop_vcpus(struct engine *g, struct err *e)
{
	const int rc = g->arch->stop(g);

	return rc ? err_set(e, -rc, "kvm: CPUs cannot stop: %s", strerror(-rc)) : 0;
}

static bool vcpu_hold(struct vcpu *v, bool off)
{
	const struct kvm_arch *arch = v->engine->arch;

	return arch->hold && arch->hold(v, off) == 0;
}

static bool vcpu_is_held(struct vcpu *v)
{
	return v->engine->arch->is_held(v);
}

static void vcpu_end(struct vcpu *v)
{
	if (v->of_arch)
		v->engine->arch->vcpu_free(v);
	if (v->run)
		munmap(v->run, v->engine->run_size);
	if (v->fd >= 0)
		close(v->fd);
	wake_fini(&v->wake);
	free(v);
}

static void vcpu_debug(struct vcpu *v, const struct debug_points *points)
{
	const bool any = points || v->points;
	int rc = 0;

	v->points = points;
	if (v->own)
		v->engine->cpu->debug(v->own, points);
	if (any)
		rc = v->engine->arch->debug(v, false);
	if (rc < 0)
		log_error(v->engine->env.log, "cpu%u: kvm: breakpoints: %s", v->id, strerror(-rc));
}

/* The kernel keeps it, and so do we, for the next one of that number. */
static void vcpu_free(struct vcpu *v)
{
	struct engine *g;
	struct vcpu **at;

	if (!v)
		return;
	g = v->engine;
	kvm_own_end(g);
	vcpu_debug(v, NULL);
	for (at = &g->first; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	for (; *at; at = &(*at)->next)
		;
	g->last = at;
	g->ncpus--;
	v->next = g->spare;
	g->spare = v;
}

static struct vcpu *take_spare(struct engine *g, unsigned id)
{
	struct vcpu **at, *v;

	for (at = &g->spare; (v = *at); at = &v->next) {
		if (v->id != id)
			continue;
		*at = v->next;
		v->next = NULL;
		v->ready = false;
		v->waiting = KVM_IO_NONE;
		atomic_store(&v->poked, false);
		atomic_store(&v->kicked, false);
		atomic_store(&v->lines, 0);
		return v;
	}
	return NULL;
}

static int vcpu_make(struct vcpu *v, unsigned number, struct err *e)
{
	void *run;

	v->fd = ioctl(v->engine->vm, KVM_CREATE_VCPU, (long)number);
	if (v->fd < 0)
		return err_set(e, errno, "kvm: cannot make CPU %u: %s", v->id, strerror(errno));
	run = mmap(NULL, v->engine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED)
		return err_set(e, errno, "kvm: CPU %u: %s", v->id, strerror(errno));
	v->run = run;
	return 0;
}

/* Numbers are the kernel's own where it has no local APICs; ours count from the other end.  The one
 * before it keeps until the VM ends. */
int kvm_another(struct vcpu *v)
{
	struct engine *g = v->engine;
	const int last = kvm_has(g->kvm, KVM_CAP_MAX_VCPU_ID) - 1;
	struct kvm_run *run = v->run;
	const int fd = v->fd;
	struct err e;
	int rc = vcpu_make(v, (unsigned)last - g->nothers, &e);

	if (rc < 0) {
		if (v->fd >= 0)
			close(v->fd);
		v->fd = fd;
		return rc;
	}
	g->nothers++;
	munmap(run, g->run_size);
	close(fd);
	return 0;
}

static struct vcpu *vcpu_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = take_spare(g, id);

	if (!v && !(v = calloc(1, sizeof *v))) {
		err_set(e, ENOMEM, "kvm: no memory for CPU %u", id);
		return NULL;
	}
	if (!v->engine) {
		v->engine = g;
		v->id = id;
		v->fd = -1;
		wake_init(&v->wake);
		if (vcpu_make(v, id, e) < 0 || g->arch->vcpu_new(v, e) < 0) {
			vcpu_end(v);
			return NULL;
		}
	}
	if (g->env.vmm_exits && !v->own && kvm_own_new(v) < 0) {
		err_set(e, ENOMEM, "kvm: no memory for CPU %u", id);
		vcpu_end(v);
		return NULL;
	}
	*g->last = v;
	g->last = &v->next;
	g->ncpus++;
	return v;
}

/* Before the first use: devices have said by then which pages of RAM are theirs. */
static int get_ready(struct vcpu *v)
{
	int rc = kvm_own_back(v);

	if (rc || v->ready)
		return rc;
	rc = kvm_slots_update(v->engine->slots);
	if (!rc)
		rc = v->engine->arch->vcpu_begin(v);
	v->ready = !rc;
	return rc;
}

static void vcpu_reset(struct vcpu *v)
{
	if (get_ready(v) == 0 && kvm_settle(v) == 0)
		v->engine->arch->vcpu_reset(v);
}

/* Coming out, going in ------------------------------------------------------------------------- */

/* The kernel reads it when the CPU goes in. */
static void set_immediate_exit(struct vcpu *v, bool set)
{
	atomic_store((_Atomic uint8_t *)&v->run->immediate_exit, set);
}

void kvm_poke(struct vcpu *v)
{
	if (atomic_exchange(&v->poked, true))
		return;
	mutex_lock(&v->wake.lock);
	if (v->wake.inside)
		set_immediate_exit(v, true); /* it is about to go in, */
	wake_send(&v->wake);                 /* or it is there */
	mutex_unlock(&v->wake.lock);
}

static void vcpu_kick(struct vcpu *v)
{
	atomic_store(&v->kicked, true);
	kvm_poke(v);
}

static void vcpu_irq(struct vcpu *v, unsigned line, bool level)
{
	v->engine->arch->irq(v, line, level);
}

/* Accesses ------------------------------------------------------------------------------------- */

/* False: somebody outside is to answer. */
static bool answer_memory(struct vcpu *v, struct exit *x)
{
	const struct access a = { .env = &v->engine->env,
		.cpu = v->id,
		.intc_page =
		    v->engine->arch->intc_page ? v->engine->arch->intc_page(v) : UINT64_MAX };
	const uint64_t gpa = v->run->mmio.phys_addr;
	const unsigned len = v->run->mmio.len;
	const bool known = v->run->mmio.is_write ? access_write(&a, gpa, v->run->mmio.data, len)
						 : access_read(&a, gpa, v->run->mmio.data, len);

	if (known || !v->engine->env.hole_exits || (len & (len - 1)))
		return true;
	*x = (struct exit){ .why = v->run->mmio.is_write ? EXIT_WRITE : EXIT_READ,
		.size = (uint8_t)len,
		.addr = gpa,
		.val = v->run->mmio.is_write ? get_le(v->run->mmio.data, len) : 0 };
	if (!v->run->mmio.is_write)
		v->waiting = KVM_IO_READ;
	return false;
}

/* An instruction that accesses a device and that the kernel's emulator does not know, or one that
 * the host's CPU does not execute in this mode: one of our own does. */
static bool is_unknown(const struct vcpu *v)
{
	return v->engine->hands_over && v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
	       v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION;
}

static bool bad_state(struct vcpu *v, struct exit *x)
{
	const struct kvm_run *r = v->run;

	if (r->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		log_error(v->engine->env.log, "cpu%u: kvm: internal error %u", v->id,
		    r->internal.suberror);
	else if (r->exit_reason == KVM_EXIT_FAIL_ENTRY)
		log_error(v->engine->env.log,
		    "cpu%u: kvm: the host's CPU refuses the guest's state: %#llx", v->id,
		    (unsigned long long)r->fail_entry.hardware_entry_failure_reason);
	else
		log_error(v->engine->env.log, "cpu%u: kvm: exit %u", v->id, r->exit_reason);
	return exit_fail(x, -EIO);
}

/* False: come out. */
static bool answer(struct vcpu *v, struct exit *x)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_MMIO:
		return answer_memory(v, x);
	case KVM_EXIT_SHUTDOWN:
		x->why = EXIT_SHUTDOWN;
		return false;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		if (!is_unknown(v))
			return bad_state(v, x);
		x->why = EXIT_ALONE; /* others may be running */
		return false;
	case KVM_EXIT_FAIL_ENTRY:
	case KVM_EXIT_UNKNOWN:
		return bad_state(v, x);
	default:
		return v->engine->arch->answer(v, x);
	}
}

/* What it has come out for is over only when it has gone in again. */
static bool is_access(uint32_t exit_reason)
{
	return exit_reason == KVM_EXIT_MMIO || exit_reason == KVM_EXIT_IO ||
	       exit_reason == KVM_EXIT_X86_RDMSR || exit_reason == KVM_EXIT_X86_WRMSR ||
	       exit_reason == KVM_EXIT_HYPERCALL || exit_reason == KVM_EXIT_RISCV_SBI;
}

/* 0: it came out for something; 1: for nothing; or -errno. */
static int came_out(struct vcpu *v, int rc)
{
	v->waiting = !rc && is_access(v->run->exit_reason) ? KVM_IO_OTHER : KVM_IO_NONE;
	v->engine->arch->after(v);
	return rc == EINTR || rc == EAGAIN ? 1 : -rc;
}

static int run_once(struct vcpu *v)
{
	v->runs++;
	return came_out(v, ioctl(v->fd, KVM_RUN, 0) < 0 ? errno : 0);
}

static int run_quickly(struct vcpu *v)
{
	const int rc = v->engine->arch->run(v);

	if (rc != KVM_ANSWERED)
		return came_out(v, rc);
	came_out(v, 0);
	return 1;
}

int kvm_refresh(struct vcpu *v)
{
	const bool inside = wake_is_here(&v->wake);
	int rc;

	if (!inside)
		wake_enter(&v->wake);
	set_immediate_exit(v, true);
	rc = run_once(v);
	set_immediate_exit(v, false); /* who has set it meanwhile has poked it before */
	if (!inside)
		wake_leave(&v->wake);
	return rc;
}

/* In KVM_RUN that signal alone is not blocked, or (set NULL) those are that are outside. */
static int mask_signals(struct vcpu *v, const uint64_t *set)
{
	uint32_t m[1 + sizeof *set / 4] = { sizeof *set }; /* struct kvm_signal_mask */

	if (set)
		memcpy(&m[1], set, sizeof *set);
	return kvm_ioctl(v->fd, KVM_SET_SIGNAL_MASK, set ? m : NULL);
}

/* A signal that waits has the kernel go round once without running the CPU. */
int kvm_flush(struct vcpu *v)
{
	const uint64_t others = ~(1ull << (wake_signal() - 1)); /* a bit a signal */
	int rc;

	wake_enter(&v->wake);
	wake_mask(SIG_BLOCK);
	rc = mask_signals(v, &others);
	if (!rc) {
		set_immediate_exit(v, false);
		pthread_kill(pthread_self(), wake_signal());
		rc = run_once(v);
		mask_signals(v, NULL);
	}
	wake_mask(SIG_UNBLOCK); /* it is taken here */
	wake_leave(&v->wake);
	return rc < 0 ? rc : 0;
}

int kvm_settle(struct vcpu *v)
{
	struct exit x;
	int rc = 0;

	/* It may have more parts, for which nobody outside can be asked. */
	while (v->waiting != KVM_IO_NONE && !(rc = kvm_refresh(v)))
		answer(v, &x);
	return rc < 0 ? rc : 0;
}

int kvm_drop(struct vcpu *v)
{
	int rc = 0;

	while (v->waiting != KVM_IO_NONE && !rc)
		rc = kvm_refresh(v);
	return rc < 0 ? rc : 0;
}

/* For whoever wants instructions to come out before they have begun (cpu_env.vmm_exits): our own
 * CPU executes what this one cannot.  False: come out with *x, and go on with that. */
static bool run_own(struct vcpu *v, struct exit *x, bool single)
{
	int rc;

	kvm_own_step(v, x);
	if (x->why != EXIT_DEBUG)
		return false;
	/* Who does not look at code each time has none of it. */
	rc = v->engine->env.unwatched ? kvm_own_back(v) : kvm_own_end(v->engine);
	if (rc)
		return exit_fail(x, rc);
	x->why = EXIT_TURN;
	return !single;
}

/* Of a VM that is run by whoever has made it. */
static bool is_only_one(const struct engine *g)
{
	return !g->starts && g->ncpus == 1;
}

/* rc: of run_once. */
static bool is_for_own(const struct vcpu *v, int rc)
{
	if (!rc && is_unknown(v) && (v->engine->env.vmm_exits || is_only_one(v->engine)))
		return true;
	if (!v->engine->env.vmm_exits)
		return false;
	if (!rc && v->run->exit_reason == KVM_EXIT_MMIO)
		return !v->run->mmio.is_write; /* a store is the end of its instruction */
	return rc == -EFAULT || (!rc && is_access(v->run->exit_reason));
}

static bool begin_own(struct vcpu *v, struct exit *x, bool single)
{
	int rc = v->waiting != KVM_IO_NONE ? v->engine->arch->undo(v) : 0;

	if (!rc)
		rc = kvm_own_take(v);
	if (!rc)
		rc = kvm_drop(v);
	if (rc)
		return exit_fail(x, rc);
	x->why = EXIT_KICKED;
	return run_own(v, x, single);
}

/* At all that others can change.  False: come out. */
static bool look(struct vcpu *v, struct exit *x)
{
	set_immediate_exit(v, false);
	atomic_store(&v->poked, false);
	if (atomic_exchange(&v->kicked, false)) {
		x->why = EXIT_KICKED;
		return false;
	}
	return v->engine->arch->before(v, x);
}

/* Accesses change nothing for which the CPU has to be looked at, or they poke it; but to the local
 * APIC, where that is not the kernel's. */
static bool is_plain(const struct vcpu *v)
{
	return v->run->exit_reason == KVM_EXIT_IO ||
	       (v->run->exit_reason == KVM_EXIT_MMIO && v->engine->starts);
}

/* Runs until it is to be looked at again; false: come out. */
static bool go_round(struct vcpu *v, struct exit *x, bool single)
{
	int rc;

	do {
		rc = run_quickly(v);
		if (is_for_own(v, rc))
			return begin_own(v, x, single);
		if (rc == 1 && v->engine->env.vmm_exits) { /* a signal of the program's */
			x->why = EXIT_KICKED;
			return false;
		}
		if (rc < 0)
			return exit_fail(x, rc);
		if (rc == 0 && !answer(v, x))
			return false;
	} while (rc == 0 && is_plain(v) && !atomic_load(&v->poked));
	return true;
}

/* An access may have come out of our own CPU in the middle of an instruction. */
static bool asks_own(const struct engine *g)
{
	return g->env.vmm_exits || (g->env.hole_exits && is_only_one(g));
}

static void vcpu_step(struct vcpu *v, struct exit *x)
{
	int rc = v->away ? 0 : get_ready(v);

	if (!rc && !v->away)
		rc = kvm_settle(v);
	if (!rc)
		rc = kvm_own_take(v);
	if (rc < 0)
		exit_fail(x, rc);
	else
		kvm_own_step(v, x);
}

/* Where the kernel has no means to. */
static void run_single(struct vcpu *v, struct exit *x)
{
	vcpu_step(v, x);
	if (x->why == EXIT_DEBUG)
		x->why = EXIT_TURN;
}

static void vcpu_run(struct vcpu *v, struct exit *x, uint64_t turn)
{
	const bool single = turn == 1; /* else nothing: this CPU counts no instructions */
	int rc;

	if (v->away && asks_own(v->engine) && !run_own(v, x, single))
		return;
	rc = get_ready(v);
	if (!rc && single)
		rc = v->engine->arch->debug(v, true);
	if (rc == -ENOTSUP) {
		run_single(v, x);
		return;
	}
	if (rc < 0) {
		exit_fail(x, rc);
		return;
	}
	if (v->waiting == KVM_IO_READ)
		put_le(v->run->mmio.data, x->val, v->run->mmio.len);
	wake_enter(&v->wake);
	while (look(v, x) && go_round(v, x, single))
		;
	wake_leave(&v->wake);
	if (single && (rc = v->engine->arch->debug(v, false)) < 0)
		exit_fail(x, rc);
}

/* Others ask it to forget translations only when memory has moved: the kernel does that itself when
 * it is told. */
static void vcpu_fence(struct vcpu *v, bool instructions)
{
	if (!instructions && v->ready && v == v->engine->first)
		kvm_slots_update(v->engine->slots);
}

static void vcpu_fenced(struct vcpu *v)
{
	(void)v;
}

static uint64_t vcpu_retired(struct vcpu *v)
{
	return v->runs;
}

static int vcpu_get(struct vcpu *v, unsigned groups, void *regs)
{
	const struct engine *g = v->engine;
	int rc;

	if (v->away)
		return g->cpu->get(v->own, groups, regs);
	rc = get_ready(v);
	if (!rc)
		rc = kvm_settle(v);
	return rc ? rc : g->arch->get(v, groups, regs);
}

static int vcpu_set(struct vcpu *v, unsigned groups, const void *regs)
{
	const struct kvm_arch *arch = v->engine->arch;
	int rc;

	if (v->away && !(groups & arch->program))
		return v->engine->cpu->set(v->own, groups, regs);
	rc = get_ready(v);
	if (!rc)
		rc = kvm_settle(v);
	return rc ? rc : arch->set(v, groups, regs);
}

static int vcpu_cpuid(struct vcpu *v)
{
	int rc = get_ready(v);

	if (!rc)
		rc = kvm_settle(v);
	return rc ? rc : v->engine->arch->cpuid(v);
}

static void vcpu_pass(struct vcpu *v)
{
	const int rc = v->engine->arch->pass(v);

	if (rc < 0)
		log_error(v->engine->env.log, "cpu%u: kvm: %s", v->id, strerror(-rc));
}

/* Of any guest CPU's, so far. */
static int debug_check(const struct debug_points *points, struct err *e)
{
	return archs[0]->debug_check(points, e);
}

#define ENGINE                                                                                     \
	.new = new, .free = engine_end, .ram_new = ram_new, .ram_free = ram_free, .map = map,      \
	.any_ram = true, .remapped = remapped, .leave = leave_vcpus, .enter = enter_vcpus,         \
	.start = start_vcpus, .stop = stop_vcpus, .track = track, .model = model,                  \
	.vcpu_hold = vcpu_hold, .vcpu_is_held = vcpu_is_held, .vcpu_new = vcpu_new,                \
	.vcpu_free = vcpu_free, .vcpu_reset = vcpu_reset, .vcpu_run = vcpu_run,                    \
	.vcpu_kick = vcpu_kick, .vcpu_irq = vcpu_irq, .vcpu_fence = vcpu_fence,                    \
	.vcpu_fenced = vcpu_fenced, .vcpu_retired = vcpu_retired, .vcpu_get = vcpu_get,            \
	.vcpu_set = vcpu_set, .vcpu_cpuid = vcpu_cpuid, .vcpu_debug = vcpu_debug,                  \
	.vcpu_step = vcpu_step, .vcpu_pass = vcpu_pass, .debug_check = debug_check,

#else

static int probe(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu;
	return err_set(
	    e, ENOTSUP, "kvm: this build has none (it is of Linux, on x86-64 and riscv64)");
}

#define ENGINE

#endif

const struct engine_class engine_kvm = { .name = "kvm",
	.about = "the host's own CPU, by Linux's KVM",
	.rank = -1, /* auto does not take it before it has run on hardware: doc/gaps.md */
	.runs_free = true,
	.probe = probe,
	ENGINE };
