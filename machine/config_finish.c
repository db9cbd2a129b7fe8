/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "cpu/cpu.h"
#include "engine/list.h"
#include "host/net/net.h"
#include "machine/config.h"
#include "machine/load.h"
#include "machine/machine.h"

static const uint64_t DEFAULT_MEMORY = 512ull << 20, DEFAULT_REVERSE_MEMORY = 1ull << 30;

static int set_default(char **text, const char *value, struct err *e)
{
	if (!*text)
		*text = strdup(value);
	return *text ? 0 : err_set(e, ENOMEM, "configuration: no memory");
}

static int no_such_cpu(const char *key, const char *path, const char *what, struct err *e)
{
	struct buf names = { 0 };
	int rc;

	for (const struct cpu_class *const *c = cpu_classes; *c; c++)
		buf_printf(&names, "%s%s", names.len ? ", " : "", (*c)->name);
	rc = err_set(e, EINVAL, "%s %s is %s: guest CPUs are %.*s", key, path, what, (int)names.len,
	    names.data ? (const char *)names.data : "");
	buf_free(&names);
	return rc;
}

/* The CPU that runs what a file is made for: one runs the programs of both. */
static const char *cpu_for(const char *guess)
{
	return guess && !strcmp(guess, "i386") ? "x86_64" : guess;
}

/* Looks at one of the files that the CPUs will run: *arch becomes what it is made for, if it says
 * and nothing else has said so yet. */
static int look_at(
    const struct config *c, const char *key, const char *path, const char **arch, struct err *e)
{
	const char *guess = NULL, *what = NULL;
	struct err why;
	int rc;

	if (!path)
		return 0;
	rc = load_guess(path, &guess, &what, &why);
	if (rc)
		return err_set(e, -rc, "%s: %s", key, why.text);
	guess = cpu_for(guess);
	if (!guess)
		return 0;
	if (!cpu_find(guess))
		return no_such_cpu(key, path, what, e);
	if (c->arch && strcmp(c->arch, guess))
		return err_set(
		    e, EINVAL, "%s %s is %s, which is not for arch %s", key, path, what, c->arch);
	if (!*arch)
		*arch = guess;
	return 0;
}

static const struct machine_class *find_machine(const char *arch, const char *name)
{
	for (const struct machine_class *const *m = machine_classes; *m; m++)
		if ((!arch || !strcmp((*m)->arch, arch)) && (!name || !strcmp((*m)->name, name)))
			return *m;
	return NULL;
}

static int check_tape(const struct config *c, struct err *e)
{
	if (c->record && c->replay)
		return err_set(
		    e, EINVAL, "record %s: what is played again is recorded already", c->record);
	if (c->replay && (!c->restore || strcmp(c->restore, c->replay) != 0))
		return err_set(
		    e, EINVAL, "replay %s: lodge replay knows what machine it is of", c->replay);
	return 0;
}

static int finish_arch(struct config *c, struct err *e)
{
	const char *firmware = c->firmware && strcmp(c->firmware, "none") ? c->firmware : NULL;
	const char *arch = NULL;
	int rc;

	if (c->restore) /* what it was made of may have gone meanwhile */
		return c->arch ? 0
			       : err_set(e, EINVAL,
				     "restore %s: lodge restore knows what machine it is of",
				     c->restore);
	if (!c->kernel && !firmware)
		return err_set(e, EINVAL,
		    "nothing to run: a kernel (-k FILE) or a firmware (-b FILE) is wanted");
	if (c->initrd && !c->kernel)
		return err_set(
		    e, EINVAL, "initrd %s: there is no kernel (-k FILE) to use it", c->initrd);
	if (c->firmware_vars && !firmware)
		return err_set(e, EINVAL,
		    "firmware-vars %s: there is no firmware (-b FILE) to use it", c->firmware_vars);
	rc = look_at(c, "kernel", c->kernel, &arch, e);
	if (!rc)
		rc = look_at(c, "firmware", firmware, &arch, e);
	if (rc)
		return rc;
	/* A board that is there for one CPU only says which as well. */
	if (!arch && !c->arch && c->machine)
		arch = find_machine(NULL, c->machine)->arch;
	if (!arch && !c->arch)
		return err_set(e, EINVAL,
		    "%s does not say which CPU it is for: give one, such as -a %s",
		    c->kernel ? c->kernel : firmware, cpu_classes[0]->name);
	return c->arch ? 0 : set_default(&c->arch, arch, e);
}

