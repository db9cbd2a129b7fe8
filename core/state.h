/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;

/*
 * The state of a device or CPU as a table of fields: what save, restore, comparison and listings
 * use, so that no class writes its own.  Integers of 1, 2, 4 and 8 bytes, single or in arrays;
 * bools are 1 byte.  Ends with an entry whose name is NULL.
 */
struct field {
	const char *name;
	uint32_t offset;
	uint16_t size;  /* of one element */
	uint32_t count; /* of elements */
	bool yes_no;    /* they are bools: what is loaded becomes one */
};

#define FIELD_IS_BOOL(x) _Generic((x), bool : true, default : false)
#define FIELD(type, member)                                                                        \
	{                                                                                          \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1,                   \
		    FIELD_IS_BOOL(((type *)0)->member)                                             \
	}
#define FIELD_ARRAY(type, member)                                                                  \
	{                                                                                          \
#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                   \
		    sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]),                  \
		    FIELD_IS_BOOL(((type *)0)->member[0])                                          \
	}
#define FIELD_END                                                                                  \
	{                                                                                          \
		NULL, 0, 0, 0, false                                                               \
	}

/* Appends to out: for each field its name, size, count and elements, all little-endian. */
void state_save(const struct field *, const void *object, struct buf *out);
/* Reads what state_save wrote, starting at data[*at], and moves *at behind it.  Every field must be
 * there, in any order, with the same size and count; else -EINVAL, the reason, and nothing changed.
 */
int state_load(
    const struct field *, void *object, const uint8_t *data, size_t len, size_t *at, struct err *);

#endif
