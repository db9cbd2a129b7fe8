/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/block.h"
#include "cpu/cpu.h"
#include "dev/dev.h"
#include "engine/engine.h"
#include "host/image/image.h"
#include "host/net/net.h"
#include "machine/machine.h"

static const uint64_t MIB = 1 << 20;
static const uint64_t MAX_MEMORY = 1ull << 40;
static const uint64_t PAGE = 4096;
static const unsigned MAX_CPUS = 64;
static const unsigned MAX_QUEUES = 16; /* of a disk */

/* How a key's value is read, kept and printed. */
enum kind { TEXT, SIZE, COUNT, DURATION, NUMBER, YES_NO, NO_YES, DISK, NET, DEVICE, PORT, SHARE };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	/* TEXT: looks at the value before it is taken; may be NULL: anything but nothing. */
	int (*check)(const char *key, const char *value, struct err *);
	const char *about;
};

static int check_name(const char *key, const char *value, struct err *e)
{
	size_t n =
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (isalnum((unsigned char)value[0]) && !value[n] && n <= 64)
		return 0;
	return err_set(e, EINVAL,
	    "%s \"%s\": up to 64 letters, digits, '.', '_' and '-' are wanted, a letter or digit "
	    "first",
	    key, value);
}

/* Ends a message with what there is to choose from; the names come one by one. */
static void add_choice(struct buf *b, const char *name)
{
	buf_printf(b, "%s%s", b->len ? ", " : "", name);
}

static int refuse(const char *key, const char *value, struct buf *choice, struct err *e)
{
	int rc = err_set(e, EINVAL, "%s \"%s\": there is %.*s", key, value, (int)choice->len,
	    choice->data ? (const char *)choice->data : "");

	buf_free(choice);
	return rc;
}

static int check_arch(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	if (cpu_find(value))
		return 0;
	for (const struct cpu_class *const *c = cpu_classes; *c; c++)
		add_choice(&choice, (*c)->name);
	return refuse(key, value, &choice, e);
}

static int check_machine(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	for (const struct machine_class *const *m = machine_classes; *m; m++)
		if (!strcmp((*m)->name, value))
			return 0;
	for (const struct machine_class *const *m = machine_classes; *m; m++)
		add_choice(&choice, (*m)->name);
	return refuse(key, value, &choice, e);
}

static int check_engine(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	if (!strcmp(value, "auto") || engine_find(value))
		return 0;
	add_choice(&choice, "auto");
	for (const struct engine_class *const *n = engine_classes; *n; n++)
		add_choice(&choice, (*n)->name);
	return refuse(key, value, &choice, e);
}

static int check_console(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "stdio") || !strcmp(value, "pty") || !strcmp(value, "keep") ||
	    !strcmp(value, "none"))
		return 0;
	if ((!strncmp(value, "unix:", 5) || !strncmp(value, "file:", 5)) && value[5])
		return 0;
	return err_set(e, EINVAL,
	    "%s \"%s\": there is stdio, pty, keep, unix:PATH, file:PATH, none", key, value);
}

static int check_display(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "vga") || !strcmp(value, "none"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is vga, none", key, value);
}

static int check_console_device(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "uart") || !strcmp(value, "virtio"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is uart, virtio", key, value);
}

static int check_virtio(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "modern") || !strcmp(value, "legacy") || !strcmp(value, "transitional"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is modern, legacy, transitional", key, value);
}

/* A list of words. */
static int check_virtio_ring(const char *key, const char *value, struct err *e)
{
	static const char *const words[] = { "split", "packed", "in-order", "notify-data" };
	size_t n, i;

	for (const char *at = value;; at += n + 1) {
		n = strcspn(at, ",");
		for (i = 0; i < ARRAY_LEN(words); i++)
			if (strlen(words[i]) == n && !memcmp(words[i], at, n))
				break;
		if (i == ARRAY_LEN(words))
			return err_set(e, EINVAL,
			    "%s \"%s\": there is split or packed, in-order, notify-data, with "
			    "commas between them",
			    key, value);
		if (!at[n])
			return 0;
	}
}

