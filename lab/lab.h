/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * The engine conformance lab: small tests of what a guest CPU does, run on any engine, with the
 * interpreter as the model.  An area of tests is a file lab/ARCH/NAME.c, which defines `const
 * struct lab_class lab_ARCH_NAME`; nothing else has to know of it.  One thread runs a lab, and any
 * number of labs may run in one process.
 */
struct lab; /* an engine under test, and the model beside it */
struct cpu_class;
struct engine_class;

struct lab_class {
	const char *name; /* of the area */
	const char *arch;
	const char *about;
	void (*run)(struct lab *);
	/* Models of the CPU to run on behind the best one, NULL behind the last; NULL: none. */
	const char *const *models;
	/* Devices' memory is on no bus: accesses come out of the engine, to be answered there. */
	bool holes;
};

extern const struct lab_class *const lab_classes[]; /* made by tools/list.sh */

enum lab_how {
	LAB_PASSED,
	LAB_FAILED,
	LAB_DIFFERS, /* from the model, as lab/differ.c says that it may */
	LAB_SKIPPED
};

struct lab_result {
	enum lab_how how;
	const char *area, *name, *mode;
	const char *why; /* but for LAB_PASSED: what differed, or why it is skipped */
};

typedef void lab_result_fn(void *arg, const struct lab_result *);

/* Runs an area on an engine that probes.  The results come one by one, on the calling thread; what
 * they point to holds during the call.  Fails only where no machine can be made. */
int lab_run(const struct lab_class *, const struct engine_class *, lab_result_fn *, void *arg,
    struct err *);

#endif
