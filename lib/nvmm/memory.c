/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory: what of the program's it is, and how the guest's page tables lead there (SDM
 * volume 3, 4).  Protection keys and the A and D bits make no difference here.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/os.h"
#include "core/mem.h"
#include "lib/nvmm/vmm.h"

#define CR0_PG   (1ull << 31)
#define CR4_PSE  (1ull << 4)
#define CR4_PAE  (1ull << 5)
#define CR4_LA57 (1ull << 12)
#define EFER_LMA (1ull << 10)
#define PTE_P    (1ull << 0)
#define PTE_W    (1ull << 1)
#define PTE_U    (1ull << 2)
#define PTE_PS   (1ull << 7)
#define PTE_XD   (1ull << 63)
#define FRAME    0x000ffffffffff000ull

static bool is_range(uint64_t at, uint64_t size)
{
	return size && !((at | size) % VMM_PAGE) && at + size > at;
}

/* Host memory ---------------------------------------------------------------------------------- */

/* All of it is in one piece that nvmm_hva_map took. */
static struct vmm_host *host_of(struct vmm *m, uintptr_t hva, size_t size)
{
	struct vmm_host *h;

	for (h = m->host; h < m->host + m->nhosts; h++)
		if (!h->gone && hva >= h->hva && hva - h->hva < h->size &&
		    size <= h->size - (hva - h->hva))
			return h;
	return NULL;
}

static int add_host(struct vmm *m, uintptr_t hva, size_t size)
{
	const struct vmm_host *h;
	void *view;
	int rc;

	for (h = m->host; h < m->host + m->nhosts; h++)
		if (!h->gone && hva < h->hva + h->size && h->hva < hva + size)
			return -EEXIST;
	if (m->nhosts == VMM_HOSTS)
		return -ENOBUFS;
	rc = os_ram_share((void *)hva, size, &view);
	if (rc)
		return rc;
	m->host[m->nhosts++] = (struct vmm_host){ .hva = hva, .size = size, .view = view };
	return 0;
}

int nvmm_hva_map(struct nvmm_machine *mach, uintptr_t hva, size_t size)
{
	struct vmm *m = vmm_of(mach);
	int rc;

	if (!m)
		return -1;
	if (!hva || !is_range(hva, size))
		return vmm_fail(EINVAL);
	vmm_hold(m);
	rc = add_host(m, hva, size);
	vmm_release(m);
	return rc ? vmm_fail(-rc) : 0;
}

/* The guest keeps what it has, in its own view. */
static void drop_host(struct vmm *m, struct vmm_host *h)
{
	if (!h->gone || h->used)
		return;
	os_ram_free(h->view, h->size);
	*h = m->host[--m->nhosts];
}

int nvmm_hva_unmap(struct nvmm_machine *mach, uintptr_t hva, size_t size)
{
	struct vmm *m = vmm_of(mach);
	struct vmm_host *h;

	if (!m)
		return -1;
	if (!hva || !is_range(hva, size))
		return vmm_fail(EINVAL);
	vmm_hold(m);
	h = host_of(m, hva, size);
	if (h && (h->hva != hva || h->size != size))
		h = NULL;
	if (h) {
		os_ram_free((void *)hva, size);
		h->gone = true;
		drop_host(m, h);
	}
	vmm_release(m);
	return h ? 0 : vmm_fail(ENOENT);
}

/* The program may go on with what it did not give back. */
void vmm_free_memory(struct vmm *m)
{
	while (m->nhosts) {
		const struct vmm_host *h = &m->host[--m->nhosts];

		os_ram_free(h->view, h->size);
	}
}

/* Guest memory --------------------------------------------------------------------------------- */

static struct vmm_area *area_of(struct vmm *m, uint64_t gpa)
{
	struct vmm_area *a;

	for (a = m->area; a < m->area + m->nareas; a++)
		if (gpa >= a->gpa && gpa - a->gpa < a->size)
			return a;
	return NULL;
}

static int map_area(struct vmm *m, const struct vmm_area *a)
{
	const unsigned flags =
	    (a->prot & PROT_WRITE ? 0 : MEM_NO_WRITE) | (a->prot & PROT_EXEC ? 0 : MEM_NO_EXEC);
	struct mem *mem = m->env.env.mem;
	struct err e;
	int rc;

	if (!m->class->remapped)
		return -ENOTSUP;
	rc = mem_map(mem, a->gpa, a->view, a->size, &e);
	if (rc)
		return rc;
	mem_protect(mem, a->gpa, a->size, flags);
	rc = m->class->map(m->engine, a->gpa, a->view, a->size, &e);
	if (!rc)
		rc = m->class->remapped(m->engine);
	if (rc)
		mem_unmap(mem, a->gpa, a->size);
	return rc;
}

