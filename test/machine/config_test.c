/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and their values, the grammar of vm.conf, what is guessed, and that what config_print writes
 * config_read reads back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/net/net.h"
#include "machine/config.h"
#include "test/cmocka.h"

/* A file with this content; the name is good until the next call. */
static const char *file_with(const void *data, size_t n)
{
	static char path[64];
	int fd;

	if (path[0])
		unlink(path);
	strcpy(path, "/tmp/lodge-config-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), (ssize_t)n);
	close(fd);
	return path;
}

static const char *text_file(const char *text)
{
	return file_with(text, strlen(text));
}

/* The smallest file that says riscv64: an ELF header. */
static const char *elf_file(unsigned machine)
{
	unsigned char h[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	h[16] = 2;
	h[18] = (unsigned char)machine;
	h[19] = (unsigned char)(machine >> 8);
	h[20] = 1;
	h[52] = 64;
	return file_with(h, sizeof(h));
}

static void set(struct config *c, const char *key, const char *value)
{
	struct err e = { "" };

	if (config_set(c, key, value, &e))
		fail_msg("%s=%s: %s", key, value, e.text);
}

/* The reason names the key and the value that was refused. */
static void refused(const char *key, const char *value, const char *reason)
{
	struct config c;
	struct err e = { "" };

	config_init(&c);
	assert_int_equal(config_set(&c, key, value, &e), -EINVAL);
	if (!strstr(e.text, key) || !strstr(e.text, reason) || strchr(e.text, '\n'))
		fail_msg("%s=%s gave: %s", key, value, e.text);
	config_free(&c);
}

static void keys_take_their_values(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	set(&c, "memory", "2G");
	assert_true(c.memory == 2ull << 30);
	set(&c, "memory", "64");
	assert_true(c.memory == 64ull << 20);
	set(&c, "reverse-memory", "1G");
	assert_true(c.reverse_memory == 1ull << 30);
	assert_true(c.memory == 64ull << 20);
	set(&c, "cpus", "8");
	assert_int_equal(c.cpus, 8);
	set(&c, "timeout", "500ms");
	assert_true(c.timeout_ns == 500000000);
	set(&c, "reboot", "no");
	assert_true(c.no_reboot);
	set(&c, "reboot", "yes");
	assert_false(c.no_reboot);
	set(&c, "exit-from-guest", "yes");
	assert_true(c.exit_from_guest);
	set(&c, "cmdline", "");
	assert_string_equal(c.cmdline, "");
	set(&c, "console", "unix:/tmp/x");
	set(&c, "trace", "sbi,virtio");
	set(&c, "entry", "pvh");
	set(&c, "kernel", "a");
	set(&c, "kernel", "b");
	assert_string_equal(c.kernel, "b");
	config_free(&c);
}

static void disks_are_added(void **state)
{
	struct config c;
	struct err e;

	(void)state;
	config_init(&c);
	set(&c, "disk", "x.img,ro,snapshot,if=virtio");
	assert_string_equal(c.disk[0].path, "x.img");
	assert_string_equal(c.disk[0].bus, "virtio");
	assert_true(c.disk[0].readonly && c.disk[0].snapshot);
	set(&c, "disk", "a,,b,,,ro");
	assert_string_equal(c.disk[1].path, "a,b,");
	assert_true(c.disk[1].readonly && !c.disk[1].snapshot);
	set(&c, "disk", "nbd://h/x,format=raw,direct,discard=off,serial=WD-1,queues=4");
	assert_string_equal(c.disk[2].path, "nbd://h/x");
	assert_string_equal(c.disk[2].format, "raw");
	assert_string_equal(c.disk[2].serial, "WD-1");
	assert_true(c.disk[2].direct && c.disk[2].no_discard);
	assert_int_equal(c.disk[2].queues, 4);
	set(&c, "disk", "z,discard=off,discard=on");
	assert_false(c.disk[3].no_discard);
	for (int i = 4; i < CONFIG_DISKS; i++)
		set(&c, "disk", "y");
	assert_int_equal(config_set(&c, "disk", "z", &e), -EINVAL);
	assert_int_equal(c.ndisks, CONFIG_DISKS);
	config_free(&c);
}

static void ports_are_added(void **state)
{
	struct config c;
	struct config_port p;
	struct err e;

	(void)state;
	config_init(&c);
	set(&c, "port", "org.qemu.guest_agent.0,unix:/tmp/qga");
	set(&c, "port", "log,file:/tmp/a,b");
	assert_int_equal(c.nports, 2);
	assert_int_equal(config_port(&p, c.port[1], &e), 0);
	assert_string_equal(p.name, "log");
	assert_string_equal(p.line, "file:/tmp/a,b");
	assert_int_equal(config_set(&c, "port", "log,file:/tmp/c", &e), -EINVAL);
	assert_non_null(strstr(e.text, "of this name"));
	for (unsigned i = 2; i < CONFIG_PORTS; i++) {
		char value[32];

		snprintf(value, sizeof value, "p%u,unix:x", i);
		set(&c, "port", value);
	}
	assert_int_equal(config_set(&c, "port", "more,file:/tmp/c", &e), -EINVAL);
	assert_non_null(strstr(e.text, "8 ports"));
	config_free(&c);
}

static void devices_are_added(void **state)
{
	struct config c;
	struct config_device d;
	struct err e;

	(void)state;
	config_init(&c);
	set(&c, "device", "rtc_goldfish");
	set(&c, "device", "sifive_test,irq=40,addr=0x10200000");
	set(&c, "device", "isa_debugcon,console=file:/tmp/log,port=0x402");
	assert_int_equal(c.ndevices, 3);
	assert_int_equal(config_device(&d, c.device[0], &e), 0);
	assert_string_equal(d.name, "rtc_goldfish");
	assert_int_equal(d.addr, 0);
	assert_int_equal(d.irq, 0);
	assert_int_equal(config_device(&d, c.device[1], &e), 0);
	assert_int_equal(d.addr, 0x10200000);
	assert_int_equal(d.irq, 40);
	assert_string_equal(d.console, "");
	assert_int_equal(config_device(&d, c.device[2], &e), 0);
	assert_string_equal(d.console, "file:/tmp/log");
	assert_int_equal(d.port, 0x402);
	for (unsigned i = 3; i < CONFIG_DEVICES; i++)
		set(&c, "device", "sifive_test");
	assert_int_equal(config_set(&c, "device", "sifive_test", &e), -EINVAL);
	config_free(&c);
	refused("device", "walrus", "rtc_goldfish");
	refused("device", "rtc_goldfish,", "irq=N");
	refused("device", "rtc_goldfish,irq=0", "irq=N");
	refused("device", "rtc_goldfish,addr=17", "0x1000");
	refused("entry", "linux", "linux64");
	refused("device", "rtc_goldfish,port=0x10000", "port=PORT");
	refused("device", "isa_debugcon,console=stdio", "console=file:PATH");
	refused("device", "isa_debugcon,console=file:", "console=file:PATH");
}

static void bad_values_are_refused_by_name(void **state)
{
	(void)state;
	refused("memory", "lots", "512M");
	refused("memory", "0", "1M");
	refused("memory", "4097K", "4K");
	refused("memory", "99999999999", "1024G");
	refused("cpus", "0", "1 to 64");
	refused("cpus", "65", "1 to 64");
	refused("cpus", "two", "1 to 64");
	refused("timeout", "soon", "60s");
	refused("seed", "-1", "number");
	refused("paused", "maybe", "yes or no");
	refused("kernel", "", "wanted");
	refused("disk", "", "file");
	refused("disk", "x,rw", "ro");
	refused("disk", "x,if=sata", "if=virtio");
	refused("controllers", "sata", "scsi,nvme");
	refused("disk", "x,if=", "if=virtio");
	refused("disk", "x,format=vmdk", "raw");
	refused("disk", "x,serial=", "1 to 20");
	refused("disk", "x,serial=a b", "1 to 20");
	refused("disk", "x,serial=123456789012345678901", "1 to 20");
	refused("disk", "x,queues=0", "1 to 16");
	refused("disk", "x,queues=17", "1 to 16");
	refused("disk", "x,discard=maybe", "discard=on");
	refused("console", "tcp:1", "unix:PATH");
	refused("console", "file:", "file:PATH");
	refused("port", ",unix:x", "name of 1 to 63");
	refused("port", "name", "unix:PATH or file:PATH");
	refused("port", "name,stdio", "unix:PATH or file:PATH");
	refused("balloon", "yes", "deflate-on-oom");
	refused("virtio", "new", "transitional");
	refused("virtio-ring", "packed,", "in-order");
	refused("virtio-ring", "round", "in-order");
	refused("virtio-bus", "isa", "mmio, pci");
	refused("display", "cga", "vga, none");
	refused("engine", "kqemu", "auto");
	refused("engine", "", "auto");
	refused("engine", "soft+", "auto");
	refused("engine", "soft+soft", "several with +");
	refused("engine", "auto+soft", "several with +");
	refused("engine-after", "soft", "TIME:ENGINE");
	refused("engine-after", ":soft", "TIME:ENGINE");
	refused("engine-after", "soon:soft", "TIME:ENGINE");
	refused("engine-after", "1s:", "there is no engine \"\"");
	refused("engine-after", "1s:kqemu", "there is no engine \"kqemu\"");
	refused("arch", "z80", "riscv64");
	refused("machine", "toaster", "virt");
	refused("trace", "sbi,nonsense", "exceptions");
	refused("name", "a b", "letters");
	refused("name", "-x", "letters");
	refused("colour", "red", "help keys");
}

static void about(void *arg, const char *key, const char *text)
{
	unsigned *n = arg;

	assert_true(key[0] && text[0]);
	(*n)++;
}

static void an_unknown_key_is_refused(void **state)
{
	struct config c;
	struct err e;
	unsigned n = 0;

	(void)state;
	config_init(&c);
	config_set(&c, "a-key-with-quite-a-long-name-that-nobody-knows", "", &e);
	assert_non_null(strstr(e.text, "\"a-key-with-quite-a-long-\""));
	assert_non_null(strstr(e.text, "lodge help keys"));
	config_keys(about, &n);
	assert_int_equal(n, 58);
}

static char *printed(const struct config *c)
{
	struct buf b = { 0 };

	config_print(c, &b);
	buf_put(&b, "", 1);
	assert_false(b.failed);
	return (char *)b.data;
}

static void same_after_round_trip(const struct config *c)
{
	struct config back;
	struct err e = { "" };
	char *once = printed(c), *twice;

	config_init(&back);
	if (config_read(&back, text_file(once), &e))
		fail_msg("%s in:\n%s", e.text, once);
	twice = printed(&back);
	assert_string_equal(once, twice);
	assert_int_equal(back.ndisks, c->ndisks);
	for (unsigned i = 0; i < c->ndisks; i++)
		assert_string_equal(back.disk[i].path, c->disk[i].path);
	if (c->cmdline)
		assert_string_equal(back.cmdline, c->cmdline);
	assert_true(back.memory == c->memory && back.timeout_ns == c->timeout_ns);
	free(once);
	free(twice);
	config_free(&back);
}

static void print_reads_back(void **state)
{
	struct config c;
	char odd[256];

	(void)state;
	config_init(&c);
	same_after_round_trip(&c);
	for (int i = 0; i < 255; i++)
		odd[i] = (char)(i + 1);
	odd[255] = '\0';
	set(&c, "device", "rtc_goldfish,irq=9");
	set(&c, "port", "a,unix:/tmp/x y");
	set(&c, "port", "b,file:/tmp/\"");
	set(&c, "cmdline", odd);
	set(&c, "kernel", "/tmp/a \"b\"\\ #{}=");
	set(&c, "disk", "a,, b,ro");
	set(&c, "disk", "},snapshot");
	set(&c, "disk", "x,direct,discard=off,format=raw,queues=3,serial=a\"#{,,b");
	set(&c, "memory", "1028K");
	set(&c, "cpus", "3");
	set(&c, "timeout", "1500ms");
	set(&c, "reboot", "no");
	set(&c, "paused", "yes");
	set(&c, "deterministic", "yes");
	set(&c, "exit-from-guest", "yes");
	set(&c, "seed", "18446744073709551615");
	set(&c, "trace", "mmu");
	set(&c, "firmware", "none");
	set(&c, "initrd", "i");
	set(&c, "console", "file:a b");
	set(&c, "engine", "interp+soft");
	set(&c, "engine-after", "2500ms:soft");
	set(&c, "engine-after", "5:interp");
	set(&c, "arch", "riscv64");
	same_after_round_trip(&c);
	set(&c, "name", "web.1");
	same_after_round_trip(&c);
	config_free(&c);
}

/* Network cards add up, none takes them away, and what nobody asked for is a network of the guest's
 * own. */
static void nets_are_added(void **state)
{
	struct config c;
	struct err e = { "" };
	char *text;

	(void)state;
	config_init(&c);
	set(&c, "net", "unix:/tmp/a,, b,listen");
	set(&c, "net", "tap:tap0,mac=52:54:00:00:00:01");
	assert_int_equal(c.nnets, 2);
	same_after_round_trip(&c);
	set(&c, "net", "none");
	assert_int_equal(c.nnets, 0);
	assert_true(c.no_net);
	same_after_round_trip(&c);
	text = printed(&c);
	assert_non_null(strstr(text, "net \"none\""));
	free(text);
	set(&c, "kernel", elf_file(243));
	assert_int_equal(config_finish(&c, &e), 0);
	assert_int_equal(c.nnets, 0);
	for (int i = 0; i < CONFIG_NETS; i++)
		set(&c, "net", "tap:tap0");
	assert_false(c.no_net);
	assert_int_equal(config_set(&c, "net", "tap:tap0", &e), -EINVAL);
	assert_non_null(strstr(e.text, "8 network cards already"));
	config_free(&c);
	refused("net", "nat", "there is tap, unix, user, none");

	config_init(&c);
	set(&c, "kernel", elf_file(243));
	assert_int_equal(config_finish(&c, &e), 0);
	assert_int_equal(c.nnets, net_has_class("user"));
	assert_true(c.own_net == net_has_class("user"));
	if (c.nnets)
		assert_string_equal(c.net[0], "user");
	config_free(&c);
	config_init(&c);
	set(&c, "kernel", elf_file(243));
	set(&c, "deterministic", "yes");
	assert_int_equal(config_finish(&c, &e), 0);
	assert_int_equal(c.nnets, 0);
	config_free(&c);
}

/* Where a disk goes if it is not said; what its name and its bus have to do with that. */
static void disks_find_their_bus(void **state)
{
	static const struct {
		const char *value, *bus;
		bool cdrom;
	} good[] = {
		{ "x.img", "virtio", false },
		{ "x.ISO", "ahci", true },
		{ "x.iso,if=virtio", "virtio", false },
		{ "x.iso,if=ide", "ide", true },
		{ "x,cdrom", "ahci", true },
		{ "x,if=nvme", "nvme", false },
		{ "x,if=ahci", "ahci", false },
	};
	struct config c;
	struct err e = { "" };

	(void)state;
	config_init(&c);
	set(&c, "arch", "x86_64");
	set(&c, "machine", "pc");
	set(&c, "firmware", "none");
	set(&c, "kernel", elf_file(62));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		set(&c, "disk", good[i].value);
	if (config_finish(&c, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_string_equal(c.disk[i].bus, good[i].bus);
		assert_int_equal(c.disk[i].cdrom, good[i].cdrom);
		assert_int_equal(c.disk[i].readonly, good[i].cdrom);
	}
	config_free(&c);

	config_init(&c);
	set(&c, "kernel", elf_file(243));
	set(&c, "disk", "x.iso");
	assert_int_equal(config_finish(&c, &e), 0);
	assert_string_equal(c.disk[0].bus, "virtio");
	set(&c, "disk", "y.iso,if=ahci");
	set(&c, "disk", "z,cdrom");
	assert_int_equal(config_finish(&c, &e), 0);
	assert_true(c.disk[1].cdrom);
	assert_string_equal(c.disk[2].bus, "ahci");
	set(&c, "disk", "y,if=ide");
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "machine virt has virtio scsi ahci nvme"));
	config_free(&c);

	config_init(&c);
	set(&c, "kernel", elf_file(62));
	set(&c, "machine", "microvm");
	set(&c, "disk", "z,cdrom");
	set(&c, "disk", "z.iso,if=scsi");
	assert_int_equal(config_finish(&c, &e), 0);
	assert_string_equal(c.disk[0].bus, "scsi");
	assert_true(c.disk[1].cdrom);
	config_free(&c);

	config_init(&c);
	set(&c, "machine", "pc");
	set(&c, "kernel", elf_file(62));
	set(&c, "disk", "y,if=nvme,cdrom");
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "not if=nvme"));
	config_free(&c);
}

