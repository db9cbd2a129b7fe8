/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_RUN_H
#define MACHINE_RUN_H

#include "base/err.h"

struct machine;
struct machine_cpu;

/* Loads what the machine boots; everything is in its power-on state. */
int machine_boot(struct machine *, struct err *);

/* How machine_run is made to look around (machine/run.c).  Any thread. */

/* Somebody posted an event or made a request. */
void machine_wake(struct machine *);
/* This CPU got an interrupt: if it is halted it has to look at it. */
void machine_alert(struct machine *, struct machine_cpu *);

#endif