static int check_balloon(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "on") || !strcmp(value, "off") || !strcmp(value, "deflate-on-oom"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is on, off, deflate-on-oom", key, value);
}

static int check_virtio_bus(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "mmio") || !strcmp(value, "pci"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is mmio, pci", key, value);
}

static int check_sandbox(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "on") || !strcmp(value, "off"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is on, off", key, value);
}

static int check_controllers(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "scsi") || !strcmp(value, "nvme") || !strcmp(value, "scsi,nvme") ||
	    !strcmp(value, "nvme,scsi"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is scsi, nvme, and scsi,nvme", key, value);
}

static int check_entry(const char *key, const char *value, struct err *e)
{
	static const char *const ways[] = { "auto", "linux16", "linux32", "linux64", "multiboot",
		"pvh" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (!strcmp(value, ways[i]))
			return 0;
	return err_set(e, EINVAL,
	    "%s \"%s\": there is auto, linux16, linux32, linux64, multiboot, pvh", key, value);
}

/* false: there is a word in it that is not a category. */
static bool parse_trace(const char *value, uint32_t *mask)
{
	char word[32];
	size_t n;
	int cat;

	for (*mask = 0;; value += n + 1) {
		n = strcspn(value, ",");
		if (n >= sizeof(word))
			return false;
		memcpy(word, value, n);
		word[n] = '\0';
		cat = trace_find(word);
		if (cat < 0)
			return false;
		*mask |= UINT32_C(1) << cat;
		if (!value[n])
			return true;
	}
}

static int check_trace(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };
	uint32_t mask;

	if (parse_trace(value, &mask))
		return 0;
	for (int i = 0; i < TRACE_NCATS; i++)
		add_choice(&choice, trace_name((enum trace_cat)i));
	return refuse(key, value, &choice, e);
}

uint32_t config_trace(const struct config *c)
{
	uint32_t mask = 0;

	if (c->trace)
		parse_trace(c->trace, &mask);
	return mask;
}

static int check_any(const char *key, const char *value, struct err *e)
{
	(void)key;
	(void)value;
	(void)e;
	return 0;
}

#define AT(member) offsetof(struct config, member)

