/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs cases on an engine and on the model, and compares. */
#include "lab/lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/state.h"
#include "lab/case.h"

enum { MAX_CODE = 256, WHY = 900 };

static const struct lab_arch *const archs[] = { &lab_arch_x86_64, &lab_arch_riscv64 };

/* What is said of a case ----------------------------------------------------------------------- */

/* What finds no room counts if nobody says why it is there. */
static PRINTF(4, 0) void note(
    struct lab *l, const char *what, uint64_t bits, const char *fmt, va_list ap)
{
	struct lab_diff more, *d = l->ndiffs < LAB_DIFFS ? &l->diff[l->ndiffs] : &more;

	d->bits = bits;
	snprintf(d->what, sizeof d->what, "%s", what);
	vsnprintf(d->text, sizeof d->text, fmt, ap);
	if (d != &more || !lab_differ_why(l, d))
		l->ndiffs++;
}

static PRINTF(4, 5) void differs_in(
    struct lab *l, const char *what, uint64_t bits, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(l, what, bits, fmt, ap);
	va_end(ap);
}

void lab_differs(struct lab *l, const char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(l, what, UINT64_MAX, fmt, ap);
	va_end(ap);
}

void lab_differs_from(struct lab *l, const char *what, const char *name, uint64_t got,
    const char *whose, uint64_t want)
{
	differs_in(l, what, got ^ want, "%s: got %llx, %s %llx", name ? name : what,
	    (unsigned long long)got, whose, (unsigned long long)want);
}

void lab_tell(struct lab *l, const char *name, enum lab_how how, const char *why)
{
	l->result(
	    l->arg, &(struct lab_result){ how, l->area->name, name, l->arch->modes[l->mode], why });
}

/* All that differs, or why it may; true: it may. */
static bool explain(const struct lab *l, char *why, size_t size)
{
	const char *reason, *last = NULL;
	const unsigned noted = l->ndiffs < LAB_DIFFS ? l->ndiffs : LAB_DIFFS;
	size_t len = 0;
	unsigned n;

	for (n = 0; n < noted; n++) {
		reason = lab_differ_why(l, &l->diff[n]);
		if (!reason)
			break;
		if (reason != last && len < size)
			len += (size_t)snprintf(
			    why + len, size - len, "%s%s", last ? "; " : "", reason);
		last = reason;
	}
	if (n == l->ndiffs)
		return true;
	len = (size_t)snprintf(why, size, "code %s", l->at->code);
	if (l->at->in && *l->at->in && len < size)
		len += (size_t)snprintf(why + len, size - len, ", with %s", l->at->in);
	for (n = 0; n < noted && len < size; n++)
		len += (size_t)snprintf(why + len, size - len, "; %s", l->diff[n].text);
	return false;
}

void lab_conclude(struct lab *l)
{
	char why[WHY] = "";

	if (!l->ndiffs)
		lab_tell(l, l->at->name, LAB_PASSED, "");
	else
		lab_tell(
		    l, l->at->name, explain(l, why, sizeof why) ? LAB_DIFFERS : LAB_FAILED, why);
}

/* Comparing ------------------------------------------------------------------------------------ */

static void mask_regs(const struct lab *l, uint8_t *regs)
{
	size_t n;

	for (n = 0; n < l->rig->cpu->regs_size; n++)
		regs[n] &= l->care[n];
}

static uint64_t get(const void *regs, const struct lab_reg *r)
{
	uint64_t val = 0;
	uint32_t v32;
	uint16_t v16;

	if (r->size == 2) {
		memcpy(&v16, (const char *)regs + r->at, 2);
		return v16;
	}
	if (r->size == 4) {
		memcpy(&v32, (const char *)regs + r->at, 4);
		return v32;
	}
	if (r->size == 1)
		return *((const uint8_t *)regs + r->at);
	memcpy(&val, (const char *)regs + r->at, 8);
	return val;
}

/* A register that neither has changed is none of this case's. */
static void compare_regs(struct lab *l)
{
	const struct lab_rig *a = l->rig, *b = l->model;
	size_t n;

	for (n = 0; n < l->nregs; n++) {
		const struct lab_reg *r = &l->reg[n];
		uint64_t got = get(a->regs, r), want = get(b->regs, r);

		if (got == want || (got == get(a->start, r) && want == get(b->start, r)))
			continue;
		lab_differs_from(l, r->name, NULL, got, "model", want);
	}
}

static void clear_spots(const struct lab *l, struct lab_rig *r)
{
	unsigned n;

	for (n = 0; n < l->nspots; n++)
		memset(r->ram + l->spot[n].at, 0, l->spot[n].len);
}

