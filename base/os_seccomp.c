/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which system calls.  Source: Linux, Documentation/userspace-api/seccomp_filter.rst, seccomp(2).
 * A call that is in no list gives ENOSYS, so that a C library takes the way of older kernels;
 * clone3 is one of them, since its flags cannot be looked at.
 */
#include "base/os_sandbox.h"

#ifdef __linux__
#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef ARCH
/* CPUs differ in which of the older calls they have. */
#define CALL(name) __NR_##name

/* What is asked for often comes first. */
static const int always[] = { CALL(futex), CALL(read), CALL(write), CALL(pread64), CALL(pwrite64),
	CALL(preadv), CALL(pwritev), CALL(readv), CALL(writev), CALL(epoll_pwait), CALL(epoll_ctl),
	CALL(ppoll), CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(sched_yield),
	CALL(recvmsg), CALL(sendmsg), CALL(recvfrom), CALL(sendto), CALL(recvmmsg), CALL(sendmmsg),
	CALL(madvise), CALL(munmap), CALL(mremap), CALL(brk), CALL(msync), CALL(mincore),
	CALL(membarrier), CALL(fsync), CALL(fdatasync), CALL(fallocate), CALL(ftruncate),
	CALL(sync_file_range), CALL(fadvise64), CALL(copy_file_range), CALL(preadv2),
	CALL(pwritev2), CALL(lseek), CALL(close), CALL(fstat), CALL(newfstatat), CALL(statx),
	CALL(fstatfs), CALL(fcntl), CALL(flock), CALL(dup), CALL(dup3), CALL(pipe2), CALL(eventfd2),
	CALL(epoll_create1), CALL(pselect6), CALL(memfd_create), CALL(getdents64), CALL(openat),
	CALL(faccessat), CALL(readlinkat), CALL(getcwd), CALL(unlinkat), CALL(renameat2),
	CALL(mkdirat), CALL(umask), CALL(fchmod), CALL(accept4), CALL(accept), CALL(bind),
	CALL(listen), CALL(shutdown), CALL(socketpair), CALL(getsockname), CALL(getpeername),
	CALL(getsockopt), CALL(setsockopt), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(tgkill),
	CALL(restart_syscall), CALL(exit), CALL(exit_group), CALL(wait4), CALL(waitid),
	CALL(set_robust_list), CALL(get_robust_list), CALL(set_tid_address), CALL(rseq),
	CALL(sched_getaffinity), CALL(getpriority), CALL(setpriority), CALL(gettid), CALL(getpid),
	CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrandom),
	CALL(clock_getres), CALL(gettimeofday), CALL(uname), CALL(sysinfo), CALL(getrusage),
	CALL(setsid),
#ifdef __NR_renameat
	CALL(renameat),
#endif
#ifdef __NR_faccessat2
	CALL(faccessat2),
#endif
#ifdef __NR_openat2
	CALL(openat2),
#endif
#ifdef __NR_epoll_pwait2
	CALL(epoll_pwait2),
#endif
#ifdef __NR_futex_waitv
	CALL(futex_waitv),
#endif
#ifdef __x86_64__
	CALL(epoll_wait), CALL(poll), CALL(select), CALL(time), CALL(open), CALL(stat), CALL(lstat),
	CALL(access), CALL(readlink), CALL(unlink), CALL(rename), CALL(mkdir), CALL(dup2),
	CALL(pipe), CALL(getrlimit), CALL(arch_prctl), CALL(getpgrp)
#endif
};

/* OS_CALLS_FILES */
static const int of_files[] = { CALL(fchmodat), CALL(fchown), CALL(fchownat), CALL(utimensat),
	CALL(linkat), CALL(symlinkat), CALL(mknodat), CALL(truncate), CALL(statfs), CALL(setxattr),
	CALL(lsetxattr), CALL(fsetxattr), CALL(getxattr), CALL(lgetxattr), CALL(fgetxattr),
	CALL(listxattr), CALL(llistxattr), CALL(flistxattr), CALL(removexattr), CALL(lremovexattr),
	CALL(fremovexattr), CALL(fchdir),
#ifdef __NR_fchmodat2
	CALL(fchmodat2),
#endif
#ifdef __x86_64__
	CALL(chmod), CALL(chown), CALL(lchown), CALL(link), CALL(symlink), CALL(mknod), CALL(rmdir),
	CALL(utime), CALL(utimes), CALL(futimesat)
#endif
};

/* Those that somebody who has broken in would try: it should read as what it is. */
static const int refused[] = { CALL(execve), CALL(execveat), CALL(ptrace), CALL(socket),
	CALL(connect), CALL(kill), CALL(process_vm_readv), CALL(process_vm_writev), CALL(mount),
	CALL(umount2), CALL(chroot), CALL(unshare), CALL(setns), CALL(bpf), CALL(perf_event_open),
	CALL(io_uring_setup), CALL(prctl), CALL(prlimit64), CALL(mmap), CALL(mprotect), CALL(ioctl),
	CALL(clone), CALL(reboot), CALL(setuid), CALL(setgid) };

enum { PROGRAM_MAX = 600 };
static const uint32_t NAMESPACES = 0x7e020000; /* CLONE_NEW* */

struct program {
	struct sock_filter insn[PROGRAM_MAX];
	unsigned n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	assert(p->n < PROGRAM_MAX);
	p->insn[p->n++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

static void load(struct program *p, size_t at)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)at, 0, 0);
}

