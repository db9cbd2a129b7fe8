/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Guest physical memory: where in the host's memory each page of guest RAM is, and one byte of
 * flags a page. The map is made while the machine is built and constant after, but for those who
 * can hold all CPUs (mem_unmap); RAM itself is shared by all threads. mem does not own the RAM (an
 * engine does).
 */
enum { MEM_PAGE_BITS = 12, MEM_PAGE = 1 << MEM_PAGE_BITS };

enum mem_flag {
	MEM_CODE = 1,      /* an engine holds decoded or translated code of this page */
	MEM_CLEAN = 4,     /* mem_track asked for it, and nobody has written here since */
	MEM_IO = 2,        /* the bus has a region on top of this page (HTIF): ask the bus first */
	MEM_NO_WRITE = 32, /* what a CPU stores here goes to the bus */
	MEM_NO_EXEC = 16,  /* CPUs execute nothing here */
};

struct mem;

struct mem *mem_new(void);
void mem_free(struct mem *);

/* hva stays valid until mem_unmap or mem_free.  gpa and len are multiples of MEM_PAGE. */
int mem_map(struct mem *, uint64_t gpa, void *hva, uint64_t len, struct err *);
/* Of what mem_map took at once: no RAM any more; or its pages get MEM_NO_WRITE and MEM_NO_EXEC from
 * flags. -ENOENT: there is none like that.  While no CPU runs, and before CPUs forget their
 * translations. */
int mem_unmap(struct mem *, uint64_t gpa, uint64_t len);
int mem_protect(struct mem *, uint64_t gpa, uint64_t len, unsigned flags);

/* The host address of [gpa, gpa + len) if all of it is RAM in one piece, else NULL. Whoever writes
 * through it calls mem_written after. */
void *mem_at(const struct mem *, uint64_t gpa, uint64_t len);
/* The flags of the page of RAM that holds gpa, or NULL where no RAM is. */
atomic_uchar *mem_flags(const struct mem *, uint64_t gpa);

/* Both for the page of RAM, or of a window, that holds gpa: its start, or NULL where neither is. */
uint8_t *mem_page(const struct mem *, uint64_t gpa, const atomic_uchar **flags);

/* Copies; -EFAULT, with nothing done, unless all of the range is RAM.  mem_write calls mem_written.
 */
int mem_read(const struct mem *, uint64_t gpa, void *, uint64_t len);
int mem_write(struct mem *, uint64_t gpa, const void *, uint64_t len);

/* Pages of RAM that nobody needs: they read as zeroes, and the host has them back until somebody
 * touches them again.  gpa and len are multiples of MEM_PAGE.  -EFAULT, with nothing done, unless
 * all of the range is RAM.  Any thread, while others use the pages. */
int mem_discard(struct mem *, uint64_t gpa, uint64_t len);
/* The host's pages stay where they are, since its kernel has them by themselves, too: from now on
 * mem_discard writes zeroes. */
void mem_keep(struct mem *);

/* Tells the engine that somebody other than its own CPUs wrote here: code in it is stale. Cheap
 * when the pages hold no code. */
void mem_written(struct mem *, uint64_t gpa, uint64_t len);
/* While no CPU runs, before CPUs forget their translations: all pages of RAM become clean (or, not
 * tracked, are not any more).  A store by a CPU, and mem_written, ends that for its page. */
void mem_track(struct mem *, bool on);
bool mem_tracks(const struct mem *);
/* While no CPU runs: fn is told of each mem_written in there, on the writer's thread; len 0 ends
 * that. */
void mem_guard(struct mem *, uint64_t gpa, uint64_t len,
    void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg);
/* So, too, of each one anywhere, as long as pages are tracked; NULL ends that. */
void mem_on_written(struct mem *, void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg);
/* Before a CPU stores to a clean page, or may do so without being seen. */
void mem_dirty(struct mem *, uint64_t gpa);
/* The engine's side of that; called on the writer's thread, for parts of pages with MEM_CODE. While
 * a machine moves to another engine there are two of them. */
void mem_on_code_write(struct mem *, void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg);
void mem_off_code_write(struct mem *, void *arg); /* as it was given; nothing if it was not */
/* While no CPU runs: no engine holds any code, so all pages lose MEM_CODE. */
void mem_no_code(struct mem *);

/*
 * Memory of a device that the guest puts somewhere (a framebuffer behind a BAR).  CPUs load and
 * store there as in RAM, by mem_page; for all else here it is no RAM, so nothing is executed there
 * and no device reaches it.  RAM wins where both are.  A window starts nowhere and lives as long as
 * mem; hva, which the device owns, has to stay valid while a CPU may run.
 */
struct mem_window;
#define MEM_NOWHERE UINT64_MAX

/* len is a multiple of MEM_PAGE.  NULL, and the reason, on failure. */
struct mem_window *mem_window_new(struct mem *, void *hva, uint64_t len, struct err *);
/* Any thread, one at a time for each window, while others look.  Where it would wrap round, or
 * between two pages, is nowhere, too. */
void mem_window_move(struct mem_window *, uint64_t gpa);
/* Called on the mover's thread behind each change: CPUs have to look anew where pages are. */
void mem_on_move(struct mem *, void (*fn)(void *arg), void *arg);

/* Each piece of RAM in address order. */
void mem_each(
    const struct mem *, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg);
/* Each window that is somewhere, in the order of making.  Any thread. */
void mem_each_placed(
    const struct mem *, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg);
/* Each window in the order of making, wherever it is: gpa is MEM_NOWHERE. */
void mem_each_window(
    const struct mem *, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg);

#endif
