/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LODGE_H
#define LODGE_H

/*
 * liblodge: make a virtual machine, run it, take its exits.
 *
 * Two ways to use it.  A whole machine (lodge_machine_new from a configuration: board, devices,
 * firmware, kernel; lodge_machine_run runs it to its end) is what the command lodge does.  A bare
 * machine (lodge_bare_new: memory and CPUs, nothing else; lodge_vcpu_run comes back with every
 * access that is not memory) is for those who bring their own devices.
 *
 * Errors: functions return 0 or a negative errno value, pointers are NULL on failure; in both cases
 * the struct lodge_error that was passed (it may be NULL) holds one sentence for a person. Threads:
 * a machine belongs to the thread that runs it; only the functions marked "any thread" may be
 * called from others meanwhile.  Different machines are independent of each other.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LODGE_VERSION "0.1"

struct lodge_error {
	char text[240];
};

const char *lodge_version(void);

#ifdef __cplusplus
}
#endif

#endif
