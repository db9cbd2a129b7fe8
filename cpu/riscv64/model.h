/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_MODEL_H
#define CPU_RISCV64_MODEL_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Which riscv64 CPU a machine has: the key cpu-model.
 */
struct rv_model {
	bool vector; /* V, Zvbb, Zvbc, Zvkg, Zvkned, Zvknhb */
};

/* "rv64" or "best", and changes: "rv64,+v"; NULL: what there is by default. */
int rv_model_parse(struct rv_model *, const char *text, struct err *);

#endif
