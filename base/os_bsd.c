/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/os.h"

#if defined(__NetBSD__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/file.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __NetBSD__
#include <lwp.h>
#else
#include <pthread_np.h>
#endif

void os_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	/* getentropy gives at most 256 bytes a call. */
	while (len) {
		size_t n = len < 256 ? len : 256;

		if (getentropy(p, n) < 0)
			abort();
		p += n;
		len -= n;
	}
}

void os_thread_name(pthread_t t, const char *name)
{
#ifdef __NetBSD__
	pthread_setname_np(t, "%s", (void *)(uintptr_t)name);
#else
	pthread_set_name_np(t, name);
#endif
}

uint64_t os_thread_id(void)
{
#if defined(__NetBSD__)
	return (uint64_t)_lwp_self();
#elif defined(__OpenBSD__)
	return (uint64_t)getthrid();
#elif defined(__FreeBSD__)
	return (uint64_t)pthread_getthreadid_np();
#else
	return 0;
#endif
}

void os_thread_lower(void)
{
	struct sched_param param;
	int policy;

	if (pthread_getschedparam(pthread_self(), &policy, &param) != 0)
		return;
	param.sched_priority = sched_get_priority_min(policy);
	(void)pthread_setschedparam(pthread_self(), policy, &param);
}

unsigned os_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

void os_cpu_name(char *name, size_t size)
{
	int mib[] = { CTL_HW, HW_MODEL };
	size_t len = size;

	if (sysctl(mib, 2, name, &len, NULL, 0) || !len)
		snprintf(name, size, "unknown");
}

int os_file_lock(int fd, int exclusive)
{
	if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int os_file_zero(int fd, uint64_t off, uint64_t len, int punch)
{
	struct stat st;
	int rc = -1;

	/* Only for regular files is a hole promised to read as zeroes. */
	if (!punch || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOTSUP;
#if defined(__NetBSD__)
	rc = fdiscard(fd, (off_t)off, (off_t)len);
#elif defined(SPACECTL_DEALLOC)
	struct spacectl_range r = { .r_offset = (off_t)off, .r_len = (off_t)len };

	do
		rc = fspacectl(fd, SPACECTL_DEALLOC, &r, 0, &r);
	while ((rc < 0 && errno == EINTR) || (rc == 0 && r.r_len > 0));
#else
	(void)off;
	(void)len;
	errno = EOPNOTSUPP;
#endif
	if (rc == 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ENODEV)
		return -ENOTSUP;
	return -errno;
}

ssize_t os_file_read_now(int fd, const struct iovec *iov, int n, uint64_t off)
{
	(void)fd;
	(void)iov;
	(void)n;
	(void)off;
	return -EAGAIN;
}

int os_file_in_memory(int fd)
{
	(void)fd;
	return 0;
}

int os_tap_open(const char *name, int *header, struct err *e)
{
	char path[32];
	int fd;

	*header = 0;
	if (!*name || strchr(name, '/') ||
	    (size_t)snprintf(path, sizeof path, "/dev/%s", name) >= sizeof path)
		return err_set(e, EINVAL, "tap \"%s\": that is no interface's name", name);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "tap %s: cannot open %s: %s", name, path, strerror(errno))
		      : fd;
}

int os_tap_offloads(int fd, unsigned offloads)
{
	(void)fd;
	return offloads ? -ENOTSUP : 0;
}

bool os_ram_touched(const void *p, size_t len, uint8_t *touched)
{
	(void)p, (void)len, (void)touched;
	return false;
}

void os_heap_trim(void)
{
}

int os_poll_new(void)
{
	int poll = kqueue();

	if (poll < 0)
		return -errno;
	fcntl(poll, F_SETFD, FD_CLOEXEC);
	return poll;
}

int os_poll_set(int poll, int fd, unsigned was, unsigned events, void *ptr)
{
	static const struct {
		unsigned event;
		short filter;
	} filters[] = { { OS_POLL_IN, EVFILT_READ }, { OS_POLL_OUT, EVFILT_WRITE } };

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		unsigned bit = filters[i].event;
		struct kevent ev;

		if (!((was ^ events) & bit))
			continue;
		EV_SET(&ev, fd, filters[i].filter, events & bit ? EV_ADD : EV_DELETE, 0, 0, ptr);
		if (kevent(poll, &ev, 1, NULL, 0, NULL) < 0)
			return -errno;
	}
	return 0;
}

int os_poll_wait(int poll, struct os_event *out, int max, int timeout_ms)
{
	struct timespec ts = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L };
	struct kevent ev[64];
	int n = kevent(poll, NULL, 0, ev, max < 64 ? max : 64, timeout_ms < 0 ? NULL : &ts);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		out[i].ptr = (void *)ev[i].udata;
		out[i].events = ev[i].filter == EVFILT_READ ? OS_POLL_IN : OS_POLL_OUT;
		if (ev[i].flags & (EV_EOF | EV_ERROR))
			out[i].events |= OS_POLL_HUP;
	}
	return n;
}
#endif