/* Names of buses, with blanks between them. */
static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (; words && *words; words += strcspn(words, " "), words += *words == ' ')
		if (!strncmp(words, word, n) && (!words[n] || words[n] == ' '))
			return true;
	return false;
}

static bool is_iso(const char *path)
{
	size_t n = strlen(path);

	return n > 4 && !strcasecmp(path + n - 4, ".iso");
}

/* An ISO image is a CD where users expect CD drives, unless something else is asked for. */
static int finish_disk(struct config_disk *d, const struct machine_class *m, struct err *e)
{
	const bool cds = has_word(m->disk_buses, "ahci");
	int rc = 0;

	if (!d->bus && m->iso_is_cd)
		d->cdrom |= is_iso(d->path);
	if (!d->bus)
		rc = set_default(&d->bus, !d->cdrom ? "virtio" : cds ? "ahci" : "scsi", e);
	if (rc)
		return rc;
	if (!has_word(m->disk_buses, d->bus))
		return err_set(e, EINVAL, "disk \"%s\": if=%s: machine %s has %s", d->path, d->bus,
		    m->name, m->disk_buses);
	if (has_word("ide ahci scsi", d->bus))
		d->cdrom |= is_iso(d->path);
	else if (d->cdrom)
		return err_set(e, EINVAL,
		    "disk \"%s\": cdrom: there are CD drives with if=ahci, if=ide and if=scsi, not "
		    "if=%s",
		    d->path, d->bus);
	if (d->queues && strcmp(d->bus, "virtio"))
		return err_set(e, EINVAL, "disk \"%s\": queues: only with if=virtio", d->path);
	d->readonly |= d->cdrom;
	return 0;
}

/* A network that needs no rights and lets nobody in.  Not in a run that is to be like the last one.
 */
static int finish_net(struct config *c, struct err *e)
{
	if (c->nnets || c->no_net || c->deterministic || c->replay || !net_has_class("user"))
		return 0;
	c->own_net = true;
	return config_set(c, "net", "user", e);
}

int config_finish(struct config *c, struct err *e)
{
	const struct machine_class *m;
	int rc = check_tape(c, e);

	if (!rc)
		rc = finish_arch(c, e);
	if (rc)
		return rc;
	m = find_machine(c->arch, c->machine);
	if (!m)
		return err_set(e, EINVAL, "machine \"%s\": there is none for arch %s",
		    c->machine ? c->machine : "", c->arch);
	if (c->firmware_vars && !m->has_flash)
		return err_set(e, EINVAL, "firmware-vars %s: machine %s has no flash for it",
		    c->firmware_vars, m->name);
	if (!c->memory)
		c->memory = DEFAULT_MEMORY;
	c->deterministic |= c->lockstep || c->reverse;
	if ((c->reverse || c->replay) && !c->reverse_memory)
		c->reverse_memory = DEFAULT_REVERSE_MEMORY;
	if (!c->cpus)
		c->cpus = 1;
	if (c->cpus > m->max_cpus)
		return err_set(e, EINVAL, "cpus \"%u\": machine %s has at most %u", c->cpus,
		    m->name, m->max_cpus);
	rc = set_default(&c->machine, m->name, e);
	if (!rc)
		rc = set_default(&c->engine, "auto", e);
	if (!rc)
		rc = set_default(&c->console, "stdio", e);
	if (!rc)
		rc = finish_net(c, e);
	c->deterministic |= c->record || c->replay;
	for (unsigned i = 0; i < c->ndisks && !rc; i++)
		rc = finish_disk(&c->disk[i], m, e);
	return rc;
}

/* Of several a machine has those that it can have. */
int config_choose_engine(struct config *c, struct err *e)
{
	struct engine_list l;
	int rc =
	    engine_list_read(&l, c->engine, cpu_find(c->arch), c->deterministic || c->lockstep, e);

	if (rc)
		return rc;
	return strcmp(c->engine, "auto") ? 0 : config_set(c, "engine", l.engine[0]->name, e);
}
