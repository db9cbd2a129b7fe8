/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/dev.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dev/fdt.h"

const struct dev_class *dev_find(const char *name)
{
	const struct dev_class *const *c;

	for (c = dev_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

struct dev *dev_new(const struct dev_class *class, const struct dev *where, struct err *e)
{
	struct dev *d;

	assert(class->size >= sizeof *d);
	d = calloc(1, class->size);
	if (!d) {
		err_set(e, ENOMEM, "%s: no memory", class->name);
		return NULL;
	}
	*d = *where;
	d->class = class;
	if (!d->id)
		d->id = "";
	if (d->pic)
		d->irq = d->pic->class->input(d->pic, d->irq_no);
	mutex_init(&d->lock);
	if (class->init(d, e) < 0) {
		mutex_fini(&d->lock);
		free(d);
		return NULL;
	}
	class->reset(d);
	return d;
}

void dev_free(struct dev *d)
{
	if (!d)
		return;
	if (d->class->fini)
		d->class->fini(d);
	mutex_fini(&d->lock);
	free(d);
}

void dev_reset(struct dev *d)
{
	d->class->reset(d);
}

void dev_fdt_irq(const struct dev *d, struct fdt *f)
{
	if (!d->pic)
		return;
	fdt_u32(f, "interrupts", d->irq_no);
	fdt_u32(f, "interrupt-parent", fdt_phandle(f, d->pic->class->name));
}