/* In the order of printing. */
static const struct key keys[] = {
	{ "name", TEXT, AT(name), check_name, "what the VM is called" },
	{ "arch", TEXT, AT(arch), check_arch, "guest CPU; default: what the kernel is made for" },
	{ "machine", TEXT, AT(machine), check_machine, "board; default: the usual one of the CPU" },
	{ "engine", TEXT, AT(engine), check_engine, "what runs the CPUs; default auto: the best" },
	{ "memory", SIZE, AT(memory), NULL,
	    "RAM: 512M, 2G; a plain number is in MiB; default 512M" },
	{ "cpu-model", TEXT, AT(cpu_model), check_any,
	    "which CPU of its kind, with +feature and -feature; default: the best" },
	{ "cpus", COUNT, AT(cpus), NULL,
	    "number of CPUs, as many as the machine has room for; default 1" },
	{ "firmware", TEXT, AT(firmware), NULL,
	    "a file, or none; default: the VM is the firmware" },
	{ "firmware-vars", TEXT, AT(firmware_vars), NULL,
	    "a file that is the firmware's flash for variables; it is written" },
	{ "kernel", TEXT, AT(kernel), NULL, "kernel or program file: ELF, Image, raw" },
	{ "initrd", TEXT, AT(initrd), NULL, "initial RAM disk file" },
	{ "cmdline", TEXT, AT(cmdline), check_any, "the kernel's command line" },
	{ "entry", TEXT, AT(entry), check_entry,
	    "how an x86 kernel is started: linux64, pvh, ...; default auto" },
	{ "disk", DISK, AT(disk), NULL,
	    "FILE[,ro][,snapshot][,cdrom][,if=virtio|scsi|ahci|ide|nvme|floppy][,OPTION...]; up to "
	    "8, "
	    "each "
	    "one more disk" },
	{ "net", NET, AT(net), NULL,
	    "user[,fwd=tcp:PORT:PORT]..., tap:NAME, unix:PATH[,listen] or none; up to 8, each one "
	    "more network card; default user" },
	{ "device", DEVICE, AT(device), NULL,
	    "NAME[,addr=ADDRESS][,port=PORT][,irq=N][,console=file:PATH]: one more device; up to "
	    "8" },
	{ "port", PORT, AT(port), NULL,
	    "NAME,unix:PATH or NAME,file:PATH: one more port of the virtio console device; up to "
	    "8" },
	{ "share", SHARE, AT(share), NULL,
	    "FOLDER:TAG[,ro][,mapped]: a folder that the guest mounts by 9P; up to 8" },
	{ "vsock", TEXT, AT(vsock), config_check_vsock,
	    "PATH[,cid=N]: sockets between guest and host, found at PATH" },
	{ "console", TEXT, AT(console), check_console,
	    "stdio, pty, keep (for lodge console), unix:PATH, file:PATH, none; default stdio" },
	{ "console-device", TEXT, AT(console_device), check_console_device,
	    "uart (ttyS0) or virtio (hvc0): what the console is for the guest; default uart" },
	{ "display", TEXT, AT(display), check_display, "vga or none; default: what the board has" },
	{ "vgabios", TEXT, AT(vgabios), NULL,
	    "the display's BIOS: a file, or none; default: beside the firmware" },
	{ "ctl", TEXT, AT(ctl), NULL,
	    "control socket: a path, auto (found by the VM's name), none; default none" },
	{ "balloon", TEXT, AT(balloon), check_balloon,
	    "on: the guest can be asked for memory; deflate-on-oom: and may take it back; default "
	    "off" },
	{ "virtio", TEXT, AT(virtio), check_virtio,
	    "modern, legacy or transitional: what virtio devices look like; default modern" },
	{ "virtio-ring", TEXT, AT(virtio_ring), check_virtio_ring,
	    "split or packed[,in-order][,notify-data]: what virtio devices offer for queues" },
	{ "virtio-bus", TEXT, AT(virtio_bus), check_virtio_bus,
	    "mmio or pci: where virtio devices are; default: what the board prefers" },
	{ "controllers", TEXT, AT(controllers), check_controllers,
	    "scsi, nvme or both: controllers without a disk, for disks that are added later" },
	{ "timeout", DURATION, AT(timeout_ns), NULL, "ends the run after 60s, 5m, 1h; 0: never" },
	{ "exit-from-guest", YES_NO, AT(exit_from_guest), NULL,
	    "yes: the exit status is the guest's own" },
	{ "reboot", NO_YES, AT(no_reboot), NULL, "no: a reset ends the run (exit 3); default yes" },
	{ "paused", YES_NO, AT(paused), NULL, "yes: do not start the guest yet" },
	{ "deterministic", YES_NO, AT(deterministic), NULL,
	    "yes: time counts instructions, random numbers come from seed" },
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
	{ "trace", TEXT, AT(trace), check_trace, "events to print: a list such as sbi,virtio" },
	{ "daemon", YES_NO, AT(daemon), NULL, "yes: lodge run returns when the guest runs" },
	{ "log", TEXT, AT(log), NULL, "with daemon: the file for what lodge has to say" },
	{ "pidfile", TEXT, AT(pidfile), NULL, "with daemon: the file for the process's number" },
	{ "sandbox", TEXT, AT(sandbox), check_sandbox,
	    "on or off: whether the process keeps only what it needs; default of lodge run: on" },
	{ "sandbox-paths", TEXT, AT(sandbox_paths), NULL,
	    "folders and files that it may use in spite of that, with colons between" },
};

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
	if (n < CONFIG_DEVICES)
		return &c->device[n];
	n -= CONFIG_DEVICES;
	if (n < CONFIG_PORTS)
		return &c->port[n];
	n -= CONFIG_PORTS;
	if (n < CONFIG_SHARES)
		return &c->share[n];
	n -= CONFIG_SHARES;
	if (n < CONFIG_NETS)
		return &c->net[n];
	n -= CONFIG_NETS;
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

