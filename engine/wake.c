/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/wake.h"

#include <errno.h>
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

void wake_init(struct wake *w)
{
	mutex_init(&w->lock);
}

void wake_fini(struct wake *w)
{
	mutex_fini(&w->lock);
}

void wake_enter(struct wake *w)
{
	wake_mask(SIG_UNBLOCK);
	mutex_lock(&w->lock);
	w->thread = pthread_self();
	w->inside = true;
	mutex_unlock(&w->lock);
}

void wake_leave(struct wake *w)
{
	mutex_lock(&w->lock);
	w->inside = false;
	mutex_unlock(&w->lock);
}

bool wake_is_here(const struct wake *w)
{
	return w->inside && pthread_equal(w->thread, pthread_self());
}

void wake_send(struct wake *w)
{
	if (w->inside && !wake_is_here(w))
		pthread_kill(w->thread, wake_signal());
}