static void file_forms(void **state)
{
	struct config c;
	struct err e = { "" };
	const char *text = "# a comment\n"
			   "memory = 1G # with a word behind\n"
			   "\tcpus\t2\n"
			   "vm \"web\"\n"
			   "{\n"
			   "  kernel \"/k \\x41\\\"\\\\\\t\"\n"
			   "  cmdline=console=ttyS0\n"
			   "  disk \"a,b.img\" ro   snapshot\n"
			   "  disk plain.img,ro\n"
			   "  disk \"q\".img,if=virtio ro }\n"
			   "timeout 5m";

	(void)state;
	config_init(&c);
	if (config_read(&c, text_file(text), &e))
		fail_msg("%s", e.text);
	assert_string_equal(c.name, "web");
	assert_true(c.memory == 1ull << 30);
	assert_int_equal(c.cpus, 2);
	assert_string_equal(c.kernel, "/k A\"\\\t");
	assert_string_equal(c.cmdline, "console=ttyS0");
	assert_int_equal(c.ndisks, 3);
	assert_string_equal(c.disk[0].path, "a,b.img");
	assert_true(c.disk[0].readonly && c.disk[0].snapshot);
	assert_string_equal(c.disk[1].path, "plain.img");
	assert_string_equal(c.disk[2].path, "q.img");
	assert_true(c.disk[2].readonly);
	assert_true(c.timeout_ns == 300000000000);
	config_free(&c);
}

