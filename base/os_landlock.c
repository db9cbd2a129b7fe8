/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files.  Source: Linux, Documentation/userspace-api/landlock.rst (6.18), ABI 1 to 7; the
 * numbers are here, since headers of older systems do not have all of them.
 */
#include "base/os_sandbox.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* landlock_create_ruleset and its brothers have one number on all CPUs. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_CHAR = 1 << 6,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9,
	MAKE_FIFO = 1 << 10,
	MAKE_BLOCK = 1 << 11,
	MAKE_SYM = 1 << 12,
	REFER = 1 << 13,    /* ABI 2 */
	TRUNCATE = 1 << 14, /* ABI 3 */
	OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
};

enum { BIND_TCP = 1, CONNECT_TCP = 2 };               /* ABI 4 */
enum { SCOPE_ABSTRACT_SOCKET = 1, SCOPE_SIGNAL = 2 }; /* ABI 6 */

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* Older kernels refuse what they do not know. */
static struct ruleset handled_by(long abi, unsigned calls)
{
	struct ruleset r = { .fs = (1 << 13) - 1 };

	if (abi >= 2)
		r.fs |= REFER;
	if (abi >= 3)
		r.fs |= TRUNCATE;
	if (abi >= 4 && !(calls & OS_CALLS_INET))
		r.net = BIND_TCP | CONNECT_TCP;
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	return r;
}

/* Nodes of devices are for shared folders alone: root's guests may make them there. */
static uint64_t access_of(unsigned rights, unsigned calls)
{
	uint64_t fs = 0;

	if (rights & OS_PATH_READ)
		fs |= READ_FILE | READ_DIR;
	if (rights & OS_PATH_WRITE)
		fs |= WRITE_FILE | TRUNCATE;
	if (rights & OS_PATH_MAKE)
		fs |= MAKE_REG | MAKE_DIR | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER;
	if (rights & OS_PATH_MAKE && calls & OS_CALLS_FILES)
		fs |= MAKE_CHAR | MAKE_BLOCK;
	if (rights & OS_PATH_REMOVE)
		fs |= REMOVE_FILE | REMOVE_DIR | REFER;
	return fs;
}

static int add_path(
    int rules, const struct os_path *p, uint64_t handled, unsigned calls, struct err *e)
{
	struct path_beneath rule = { .allowed = access_of(p->rights, calls) & handled };
	struct stat st;
	int rc = 0;

	rule.fd = open(p->path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return 0;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= OF_FILES;
	if (rule.allowed && syscall(ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = err_set(e, errno, "landlock: %s: %s", p->path, strerror(errno));
	close(rule.fd);
	return rc;
}

/* For os_ram_touched. */
static const struct os_path pagemap = { "/proc/self/pagemap", OS_PATH_READ };

int os_landlock(const struct os_path *paths, size_t n, unsigned calls, struct err *e)
{
	const long abi = syscall(CREATE_RULESET, NULL, 0, RULESET_VERSION);
	struct ruleset handled;
	int rules, rc = 0;

	if (abi < 1)
		return err_set(e, ENOTSUP,
		    "the kernel has no landlock, so files are not guarded: %s", strerror(errno));
	handled = handled_by(abi, calls);
	rules = (int)syscall(CREATE_RULESET, &handled, sizeof handled, 0);
	if (rules < 0 && errno == E2BIG)
		rules = (int)syscall(CREATE_RULESET, &handled, sizeof handled.fs, 0);
	if (rules < 0)
		return err_set(e, errno, "landlock: %s", strerror(errno));
	rc = add_path(rules, &pagemap, handled.fs, calls, e);
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_path(rules, &paths[i], handled.fs, calls, e);
	if (!rc && syscall(RESTRICT_SELF, rules, 0) < 0)
		rc = err_set(e, errno, "landlock: %s", strerror(errno));
	close(rules);
	return rc;
}
#endif
