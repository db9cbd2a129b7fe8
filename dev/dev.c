/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/dev.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "dev/fdt.h"

const struct dev_class *dev_find(const char *name)
{
	const struct dev_class *const *c;

	for (c = dev_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

/* What is large is mostly tables of which little is used, and so takes no memory for the rest. */
enum { LARGE = 16 << 10 };

static struct dev *alloc(const struct dev_class *class)
{
	return class->size < LARGE ? calloc(1, class->size) : os_pages_new(class->size);
}

static void release(struct dev *d)
{
	if (d->class->size < LARGE)
		free(d);
	else
		os_pages_free(d, d->class->size);
}

struct dev *dev_new(const struct dev_class *class, const struct dev *where, struct err *e)
{
	struct dev *d;

	assert(class->size >= sizeof *d);
	d = alloc(class);
	if (!d) {
		err_set(e, ENOMEM, "%s: no memory", class->name);
		return NULL;
	}
	*d = *where;
	d->class = class;
	d->id = strdup(where->id ? where->id : "");
	if (!d->id) {
		release(d);
		err_set(e, ENOMEM, "%s: no memory", class->name);
		return NULL;
	}
	if (d->pic)
		d->irq = d->pic->class->input(d->pic, d->irq_no);
	mutex_init(&d->lock);
	if (class->init(d, e) < 0) {
		mutex_fini(&d->lock);
		free((char *)d->id);
		release(d);
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
	free((char *)d->id);
	release(d);
}

void dev_reset(struct dev *d)
{
	d->class->reset(d);
}

/* The i-th table of state: the class's own, then those of its parts. */
static const struct field *state_table(struct dev *d, unsigned i, void **object)
{
	static const struct field none[] = { FIELD_END };

	*object = d;
	if (i == 0)
		return d->class->fields ? d->class->fields : none;
	return d->class->part ? d->class->part(d, i - 1, object) : NULL;
}

void dev_save(struct dev *d, struct buf *out)
{
	const struct field *f;
	void *object;
	unsigned i;

	for (i = 0; (f = state_table(d, i, &object)); i++)
		state_save(f, object, out);
}

int dev_load(struct dev *d, const uint8_t *data, size_t len, size_t *at, struct err *e)
{
	const struct field *f;
	void *object;
	unsigned i;
	int rc;

	for (i = 0; (f = state_table(d, i, &object)); i++) {
		rc = state_load(f, object, data, len, at, e);
		if (rc < 0)
			return rc;
	}
	if (d->class->loaded)
		d->class->loaded(d);
	return 0;
}

struct bus *dev_bus(const struct dev *d)
{
	return d->port ? d->env->ports : d->env->bus;
}

const char *dev_wired(const struct dev *pic, unsigned n)
{
	const struct dev *d = pic->env->wired ? pic->env->wired(pic->env->machine, pic, n) : NULL;

	return d ? d->class->name : "";
}

const char *dev_reg_name(const struct dev_class *class, uint64_t offset)
{
	for (const struct dev_reg *r = class->regs; r && r->name; r++)
		if (r->offset == offset)
			return r->name;
	return NULL;
}

void dev_fdt_irq(const struct dev *d, struct fdt *f)
{
	if (!d->pic)
		return;
	fdt_u32(f, "interrupts", d->irq_no);
	fdt_u32(f, "interrupt-parent", fdt_phandle(f, d->pic->class->name));
}
