/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_WAKE_H
#define ENGINE_WAKE_H

/*
 * The signal by which engines bring a thread that is inside the host's kernel out of it.  Its
 * handler has nothing to do.
 */
int wake_signal(void);
/* For the process; flags: of sigaction(2).  0 or -errno. */
int wake_begin(int flags);
/* how: of pthread_sigmask(3), for the calling thread. */
void wake_mask(int how);

#endif
