/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of cases (lab/case.h). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "lab/case.h"

enum { WORD = 200 };

static bool next_word(const char **text, char *word)
{
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	if (!len || len >= WORD)
		return false;
	memcpy(word, *text, len);
	word[len] = 0;
	*text += len;
	return true;
}

int lab_text_bytes(const char *text, uint8_t *to, size_t size)
{
	char digits[3] = "";
	size_t n = 0;

	while (*(text += strspn(text, " "))) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    n == size)
			return -EINVAL;
		memcpy(digits, text, 2);
		to[n++] = (uint8_t)strtoul(digits, NULL, 16);
		text += 2;
	}
	return (int)n;
}

/* A name of a place, or a number. */
static bool read_term(const struct lab *l, const char *text, size_t len, uint64_t *val)
{
	const struct lab_symbol *s;
	char term[40], *end;

	if (!len || len >= sizeof term)
		return false;
	memcpy(term, text, len);
	term[len] = 0;
	for (s = l->arch->symbols; s->name; s++)
		if (!strcmp(s->name, term)) {
			*val = s->at;
			return true;
		}
	*val = strtoull(term, &end, 16);
	return !*end;
}

static bool read_sum(const struct lab *l, const char *text, uint64_t *val)
{
	uint64_t term;
	bool minus = *text == '-';
	size_t len;

	*val = 0;
	for (text += minus;; text += len + 1) {
		len = strcspn(text, "+-");
		if (!read_term(l, text, len, &term))
			return false;
		*val += minus ? -term : term;
		if (!text[len])
			return true;
		minus = text[len] == '-';
	}
}

const struct lab_reg *lab_find_reg(const struct lab *l, const char *name)
{
	size_t n;

	for (n = 0; n < l->nregs; n++)
		if (!strcmp(l->reg[n].name, name))
			return &l->reg[n];
	return NULL;
}

/* A register's bits by name: the register, and which bits. */
static const struct lab_reg *find_bits(const struct lab *l, const char *name, uint64_t *mask)
{
	const struct lab_bits *b;
	const struct lab_reg *r = lab_find_reg(l, name);

	*mask = r ? UINT64_MAX >> (64 - 8 * r->size) : 0;
	for (b = l->arch->bits; !r && b->name; b++)
		if (!strcmp(b->name, name)) {
			*mask = b->mask;
			r = lab_find_reg(l, b->reg);
		}
	return r;
}

static uint64_t get_reg(const void *regs, const struct lab_reg *r)
{
	return get_uint((const char *)regs + r->at, r->size);
}

static void set_reg(void *regs, const struct lab_reg *r, uint64_t val)
{
	put_uint((char *)regs + r->at, val, r->size);
}

/* Memory or ports' bytes that a word names: "d[data+4]"; its size, 0 for x[], or -1: no such thing.
 */
static int find_place(const struct lab *l, const char *name, uint64_t *at)
{
	static const char letters[] = "xbwd q";
	const char *letter = strchr(letters, name[0]);
	size_t len = strlen(name);
	char sum[60];

	if (!letter || len < 4 || name[1] != '[' || name[len - 1] != ']' || len - 3 >= sizeof sum)
		return -1;
	memcpy(sum, name + 2, len - 3);
	sum[len - 3] = 0;
	if (!read_sum(l, sum, at) || *at >= LAB_RAM - 8)
		return -1;
	return letter == letters ? 0 : letter[0] == 'q' ? 8 : 1 << (letter - letters - 1);
}

/* In ------------------------------------------------------------------------------------------- */

static bool put_place(const struct lab *l, struct lab_rig *r, const char *name, const char *value)
{
	uint64_t at, val;
	int size = find_place(l, name, &at);

	if (size == 0)
		return lab_text_bytes(value, r->ram + at, LAB_RAM - at) >= 0;
	if (size < 0 || !read_sum(l, value, &val))
		return false;
	put_le(r->ram + at, val, (unsigned)size);
	return true;
}

