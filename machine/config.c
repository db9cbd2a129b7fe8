/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "machine/config_key.h"

static const uint64_t MIB = 1 << 20;
static const uint64_t MAX_MEMORY = 1ull << 40;
static const uint64_t PAGE = 4096;
static const unsigned MAX_CPUS = 64;

/* How a key's value is read, kept and printed. */
enum kind { TEXT, SIZE, COUNT, DURATION, NUMBER, YES_NO, NO_YES, DISK, LIST };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	/* TEXT: looks at the value before it is taken; may be NULL: anything but nothing. */
	int (*check)(const char *key, const char *value, struct err *);
	const char *about;
};

#define AT(member) offsetof(struct config, member)

/* In the order of printing. */
static const struct key keys[] = {
	{ "name", TEXT, AT(name), config_check_name, "what the VM is called" },
	{ "arch", TEXT, AT(arch), config_check_arch,
	    "guest CPU; default: what the kernel is made for" },
	{ "machine", TEXT, AT(machine), config_check_machine,
	    "board; default: the usual one of the CPU" },
	{ "engine", TEXT, AT(engine), config_check_engine,
	    "what runs the CPUs; default auto: the best" },
	{ "engine-after", LIST, AT(after), NULL,
	    "TIME:ENGINE: the machine moves to that one when the guest has run so long; up to 8" },
	{ "memory", SIZE, AT(memory), NULL,
	    "RAM: 512M, 2G; a plain number is in MiB; default 512M" },
	{ "cpu-model", TEXT, AT(cpu_model), config_check_any,
	    "which CPU of its kind, with +feature and -feature; default: the best" },
	{ "cpus", COUNT, AT(cpus), NULL,
	    "number of CPUs, as many as the machine has room for; default 1" },
	{ "firmware", TEXT, AT(firmware), NULL,
	    "a file, or none; default: the VM is the firmware" },
	{ "firmware-vars", TEXT, AT(firmware_vars), NULL,
	    "a file that is the firmware's flash for variables; it is written" },
	{ "kernel", TEXT, AT(kernel), NULL, "kernel or program file: ELF, Image, raw" },
	{ "initrd", TEXT, AT(initrd), NULL, "initial RAM disk file" },
	{ "cmdline", TEXT, AT(cmdline), config_check_any, "the kernel's command line" },
	{ "entry", TEXT, AT(entry), config_check_entry,
	    "how an x86 kernel is started: linux64, pvh, ...; default auto" },
	{ "disk", DISK, AT(disk), NULL,
	    "FILE[,ro][,snapshot][,cdrom][,if=virtio|scsi|ahci|ide|nvme|floppy][,OPTION...]; up to "
	    "8, "
	    "each "
	    "one more disk" },
	{ "net", LIST, AT(net), NULL,
	    "user[,fwd=tcp:PORT:PORT]..., tap:NAME, unix:PATH[,listen] or none; up to 8, each one "
	    "more network card; default user" },
	{ "device", LIST, AT(device), NULL,
	    "NAME[,addr=ADDRESS][,port=PORT][,irq=N][,console=file:PATH]: one more device; up to "
	    "8" },
	{ "port", LIST, AT(port), NULL,
	    "NAME,unix:PATH or NAME,file:PATH: one more port of the virtio console device; up to "
	    "8" },
	{ "share", LIST, AT(share), NULL,
	    "FOLDER:TAG[,ro][,mapped]: a folder that the guest mounts by 9P; up to 8" },
	{ "vsock", TEXT, AT(vsock), config_check_vsock,
	    "PATH[,cid=N]: sockets between guest and host, found at PATH" },
	{ "console", TEXT, AT(console), config_check_console,
	    "stdio, pty, keep (for lodge console), unix:PATH, file:PATH, none; default stdio" },
	{ "console-device", TEXT, AT(console_device), config_check_console_device,
	    "uart (ttyS0) or virtio (hvc0): what the console is for the guest; default uart" },
	{ "display", TEXT, AT(display), config_check_display,
	    "vga or none; default: what the board has" },
	{ "vgabios", TEXT, AT(vgabios), NULL,
	    "the display's BIOS: a file, or none; default: beside the firmware" },
	{ "ctl", TEXT, AT(ctl), NULL,
	    "control socket: a path, auto (found by the VM's name), none; default none" },
	{ "balloon", TEXT, AT(balloon), config_check_balloon,
	    "on: the guest can be asked for memory; deflate-on-oom: and may take it back; default "
	    "off" },
	{ "virtio", TEXT, AT(virtio), config_check_virtio,
	    "modern, legacy or transitional: what virtio devices look like; default modern" },
	{ "virtio-ring", TEXT, AT(virtio_ring), config_check_virtio_ring,
	    "split or packed[,in-order][,notify-data]: what virtio devices offer for queues" },
	{ "virtio-bus", TEXT, AT(virtio_bus), config_check_virtio_bus,
	    "mmio or pci: where virtio devices are; default: what the board prefers" },
	{ "controllers", TEXT, AT(controllers), config_check_controllers,
	    "scsi, nvme or both: controllers without a disk, for disks that are added later" },
	{ "hotplug-ports", NUMBER, AT(hotplug_ports), config_check_ports,
	    "slots on PCI for virtio disks and networks that come and go, up to 8; default 0" },
	{ "timeout", DURATION, AT(timeout_ns), NULL, "ends the run after 60s, 5m, 1h; 0: never" },
	{ "exit-from-guest", YES_NO, AT(exit_from_guest), NULL,
	    "yes: the exit status is the guest's own" },
	{ "reboot", NO_YES, AT(no_reboot), NULL, "no: a reset ends the run (exit 3); default yes" },
	{ "gdb", TEXT, AT(gdb), config_check_gdb,
	    "[HOST:]PORT, unix:PATH or none: where a debugger finds the VM; default none" },
	{ "paused", YES_NO, AT(paused), NULL, "yes: do not start the guest yet" },
	{ "deterministic", YES_NO, AT(deterministic), NULL,
	    "yes: time counts instructions, random numbers come from seed" },
	{ "reverse", YES_NO, AT(reverse), NULL,
	    "yes: a debugger can go back in time; implies deterministic" },
	{ "reverse-memory", SIZE, AT(reverse_memory), NULL,
	    "what checkpoints for that may take; default 1G" },
	{ "lockstep", YES_NO, AT(lockstep), NULL,
	    "yes: compare compiled code with the interpreter, slowly; implies deterministic" },
	{ "seed", NUMBER, AT(seed), NULL, "for deterministic; default 0" },
	{ "jit-baseline", YES_NO, AT(jit_baseline), NULL,
	    "yes: host code without what old hosts do not have; for tests" },
	{ "jit-eager", YES_NO, AT(jit_eager), NULL,
	    "yes: host code is made of all that is executed; for tests" },
	{ "jit-paths", YES_NO, AT(jit_paths), NULL,
	    "yes: it is made as if all were hot; for tests" },
	{ "jit-background", YES_NO, AT(jit_background), NULL,
	    "yes: what is hot is compiled on a thread of its own, where the host has several "
	    "CPUs" },
	{ "restore", TEXT, AT(restore), NULL, "a snapshot's file: go on from there, do not boot" },
	{ "restore-any-disk", YES_NO, AT(restore_any_disk), NULL,
	    "yes: also when a disk was written since" },
	{ "record", TEXT, AT(record), NULL,
	    "a file: write all that enters the guest to it, for lodge replay; implies "
	    "deterministic" },
	{ "replay", TEXT, AT(replay), NULL, "a recording's file: play it again; see lodge replay" },
	{ "trace", TEXT, AT(trace), config_check_trace,
	    "events to print: exceptions,mmu,irq,device=NAME,exec=block, ..." },
	{ "trace-file", TEXT, AT(trace_file), NULL,
	    "a file for them, which lodge trace prints, in place of the terminal" },
	{ "trace-last", NUMBER, AT(trace_last), NULL,
	    "prints only so many, the last ones, if the guest crashes, resets or is late" },
	{ "explain", YES_NO, AT(explain), NULL,
	    "yes: says of which exception a guest has died that crashes, resets or is late" },
	{ "daemon", YES_NO, AT(daemon), NULL, "yes: lodge run returns when the guest runs" },
	{ "log", TEXT, AT(log), NULL, "with daemon: the file for what lodge has to say" },
	{ "pidfile", TEXT, AT(pidfile), NULL, "with daemon: the file for the process's number" },
	{ "sandbox", TEXT, AT(sandbox), config_check_sandbox,
	    "on or off: whether the process keeps only what it needs; default of lodge run: on" },
	{ "sandbox-paths", TEXT, AT(sandbox_paths), NULL,
	    "folders and files that it may use in spite of that, with colons between" },
};

