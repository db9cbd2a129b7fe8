/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VIRTIO_BACKS_H
#define TEST_DEV_VIRTIO_BACKS_H

#include "core/balloon.h"
#include "dev/virtio/virtio.h"
#include "test/dev/virtio_disk.h"

/*
 * Something behind each class of virtio devices that wants something there, for tests that go
 * through all classes.  A class that is not known here gets nothing.
 */
struct backs {
	struct disk disk;
	struct balloon balloon;
	struct chr_lines lines;
	struct rig_chr more;
};

static inline void backs_init(struct backs *b, struct rig_chr *console)
{
	static const struct chr_ops ops = { rig_chr_write, rig_chr_room };

	disk_init(&b->disk);
	b->disk.b.queues = 3;
	balloon_init(&b->balloon);
	b->more = (struct rig_chr){ .chr.ops = &ops };
	b->lines = (struct chr_lines){ .console = &console->chr, .n = 1 };
	strcpy(b->lines.line[0].name, "more");
	b->lines.line[0].chr = &b->more.chr;
}

static inline void backs_fini(struct backs *b)
{
	balloon_fini(&b->balloon);
}

static inline void *back_of(struct backs *b, const char *class)
{
	if (!strcmp(class, "virtio_blk"))
		return &b->disk.b;
	if (!strcmp(class, "virtio_balloon"))
		return &b->balloon;
	if (!strcmp(class, "virtio_console"))
		return &b->lines;
	return NULL;
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
	where.back = back_of(b, class);
	vr->d = dev_new(dev_find("virtio_mmio"), &where, e);
	if (vr->d) {
		vr->r->dev[vr->r->ndevs++] = vr->d;
		return vr;
	}
	backs_fini(b);
	vrig_free(vr);
	return NULL;
}

#endif
