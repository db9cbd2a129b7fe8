/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_MODEL_H
#define CPU_RISCV64_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Which riscv64 CPU a machine has: the key cpu-model.
 */

/* What harts have beside the letters of rv64imafdc, in the order of the manual's chapter on naming;
 * V: what comes with vectors. */
#define RV_EXTENSIONS(X, V)                                                                        \
	X(zicbom)                                                                                  \
	X(zicboz)                                                                                  \
	X(zicntr)                                                                                  \
	X(zicond)                                                                                  \
	X(zicsr)                                                                                   \
	X(zifencei)                                                                                \
	X(zihpm)                                                                                   \
	X(zacas)                                                                                   \
	X(zawrs)                                                                                   \
	X(zfa)                                                                                     \
	X(zfh)                                                                                     \
	X(zca)                                                                                     \
	X(zcb)                                                                                     \
	X(zcd)                                                                                     \
	X(zba)                                                                                     \
	X(zbb)                                                                                     \
	X(zbc)                                                                                     \
	X(zbkb)                                                                                    \
	X(zbkc)                                                                                    \
	X(zbkx)                                                                                    \
	X(zbs)                                                                                     \
	X(zknd)                                                                                    \
	X(zkne)                                                                                    \
	X(zknh)                                                                                    \
	X(zksh)                                                                                    \
	V(zvbb)                                                                                    \
	V(zvbc)                                                                                    \
	V(zvkb)                                                                                    \
	V(zvkg)                                                                                    \
	V(zvkned)                                                                                  \
	V(zvknha)                                                                                  \
	V(zvknhb)                                                                                  \
	X(smstateen)                                                                               \
	X(ssstateen)                                                                               \
	X(sstc)                                                                                    \
	X(svadu)                                                                                   \
	X(svinval)                                                                                 \
	X(svnapot)                                                                                 \
	X(svpbmt)                                                                                  \
	X(svvptc)

#define RV_EXTENSION(name) RV_EXT_##name,
enum rv_extension { RV_EXTENSIONS(RV_EXTENSION, RV_EXTENSION) RV_NEXTENSIONS };
#undef RV_EXTENSION

struct rv_model {
	bool vector; /* V, and the extensions that come with it */
	/* Extensions, as bits, of which the guest is not told.  Our own CPUs have them nonetheless,
	 * the others are the hosts'. */
	uint64_t hidden;
	unsigned virtual_bits; /* of the largest page tables that it is told of: 39, 48, 57 */
};

/* "rv64" or "best", and changes: "rv64,+v,-zacas,sv48"; NULL: what there is by default. */
int rv_model_parse(struct rv_model *, const char *text, struct err *);

const char *rv_extension_name(enum rv_extension);
/* Whether the guest is told that it has it. */
bool rv_model_has(const struct rv_model *, enum rv_extension);

#endif
