/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/display.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/thread.h"

void display_attach(struct display *d, const struct display_ops *ops, void *dev, struct mutex *lock)
{
	if (d)
		*d = (struct display){ ops, dev, lock };
}

int display_take(const struct display *d, struct picture *p, struct err *e)
{
	size_t n;
	int rc = 0;

	*p = (struct picture){ 0 };
	if (!d->ops)
		return err_set(e, ENODEV, "this machine has no display");
	mutex_lock(d->lock);
	d->ops->size(d->dev, &p->width, &p->height);
	n = (size_t)p->width * p->height;
	assert(n <= DISPLAY_MAX);
	if (!n)
		rc = err_set(e, ENODATA, "the display is off: the guest has set no video mode");
	else if (!(p->pixel = malloc(n * sizeof *p->pixel)))
		rc = err_set(e, ENOMEM, "no memory for a picture of %ux%u", p->width, p->height);
	else
		d->ops->draw(d->dev, p, true);
	mutex_unlock(d->lock);
	return rc;
}

void picture_free(struct picture *p)
{
	free(p->pixel);
	*p = (struct picture){ 0 };
}
