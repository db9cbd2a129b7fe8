/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct iovec;

/*
 * What differs between operating systems.  os_posix.c holds what is the same everywhere; os_linux.c
 * and os_bsd.c compile to nothing on the other; os_code.c has memory for generated code.  All
 * functions may be called from any thread.
 */

uint64_t os_clock_ns(void);            /* monotonic, from an arbitrary start */
uint64_t os_wall_ns(void);             /* since 1970-01-01 UTC */
void os_random(void *buf, size_t len); /* from the kernel's generator; never fails */

/* What was freed goes back to the host, as far as the C library can do that. */
void os_heap_trim(void);

/* Zeroed memory, page aligned, whose pages cost nothing until they are touched; NULL: there is
 * none.
 */
void *os_pages_new(size_t len);
void os_pages_free(void *, size_t len);

/* The same for guest RAM, not reserved.  NULL and the reason when the host has none. os_ram_discard
 * makes a page-aligned part read as zeroes again and gives its pages back. */
void *os_ram_new(size_t len, struct err *);
void os_ram_free(void *, size_t len);
void os_ram_discard(void *, size_t len);
/* The pages at `at`, which somebody has mapped, become zeroed ones that have a second view: what is
 * written in one is in both, and each may be protected and unmapped (os_ram_free) by itself.  0 or
 * -errno. */
int os_ram_share(void *at, size_t len, void **view);
/* A part of such memory, whole pages, becomes what is at off in a file, a multiple of 64 KiB: pages
 * are read when they are touched, and what is written stays here.  The file must not change as
 * long as the memory is there. */
int os_ram_map(void *, size_t len, int fd, uint64_t off);
/* Whether pages of such memory may hold anything but zeroes: bit n of `touched` for page n of 4096
 * bytes.  false: that is not known. */
bool os_ram_touched(const void *, size_t len, uint8_t *touched);

/* Memory for generated code, zeroed and page aligned, not reserved: what is written through rw runs
 * at the same offset of rx.  0 or -errno and the reason.  Freeing what is all zeroes does nothing.
 */
struct os_code {
	uint8_t *rw;
	const uint8_t *rx;
	size_t size; /* whole pages */
};
/* A file of no bytes without a name, for memory that is mapped more than once: a descriptor, or -1
 * with errno. */
int os_nameless(void);
int os_code_new(size_t size, struct os_code *, struct err *);
void os_code_free(struct os_code *);
/* What is in it is not needed any more: the host has the pages back, where the OS can do that. */
void os_code_discard(struct os_code *);

/* A file's exclusive (write) or shared lock against other processes and other descriptors of this
 * one.  0, or -EAGAIN when another holds it. */
int os_file_lock(int fd, int exclusive);
/* Makes [off, off + len) of a file read as zeroes; drops the storage if `punch`.  -ENOTSUP where
 * the OS or file system cannot: the caller writes zeroes then (or, for a discard, does nothing). */
int os_file_zero(int fd, uint64_t off, uint64_t len, int punch);
/* Reads what can be had without waiting for a disk: bytes, maybe fewer than asked for, or -EAGAIN
 * when that is nothing, or the OS cannot tell. */
ssize_t os_file_read_now(int fd, const struct iovec *, int n, uint64_t off);
/* All of len bytes at that place of a file: 0 or -errno; -ENODATA: the file ends before. */
int os_file_read(int fd, void *, size_t len, uint64_t off);
int os_file_write(int fd, const void *, size_t len, uint64_t off);
/* Another name in the same folder, in one step; -EEXIST: somebody has it. */
int os_rename_new(const char *from, const char *to);
/* Whether its file system has no disk below it at all. */
int os_file_in_memory(int fd);

/* Closes all descriptors from `first` on, but for `keep` (-1: none). */
void os_close_from(int first, int keep);

/* Names a thread for debuggers: at most 15 bytes. */
void os_thread_name(pthread_t, const char *name);
/* The calling thread, as the host's tools number it; 0 where they do not. */
uint64_t os_thread_id(void);
/* The calling thread does what can wait: others come first, where the OS can say that. */
void os_thread_lower(void);
/* CPUs that this process may use at the same time; 1 where that is not known. */
unsigned os_cpus(void);
/* What the host's CPU calls itself; "unknown" where that is not to be had. */
void os_cpu_name(char *name, size_t size);

/* Takes a terminal out of line mode, so that each key arrives at once and as it is; `before` is for
 * os_tty_restore.  -ENOTTY when fd is no terminal. */
struct termios;
int os_tty_raw(int fd, struct termios *before);
void os_tty_restore(int fd, const struct termios *before);
/* How large it is, in characters; -ENOTTY when fd is no terminal. */
int os_tty_size(int fd, unsigned *cols, unsigned *rows);

/* A tap device: each read and write is one Ethernet frame.  name: of the interface, which is made
 * if there is none of that name (Linux), or must be there.  The descriptor does not block; -errno
 * and the reason.  *header: whether each frame stands behind a struct virtio_net_hdr of 10 bytes,
 * in the host's byte order. */
int os_tap_open(const char *name, int *header, struct err *);
/* With a header: what frames that are read may have.  Linux has them all; 0 or -errno. */
enum { OS_TAP_CSUM = 1, OS_TAP_TSO4 = 2, OS_TAP_TSO6 = 4, OS_TAP_ECN = 8 };
int os_tap_offloads(int fd, unsigned offloads);

/* The poller under base/loop.c: epoll or kqueue.  `ptr` comes back with each event. */
enum { OS_POLL_IN = 1, OS_POLL_OUT = 2, OS_POLL_HUP = 4 };
struct os_event {
	void *ptr;
	unsigned events;
};
int os_poll_new(void); /* a descriptor, or -errno */
/* Sets what is waited for on fd: 0 takes it out.  `was` is what it was before.  -EPERM for what is
 * always ready and cannot be waited for (regular files on Linux). */
int os_poll_set(int poll, int fd, unsigned was, unsigned events, void *ptr);
/* Waits for at most timeout_ms (-1: for ever); the number of events, or -errno. */
int os_poll_wait(int poll, struct os_event *, int max, int timeout_ms);

#endif
