/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VIRTIO_BACKS_H
#define TEST_DEV_VIRTIO_BACKS_H

#include "core/balloon.h"
#include "dev/virtio/virtio.h"
#include "test/dev/virtio_disk.h"
#include "test/dev/virtio_share_rig.h"

/*
 * Something behind each class of virtio devices that wants something there, for tests that go
 * through all classes.  A class that is not known here gets nothing.
 */
struct backs {
	struct disk disk;
	struct balloon balloon;
	struct chr_lines lines;
	struct rig_chr more;
	/* Of virtio_9p and virtio_vsock: */
	char dir[40];
	struct share *share;
	struct vsock *vsock;
	struct loop *loop;
	struct thread thread;
};

static inline void backs_share(struct backs *b, struct events *ev)
{
	const struct share_options o = { .dir = b->dir, .tag = "data", .at_once = true };

	strcpy(b->dir, "/tmp/lodge-backs.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->share = share_open(&o, ev, NULL);
	assert_non_null(b->share);
}

static inline void backs_vsock(struct backs *b, struct events *ev)
{
	char path[60];

	strcpy(b->dir, "/tmp/lodge-backs.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(path, sizeof path, "%s/v", b->dir);
	b->loop = loop_new(NULL);
	assert_non_null(b->loop);
	b->vsock = vsock_open(path, 5, b->loop, ev, NULL);
	assert_non_null(b->vsock);
	assert_int_equal(thread_start(&b->thread, "loop", sr_run, b->loop), 0);
}

static inline void backs_init(struct backs *b, struct rig_chr *console)
{
	static const struct chr_ops ops = { .write = rig_chr_write, .room = rig_chr_room };

	disk_init(&b->disk);
	b->disk.b.queues = 3;
	balloon_init(&b->balloon);
	b->dir[0] = 0;
	b->share = NULL;
	b->vsock = NULL;
	b->loop = NULL;
	b->more = (struct rig_chr){ .chr.ops = &ops };
	b->lines = (struct chr_lines){ .console = &console->chr, .n = 1 };
	strcpy(b->lines.line[0].name, "more");
	b->lines.line[0].chr = &b->more.chr;
}

static inline void backs_fini(struct backs *b)
{
	balloon_fini(&b->balloon);
	share_free(b->share);
	if (b->loop) {
		loop_stop(b->loop);
		thread_join(&b->thread);
		vsock_free(b->vsock);
		loop_free(b->loop);
	}
	if (b->dir[0])
		nftw(b->dir, sr_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Both, in their order. */
static inline void vrig_free_with_back(struct vrig *vr, struct backs *b)
{
	while (vr->r->ndevs)
		dev_free(vr->r->dev[--vr->r->ndevs]);
	backs_fini(b);
	vrig_free(vr);
}

static inline void *back_of(struct backs *b, const char *class)
{
	if (!strcmp(class, "virtio_blk"))
		return &b->disk.b;
	if (!strcmp(class, "virtio_balloon"))
		return &b->balloon;
	if (!strcmp(class, "virtio_console"))
		return &b->lines;
	return b->share ? (void *)b->share : (void *)b->vsock;
}

/* NULL, and the reason, where it cannot be made.  backs: initialized here. */
static inline struct vrig *vrig_with_back(
    const char *class, const char *words, struct backs *b, struct err *e)
{
	struct vrig *vr = calloc(1, sizeof *vr);
	char id[120];
	struct dev where = { .base = VR_BASE, .irq_no = VR_IRQ, .id = id };

	assert_non_null(vr);
	snprintf(id, sizeof id, "%s%s", class, words);
	vr->r = rig_new();
	backs_init(b, &vr->r->chr);
	where.env = &vr->r->env;
	where.pic = &vr->r->pic;
	if (!strcmp(class, "virtio_9p"))
		backs_share(b, vr->r->env.events);
	if (!strcmp(class, "virtio_vsock"))
		backs_vsock(b, vr->r->env.events);
	where.back = back_of(b, class);
	vr->d = dev_new(dev_find("virtio_mmio"), &where, e);
	if (vr->d) {
		vr->r->dev[vr->r->ndevs++] = vr->d;
		return vr;
	}
	vrig_free_with_back(vr, b);
	return NULL;
}

#endif