static void compare_ram(struct lab *l)
{
	const uint8_t *a = l->rig->ram, *b = l->model->ram;
	char what[20], name[20];
	unsigned at;

	if (!memcmp(a, b, LAB_RAM))
		return;
	for (at = 0; at < LAB_RAM; at += 4)
		if (memcmp(a + at, b + at, 4)) {
			snprintf(what, sizeof what, "ram.%x", at);
			snprintf(name, sizeof name, "d[%x]", at);
			lab_differs_from(
			    l, what, name, get_le(a + at, 4), "model", get_le(b + at, 4));
		}
}

/* The same bytes in the same order, in pieces of other sizes. */
static bool are_same_bytes(const struct lab_rig *a, const struct lab_rig *b)
{
	struct lab_event x = { 0 }, y = { 0 };
	unsigned i = 0, j = 0, left_x = 0, left_y = 0;

	if (a->nevents > LAB_EVENTS || b->nevents > LAB_EVENTS)
		return false;
	for (;;) {
		if (!left_x && i < a->nevents) {
			x = a->event[i++];
			left_x = x.size;
		}
		if (!left_y && j < b->nevents) {
			y = b->event[j++];
			left_y = y.size;
		}
		if (!left_x || !left_y)
			return left_x == left_y;
		if (x.kind != y.kind || x.at != y.at || (uint8_t)x.val != (uint8_t)y.val)
			return false;
		left_x--, left_y--;
		x.at++, y.at++;
		x.val >>= 8, y.val >>= 8;
	}
}

static void compare_events(struct lab *l)
{
	char a[500], b[500];

	lab_text_events(l->rig, a, sizeof a);
	lab_text_events(l->model, b, sizeof b);
	if (!strcmp(a, b) && l->rig->nevents == l->model->nevents)
		return;
	lab_differs(l, are_same_bytes(l->rig, l->model) ? "pieces" : "events",
	    "devices saw %.65s, model %.65s", *a ? a : "nothing", *b ? b : "nothing");
}

static void compare(struct lab *l)
{
	struct lab_rig *r[] = { l->rig, l->model };
	unsigned n;

	if (strcmp(l->rig->end, l->model->end))
		lab_differs(
		    l, "end", "ends with \"%s\", model with \"%s\"", l->rig->end, l->model->end);
	for (n = 0; n < 2; n++) {
		l->arch->settle(r[n]->regs);
		l->arch->settle(r[n]->start);
		if (l->arch->mask_ram)
			l->arch->mask_ram(r[n], l->care);
		mask_regs(l, r[n]->regs);
		mask_regs(l, r[n]->start);
		clear_spots(l, r[n]);
	}
	compare_regs(l);
	compare_ram(l);
	compare_events(l);
}

/* Running -------------------------------------------------------------------------------------- */

static int put_code(const struct lab *l, struct lab_rig *r)
{
	uint8_t *to = r->ram + l->arch->code_at;
	int n = lab_text_bytes(l->at->code, to, MAX_CODE);

	if (n < 0)
		return n;
	return lab_text_bytes(l->arch->stop, to + n, MAX_CODE) < 0 ? -EINVAL : 0;
}

static int run(struct lab *l, struct lab_rig *r, struct err *e)
{
	int rc;

	lab_rig_reset(r);
	rc = put_code(l, r);
	if (rc)
		return err_set(e, -rc, "the lab cannot read code \"%s\"", l->at->code);
	l->arch->mode(r, l->mode, l->alone ? l->own : l->features);
	rc = lab_text_in(l, r, l->at->in, e);
	if (rc)
		return rc;
	l->arch->begin(r);
	rc = lab_rig_set(r);
	if (rc)
		return err_set(e, -rc, "the engine does not take this state: error %d", -rc);
	if (r->wants_nmi)
		lab_rig_interrupt(r, LAB_WAKE_NMI);
	lab_rig_drive(r);
	lab_rig_go(r);
	return 0;
}

static void do_one(struct lab *l)
{
	struct err e = { "" };
	int rc = run(l, l->rig, &e);

	if (!rc && l->model && !l->alone)
		rc = run(l, l->model, &e);
	if (rc) {
		lab_tell(l, l->at->name, LAB_FAILED, e.text);
		return;
	}
	memset(l->care, 0xff, l->rig->cpu->regs_size);
	l->nspots = l->ndiffs = 0;
	rc = lab_text_out(l, l->at->out, &e);
	if (rc) {
		lab_tell(l, l->at->name, LAB_FAILED, e.text);
		return;
	}
	if (l->model && !l->alone)
		compare(l);
	lab_conclude(l);
}

