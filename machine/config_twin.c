/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration of a copy of a running machine (machine/clone.h).  What other programs know the
 * machine by is the machine's own; the copy gets a name, network addresses and sockets of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "machine/config.h"

/* Words are divided by single commas; two are one that belongs to the word. */
static size_t word_length(const char *s)
{
	size_t n = 0;

	while (s[n] && (s[n] != ',' || s[n + 1] == ','))
		n += s[n] == ',' ? 2 : 1;
	return n;
}

static bool begins(const char *word, const char *with)
{
	return !strncmp(word, with, strlen(with));
}

static bool has_word(const char *value, const char *word)
{
	size_t n;

	for (;; value += n + 1) {
		n = word_length(value);
		if (n == strlen(word) && !memcmp(value, word, n))
			return true;
		if (!value[n])
			return false;
	}
}

enum what { KEEP, DROP, RENAME };

/* The value with another path in it: FILE.NAME. */
static char *rewrite(const char *value, const char *name,
    enum what (*rule)(const char *value, const char *word), const char *more)
{
	struct buf b = { 0 };
	size_t n;

	for (const char *word = value;; word += n + 1) {
		enum what w = rule(value, word);

		n = word_length(word);
		if (w != DROP)
			buf_printf(&b, "%s%.*s", b.len ? "," : "", (int)n, word);
		if (w == RENAME)
			buf_printf(&b, ".%s", name);
		if (!word[n])
			break;
	}
	buf_printf(&b, "%s%c", more, '\0');
	if (b.failed) {
		buf_free(&b);
		return NULL;
	}
	return (char *)b.data;
}

/* An address is of one card, a port of the host has one owner, and so has a file. */
static enum what net_rule(const char *value, const char *word)
{
	if (begins(word, "mac=") || begins(word, "fwd=") || begins(word, "dump="))
		return DROP;
	return word == value && begins(word, "unix:") && has_word(value, "listen") ? RENAME : KEEP;
}

static enum what port_rule(const char *value, const char *word)
{
	return word != value && (begins(word, "unix:") || begins(word, "file:")) ? RENAME : KEEP;
}

static enum what vsock_rule(const char *value, const char *word)
{
	return word == value ? RENAME : DROP;
}

static int replace(char **value, char *by, struct err *e)
{
	if (!by)
		return err_set(e, ENOMEM, "configuration: no memory");
	free(*value);
	*value = by;
	return 0;
}

/* VIRTIO version 1.2, section 5.10.4: 0, 1, 2 and all ones in 32 bits are not a guest's. */
static uint64_t cid_of(const char *name, uint64_t not )
{
	uint64_t h = 0xcbf29ce484222325, cid;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3; /* FNV-1a */
	cid = 3 + h % (UINT32_MAX - 4);
	return cid == not ? cid - 1 + 2 * (cid == 3) : cid;
}

static int twin_vsock(struct config *c, const char *name, struct err *e)
{
	struct config_vsock v;
	char more[32];
	int rc = config_vsock(&v, c->vsock, e);

	if (rc < 0)
		return rc;
	snprintf(more, sizeof more, ",cid=%llu", (unsigned long long)cid_of(name, v.cid));
	rc = replace(&c->vsock, rewrite(c->vsock, name, vsock_rule, more), e);
	/* The path can be too long now. */
	return rc < 0 ? rc : config_vsock(&v, c->vsock, e);
}

int config_twin(struct config *c, const char *name, struct err *e)
{
	int rc = config_set(c, "name", name, e);

	for (unsigned i = 0; i < c->nnets && rc == 0; i++)
		rc = replace(&c->net[i], rewrite(c->net[i], name, net_rule, ""), e);
	for (unsigned i = 0; i < c->nports && rc == 0; i++)
		rc = replace(&c->port[i], rewrite(c->port[i], name, port_rule, ""), e);
	return rc == 0 && c->vsock ? twin_vsock(c, name, e) : rc;
}