static bool put_line(struct lab_rig *r, const char *name, uint64_t val)
{
	if (!strcmp(name, "irq"))
		r->pending[val / 64 & 3] |= 1ull << val % 64;
	else if (!strcmp(name, "nmi"))
		r->wants_nmi = true;
	else if (!strcmp(name, "wake") && r->nwakes < LAB_WAKES)
		r->wake[r->nwakes++] = (uint16_t)val;
	else
		return false;
	return true;
}

static bool put_word(const struct lab *l, struct lab_rig *r, const char *name, const char *value)
{
	const struct lab_reg *reg;
	uint64_t val, mask;

	if (name[0] && name[1] == '[')
		return put_place(l, r, name, value);
	if (!read_sum(l, value, &val))
		return false;
	if (put_line(r, name, val))
		return true;
	reg = find_bits(l, name, &mask);
	if (!reg)
		return false;
	val = (get_reg(r->regs, reg) & ~mask) | (val << __builtin_ctzll(mask) & mask);
	set_reg(r->regs, reg, val);
	return true;
}

int lab_text_in(struct lab *l, struct lab_rig *r, const char *in, struct err *e)
{
	char word[WORD], *value;

	while (in && next_word(&in, word)) {
		if (word[0] == '+')
			continue;
		value = strchr(word, '=');
		if (value)
			*value++ = 0;
		if (!value || !put_word(l, r, word, value))
			return err_set(e, EINVAL, "the lab cannot read \"%s\"", word);
	}
	return 0;
}

/* Out ------------------------------------------------------------------------------------------ */

size_t lab_text_events(const struct lab_rig *r, char *text, size_t size)
{
	size_t len = 0;
	unsigned n;

	text[0] = 0;
	for (n = 0; n < r->nevents && n < LAB_EVENTS && len < size; n++) {
		const struct lab_event *v = &r->event[n];

		len += (size_t)snprintf(
		    text + len, size - len, "%s%c", n ? "," : "", "RWIOT"[v->kind]);
		if (len < size && v->kind == LAB_TAKEN)
			len += (size_t)snprintf(text + len, size - len, "%x", v->at);
		else if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%u:%x=%llx", v->size,
			    v->at, (unsigned long long)v->val);
	}
	return len;
}

/* What is written of an event: all of it, or no value. */
static bool is_event(const struct lab_event *v, const char *text, size_t len)
{
	char all[64], *value;

	if (v->kind == LAB_TAKEN)
		snprintf(all, sizeof all, "T%x", v->at);
	else
		snprintf(all, sizeof all, "%c%u:%x=%llx", "RWIO"[v->kind], v -> size, v -> at,
		    (unsigned long long)v -> val);
	value = strchr(all, '=');
	if (value && !memchr(text, '=', len))
		*value = 0;
	return strlen(all) == len && !memcmp(all, text, len);
}

static void check_events(struct lab *l, const char *want)
{
	const struct lab_rig *r = l->rig;
	char got[800];
	const char *at = want;
	unsigned n = 0;
	size_t len;
	bool same = true;

	for (; *at; at += len + (at[len] == ','), n++) {
		len = strcspn(at, ",");
		same = same && n < r->nevents && n < LAB_EVENTS && is_event(&r->event[n], at, len);
	}
	if (same && n == r->nevents)
		return;
	lab_text_events(r, got, sizeof got);
	lab_differs(l, "events", "devices saw %.60s, manual %.60s", *got ? got : "nothing", want);
}

/* The number of a handler: "gp", "20"; -1: no such thing. */
static int read_vector(const struct lab *l, const char *name)
{
	unsigned n;
	char *end;

	for (n = 0; l->arch->exceptions[n]; n++)
		if (!strcmp(l->arch->exceptions[n], name))
			return (int)n;
	n = (unsigned)strtoul(name, &end, 16);
	return *end || !*name ? -1 : (int)n;
}

static bool ignore(struct lab *l, const char *name)
{
	const struct lab_reg *r;
	uint64_t mask, at;
	uint8_t bytes[8];
	int size = find_place(l, name, &at), n;

	if (size > 0 && l->nspots < LAB_SPOTS) {
		l->spot[l->nspots].at = at;
		l->spot[l->nspots++].len = (uint64_t)size;
		return true;
	}
	r = find_bits(l, name, &mask);
	if (!r)
		return false;
	put_le(bytes, mask, 8);
	for (n = 0; n < r->size; n++)
		l->care[r->at + n] &= (uint8_t)~bytes[n];
	return true;
}

