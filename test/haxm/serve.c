/* SPDX-License-Identifier: BSD-2-Clause */
/* HAXM's devices: serve.h.  They are files of the process, and what is asked of those comes here.
 */
#include "test/haxm/serve.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"

#define PUBLIC __attribute__((visibility("default")))

enum { FILES = 1024 };

/* What a descriptor is: one of these, or nothing of ours. */
static struct file {
	bool hax;
	struct serve_vm *vm;
	struct serve_cpu *cpu;
} files[FILES];
static struct serve_vm vms[SERVE_VMS];

/* VMs ------------------------------------------------------------------------------------------ */

static int create_vm(uint32_t *id)
{
	struct serve_vm *m = vms;
	struct err e;

	for (*id = 0; m->used; m++)
		if (++*id == SERVE_VMS)
			return -ENOMEM;
	m->used = true;
	pthread_rwlock_init(&m->memory, NULL);
	serve_intc(m);
	m->env.cpu = cpu_find("x86_64");
	m->env.env = (struct cpu_env){ .mem = mem_new(),
		.bus = bus_new(),
		.clock = clock_new(),
		.intc = &m->intc,
		.model = "best,+avx", /* what the guest may use of it CPUID says */
		.hole_exits = true,
		.vmm_exits = true,
		.unwatched = true,
		.parallel = true,
		.cpuid = serve_cpuid,
		.machine = m };
	m->engine = engine_soft.new(&m->env, &e);
	if (!m->engine)
		return -ENOMEM;
	clock_resume(m->env.env.clock);
	return 0;
}

static int set_ram(struct serve_vm *m, const struct haxm_ram *r)
{
	struct mem *mem = m->env.env.mem;
	struct err e;
	int rc;

	if (r->reserved1 || r->reserved2 || !r->size || (r->flags & HAXM_RAM_INVALID && r->hva))
		return -EINVAL;
	pthread_rwlock_wrlock(&m->memory);
	if (r->flags & HAXM_RAM_INVALID) {
		rc = mem_unmap(mem, r->gpa, r->size);
	} else {
		rc = mem_map(mem, r->gpa, (void *)(uintptr_t)r->hva, r->size, &e);
		if (!rc && r->flags & HAXM_RAM_ROM)
			mem_protect(mem, r->gpa, r->size, MEM_NO_WRITE);
	}
	if (!rc)
		rc = engine_soft.remapped(m->engine);
	pthread_rwlock_unlock(&m->memory);
	return rc;
}

static int vm_ioctl(struct serve_vm *m, unsigned long request, void *arg)
{
	switch (request) {
	case HAXM_CREATE_CPU:
		return serve_cpu_new(m, *(const uint32_t *)arg);
	case HAXM_TELL_VERSION:
		return 0;
	case HAXM_ADD_BLOCK:
		return ((const struct haxm_block *)arg)->reserved ? -EINVAL : 0;
	case HAXM_SET_RAM:
		return set_ram(m, arg);
	default:
		return -ENOSYS;
	}
}

static int hax_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case HAXM_GET_VERSION:
		*(struct haxm_version *)arg = (struct haxm_version){ 1, HAXM_VERSION };
		return 0;
	case HAXM_GET_CAPABILITY:
		*(struct haxm_capability *)arg =
		    (struct haxm_capability){ HAXM_WORKS, 0x3ff, 0, 0 };
		return 0;
	case HAXM_CREATE_VM:
		return create_vm(arg);
	default:
		return -ENOSYS;
	}
}

/* Files ---------------------------------------------------------------------------------------- */

static bool find(const char *path, struct file *f)
{
	unsigned vm, cpu;

	memset(f, 0, sizeof *f);
	if (!strcmp(path, HAXM_DEVICE))
		f->hax = true;
	else if (sscanf(path, HAXM_CPU_DEVICE, &vm, &cpu) == 2 && vm < SERVE_VMS &&
		 cpu < HAXM_MAX_CPUS)
		f->cpu = vms[vm].cpu[cpu];
	else if (sscanf(path, HAXM_VM_DEVICE, &vm) == 1 && vm < SERVE_VMS && vms[vm].used)
		f->vm = &vms[vm];
	return f->hax || f->vm || f->cpu;
}

PUBLIC int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) =
	    (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	struct file f;
	va_list args;
	int mode, fd;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
	va_end(args);
	if (!find(path, &f))
		return next(path, flags, mode);
	fd = next("/dev/null", flags);
	if (fd >= FILES) {
		close(fd);
		errno = EMFILE;
		return -1;
	}
	if (fd >= 0)
		files[fd] = f;
	return fd;
}

PUBLIC int close(int fd)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");

	if (fd >= 0 && fd < FILES) {
		if (files[fd].cpu)
			files[fd].cpu->closed = true;
		memset(&files[fd], 0, sizeof *files);
	}
	return next(fd);
}

PUBLIC int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) =
	    (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	const struct file f = fd >= 0 && fd < FILES ? files[fd] : (struct file){ .hax = false };
	va_list args;
	void *arg;
	int rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (f.cpu)
		rc = serve_cpu_ioctl(f.cpu, request, arg);
	else if (f.vm)
		rc = vm_ioctl(f.vm, request, arg);
	else if (f.hax)
		rc = hax_ioctl(request, arg);
	else
		return next(fd, request, arg);
	if (rc >= 0)
		return rc;
	errno = -rc;
	return -1;
}