/* The low half: what the kernel looks at is an int, or flags that are low. */
static void load_arg(struct program *p, unsigned n)
{
	const size_t at = offsetof(struct seccomp_data, args) + n * sizeof(uint64_t);

	load(p, at + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
}

static void give(struct program *p, uint32_t what)
{
	put(p, BPF_RET | BPF_K, what, 0, 0);
}

static void list(struct program *p, const int *calls, size_t n, uint32_t what)
{
	for (size_t i = 0; i < n; i++) {
		put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
		give(p, what);
	}
}

/* This call if the bits of an argument under the mask are `value`; else it is looked for further
 * on, so the number is loaded again. */
static void allow_if(struct program *p, int call, unsigned arg, uint32_t mask, uint32_t value)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 5);
	load_arg(p, arg);
	put(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	give(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

/* Those that put words into a terminal are refused, if there is one that would take them. */
static void allow_ioctl(struct program *p, bool terminal)
{
	if (!terminal) {
		list(p, (const int[]){ CALL(ioctl) }, 1, SECCOMP_RET_ALLOW);
		return;
	}
	put(p, BPF_JMP | BPF_JEQ | BPF_K, CALL(ioctl), 0, 5);
	load_arg(p, 1);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 0, 1);
	give(p, SECCOMP_RET_ERRNO | EPERM);
	give(p, SECCOMP_RET_ALLOW);
}

/* To listen on; datagrams would reach others without a connection. */
static void allow_unix_streams(struct program *p)
{
	const uint32_t type = 0xf; /* without SOCK_CLOEXEC and SOCK_NONBLOCK */

	put(p, BPF_JMP | BPF_JEQ | BPF_K, CALL(socket), 0, 7);
	load_arg(p, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 4);
	load_arg(p, 1);
	put(p, BPF_ALU | BPF_AND | BPF_K, type, 0, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 0, 1);
	give(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

static void allow_sockets(struct program *p, unsigned calls)
{
	const uint32_t all = UINT32_MAX;

	if (calls & OS_CALLS_INET) {
		allow_if(p, CALL(socket), 0, all, AF_INET);
		allow_if(p, CALL(socket), 0, all, AF_INET6);
	}
	allow_unix_streams(p);
	if (calls & (OS_CALLS_INET | OS_CALLS_UNIX))
		list(p, (const int[]){ CALL(connect) }, 1, SECCOMP_RET_ALLOW);
}

static void build(struct program *p, unsigned calls, bool terminal)
{
	const uint32_t all = UINT32_MAX;

	load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	give(p, SECCOMP_RET_ERRNO | ENOSYS);
	load(p, offsetof(struct seccomp_data, nr));
	/* First what CPUs on KVM live by: since Linux 5.11 the kernel remembers the answer for
	 * calls whose arguments do not matter, and does not ask this program. */
	allow_ioctl(p, terminal);
	list(p, always, ARRAY_LEN(always), SECCOMP_RET_ALLOW);
	allow_if(p, CALL(mmap), 2, PROT_EXEC, 0);
	allow_if(p, CALL(mprotect), 2, PROT_EXEC, 0);
	allow_if(p, CALL(clone), 0, NAMESPACES, 0);
	allow_if(p, CALL(prctl), 0, all, PR_SET_NAME);
	allow_if(p, CALL(prctl), 0, all, PR_GET_NAME);
	allow_if(p, CALL(prlimit64), 0, all, 0);
	allow_sockets(p, calls);
	if (calls & OS_CALLS_FILES)
		list(p, of_files, ARRAY_LEN(of_files), SECCOMP_RET_ALLOW);
	list(p, refused, ARRAY_LEN(refused), SECCOMP_RET_ERRNO | EPERM);
	give(p, SECCOMP_RET_ERRNO | ENOSYS);
}

/* A filter has made older kernels slow down all of the process's loads and stores; what runs a
 * guest's code wants that as little as without a filter. */
static int install(struct sock_fprog *prog)
{
#ifdef SECCOMP_FILTER_FLAG_SPEC_ALLOW
	if (syscall(CALL(seccomp), SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, prog) ==
	    0)
		return 0;
#endif
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog);
}

/* The right to put words into any terminal goes, but for who shares folders: it is also that to
 * attributes of some kinds (capabilities(7), CAP_SYS_ADMIN).  False: it is there still. */
static bool give_up_admin(unsigned calls)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	const uint32_t admin = CAP_TO_MASK(CAP_SYS_ADMIN);

	if (syscall(CALL(capget), &h, d) < 0)
		return false;
	if (!(d[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted & admin))
		return true;
	if (calls & OS_CALLS_FILES)
		return false;
	d[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~admin;
	d[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted &= ~admin;
	return syscall(CALL(capset), &h, d) == 0;
}

int os_seccomp(unsigned calls, bool terminal, struct err *e)
{
	struct program p = { .n = 0 };
	struct sock_fprog prog = { .filter = p.insn };
	const bool admin = !give_up_admin(calls);

	build(&p, calls, terminal || admin);
	prog.len = (unsigned short)p.n;
	if (install(&prog) < 0)
		return err_set(e, errno,
		    "the kernel takes no seccomp filter, so system calls are not guarded: %s",
		    strerror(errno));
	return 0;
}
#else
int os_seccomp(unsigned calls, bool terminal, struct err *e)
{
	(void)calls, (void)terminal;
	return err_set(
	    e, ENOTSUP, "system calls are not guarded, since Lodge does not know this CPU's");
}
#endif
#endif