static bool check_place(struct lab *l, const char *name, const char *value)
{
	uint64_t at = 0, val, got;
	uint8_t bytes[WORD / 2];
	char what[20];
	int size = find_place(l, name, &at);

	snprintf(what, sizeof what, "ram.%x", (unsigned)at);
	if (size == 0) {
		size = lab_text_bytes(value, bytes, sizeof bytes);
		if (size > 0 && memcmp(l->rig->ram + at, bytes, (size_t)size))
			lab_differs(l, what, "%s is not %s as in the manual", name, value);
		return size > 0;
	}
	if (size < 0 || !read_sum(l, value, &val))
		return false;
	val &= UINT64_MAX >> (64 - 8 * size);
	got = get_le(l->rig->ram + at, (unsigned)size);
	if (got != val)
		lab_differs_from(l, what, name, got, "manual", val);
	return true;
}

static bool check_word(struct lab *l, const char *name, const char *value)
{
	const struct lab_reg *r;
	uint64_t val, mask = UINT64_MAX, got;

	if (!strcmp(name, "log")) {
		check_events(l, value);
		return true;
	}
	if (name[0] && name[1] == '[')
		return check_place(l, name, value);
	if (!read_sum(l, value, &val))
		return false;
	if (!l->arch->get(l->rig, name, &got)) {
		r = find_bits(l, name, &mask);
		if (!r)
			return false;
		got = (get_reg(l->rig->left, r) & mask) >> __builtin_ctzll(mask);
		mask >>= __builtin_ctzll(mask);
	}
	if (got != (val & mask))
		lab_differs_from(l, name, NULL, got, "manual", val & mask);
	return true;
}

static void name_vector(const struct lab *l, int vector, char *text, size_t size)
{
	unsigned n;

	for (n = 0; l->arch->exceptions[n] && (int)n < vector; n++)
		;
	if (vector == LAB_DONE)
		snprintf(text, size, "the end of the code");
	else if (vector == LAB_LOST)
		snprintf(text, size, "somewhere else");
	else if ((int)n == vector && l->arch->exceptions[n])
		snprintf(text, size, "#%s", l->arch->exceptions[n]);
	else
		snprintf(text, size, "vector %x", (unsigned)vector);
}

static void check_vector(struct lab *l, int want)
{
	int got = l->arch->vector(l->rig);
	char a[40], b[40];

	if (got == want)
		return;
	name_vector(l, got, a, sizeof a);
	name_vector(l, want, b, sizeof b);
	lab_differs(l, "vector", "comes to %s, manual: %s", a, b);
}

struct out {
	int vector;
	bool any_way; /* vector does not matter */
	char end[40];
};

static bool check_out(struct lab *l, struct out *o, char *word)
{
	char *value = strchr(word, '=');

	if (!strcmp(word, "?#")) {
		o->any_way = true;
		return true;
	}
	if (word[0] == '?')
		return ignore(l, word + 1);
	if (word[0] == '#') {
		o->vector = read_vector(l, word + 1);
		return o->vector >= 0;
	}
	if (!value)
		return false;
	*value++ = 0;
	if (!strcmp(word, "end")) {
		snprintf(o->end, sizeof o->end, "%s", value);
		o->any_way = true;
		return true;
	}
	return check_word(l, word, value);
}

int lab_text_out(struct lab *l, const char *out, struct err *e)
{
	struct out o = { LAB_DONE, false, "halt" };
	char word[WORD], copy[WORD];

	l->arch->left(l->rig);
	while (out && next_word(&out, word)) {
		snprintf(copy, sizeof copy, "%s", word);
		if (!check_out(l, &o, word))
			return err_set(e, EINVAL, "the lab cannot read \"%s\"", copy);
	}
	if (strcmp(o.end, l->rig->end))
		lab_differs(l, "end", "ends with \"%s\", manual: \"%s\"", l->rig->end, o.end);
	else if (!o.any_way)
		check_vector(l, o.vector);
	return 0;
}