static int set_text(char **text, const char *value, struct err *e)
{
	char *s = strdup(value);

	if (!s)
		return err_set(e, ENOMEM, "configuration: no memory");
	free(*text);
	*text = s;
	return 0;
}

static int set_memory(struct config *c, const char *key, const char *value, struct err *e)
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
	c->memory = n;
	return 0;
}

/* Takes the text before the next single comma off *rest; two commas are one that belongs to the
 * text.  Writes in place. */
static char *take_piece(char **rest)
{
	char *piece = *rest, *to = piece, *from = piece;

	while (*from && (*from != ',' || from[1] == ',')) {
		if (*from == ',')
			from++;
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return piece;
}

static const char *const disk_buses[] = { "virtio", "scsi", "ahci", "ide", "nvme", "floppy" };

static bool is_disk_bus(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(disk_buses); i++)
		if (!strcmp(disk_buses[i], name))
			return true;
	return false;
}

static int set_disk_format(struct config_disk *d, const char *name, struct err *e)
{
	const struct image_class *c = image_class_find(name);
	struct buf choice = { 0 };

	if (c && !c->schemes)
		return set_text(&d->format, name, e);
	for (const struct image_class *const *i = image_classes; *i; i++)
		if (!(*i)->schemes)
			add_choice(&choice, (*i)->name);
	return refuse("disk format", name, &choice, e);
}

/* Section 5.2.6 of VIRTIO 1.2 has room for so much, and NVMe and ATA for no more. */
static int set_disk_serial(struct config_disk *d, const char *serial, struct err *e)
{
	size_t n = strlen(serial);

	for (const char *s = serial; *s; s++)
		if (*s <= ' ' || *s > '~')
			n = 0;
	if (n < 1 || n > BLOCK_SERIAL)
		return err_set(e, EINVAL,
		    "disk serial \"%s\": 1 to %d characters are wanted, without blanks", serial,
		    BLOCK_SERIAL);
	return set_text(&d->serial, serial, e);
}

/* The value of "NAME=VALUE", if that is what o is. */
static const char *option_value(const char *o, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(o, name, n) && o[n] == '=' ? o + n + 1 : NULL;
}

static int set_disk_option(struct config_disk *d, const char *value, const char *o, struct err *e)
{
	const char *v;
	uint64_t n;

	if ((v = option_value(o, "if")) && is_disk_bus(v))
		return set_text(&d->bus, v, e);
	if ((v = option_value(o, "format")))
		return set_disk_format(d, v, e);
	if ((v = option_value(o, "serial")))
		return set_disk_serial(d, v, e);
	if ((v = option_value(o, "queues")) && !parse_u64(v, &n) && n >= 1 && n <= MAX_QUEUES)
		d->queues = (unsigned)n;
	else if (!strcmp(o, "ro"))
		d->readonly = true;
	else if (!strcmp(o, "snapshot"))
		d->snapshot = true;
	else if (!strcmp(o, "cdrom"))
		d->cdrom = true;
	else if (!strcmp(o, "direct"))
		d->direct = true;
	else if (!strcmp(o, "discard=off") || !strcmp(o, "discard=on"))
		d->no_discard = !strcmp(o, "discard=off");
	else
		return err_set(e, EINVAL,
		    "disk \"%s\": \"%s\" is not one of ro, snapshot, cdrom, if=virtio, if=scsi, "
		    "if=ahci, if=ide, if=nvme, if=floppy, format=NAME, serial=TEXT, direct, "
		    "discard=on, discard=off, queues=1 to %u (a comma in a file's name is written "
		    "twice)",
		    value, o, MAX_QUEUES);
	return 0;
}

static void free_disk(struct config_disk *d)
{
	free(d->path);
	free(d->bus);
	free(d->format);
	free(d->serial);
}

