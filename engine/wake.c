/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

int wake_signal(void)
{
	return SIGRTMAX - 1;
}

static void woken(int sig)
{
	(void)sig;
}

int wake_begin(int flags)
{
	struct sigaction a = { .sa_handler = woken, .sa_flags = flags };

	sigemptyset(&a.sa_mask);
	return sigaction(wake_signal(), &a, NULL) < 0 ? -errno : 0;
}

void wake_mask(int how)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, wake_signal());
	pthread_sigmask(how, &s, NULL);
}
