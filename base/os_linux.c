/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/os.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/if_tun.h>
#include <linux/magic.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

void os_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			abort(); /* only a kernel before 3.17 */
		p += n;
		len -= (size_t)n;
	}
}

void os_thread_name(pthread_t t, const char *name)
{
	pthread_setname_np(t, name);
}

uint64_t os_thread_id(void)
{
	return (uint64_t)syscall(SYS_gettid);
}

void os_thread_lower(void)
{
	/* On Linux this is of the thread, not of the process: setpriority(2). */
	(void)setpriority(PRIO_PROCESS, 0, 5);
}

unsigned os_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;

	return n > 0 ? (unsigned)n : 1;
}

/* The first line for one of these in /proc/cpuinfo: x86, RISC-V, others. */
void os_cpu_name(char *name, size_t size)
{
	static const char *const keys[] = { "model name", "uarch", "cpu model", "Processor" };
	char line[300], *value;
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t n;

	snprintf(name, size, "unknown");
	while (f && fgets(line, sizeof line, f)) {
		value = strstr(line, ": ");
		for (n = 0; value && n < ARRAY_LEN(keys); n++)
			if (!strncmp(line, keys[n], strlen(keys[n]))) {
				snprintf(
				    name, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
				fclose(f);
				return;
			}
	}
	if (f)
		fclose(f);
}

int os_file_lock(int fd, int exclusive)
{
	/* Locks of the open file description: those of the process vanish when any descriptor of
	 * the file is closed, and do not hold between two VMs of one process. */
	struct flock l = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

int os_file_zero(int fd, uint64_t off, uint64_t len, int punch)
{
	int mode = FALLOC_FL_KEEP_SIZE | (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
	int rc;

	do
		rc = fallocate(fd, mode, (off_t)off, (off_t)len);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	/* A block device refuses what is not a multiple of its sectors with EINVAL. */
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ENODEV)
		return -ENOTSUP;
	return -errno;
}

ssize_t os_file_read_now(int fd, const struct iovec *iov, int n, uint64_t off)
{
	ssize_t done = preadv2(fd, iov, n, (off_t)off, RWF_NOWAIT);

	return done > 0 ? done : -EAGAIN;
}

int os_file_in_memory(int fd)
{
	struct statfs fs;
	struct stat st;

	/* A disk's node is in memory, too. */
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int os_tap_open(const char *name, int *header, struct err *e)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd;

	*header = 1;
	if (!*name || strlen(name) >= sizeof r.ifr_name)
		return err_set(e, EINVAL, "tap \"%s\": an interface's name has 1 to %zu bytes",
		    name, sizeof r.ifr_name - 1);
	strcpy(r.ifr_name, name);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(
		    e, errno, "tap %s: cannot open /dev/net/tun: %s", name, strerror(errno));
	if (ioctl(fd, TUNSETIFF, &r) < 0) {
		err_set(e, errno,
		    "tap %s: %s (as root: ip tuntap add %s mode tap user USER; ip link set %s up)",
		    name, strerror(errno), name, name);
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int os_tap_offloads(int fd, unsigned offloads)
{
	unsigned long bits = 0;

	bits |= offloads & OS_TAP_CSUM ? TUN_F_CSUM : 0;
	bits |= offloads & OS_TAP_TSO4 ? TUN_F_TSO4 : 0;
	bits |= offloads & OS_TAP_TSO6 ? TUN_F_TSO6 : 0;
	bits |= offloads & OS_TAP_ECN ? TUN_F_TSO_ECN : 0;
	return ioctl(fd, TUNSETOFFLOAD, bits) < 0 ? -errno : 0;
}

/* proc(5), /proc/pid/pagemap: bit 63 present, bit 62 swapped, bit 61 of a file.  Memory without
 * either was never written: zeroes, unless a file is behind it. */
bool os_ram_touched(const void *p, size_t len, uint8_t *touched)
{
	enum { PAGE = 4096, ENTRIES = 8192 };
	const uint64_t first = (uintptr_t)p / PAGE, n = len / PAGE;
	int fd =
	    sysconf(_SC_PAGESIZE) == PAGE ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
	uint64_t *entry = fd < 0 ? NULL : malloc(ENTRIES * sizeof *entry);
	bool known = entry;

	for (uint64_t at = 0, some; known && at < n; at += some) {
		some = n - at < ENTRIES ? n - at : ENTRIES;
		known = pread(fd, entry, some * 8, (off_t)((first + at) * 8)) == (ssize_t)some * 8;
		for (uint64_t i = 0; known && i < some; i++)
			touched[(at + i) / 8] |= (uint8_t)((entry[i] >> 62 != 0) << (at + i) % 8);
	}
	free(entry);
	if (fd >= 0)
		close(fd);
	return known;
}

int os_poll_new(void)
{
	int poll = epoll_create1(EPOLL_CLOEXEC);

	return poll < 0 ? -errno : poll;
}

int os_poll_set(int poll, int fd, unsigned was, unsigned events, void *ptr)
{
	struct epoll_event ev = { .data.ptr = ptr };
	int op = was == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (was == events)
		return 0;
	if (events & OS_POLL_IN)
		ev.events |= EPOLLIN;
	if (events & OS_POLL_OUT)
		ev.events |= EPOLLOUT;
	return epoll_ctl(poll, op, fd, &ev) < 0 ? -errno : 0;
}

void os_heap_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

int os_poll_wait(int poll, struct os_event *out, int max, int timeout_ms)
{
	struct epoll_event ev[64];
	int n = epoll_wait(poll, ev, max < 64 ? max : 64, timeout_ms);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		out[i].ptr = ev[i].data.ptr;
		out[i].events = 0;
		if (ev[i].events & EPOLLIN)
			out[i].events |= OS_POLL_IN;
		if (ev[i].events & EPOLLOUT)
			out[i].events |= OS_POLL_OUT;
		if (ev[i].events & (EPOLLHUP | EPOLLERR))
			out[i].events |= OS_POLL_HUP;
	}
	return n;
}
#endif