static int add_disk(struct config *c, const char *value, struct err *e)
{
	struct config_disk d = { 0 };
	char *copy = NULL, *rest;
	int rc;

	if (c->ndisks == CONFIG_DISKS)
		return err_set(e, EINVAL,
		    "disk \"%s\": there are %d disks already, the most there "
		    "can be",
		    value, CONFIG_DISKS);
	rc = set_text(&copy, value, e);
	if (rc)
		return rc;
	rest = copy;
	rc = set_text(&d.path, take_piece(&rest), e);
	if (!rc && !*d.path)
		rc = err_set(e, EINVAL, "disk \"%s\": a file is wanted", value);
	while (!rc && rest)
		rc = set_disk_option(&d, value, take_piece(&rest), e);
	free(copy);
	if (rc) {
		free_disk(&d);
		return rc;
	}
	c->disk[c->ndisks++] = d;
	return 0;
}

/* A terminal is for the machine's console, and of a pty nobody would learn the name. */
static bool is_line(const char *spec)
{
	return (!strncmp(spec, "unix:", 5) || !strncmp(spec, "file:", 5)) && spec[5];
}

static int set_device_option(
    struct config_device *d, const char *value, const char *o, struct err *e)
{
	uint64_t n;

	if (!strncmp(o, "console=", 8) && is_line(o + 8) && strlen(o + 8) < sizeof d->console) {
		strcpy(d->console, o + 8);
		return 0;
	}
	if (!strncmp(o, "addr=", 5) && !parse_u64(o + 5, &n) && n && n % PAGE == 0)
		d->addr = n;
	else if (!strncmp(o, "port=", 5) && !parse_u64(o + 5, &n) && n && n < 0x10000)
		d->port = n;
	else if (!strncmp(o, "irq=", 4) && !parse_u64(o + 4, &n) && n && n < 1024)
		d->irq = (unsigned)n;
	else
		return err_set(e, EINVAL,
		    "device \"%s\": \"%s\" is not one of addr=ADDRESS (in steps of 0x1000), "
		    "port=PORT, irq=N, console=unix:PATH, console=file:PATH",
		    value, o);
	return 0;
}

int config_device(struct config_device *d, const char *value, struct err *e)
{
	struct buf choice = { 0 };
	size_t n = strcspn(value, ",");
	char option[sizeof d->console + 40];

	*d = (struct config_device){ 0 };
	if (n < sizeof d->name)
		memcpy(d->name, value, n);
	if (!dev_find(d->name)) {
		for (const struct dev_class *const *c = dev_classes; *c; c++)
			add_choice(&choice, (*c)->name);
		return refuse("device", value, &choice, e);
	}
	for (value += n; *value; value += n) {
		n = strcspn(++value, ",");
		snprintf(option, sizeof option, "%.*s", (int)n, value);
		if (set_device_option(d, d->name, option, e) < 0)
			return -EINVAL;
	}
	return 0;
}

static int add_device(struct config *c, const char *value, struct err *e)
{
	struct config_device d;
	int rc;

	if (c->ndevices == CONFIG_DEVICES)
		return err_set(e, EINVAL,
		    "device \"%s\": there are %d devices already, the most there can be", value,
		    CONFIG_DEVICES);
	rc = config_device(&d, value, e);
	if (!rc)
		rc = set_text(&c->device[c->ndevices], value, e);
	c->ndevices += !rc;
	return rc;
}

int config_port(struct config_port *p, const char *value, struct err *e)
{
	const size_t n = strcspn(value, ",");
	const char *line = value + n + (value[n] == ',');

	*p = (struct config_port){ 0 };
	if (!n || n >= sizeof p->name)
		return err_set(
		    e, EINVAL, "port \"%s\": a name of 1 to 63 characters comes first", value);
	memcpy(p->name, value, n);
	if (!is_line(line) || strlen(line) >= sizeof p->line)
		return err_set(
		    e, EINVAL, "port \"%s\": where it goes is unix:PATH or file:PATH", value);
	strcpy(p->line, line);
	return 0;
}