bool lab_has(const struct lab *l, const char *words, char what[32])
{
	unsigned n;
	size_t len;

	for (; words && *(words += strspn(words, " ")); words += len) {
		len = strcspn(words, " ");
		if (*words != '+')
			continue;
		snprintf(what, 32, "%.*s", (int)len - 1, words + 1);
		for (n = 0; n < 32 * LAB_FEATURES; n++)
			if (l->arch->features[n] && !strcmp(l->arch->features[n], what))
				break;
		if (n == 32 * LAB_FEATURES ||
		    !((l->alone ? l->own : l->features)[n / 32] >> n % 32 & 1))
			return false;
	}
	return true;
}

void lab_do(struct lab *l, const struct lab_case *c)
{
	char why[80], what[32];
	const char *skip;

	l->at = c;
	for (l->mode = 0; l->arch->modes[l->mode]; l->mode++) {
		if (!(c->modes >> l->mode & 1))
			continue;
		skip = lab_skip_why(l);
		if (skip) {
			lab_tell(l, c->name, LAB_SKIPPED, skip);
			continue;
		}
		if (lab_has(l, l->arch->needs[l->mode], what) && lab_has(l, c->in, what)) {
			do_one(l);
			continue;
		}
		snprintf(why, sizeof why, "this CPU does not have %s", what);
		lab_tell(l, c->name, LAB_SKIPPED, why);
	}
	l->mode = 0;
}

void lab_do_alone(struct lab *l, const struct lab_case *c)
{
	l->alone = true;
	lab_do(l, c);
	l->alone = false;
}

void lab_cases(struct lab *l, const struct lab_case *c, size_t n)
{
	for (; n; n--, c++)
		lab_do(l, c);
}

/* Labs ----------------------------------------------------------------------------------------- */

static int find_regs(struct lab *l)
{
	const struct field *f;
	unsigned i;

	for (f = l->rig->cpu->regs; f->name; f++)
		l->nregs += f->count;
	l->reg = calloc(l->nregs, sizeof *l->reg);
	l->care = malloc(l->rig->cpu->regs_size);
	if (!l->reg || !l->care)
		return -ENOMEM;
	l->nregs = 0;
	for (f = l->rig->cpu->regs; f->name; f++)
		for (i = 0; i < f->count; i++) {
			struct lab_reg *r = &l->reg[l->nregs++];

			r->at = (uint16_t)(f->offset + i * f->size);
			r->size = (uint8_t)f->size;
			l->arch->rename(f->name, f->count > 1 ? (int)i : -1, r->name);
		}
	return 0;
}

static int make(struct lab *l, const struct engine_class *engine, struct err *e)
{
	const struct engine_class *model = engine_find("interp");
	const struct cpu_class *cpu = cpu_find(l->area->arch);
	uint32_t features[LAB_FEATURES] = { 0 };
	unsigned n;

	for (n = 0; n < ARRAY_LEN(archs); n++)
		if (!strcmp(archs[n]->name, l->area->arch))
			l->arch = archs[n];
	l->rig = lab_rig_new(engine, cpu, l->cpu, l->area->holes, e);
	if (!l->rig)
		return -EIO;
	l->rig->plain_lines = l->arch->plain_lines;
	l->arch->probe(l->rig, l->own);
	memcpy(l->features, l->own, sizeof l->features);
	if (model && model != engine) {
		l->model = lab_rig_new(model, cpu, l->cpu, l->area->holes, e);
		if (!l->model)
			return -EIO;
		l->model->plain_lines = l->arch->plain_lines;
		l->arch->probe(l->model, features);
		for (n = 0; n < LAB_FEATURES; n++)
			l->features[n] &= features[n];
	}
	return find_regs(l) ? err_set(e, ENOMEM, "no memory for the lab") : 0;
}

static int run_area(struct lab *l, const struct engine_class *engine, struct err *e)
{
	int rc = make(l, engine, e);

	if (!rc) {
		l->area->run(l);
	} else if (l->cpu && l->arch) { /* which not every host has */
		lab_tell(l, l->cpu, LAB_SKIPPED, e->text);
		rc = 0;
	}
	lab_rig_free(l->rig);
	lab_rig_free(l->model);
	free(l->reg);
	free(l->care);
	return rc;
}

int lab_run(const struct lab_class *area, const struct engine_class *engine, lab_result_fn *result,
    void *arg, struct err *e)
{
	const char *const *next = area->models, *model = NULL;
	int rc;

	do {
		struct lab l = { .area = area, .cpu = model, .result = result, .arg = arg };

		rc = run_area(&l, engine, e);
		model = next ? *next++ : NULL;
	} while (!rc && model);
	return rc;
}
