/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a key's text must be.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cpu/cpu.h"
#include "engine/list.h"
#include "machine/config.h"
#include "machine/config_key.h"
#include "machine/machine.h"
#include "machine/ports.h"

int config_set_text(char **text, const char *value, struct err *e)
{
	char *s = strdup(value);

	if (!s)
		return err_set(e, ENOMEM, "configuration: no memory");
	free(*text);
	*text = s;
	return 0;
}

int config_check_name(const char *key, const char *value, struct err *e)
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
void config_add_choice(struct buf *b, const char *name)
{
	buf_printf(b, "%s%s", b->len ? ", " : "", name);
}

int config_refuse(const char *key, const char *value, struct buf *choice, struct err *e)
{
	int rc = err_set(e, EINVAL, "%s \"%s\": there is %.*s", key, value, (int)choice->len,
	    choice->data ? (const char *)choice->data : "");

	buf_free(choice);
	return rc;
}

int config_check_arch(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	if (cpu_find(value))
		return 0;
	for (const struct cpu_class *const *c = cpu_classes; *c; c++)
		config_add_choice(&choice, (*c)->name);
	return config_refuse(key, value, &choice, e);
}

int config_check_machine(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	for (const struct machine_class *const *m = machine_classes; *m; m++)
		if (!strcmp((*m)->name, value))
			return 0;
	for (const struct machine_class *const *m = machine_classes; *m; m++)
		config_add_choice(&choice, (*m)->name);
	return config_refuse(key, value, &choice, e);
}

int config_check_engine(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };
	struct engine_list list;

	if (!engine_list_read(&list, value, NULL, false, NULL))
		return 0;
	config_add_choice(&choice, "auto");
	for (const struct engine_class *const *n = engine_classes; *n; n++)
		config_add_choice(&choice, (*n)->name);
	config_add_choice(&choice, "or several with + between");
	return config_refuse(key, value, &choice, e);
}

int config_check_console(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "stdio") || !strcmp(value, "pty") || !strcmp(value, "keep") ||
	    !strcmp(value, "none"))
		return 0;
	if ((!strncmp(value, "unix:", 5) || !strncmp(value, "file:", 5)) && value[5])
		return 0;
	return err_set(e, EINVAL,
	    "%s \"%s\": there is stdio, pty, keep, unix:PATH, file:PATH, none", key, value);
}

int config_check_display(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "vga") || !strcmp(value, "none"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is vga, none", key, value);
}

int config_check_console_device(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "uart") || !strcmp(value, "virtio"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is uart, virtio", key, value);
}

int config_check_virtio(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "modern") || !strcmp(value, "legacy") || !strcmp(value, "transitional"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is modern, legacy, transitional", key, value);
}

/* A list of words. */
int config_check_virtio_ring(const char *key, const char *value, struct err *e)
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

int config_check_balloon(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "on") || !strcmp(value, "off") || !strcmp(value, "deflate-on-oom"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is on, off, deflate-on-oom", key, value);
}

int config_check_virtio_bus(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "mmio") || !strcmp(value, "pci"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is mmio, pci", key, value);
}

int config_check_sandbox(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "on") || !strcmp(value, "off"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is on, off", key, value);
}

int config_check_controllers(const char *key, const char *value, struct err *e)
{
	if (!strcmp(value, "scsi") || !strcmp(value, "nvme") || !strcmp(value, "scsi,nvme") ||
	    !strcmp(value, "nvme,scsi"))
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there is scsi, nvme, and scsi,nvme", key, value);
}

int config_check_ports(const char *key, const char *value, struct err *e)
{
	if (strlen(value) == 1 && *value >= '0' && *value <= '0' + PORTS_MAX)
		return 0;
	return err_set(e, EINVAL, "%s \"%s\": there may be 0 to %d", key, value, PORTS_MAX);
}

int config_check_entry(const char *key, const char *value, struct err *e)
{
	static const char *const ways[] = { "auto", "linux16", "linux32", "linux64", "multiboot",
		"pvh" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (!strcmp(value, ways[i]))
			return 0;
	return err_set(e, EINVAL,
	    "%s \"%s\": there is auto, linux16, linux32, linux64, multiboot, pvh", key, value);
}

int config_check_any(const char *key, const char *value, struct err *e)
{
	(void)key;
	(void)value;
	(void)e;
	return 0;
}

/* What cannot be looked up now is said when the VM is built. */
int config_check_gdb(const char *key, const char *value, struct err *e)
{
	const char *port = strrchr(value, ':');
	uint64_t n;

	if (!strcmp(value, "none") || (!strncmp(value, "unix:", 5) && value[5]))
		return 0;
	if (!strncmp(value, "unix:", 5) || parse_u64(port ? port + 1 : value, &n) || n > 65535)
		return err_set(
		    e, EINVAL, "%s \"%s\": [HOST:]PORT, unix:PATH or none is wanted", key, value);
	return 0;
}
