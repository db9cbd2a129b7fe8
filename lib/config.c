/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "base/buf.h"
#include "lib/lib.h"

struct lodge_config *lodge_config_new(void)
{
	struct lodge_config *c = malloc(sizeof(*c));

	if (c)
		config_init(&c->c);
	return c;
}

void lodge_config_free(struct lodge_config *c)
{
	if (c)
		config_free(&c->c);
	free(c);
}

int lodge_config_set(
    struct lodge_config *c, const char *key, const char *value, struct lodge_error *error)
{
	struct err e;
	int rc = config_set(&c->c, key, value, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

int lodge_config_read(struct lodge_config *c, const char *path, struct lodge_error *error)
{
	struct err e;
	int rc = config_read(&c->c, path, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

size_t lodge_config_get(const struct lodge_config *c, const char *key, char *text, size_t size)
{
	struct buf b = { 0 };

	if (config_get(&c->c, key, &b))
		return lib_give(&b, text, size);
	if (size)
		*text = '\0';
	return (size_t)-1;
}

int lodge_config_restore(struct lodge_config *c, const char *path, struct lodge_error *error)
{
	struct err e;
	int rc = config_restore(&c->c, path, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

int lodge_config_replay(struct lodge_config *c, const char *path, struct lodge_error *error)
{
	struct err e;
	int rc = config_replay(&c->c, path, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

int lodge_config_finish(struct lodge_config *c, struct lodge_error *error)
{
	struct err e;
	int rc = config_finish(&c->c, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

size_t lodge_config_print(const struct lodge_config *c, char *text, size_t size)
{
	struct buf b = { 0 };

	config_print(&c->c, &b);
	return lib_give(&b, text, size);
}

void lodge_config_keys(void (*fn)(void *arg, const char *key, const char *about), void *arg)
{
	config_keys(fn, arg);
}
