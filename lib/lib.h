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

/* Where the control socket of a machine is to be, in a folder that is there and that nobody else
 * owns; "": it has none.  -errno and the reason. */
int lib_control_socket(const struct config *, char *path, size_t size, struct err *);

/* Gives up what a machine of this configuration does not need any more (base/os_sandbox.h); its
 * control socket is at ctl.  -errno, and what cannot be given up here. */
int lib_confine(const struct config *, const char *ctl, struct err *);

/* The engine of that name ("auto": the best) if it can run cpu here; NULL with *rc -ENOTSUP. */
struct cpu_class;
const struct engine_class *lib_engine(
    const char *name, const struct cpu_class *cpu, struct err *, int *rc);

#endif
