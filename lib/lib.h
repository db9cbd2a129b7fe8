/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <stdatomic.h>

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

/* trace.c ----------------------------------------------------------------------------------------
 */

struct explain;
struct log;
struct machine;
struct trace;

/* How a machine of the library is traced: keys trace, trace-file, trace-last and explain. */
struct tracing {
	struct log *log;
	struct trace *trace;
	struct machine *machine;
	struct explain *explain; /* NULL: not asked for */
	bool kept;               /* records are for later */
	atomic_bool told;        /* that the file takes no more */
	const char *file;
};

/* Before the machine is made, and when it is. */
int tracing_open(struct tracing *, struct log *, const struct config *, struct err *);
int tracing_start(struct tracing *, struct machine *, const struct config *, struct err *);
/* Any thread: "off", or as key trace has it.  -EINVAL and the reason. */
int tracing_set(struct tracing *, const char *list, struct err *);
/* What was kept, and what the guest died of.  No CPU runs. */
void tracing_crashed(struct tracing *, const char *how);
/* The machine is not there any more. */
void tracing_close(struct tracing *);

#endif