static void file_with_several_vms(void **state)
{
	const char *text = "cpus 2\nvm a { kernel \"ka\" }\nvm \"b\" {\n kernel kb\n}\n";
	struct config c;
	struct err e;

	(void)state;
	config_init(&c);
	assert_int_equal(config_read(&c, text_file(text), &e), -EINVAL);
	assert_non_null(strstr(e.text, "2 VMs"));
	assert_null(c.kernel);
	set(&c, "name", "c");
	assert_int_equal(config_read(&c, text_file(text), &e), -EINVAL);
	assert_non_null(strstr(e.text, "no vm \"c\""));
	assert_int_equal(c.cpus, 0);
	set(&c, "name", "b");
	assert_int_equal(config_read(&c, text_file(text), &e), 0);
	assert_string_equal(c.kernel, "kb");
	assert_int_equal(c.cpus, 2);
	config_free(&c);
}

static void file_errors_say_where(void **state)
{
	static const struct {
		const char *text, *where, *what;
	} bad[] = {
		{ "cpus 1\ncolour red\n", ":2:", "colour" },
		{ "cpus 99\n", ":1:", "1 to 64" },
		{ "\n\nkernel\n", ":3:", "missing" },
		{ "kernel \"abc\n\"", ":1:", "quote" },
		{ "kernel \"\\q\"", ":1:", "escape" },
		{ "kernel \"\\x00\"", ":1:", "escape" },
		{ "kernel \"\\x4", ":1:", "escape" },
		{ "kernel \"\\", ":1:", "escape" },
		{ "kernel a b\n", ":1:", "quotes" },
		{ "vm \"x\"\n cpus 1\n", ":2:", "{" },
		{ "vm \"x\" {\n cpus 1\n", ":3:", "}" },
		{ "vm { cpus 1 }\n", ":1:", "missing" },
		{ "}\n", ":1:", "}" },
		{ "vm a { vm b { } }\n", ":1:", "" },
		{ "= 1\n", ":1:", "key" },
		{ "cpus 1 { }\n", ":1:", "new line" },
		/* In a block that would not be used, too. */
		{ "vm a { cpus 0 }\nvm b { cpus 1 }\n", ":1:", "1 to 64" },
	};
	struct config c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		config_init(&c);
		assert_int_equal(config_read(&c, text_file(bad[i].text), &e), -EINVAL);
		if (!strstr(e.text, bad[i].where) || !strstr(e.text, bad[i].what))
			fail_msg("%s gave: %s", bad[i].text, e.text);
		assert_int_equal(c.cpus, 0);
		assert_null(c.name);
		config_free(&c);
	}
	config_init(&c);
	assert_int_equal(config_read(&c, file_with("cpus 1\n\0cpus 2\n", 15), &e), -EINVAL);
	assert_int_equal(config_read(&c, "/nonexistent/vm.conf", &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/vm.conf"));
}

/* Every prefix of a good file, and the file with any one byte spoilt, is read or refused. */
static void spoilt_files(void **state)
{
	const char *text = "vm \"w\\x41\" {\n\tdisk \"a\" ro,if=virtio # c\n\tmemory = 1G\n}\n";
	const char spoil[] = { '"', '{', '}', '\\', '\n', '#', ' ', '\xff' };
	char copy[128];
	size_t n = strlen(text);
	struct config c;

	(void)state;
	for (size_t i = 0; i < n * (sizeof(spoil) + 1); i++) {
		size_t at = i % n, how = i / n;

		strcpy(copy, text);
		copy[at] = how ? spoil[how - 1] : '\0';
		config_init(&c);
		config_read(&c, text_file(copy), NULL);
		config_free(&c);
	}
}

static void copies_are_apart(void **state)
{
	struct config a, b;

	(void)state;
	config_init(&a);
	set(&a, "kernel", "k");
	set(&a, "disk", "d");
	assert_int_equal(config_copy(&b, &a, NULL), 0);
	assert_string_equal(b.kernel, "k");
	assert_ptr_not_equal(a.disk[0].path, b.disk[0].path);
	config_free(&a);
	assert_string_equal(b.disk[0].path, "d");
	config_free(&b);
}

static void finish_fills_in_and_guesses(void **state)
{
	struct config c;
	struct err e = { "" };

	(void)state;
	config_init(&c);
	set(&c, "kernel", elf_file(243));
	if (config_finish(&c, &e))
		fail_msg("%s", e.text);
	assert_string_equal(c.arch, "riscv64");
	assert_string_equal(c.machine, "virt");
	assert_string_equal(c.engine, "auto");
	assert_string_equal(c.console, "stdio");
	assert_true(c.memory == 512ull << 20);
	assert_int_equal(c.cpus, 1);
	config_free(&c);
}

static void finish_refuses(void **state)
{
	struct config c;
	struct err e;

	(void)state;
	config_init(&c);
	assert_true(config_finish(&c, &e) < 0);
	assert_non_null(strstr(e.text, "nothing to run"));
	set(&c, "firmware", "none");
	assert_true(config_finish(&c, &e) < 0);
	set(&c, "kernel", "/nonexistent/k");
	assert_true(config_finish(&c, &e) < 0);
	assert_non_null(strstr(e.text, "/nonexistent/k"));
	set(&c, "kernel", elf_file(183));
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "aarch64"));
	assert_non_null(strstr(e.text, "riscv64"));
	set(&c, "arch", "riscv64");
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	set(&c, "kernel", file_with("", 0));
	assert_true(config_finish(&c, &e) < 0);
	config_free(&c);
	config_init(&c);
	set(&c, "kernel", text_file("some words, but no header"));
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "-a riscv64"));
	set(&c, "machine", "virt");
	assert_int_equal(config_finish(&c, &e), 0);
	config_free(&c);
	config_init(&c);
	set(&c, "firmware", elf_file(243));
	set(&c, "initrd", "x");
	assert_int_equal(config_finish(&c, &e), -EINVAL);
	config_free(&c);
	unlink(text_file(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_take_their_values),
		cmocka_unit_test(disks_are_added),
		cmocka_unit_test(nets_are_added),
		cmocka_unit_test(devices_are_added),
		cmocka_unit_test(ports_are_added),
		cmocka_unit_test(bad_values_are_refused_by_name),
		cmocka_unit_test(an_unknown_key_is_refused),
		cmocka_unit_test(print_reads_back),
		cmocka_unit_test(disks_find_their_bus),
		cmocka_unit_test(file_forms),
		cmocka_unit_test(file_with_several_vms),
		cmocka_unit_test(file_errors_say_where),
		cmocka_unit_test(spoilt_files),
		cmocka_unit_test(copies_are_apart),
		cmocka_unit_test(finish_fills_in_and_guesses),
		cmocka_unit_test(finish_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
