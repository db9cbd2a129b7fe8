/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/options.h"

#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

/* What an option does: its value, or a fixed one, is for a key of the configuration; or it is for
 * this command itself. */
enum kind { KEY, KEY_YES, KEY_NO, SETTING, CONFIG_FILE, PRINT_CONFIG, QUIET, HELP };

struct option {
	char letter; /* 0: only the long form */
	const char *name;
	enum kind kind;
	const char *key;   /* of the configuration */
	const char *value; /* what help calls its value; NULL: it has none */
	const char *about;
};

static const struct option table[] = {
	{ 'a', "arch", KEY, "arch", "CPU", "guest CPU; default: what the kernel is made for" },
	{ 'M', "machine", KEY, "machine", "BOARD", "lodge machines lists them" },
	{ 'E', "engine", KEY, "engine", "ENGINE[+...]",
	    "auto, or one that lodge engines lists; and those it may move to" },
	{ 0, "engine-after", KEY, "engine-after", "TIME:ENGINE",
	    "move there when the guest has run so long; may be repeated" },
	{ 'm', "memory", KEY, "memory", "SIZE", "512M, 2G; default 512M" },
	{ 'c', "cpus", KEY, "cpus", "N", "number of CPUs; default 1" },
	{ 'b', "firmware", KEY, "firmware", "FILE", "or none; default: built in" },
	{ 'k', "kernel", KEY, "kernel", "FILE", "Linux Image (also .gz), ELF or raw" },
	{ 'i', "initrd", KEY, "initrd", "FILE", "initial RAM disk" },
	{ 'p', "cmdline", KEY, "cmdline", "TEXT", "the kernel's command line" },
	{ 'd', "disk", KEY, "disk", "FILE[,ro][,snapshot][,cdrom][,if=BUS][,...]",
	    "a disk; BUS is virtio, scsi, ahci, ide, nvme or floppy; may be repeated" },
	{ 'n', "net", KEY, "net", "WHERE[,OPTION]",
	    "user[,fwd=tcp:2222:22], tap:NAME, unix:PATH[,listen], none; may be repeated" },
	{ 's', "share", KEY, "share", "FOLDER:TAG[,ro][,mapped]",
	    "a folder for the guest to mount by 9P; may be repeated" },
	{ 'C', "console", KEY, "console", "WHERE",
	    "stdio, pty, keep, unix:PATH, file:PATH or none" },
	{ 0, "ctl", KEY, "ctl", "PATH",
	    "a control socket; auto: by the name, the default if there is one" },
	{ 'f', "config", CONFIG_FILE, NULL, "FILE", "read settings from a file, see vm.conf(5)" },
	{ 'o', "option", SETTING, NULL, "KEY=VALUE", "any setting; lodge help keys lists them" },
	{ 'D', "daemon", KEY_YES, "daemon", NULL, "return when the guest runs; see lodge console" },
	{ 0, "log", KEY, "log", "FILE", "with -D: where lodge's own words go" },
	{ 0, "pidfile", KEY, "pidfile", "FILE", "with -D: a file for the process's number" },
	{ 'g', "gdb", KEY, "gdb", "[HOST:]PORT", "listen for gdb there, or at unix:PATH" },
	{ 'S', "paused", KEY_YES, "paused", NULL, "wait for Ctrl-a s, or SIGUSR1, to start" },
	{ 0, "timeout", KEY, "timeout", "TIME", "end after 60s, 5m, 1h (exit 4)" },
	{ 0, "exit-from-guest", KEY_YES, "exit-from-guest", NULL, "exit with the guest's status" },
	{ 0, "no-reboot", KEY_NO, "reboot", NULL, "a reset ends the run (exit 3)" },
	{ 0, "deterministic", KEY_YES, "deterministic", NULL, "time counts instructions" },
	{ 0, "reverse", KEY_YES, "reverse", NULL, "gdb can go back in time" },
	{ 0, "lockstep", KEY_YES, "lockstep", NULL, "check compiled code by the interpreter" },
	{ 0, "record", KEY, "record", "FILE", "write what enters the guest to it: lodge replay" },
	{ 0, "seed", KEY, "seed", "N", "of random numbers, for --deterministic" },
	{ 0, "trace", KEY, "trace", "LIST",
	    "print events: exceptions,mmu,irq,device=NAME,exec,..." },
	{ 0, "trace-file", KEY, "trace-file", "FILE", "write them to a file, for lodge trace" },
	{ 0, "trace-last", KEY, "trace-last", "N",
	    "print only the last ones, if the guest crashes" },
	{ 0, "explain", KEY_YES, "explain", NULL, "say what exception the guest has died of" },
	{ 0, "print-config", PRINT_CONFIG, NULL, NULL, "print all settings in effect, do not run" },
	{ 'q', "quiet", QUIET, NULL, NULL, "do not say what is run" },
	{ 'h', "help", HELP, NULL, NULL, "this list" },
};

/* The arguments are read three times: the name says which VM of the files is wanted, and what the
 * command line sets comes after what the files do. */
enum pass { NAMES, FILES, SETTINGS };

struct reader {
	struct options *o;
	char **argv;
	int at, argc;
	bool no_more; /* "--" was there */
	bool named;
	enum pass pass;
};

static int config_error(const struct lodge_error *e)
{
	return complain(STATUS_USAGE, "%s", e->text);
}

static int set(struct reader *r, const char *key, const char *value)
{
	struct lodge_error e;

	return lodge_config_set(r->o->config, key, value, &e) ? config_error(&e) : 0;
}

