/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VIRTIO_SHARE_RIG_H
#define TEST_DEV_VIRTIO_SHARE_RIG_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/thread.h"
#include "core/share.h"
#include "core/vsock.h"
#include "host/share/share.h"
#include "host/vsock.h"
#include "test/dev/virtio_rig.h"

/* A virtio_9p with a folder behind it, or a virtio_vsock with a socket; the host's ends have their
 * threads. */
struct share_rig {
	struct vrig vr;
	char dir[40];
	struct share *share;
	struct vsock *vsock;
	struct loop *loop;
	struct thread thread;
};

static inline void *sr_run(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* id: with ",legacy" or without; at_once: the folder is served without a thread. */
static inline struct share_rig *sr_new(const char *id, bool at_once)
{
	struct share_rig *s = calloc(1, sizeof *s);
	struct err e = { "" };
	struct dev where = { .base = VR_BASE, .irq_no = VR_IRQ, .id = id };

	assert_non_null(s);
	strcpy(s->dir, "/tmp/lodge-share.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->vr.r = rig_new();
	if (strstr(id, "9p")) {
		const struct share_options o = { .dir = s->dir, .tag = "data", .at_once = at_once };

		s->share = share_open(&o, s->vr.r->env.events, &e);
		where.back = s->share;
	} else {
		char path[60];

		snprintf(path, sizeof path, "%s/v", s->dir);
		s->loop = loop_new(&e);
		s->vsock = vsock_open(path, 5, s->loop, s->vr.r->env.events, &e);
		where.back = s->vsock;
		assert_int_equal(thread_start(&s->thread, "loop", sr_run, s->loop), 0);
	}
	if (!where.back)
		fail_msg("%s", e.text);
	s->vr.d = rig_dev_at(s->vr.r, "virtio_mmio", where);
	return s;
}

static inline int sr_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void sr_free(struct share_rig *s)
{
	struct rig *r = s->vr.r;

	while (r->ndevs)
		dev_free(r->dev[--r->ndevs]);
	share_free(s->share);
	if (s->loop) {
		loop_stop(s->loop);
		thread_join(&s->thread);
		vsock_free(s->vsock);
		loop_free(s->loop);
	}
	rig_free(r);
	nftw(s->dir, sr_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(s);
}

/* Waits for the next used chain of a queue. */
static inline int sr_wait(struct share_rig *s, unsigned queue, uint32_t *len)
{
	int head;

	for (unsigned i = 0; (head = vr_used(&s->vr, queue, len)) < 0 && i < 20000; i++) {
		usleep(500);
		events_deliver(s->vr.r->env.events);
	}
	return head;
}

#endif
