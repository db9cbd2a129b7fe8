/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include "include/lodge.h"
#include "machine/config.h"

/* What the files of liblodge share. */
struct lodge_config {
	struct config c;
};

/* Hands a failure on to the caller of the API; returns rc. */
int lib_fail(struct lodge_error *to, int rc, const struct err *from);
/* Gives text away as snprintf does, and frees b. */
size_t lib_give(struct buf *b, char *text, size_t size);

/* Makes the folder of lodge_control_path, which nobody else may own. */
int lib_control_folder(struct err *);

/* The engine of that name ("auto": the best) if it can run cpu here; NULL with *rc -ENOTSUP. */
struct cpu_class;
const struct engine_class *lib_engine(
    const char *name, const struct cpu_class *cpu, struct err *, int *rc);

#endif