/* Keys of kind LIST: texts, of which there may be CONFIG_LIST. */
static const struct list {
	size_t offset, count;
	int (*add)(struct config *, const char *value, struct err *);
} lists[] = {
	{ AT(net), AT(nnets), config_add_net },
	{ AT(device), AT(ndevices), config_add_device },
	{ AT(port), AT(nports), config_add_port },
	{ AT(share), AT(nshares), config_add_share },
	{ AT(after), AT(nafters), config_add_after },
};

static const struct list *list_of(const struct key *k)
{
	const struct list *l = lists;

	while (l->offset != k->offset)
		l++;
	return l;
}

static void *at(struct config *c, const struct key *k)
{
	return (char *)c + k->offset;
}

static char **text_at(struct config *c, const struct key *k)
{
	return at(c, k);
}

/* The n-th string of a config, for those who own them all; NULL behind the last. */
static char **string_of(struct config *c, unsigned n)
{
	struct config_disk *d;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].kind == TEXT && n-- == 0)
			return text_at(c, &keys[i]);
	if (n / CONFIG_LIST < ARRAY_LEN(lists))
		return (char **)(void *)((char *)c + lists[n / CONFIG_LIST].offset) +
		       n % CONFIG_LIST;
	n -= CONFIG_LIST * ARRAY_LEN(lists);
	if (n / 4 >= CONFIG_DISKS)
		return NULL;
	d = &c->disk[n / 4];
	return (char **[]){ &d->path, &d->bus, &d->format, &d->serial }[n % 4];
}