static int add_area(struct vmm *m, struct vmm_area *new)
{
	struct vmm_host *h = host_of(m, new->hva, new->size);
	struct vmm_area *a;
	int rc;

	for (a = m->area; a < m->area + m->nareas; a++)
		if (new->gpa < a->gpa + a->size && a->gpa < new->gpa + new->size)
			return -EINVAL;
	if (!h)
		return -EINVAL;
	if (m->nareas == VMM_AREAS)
		return -ENOBUFS;
	new->view = h->view + (new->hva - h->hva);
	rc = new->prot ? map_area(m, new) : 0;
	if (rc)
		return rc;
	h->used++;
	m->area[m->nareas++] = *new;
	return 0;
}

int nvmm_gpa_map(struct nvmm_machine *mach, uintptr_t hva, gpaddr_t gpa, size_t size, int prot)
{
	struct vmm_area a = { .gpa = gpa, .size = size, .hva = hva, .prot = prot };
	struct vmm *m = vmm_of(mach);
	int rc;

	if (!m)
		return -1;
	if (!is_range(gpa, size) || gpa + size > VMM_MAX_RAM || hva % VMM_PAGE ||
	    prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return vmm_fail(EINVAL);
	vmm_hold(m);
	rc = add_area(m, &a);
	vmm_release(m);
	return rc ? vmm_fail(-rc) : 0;
}

/* What an area is in, which may be gone for the program. */
static struct vmm_host *find_view(struct vmm *m, const uint8_t *view)
{
	struct vmm_host *h = m->host;

	while (view < h->view || view >= h->view + h->size)
		h++;
	return h;
}

static int drop_area(struct vmm *m, uintptr_t hva, uint64_t gpa, size_t size)
{
	struct vmm_area *a = area_of(m, gpa);
	struct vmm_host *h;
	int rc;

	if (!a || a->gpa != gpa || a->size != size || a->hva != hva)
		return -ENOENT;
	if (a->prot) {
		rc = mem_unmap(m->env.env.mem, gpa, size);
		if (!rc)
			rc = m->class->remapped(m->engine);
		if (rc)
			return rc;
	}
	h = find_view(m, a->view);
	*a = m->area[--m->nareas];
	h->used--;
	drop_host(m, h);
	return 0;
}

int nvmm_gpa_unmap(struct nvmm_machine *mach, uintptr_t hva, gpaddr_t gpa, size_t size)
{
	struct vmm *m = vmm_of(mach);
	int rc;

	if (!m)
		return -1;
	vmm_hold(m);
	rc = drop_area(m, hva, gpa, size);
	vmm_release(m);
	return rc ? vmm_fail(-rc) : 0;
}

int nvmm_gpa_to_hva(struct nvmm_machine *mach, gpaddr_t gpa, uintptr_t *hva, nvmm_prot_t *prot)
{
	struct vmm *m = vmm_of(mach);
	const struct vmm_area *a;

	if (!m)
		return -1;
	mutex_lock(&m->lock);
	a = area_of(m, gpa);
	if (a) {
		*hva = a->hva + (uintptr_t)(gpa - a->gpa);
		*prot = (a->prot & PROT_READ ? NVMM_PROT_READ : 0u) |
			(a->prot & PROT_WRITE ? NVMM_PROT_WRITE : 0u) |
			(a->prot & PROT_EXEC ? NVMM_PROT_EXEC : 0u);
	}
	mutex_unlock(&m->lock);
	return a ? 0 : vmm_fail(ENOENT);
}

/* With the lock, or while it is held. */
static bool read_part(struct vmm *m, uint64_t *gpa, uint8_t **to, size_t *left)
{
	const struct vmm_area *a = area_of(m, *gpa);
	size_t n;

	if (!a)
		return false;
	n = a->size - (size_t)(*gpa - a->gpa);
	if (n > *left)
		n = *left;
	memcpy(*to, a->view + (*gpa - a->gpa), n);
	*gpa += n;
	*to += n;
	*left -= n;
	return true;
}

bool vmm_read(struct vmm *m, uint64_t gpa, void *to, size_t len)
{
	uint8_t *at = to;
	bool ok = true;

	mutex_lock(&m->lock);
	while (ok && len)
		ok = read_part(m, &gpa, &at, &len);
	mutex_unlock(&m->lock);
	return ok;
}

/* Virtual addresses ---------------------------------------------------------------------------- */

struct walk {
	struct vmm *vmm;
	const struct x86_regs *regs;
	uint64_t linear, gpa;
	nvmm_prot_t prot;
};

static bool read_entry(const struct walk *w, uint64_t at, unsigned size, uint64_t *pte)
{
	uint8_t bytes[8];

	if (!vmm_read(w->vmm, at, bytes, size))
		return false;
	*pte = get_le(bytes, size);
	return *pte & PTE_P;
}

static void narrow(struct walk *w, uint64_t pte)
{
	if (!(pte & PTE_W))
		w->prot &= ~(nvmm_prot_t)NVMM_PROT_WRITE;
	if (!(pte & PTE_U))
		w->prot &= ~(nvmm_prot_t)NVMM_PROT_USER;
	if (pte & PTE_XD)
		w->prot &= ~(nvmm_prot_t)NVMM_PROT_EXEC;
}

static bool leaf(struct walk *w, uint64_t frame, unsigned bits)
{
	const uint64_t in = (1ull << bits) - 1;

	w->gpa = (frame & ~in) | (w->linear & in);
	return true;
}

/* Tables of 512 entries, from this level to the last, which is 0. */
static bool walk_wide(struct walk *w, uint64_t table, int level)
{
	unsigned shift;
	uint64_t pte;

	for (; level >= 0; level--, table = pte & FRAME) {
		shift = 12 + 9 * (unsigned)level;
		if (!read_entry(w, table + (w->linear >> shift & 511) * 8, 8, &pte))
			return false;
		narrow(w, pte);
		if (level == 0 || pte & PTE_PS)
			return level <= 2 && leaf(w, pte & FRAME, shift);
	}
	return false;
}

/* 32-bit paging, with pages of 4 MiB that may lie above 4 GiB (PSE-36). */
static bool walk_narrow(struct walk *w)
{
	uint64_t pte;

	if (!read_entry(w, (w->regs->cr3 & 0xfffff000) + (w->linear >> 22) * 4, 4, &pte))
		return false;
	narrow(w, pte);
	if (pte & PTE_PS && w->regs->cr4 & CR4_PSE)
		return leaf(w, (pte & 0xffc00000) | (pte >> 13 & 0xff) << 32, 22);
	if (!read_entry(w, (pte & 0xfffff000) + (w->linear >> 12 & 1023) * 4, 4, &pte))
		return false;
	narrow(w, pte);
	return leaf(w, pte & 0xfffff000, 12);
}

static bool walk(struct walk *w)
{
	const struct x86_regs *r = w->regs;
	const unsigned high = r->cr4 & CR4_LA57 ? 7 : 16;

	w->prot = NVMM_PROT_ALL;
	w->gpa = w->linear;
	if (!(r->cr0 & CR0_PG))
		return true;
	if (r->efer & EFER_LMA) {
		if ((uint64_t)((int64_t)(w->linear << high) >> high) != w->linear)
			return false;
		return walk_wide(w, r->cr3 & FRAME, r->cr4 & CR4_LA57 ? 4 : 3);
	}
	w->linear = (uint32_t)w->linear;
	if (!(r->cr4 & CR4_PAE))
		return walk_narrow(w);
	if (!(r->pdpte[w->linear >> 30] & PTE_P))
		return false;
	return walk_wide(w, r->pdpte[w->linear >> 30] & FRAME, 1);
}

int nvmm_gva_to_gpa(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, gvaddr_t gva, gpaddr_t *gpa,
    nvmm_prot_t *prot)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	struct walk w;
	int rc;

	if (!p)
		return -1;
	/* PDPTEs and EFER.LMA are right once the engine has the state. */
	rc = vmm_push(p);
	if (!rc)
		rc = vmm_fetch(p, X86_REGS_SEG);
	if (rc)
		return vmm_fail(-rc);
	w = (struct walk){ .vmm = p->vmm, .regs = &p->regs, .linear = gva };
	if (!walk(&w))
		return vmm_fail(EFAULT);
	*gpa = w.gpa;
	*prot = w.prot;
	return 0;
}

bool vmm_read_virtual(struct nvmm_comm_page *p, uint64_t linear, void *to, size_t len)
{
	struct walk w = { .vmm = p->vmm, .regs = &p->regs };
	uint8_t *at = to;
	size_t n;

	for (; len; len -= n, at += n, linear += n) {
		n = VMM_PAGE - linear % VMM_PAGE;
		if (n > len)
			n = len;
		w.linear = linear;
		if (!walk(&w) || !vmm_read(p->vmm, w.gpa, at, n))
			return false;
	}
	return true;
}
