/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys share and vsock: what a guest has with its host beside disks and networks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "machine/config.h"
#include "machine/config_key.h"

/* The text up to a single comma goes to `to`, with double ones made single; what is behind it, or
 * NULL: it does not fit. */
static const char *take_piece(const char *from, char *to, size_t size)
{
	size_t n = 0;

	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		if (n + 1 >= size)
			return NULL;
		to[n++] = *from++;
	}
	to[n] = '\0';
	return *from ? from + 1 : from;
}

static int bad_share(const char *value, const char *what, struct err *e)
{
	return err_set(e, EINVAL,
	    "share \"%s\": %s: FOLDER:TAG[,ro][,mapped] is wanted (a comma in the folder's name is "
	    "written twice)",
	    value, what);
}

int config_share(struct config_share *s, const char *value, struct err *e)
{
	char option[16], *colon;
	const char *rest;

	*s = (struct config_share){ .readonly = false };
	rest = take_piece(value, s->dir, sizeof s->dir);
	/* The last one, so that a folder's name may have some. */
	colon = rest ? strrchr(s->dir, ':') : NULL;
	if (!colon || colon == s->dir || !colon[1])
		return bad_share(value, "a folder and a tag are wanted", e);
	if (strlen(colon + 1) >= sizeof s->tag || strchr(colon, '/'))
		return bad_share(value, "a tag has up to 63 letters and no slash", e);
	strcpy(s->tag, colon + 1);
	*colon = '\0';
	while (*rest) {
		rest = take_piece(rest, option, sizeof option);
		if (rest && !strcmp(option, "ro"))
			s->readonly = true;
		else if (rest && !strcmp(option, "mapped"))
			s->mapped = true;
		else
			return bad_share(value, "there is ro and mapped", e);
	}
	return 0;
}

int config_add_share(struct config *c, const char *value, struct err *e)
{
	struct config_share s, other;
	int rc;

	if (c->nshares == CONFIG_SHARES)
		return err_set(e, EINVAL,
		    "share \"%s\": there are %d already, the most there can be", value,
		    CONFIG_SHARES);
	rc = config_share(&s, value, e);
	for (unsigned i = 0; !rc && i < c->nshares; i++)
		if (!config_share(&other, c->share[i], NULL) && !strcmp(s.tag, other.tag))
			rc = err_set(
			    e, EINVAL, "share \"%s\": another one has the tag %s", value, s.tag);
	if (rc)
		return rc;
	c->share[c->nshares] = strdup(value);
	if (!c->share[c->nshares])
		return err_set(e, ENOMEM, "configuration: no memory");
	c->nshares++;
	return 0;
}

int config_vsock(struct config_vsock *v, const char *value, struct err *e)
{
	/* VIRTIO version 1.2, section 5.10.4: 0, 1, 2 and all ones in 32 bits are not a guest's. */
	enum { FIRST_CID = 3 };
	char option[32];
	const char *rest;

	*v = (struct config_vsock){ .cid = FIRST_CID };
	rest = take_piece(value, v->path, sizeof v->path);
	if (!rest || !v->path[0])
		return err_set(e, EINVAL,
		    "vsock \"%s\": the path of a socket is wanted, of up to %zu bytes", value,
		    sizeof v->path - 1);
	while (*rest) {
		rest = take_piece(rest, option, sizeof option);
		if (!rest || strncmp(option, "cid=", 4) || parse_u64(option + 4, &v->cid) ||
		    v->cid < FIRST_CID || v->cid >= UINT32_MAX)
			return err_set(e, EINVAL,
			    "vsock \"%s\": PATH[,cid=N] is wanted, with N from 3 to 4294967294 "
			    "(a comma in the path is written twice)",
			    value);
	}
	return 0;
}

int config_check_vsock(const char *key, const char *value, struct err *e)
{
	struct config_vsock v;

	(void)key;
	return config_vsock(&v, value, e);
}