static int add_port(struct config *c, const char *value, struct err *e)
{
	struct config_port p, other;
	int rc;

	if (c->nports == CONFIG_PORTS)
		return err_set(e, EINVAL,
		    "port \"%s\": there are %d ports already, the most there can be", value,
		    CONFIG_PORTS);
	rc = config_port(&p, value, e);
	for (unsigned i = 0; i < c->nports && !rc; i++)
		if (!config_port(&other, c->port[i], e) && !strcmp(p.name, other.name))
			rc = err_set(
			    e, EINVAL, "port \"%s\": there is one of this name already", value);
	if (!rc)
		rc = set_text(&c->port[c->nports], value, e);
	c->nports += !rc;
	return rc;
}

/* "none" takes away what was there; what comes behind it counts again. */
static int add_net(struct config *c, const char *value, struct err *e)
{
	int rc;

	if (!strcmp(value, "none")) {
		while (c->nnets) {
			free(c->net[--c->nnets]);
			c->net[c->nnets] = NULL;
		}
		c->no_net = true;
		return 0;
	}
	if (c->nnets == CONFIG_NETS)
		return err_set(e, EINVAL,
		    "net \"%s\": there are %d network cards already, the most there can be", value,
		    CONFIG_NETS);
	rc = net_check(value, e);
	c->own_net &= c->nnets == 0;
	if (!rc)
		rc = set_text(&c->net[c->nnets], value, e);
	c->nnets += !rc;
	c->no_net &= rc != 0;
	return rc;
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
		return rc ? rc : set_text(text_at(c, k), value, e);
	case SIZE:
		return set_memory(c, k->name, value, e);
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
		return 0;
	case YES_NO:
	case NO_YES:
		return set_yes_no(at(c, k), k->kind == YES_NO, k->name, value, e);
	case DISK:
		return add_disk(c, value, e);
	case NET:
		return add_net(c, value, e);
	case DEVICE:
		return add_device(c, value, e);
	case PORT:
		return add_port(c, value, e);
	case SHARE:
		return config_add_share(c, value, e);
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

/* A key that may be there several times. */
static void print_each(
    const char *key, char *const *text, unsigned n, const char *indent, struct buf *b)
{
	for (; n; n--, text++) {
		buf_printf(b, "%s%s ", indent, key);
		print_quoted(b, *text);
		buf_printf(b, "\n");
	}
}

static void print_nets(const struct config *c, const char *indent, struct buf *b)
{
	if (c->no_net)
		buf_printf(b, "%snet \"none\"\n", indent);
	for (unsigned i = 0; i < c->nnets; i++) {
		buf_printf(b, "%snet ", indent);
		print_quoted(b, c->net[i]);
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
	case NET:
		return c->nnets || c->no_net;
	case DEVICE:
		return c->ndevices;
	case PORT:
		return c->nports;
	case SHARE:
		return c->nshares;
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
	case NET:
	case DEVICE:
	case PORT:
	case SHARE:
		break;
	}
}

bool config_get(const struct config *c, const char *key, struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct key *k = &keys[i];

		if (strcmp(k->name, key) || !is_given(c, k) || k->kind == DISK || k->kind == DEVICE)
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
		if (keys[i].kind == NET) {
			print_nets(c, indent, b);
			continue;
		}
		if (keys[i].kind == DEVICE) {
			print_each("device", c->device, c->ndevices, indent, b);
			continue;
		}
		if (keys[i].kind == PORT) {
			print_each("port", c->port, c->nports, indent, b);
			continue;
		}
		if (keys[i].kind == SHARE) {
			print_each("share", c->share, c->nshares, indent, b);
			continue;
		}
		buf_printf(b, "%s%s ", indent, keys[i].name);
		print_value(c, &keys[i], b);
		buf_printf(b, "\n");
	}
	if (c->name)
		buf_printf(b, "}\n");
}
