/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks from text: what ir/print.c writes, and what people write like it.  Numbers of values are
 * names there: they may leave gaps, and printing makes them the operations' own.  Lines that are
 * empty or start with # are skipped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ir/ir.h"

enum { TOKEN = 40, NAMES = 1 << 16 };

struct parser {
	const struct ir_guest *guest;
	struct ir_block *b;
	struct err *err;
	const char *at; /* in a line */
	unsigned line;
	uint16_t *value; /* of each name; 0: none */
};

#define WRONG(p, ...) err_set((p)->err, EINVAL, "IR line " __VA_ARGS__)

static bool ends(const struct parser *p)
{
	return *p->at == '\n' || *p->at == 0;
}

static void skip_spaces(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')
		p->at++;
}

static bool skip(struct parser *p, char c)
{
	skip_spaces(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

/* The next word: letters, digits, _ and .; empty if there is none. */
static void word(struct parser *p, char token[TOKEN])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.";
	size_t n;

	skip_spaces(p);
	n = strspn(p->at, letters);
	token[0] = 0;
	if (n < TOKEN)
		strncat(token, p->at, n);
	p->at += n;
}

static int name(struct parser *p, unsigned *n)
{
	char token[TOKEN];
	uint64_t v;

	if (!skip(p, '%'))
		return WRONG(p, "%u: a value, as %%5, is missing", p->line);
	word(p, token);
	if (parse_u64(token, &v) < 0 || v >= NAMES)
		return WRONG(p, "%u: %%%s is no value's number", p->line, token);
	*n = (unsigned)v;
	return 0;
}

/* Whether a word is that operation, with the width of its type if it may have several. */
static bool is_op(const char *token, const struct ir_info *info, uint8_t *type)
{
	static const char *const widths[] = { "8", "16", "32", "64" };
	size_t len = strlen(info->name);

	if (strncmp(token, info->name, len) != 0)
		return false;
	*type = IR_I64;
	if (info->types == IR_TYPES_W64)
		return token[len] == 0;
	for (*type = IR_I8; *type <= IR_I64; ++*type)
		if (strcmp(token + len, widths[*type]) == 0)
			return true;
	return false;
}

static int opcode(struct parser *p, struct ir_op *o)
{
	char token[TOKEN];

	word(p, token);
	for (o->op = 0; o->op < IR_NOPCODES; o->op++)
		if (is_op(token, &ir_infos[o->op], &o->type))
			return 0;
	return WRONG(p, "%u: \"%s\" is no operation", p->line, token);
}

static int slot_or_helper(struct parser *p, const char *token, enum ir_k kind, int64_t *k)
{
	const struct ir_guest *g = p->guest;
	unsigned i, n = kind == IR_K_SLOT ? g->nslots : g->nhelpers;

	for (i = 0; i < n; i++) {
		const char *s = kind == IR_K_SLOT ? g->slots[i].name : g->helpers[i].name;

		if (strcmp(s, token) == 0) {
			*k = i;
			return 0;
		}
	}
	return WRONG(p, "%u: the guest has no %s \"%s\"", p->line,
	    kind == IR_K_SLOT ? "register" : "helper", token);
}

static int constant(struct parser *p, struct ir_op *o)
{
	enum ir_k kind = ir_infos[o->op].k;
	bool minus = skip(p, '-');
	char token[TOKEN];
	uint64_t v;

	word(p, token);
	if (kind == IR_K_SLOT || kind == IR_K_HELPER)
		return slot_or_helper(p, token, kind, &o->k);
	if (parse_u64(token, &v) < 0)
		return WRONG(p, "%u: \"%s\" is no number", p->line, token);
	o->k = (int64_t)(minus ? -v : v);
	return 0;
}

static int operands(struct parser *p, struct ir_op *o)
{
	const struct ir_info *info = &ir_infos[o->op];
	uint16_t *v[3] = { &o->a, &o->b, &o->c };
	bool first = true;
	unsigned i, n;
	int r;

	if (info->k != IR_K_NONE) {
		r = constant(p, o);
		if (r < 0)
			return r;
		first = false;
	}
	for (i = 0; i < info->operands; i++) {
		if (!first && !skip(p, ','))
			return WRONG(p, "%u: %s has %u operands", p->line, info->name,
			    info->operands + (info->k != IR_K_NONE));
		first = false;
		r = name(p, &n);
		if (r < 0)
			return r;
		if (!p->value[n])
			return WRONG(p, "%u: there is no %%%u yet", p->line, n);
		*v[i] = p->value[n];
	}
	return 0;
}

static int line(struct parser *p)
{
	struct ir_op o = { 0 };
	unsigned result = NAMES;
	int r;

	skip_spaces(p);
	if (*p->at == '%') {
		r = name(p, &result);
		if (r < 0)
			return r;
		if (!skip(p, '='))
			return WRONG(p, "%u: = is missing behind %%%u", p->line, result);
		if (p->value[result])
			return WRONG(p, "%u: %%%u is made twice", p->line, result);
	}
	r = opcode(p, &o);
	if (r < 0)
		return r;
	if (ir_infos[o.op].result != (result < NAMES))
		return WRONG(p, "%u: %s makes %s value", p->line, ir_infos[o.op].name,
		    result < NAMES ? "no" : "a");
	r = operands(p, &o);
	if (r < 0)
		return r;
	skip_spaces(p);
	if (!ends(p))
		return WRONG(p, "%u: nothing should follow %s", p->line, ir_infos[o.op].name);
	if (p->b->n == IR_BLOCK_OPS)
		return WRONG(p, "%u: more operations than a block can have", p->line);
	if (result < NAMES)
		p->value[result] = (uint16_t)p->b->n;
	p->b->op[p->b->n++] = o;
	return 0;
}

int ir_parse(struct ir_block *b, const char *text, const struct ir_guest *g, struct err *e)
{
	struct parser p = { .guest = g, .b = b, .err = e, .at = text, .line = 1 };
	int r = 0;

	p.value = calloc(NAMES, sizeof *p.value);
	if (!p.value)
		return err_set(e, ENOMEM, "IR: no memory for a block's names");
	ir_begin(b);
	while (r == 0 && *p.at) {
		skip_spaces(&p);
		if (*p.at == '#')
			p.at += strcspn(p.at, "\n");
		else if (!ends(&p))
			r = line(&p);
		if (*p.at == '\n') {
			p.at++;
			p.line++;
		}
	}
	free(p.value);
	if (r < 0)
		return r;
	b->ended = true;
	return ir_check(b, g, e);
}