static int set_pair(struct reader *r, const char *pair)
{
	const char *equals = strchr(pair, '=');
	char key[32];
	size_t n = equals ? (size_t)(equals - pair) : sizeof(key);

	if (n >= sizeof(key))
		return complain(STATUS_USAGE,
		    "option -o \"%.60s\": KEY=VALUE is wanted; lodge help keys lists the keys",
		    pair);
	memcpy(key, pair, n);
	key[n] = '\0';
	return set(r, key, equals + 1);
}

static int apply(struct reader *r, const struct option *o, const char *value)
{
	struct lodge_error e;

	if (r->pass == FILES && o->kind == CONFIG_FILE &&
	    lodge_config_read(r->o->config, value, &e))
		return config_error(&e);
	if (r->pass != SETTINGS)
		return 0;
	switch (o->kind) {
	case KEY:
		return set(r, o->key, value);
	case KEY_YES:
		return set(r, o->key, "yes");
	case KEY_NO:
		return set(r, o->key, "no");
	case SETTING:
		return set_pair(r, value);
	case CONFIG_FILE:
		break;
	case PRINT_CONFIG:
		r->o->print_config = true;
		break;
	case QUIET:
		r->o->quiet = true;
		break;
	case HELP:
		r->o->help = true;
		break;
	}
	return 0;
}

static int unknown(const char *dashes, const char *name, int len)
{
	return complain(STATUS_USAGE, "unknown option %s%.*s: lodge help run lists what there is",
	    dashes, len < 60 ? len : 60, name);
}

/* --name, --name=value, --name value */
static int read_long(struct reader *r, const char *arg)
{
	size_t n = strcspn(arg, "=");
	const struct option *o = NULL;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!strncmp(table[i].name, arg, n) && !table[i].name[n])
			o = &table[i];
	if (!o)
		return unknown("--", arg, (int)n);
	if (!o->value)
		return arg[n] ? complain(STATUS_USAGE, "option --%s takes no value", o->name)
			      : apply(r, o, NULL);
	if (arg[n])
		return apply(r, o, arg + n + 1);
	if (r->at == r->argc)
		return complain(STATUS_USAGE, "option --%s: %s is missing", o->name, o->value);
	return apply(r, o, r->argv[r->at++]);
}

/* -k value, -kvalue, -qk value */
static int read_letters(struct reader *r, const char *arg)
{
	int rc = 0;

	while (!rc && *arg) {
		const struct option *o = NULL;

		for (size_t i = 0; i < ARRAY_LEN(table); i++)
			if (table[i].letter == *arg)
				o = &table[i];
		if (!o)
			return unknown("-", arg, 1);
		arg++;
		if (!o->value) {
			rc = apply(r, o, NULL);
			continue;
		}
		if (*arg)
			return apply(r, o, arg);
		if (r->at == r->argc)
			return complain(
			    STATUS_USAGE, "option -%c: %s is missing", o->letter, o->value);
		return apply(r, o, r->argv[r->at++]);
	}
	return rc;
}

/* What the machine of a snapshot was made of counts as a file of settings. */
static int read_snapshot(struct reader *r, const char *arg)
{
	struct lodge_error e;

	if (r->pass != FILES)
		return 0;
	if (r->named)
		return complain(STATUS_USAGE, "\"%.60s\": one file is enough", arg);
	r->named = true;
	if (r->o->file == OPTIONS_RECORDING)
		return lodge_config_replay(r->o->config, arg, &e) ? config_error(&e) : 0;
	return lodge_config_restore(r->o->config, arg, &e) ? config_error(&e) : 0;
}

static int read_name(struct reader *r, const char *arg)
{
	if (r->o->file)
		return read_snapshot(r, arg);
	if (r->pass != NAMES)
		return 0;
	if (r->named)
		return complain(STATUS_USAGE,
		    "\"%.60s\": one name of a VM is enough; a kernel is given with -k FILE", arg);
	r->named = true;
	return set(r, "name", arg);
}

static int read_all(struct options *o, int argc, char **argv, enum pass pass)
{
	struct reader r = { .o = o, .argv = argv, .argc = argc, .at = 1, .pass = pass };
	int rc = 0;

	while (!rc && r.at < argc) {
		const char *arg = argv[r.at++];

		if (r.no_more || arg[0] != '-' || !arg[1])
			rc = read_name(&r, arg);
		else if (!strcmp(arg, "--"))
			r.no_more = true;
		else if (arg[1] == '-')
			rc = read_long(&r, arg + 2);
		else
			rc = read_letters(&r, arg + 1);
	}
	return rc;
}

static bool has(const struct options *o, const char *key)
{
	return lodge_config_get(o->config, key, NULL, 0) != (size_t)-1;
}

static int set_default(struct options *o, const char *key, const char *value)
{
	struct lodge_error e;

	return has(o, key) || !lodge_config_set(o->config, key, value, &e) ? 0 : config_error(&e);
}

/* What differs from the library's defaults. */
static int set_defaults(struct options *o)
{
	int rc = set_default(o, "sandbox", "on");

	if (!rc && has(o, "name"))
		rc = set_default(o, "ctl", "auto");
	if (!rc && has(o, "daemon"))
		rc = set_default(o, "console", "keep");
	return rc;
}

int options_read(struct options *o, int argc, char **argv)
{
	int rc = read_all(o, argc, argv, NAMES);

	if (!rc)
		rc = read_all(o, argc, argv, FILES);
	if (!rc)
		rc = read_all(o, argc, argv, SETTINGS);
	return rc ? rc : set_defaults(o);
}

void options_help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option *o = &table[i];
		char form[80];

		snprintf(form, sizeof(form), "--%s%s%s", o->name, o->value ? " " : "",
		    o->value ? o->value : "");
		if (o->letter)
			printf("  -%c, %-24s", o->letter, form);
		else
			printf("      %-24s", form);
		if (strlen(form) > 23)
			printf("\n%30s", "");
		printf(" %s\n", o->about);
	}
}