void config_init(struct config *c)
{
	*c = (struct config){ 0 };
}

void config_free(struct config *c)
{
	char **s;

	for (unsigned n = 0; (s = string_of(c, n)); n++)
		free(*s);
	config_init(c);
}

int config_copy(struct config *to, const struct config *from, struct err *e)
{
	char **s;
	int rc = 0;

	*to = *from;
	for (unsigned n = 0; (s = string_of(to, n)); n++) {
		if (!*s)
			continue;
		*s = strdup(*s);
		if (!*s)
			rc = -ENOMEM;
	}
	if (rc) {
		config_free(to);
		err_set(e, ENOMEM, "configuration: no memory");
	}
	return rc;
}

static int set_size(uint64_t *size, const char *key, const char *value, struct err *e)
{
	uint64_t n;

	if (!parse_u64(value, &n)) {
		if (n > MAX_MEMORY / MIB)
			n = MAX_MEMORY / MIB + 1;
		n *= MIB;
	} else if (parse_size(value, &n)) {
		return err_set(
		    e, EINVAL, "%s \"%s\": a size is wanted, such as 512M or 2G", key, value);
	}
	if (n < MIB || n > MAX_MEMORY || n % PAGE)
		return err_set(
		    e, EINVAL, "%s \"%s\": 1M to 1024G in steps of 4K are allowed", key, value);
	*size = n;
	return 0;
}

static int set_yes_no(bool *b, bool yes, const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "yes") || !strcmp(value, "on"))
		*b = yes;
	else if (!strcmp(value, "no") || !strcmp(value, "off"))
		*b = !yes;
	else
		return err_set(e, EINVAL, "%s \"%s\": yes or no is wanted", key, value);
	return 0;
}

static int set_cpus(unsigned *cpus, const char *key, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_u64(value, &n) || n < 1 || n > MAX_CPUS)
		return err_set(
		    e, EINVAL, "%s \"%s\": a number from 1 to %u is wanted", key, value, MAX_CPUS);
	*cpus = (unsigned)n;
	return 0;
}

static int set_key(struct config *c, const struct key *k, const char *value, struct err *e)
{
	int rc;

	switch (k->kind) {
	case TEXT:
		if (!k->check && !*value)
			return err_set(e, EINVAL, "%s: a value is wanted", k->name);
		rc = k->check ? k->check(k->name, value, e) : 0;
		return rc ? rc : config_set_text(text_at(c, k), value, e);
	case SIZE:
		return set_size(at(c, k), k->name, value, e);
	case COUNT:
		return set_cpus(at(c, k), k->name, value, e);
	case DURATION:
		if (parse_duration(value, at(c, k)))
			return err_set(e, EINVAL,
			    "%s \"%s\": a time is wanted, such as 60s, 5m, 1h, 500ms", k->name,
			    value);
		return 0;
	case NUMBER:
		if (parse_u64(value, at(c, k)))
			return err_set(
			    e, EINVAL, "%s \"%s\": a whole number is wanted", k->name, value);
		return k->check ? k->check(k->name, value, e) : 0;
	case YES_NO:
	case NO_YES:
		return set_yes_no(at(c, k), k->kind == YES_NO, k->name, value, e);
	case DISK:
		return config_add_disk(c, value, e);
	case LIST:
		return list_of(k)->add(c, value, e);
	}
	return -EINVAL;
}

int config_set(struct config *c, const char *key, const char *value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!strcmp(keys[i].name, key))
			return set_key(c, &keys[i], value, e);
	return err_set(e, EINVAL, "unknown key \"%.24s\": \"lodge help keys\" lists all", key);
}

void config_keys(void (*fn)(void *arg, const char *key, const char *about), void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		fn(arg, keys[i].name, keys[i].about);
}

