/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_FOUND_H
#define CMD_FOUND_H

#include <jansson.h>
#include <stddef.h>

/*
 * The machines that are found by their names: those of the user, and those of the system where he
 * may look at them.
 */
struct found {
	char *path;   /* of the control socket */
	json_t *info; /* what query-lodge says, with "name" and "ctl"; status "silent": no answer */
};

struct found_list {
	struct found *at;
	size_t n;
};

/* Sorted by name.  An exit status, after a complaint. */
int found_all(struct found_list *);
void found_free(struct found_list *);

const char *found_text(const json_t *info, const char *key);
/* "512M", "1h 5m" */
void found_memory(const json_t *info, char *text, size_t size);
void found_uptime(const json_t *info, char *text, size_t size);

#endif
