/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the engines on hardware are of no use, in words, for each reason that there is: this program
 * is its own /dev/kvm and /dev/HAX. */
#include "engine/engine.h"
#include "test/cmocka.h"

#if defined(__linux__) && defined(__x86_64__)

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/haxm_abi.h"
#include "engine/list.h"

/* The device: open fails with `error`, and else it answers as the rest says. */
static struct {
	int error;
	int version; /* -1: it knows no such request */
	int lacks;   /* a capability; 0: none */
	struct haxm_version hax;
	struct haxm_capability hax_can;
	int fd;
} device;

/* NOLINTBEGIN: what the C library has, by its own names */
int open(const char *path, int flags, ...)
{
	const int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);

	(void)flags;
	if (strcmp(path, "/dev/kvm") != 0 && strcmp(path, HAXM_DEVICE) != 0)
		fail_msg("%s is opened", path);
	if (device.error) {
		close(fd);
		errno = device.error;
		return -1;
	}
	device.fd = fd;
	return fd;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list va;
	void *arg;

	va_start(va, request);
	arg = va_arg(va, void *);
	va_end(va);
	assert_int_equal(fd, device.fd);
	if (request == KVM_CHECK_EXTENSION)
		return (long)arg != device.lacks;
	if (request == KVM_GET_API_VERSION && device.version >= 0)
		return device.version;
	if (request == HAXM_GET_VERSION)
		memcpy(arg, &device.hax, sizeof device.hax);
	else if (request == HAXM_GET_CAPABILITY)
		memcpy(arg, &device.hax_can, sizeof device.hax_can);
	else
		errno = ENOTTY;
	return request == HAXM_GET_VERSION || request == HAXM_GET_CAPABILITY ? 0 : -1;
}
/* NOLINTEND */

static void is_refused(const char *name, const char *cpu, const char *why)
{
	const struct engine_class *c = engine_find(name);
	struct err e = { "" };

	assert_true(c->probe(cpu_find(cpu), &e) < 0);
	if (strncmp(e.text, name, strlen(name)) != 0 || !strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

/* The whole of it is said to whoever asks for that engine. */
static void a_reason_is_not_cut_off(void **state)
{
	struct engine_list l;
	struct err e = { "" };

	(void)state;
	device.error = ENOENT;
	assert_int_equal(engine_list_read(&l, "kvm", cpu_find("x86_64"), false, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "does not let it have virtual machines)"));
	device.error = 0;
}

static void kvm_has_no_device(void **state)
{
	static const int gone[] = { ENOENT, ENODEV, ENXIO }, forbidden[] = { EACCES, EPERM };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		device.error = gone[i];
		is_refused("kvm", "x86_64", "there is no /dev/kvm (the kernel's module");
	}
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		device.error = forbidden[i];
		is_refused(
		    "kvm", "x86_64", "no permission for /dev/kvm (is the user in its group?)");
	}
	device.error = EMFILE;
	is_refused("kvm", "x86_64", "/dev/kvm: Too many open files");
	device.error = 0;
}

static void kvm_is_another_one(void **state)
{
	(void)state;
	is_refused("kvm", "riscv64", "this host's CPU cannot be a riscv64");
	device.version = -1;
	is_refused("kvm", "x86_64", "/dev/kvm is something else: Inappropriate ioctl");
	device.version = KVM_API_VERSION + 1;
	is_refused("kvm", "x86_64", "of version 13, not 12");
	device.version = KVM_API_VERSION;
	device.lacks = KVM_CAP_IMMEDIATE_EXIT;
	is_refused("kvm", "x86_64", "the host's kernel is too old (before Linux 4.13)");
	device.lacks = 0;
}

/* Only a CPU that has virtualization is asked for more. */
static void kvm_lacks_a_capability(void **state)
{
	struct err e = { "" };

	(void)state;
	if (engine_find("kvm")->probe(cpu_find("x86_64"), &e) < 0) {
		is_refused(
		    "kvm", "x86_64", "this machine's CPU has no virtualization (it is a guest");
		skip();
	}
	device.lacks = KVM_CAP_SPLIT_IRQCHIP;
	is_refused("kvm", "x86_64", "lacks KVM_CAP_SPLIT_IRQCHIP (Linux 5.10 has it)");
	device.lacks = 0;
}

static void haxm_has_no_device(void **state)
{
	(void)state;
	is_refused("haxm", "riscv64", "its CPUs are x86_64 only");
	device.error = ENOENT;
	is_refused("haxm", "x86_64", "there is no " HAXM_DEVICE " (the module is not loaded)");
	device.error = EACCES;
	is_refused("haxm", "x86_64", HAXM_DEVICE ": Permission denied");
	device.error = 0;
}

static void haxm_cannot_do_it(void **state)
{
	(void)state;
	device.hax =
	    (struct haxm_version){ .least = HAXM_VERSION + 1, .current = HAXM_VERSION + 2 };
	is_refused("haxm", "x86_64", "its interface is of versions 5 to 6, not 4");
	device.hax = (struct haxm_version){ .least = HAXM_VERSION, .current = HAXM_VERSION };
	device.hax_can.info = HAXM_LACKS_VT;
	is_refused("haxm", "x86_64", "has no VT-x (or the firmware has turned it off)");
	device.hax_can.info = HAXM_LACKS_NX;
	is_refused("haxm", "x86_64", "has no execute disable");
	device.hax_can.status = HAXM_WORKS;
	device.hax_can.info = 0;
	is_refused("haxm", "x86_64", "cannot execute a guest's real mode");
	device.hax_can.info = HAXM_UNRESTRICTED;
	is_refused("haxm", "x86_64", "the module is too old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reason_is_not_cut_off),
		cmocka_unit_test(kvm_has_no_device),
		cmocka_unit_test(kvm_is_another_one),
		cmocka_unit_test(kvm_lacks_a_capability),
		cmocka_unit_test(haxm_has_no_device),
		cmocka_unit_test(haxm_cannot_do_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void elsewhere(void **state)
{
	(void)state;
	skip(); /* the others are not of this host */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(elsewhere) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