static void print_quoted(struct buf *b, const char *s)
{
	buf_printf(b, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_printf(b, "\\n");
		else if (c < ' ' || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_put(b, &c, 1);
	}
	buf_printf(b, "\"");
}

static void print_size(struct buf *b, uint64_t n)
{
	static const char suffix[] = "KMGT";
	int i = -1;

	while (i < 3 && n && n % 1024 == 0) {
		n /= 1024;
		i++;
	}
	if (i < 0)
		buf_printf(b, "%" PRIu64, n);
	else
		buf_printf(b, "%" PRIu64 "%c", n, suffix[i]);
}

static void print_duration(struct buf *b, uint64_t ns)
{
	const uint64_t ms = ns / 1000000;

	if (ms % 1000)
		buf_printf(b, "%" PRIu64 "ms", ms);
	else
		buf_printf(b, "%" PRIu64 "s", ms / 1000);
}

static void print_disks(const struct config *c, const char *indent, struct buf *b)
{
	for (unsigned i = 0; i < c->ndisks; i++) {
		const struct config_disk *d = &c->disk[i];

		buf_printf(b, "%sdisk ", indent);
		print_quoted(b, d->path);
		buf_printf(b, "%s%s%s%s%s", d->readonly ? " ro" : "",
		    d->snapshot ? " snapshot" : "", d->cdrom ? " cdrom" : "",
		    d->direct ? " direct" : "", d->no_discard ? " discard=off" : "");
		if (d->bus)
			buf_printf(b, " if=%s", d->bus);
		if (d->format)
			buf_printf(b, " format=%s", d->format);
		if (d->queues)
			buf_printf(b, " queues=%u", d->queues);
		if (d->serial) {
			buf_printf(b, " serial=");
			print_quoted(b, d->serial);
		}
		buf_printf(b, "\n");
	}
}

static unsigned count_of(const struct config *c, const struct key *k)
{
	return *(const unsigned *)(const void *)((const char *)c + list_of(k)->count);
}

static void print_list(
    const struct config *c, const struct key *k, const char *indent, struct buf *b)
{
	char *const *text = (char *const *)(const void *)((const char *)c + k->offset);

	if (k->offset == AT(net) && c->no_net)
		buf_printf(b, "%snet \"none\"\n", indent);
	for (unsigned n = count_of(c, k); n; n--, text++) {
		buf_printf(b, "%s%s ", indent, k->name);
		print_quoted(b, *text);
		buf_printf(b, "\n");
	}
}

/* Whether the value differs from "not given". */
static bool is_given(const struct config *c, const struct key *k)
{
	const char *p = (const char *)c + k->offset;

	switch (k->kind) {
	case TEXT:
		return *(char *const *)(const void *)p;
	case COUNT:
		return *(const unsigned *)(const void *)p;
	case YES_NO:
	case NO_YES:
		return *(const bool *)p;
	case SIZE:
	case DURATION:
	case NUMBER:
		return *(const uint64_t *)(const void *)p;
	case DISK:
		return c->ndisks;
	case LIST:
		return count_of(c, k) || (k->offset == AT(net) && c->no_net);
	}
	return false;
}

static void print_value(const struct config *c, const struct key *k, struct buf *b)
{
	const void *p = (const char *)c + k->offset;

	switch (k->kind) {
	case TEXT:
		print_quoted(b, *(char *const *)p);
		break;
	case SIZE:
		print_size(b, *(const uint64_t *)p);
		break;
	case COUNT:
		buf_printf(b, "%u", *(const unsigned *)p);
		break;
	case DURATION:
		print_duration(b, *(const uint64_t *)p);
		break;
	case NUMBER:
		buf_printf(b, "%" PRIu64, *(const uint64_t *)p);
		break;
	case YES_NO:
		buf_printf(b, "yes");
		break;
	case NO_YES:
		buf_printf(b, "no");
		break;
	case DISK:
	case LIST:
		break;
	}
}

bool config_get(const struct config *c, const char *key, struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct key *k = &keys[i];

		if (strcmp(k->name, key) || !is_given(c, k) || k->kind == DISK || k->kind == LIST)
			continue;
		if (k->kind == TEXT)
			buf_printf(b, "%s", *text_at((struct config *)(uintptr_t)c, k));
		else
			print_value(c, k, b);
		buf_put(b, "", 1);
		b->len -= !b->failed;
		return true;
	}
	return false;
}

void config_print(const struct config *c, struct buf *b)
{
	const char *indent = c->name ? "\t" : "";

	if (c->name) {
		buf_printf(b, "vm ");
		print_quoted(b, c->name);
		buf_printf(b, " {\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!is_given(c, &keys[i]) || keys[i].offset == AT(name))
			continue;
		if (keys[i].kind == DISK) {
			print_disks(c, indent, b);
			continue;
		}
		if (keys[i].kind == LIST) {
			print_list(c, &keys[i], indent, b);
			continue;
		}
		buf_printf(b, "%s%s ", indent, keys[i].name);
		print_value(c, &keys[i], b);
		buf_printf(b, "\n");
	}
	if (c->name)
		buf_printf(b, "}\n");
}
